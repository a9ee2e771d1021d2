"""Where the pixels of a changed image come from, and what an image shows there.

A change is written as its inverse map: from points of the new image to points of the
old one. Maps can be chained, so the old image is read only once, however many changes
there are. All is arithmetic and one gather, which XLA compiles on every backend.

Points are a pair of float32 tensors, rows and columns, in pixels; 0 is the middle of
the first pixel. Both broadcast to `(batch, H, W)`. A size is a pair (H, W). Amounts are
float32 of shape `(batch, 1, 1)`: each image has its own. Conventions and signs are
those of the random layers of Keras.
"""

from keras import ops


def grid(size):
    """The points of all pixels of an image: the map that changes nothing."""
    height, width = size
    rows = ops.arange(height, dtype="float32")[None, :, None]
    return rows, ops.arange(width, dtype="float32")[None, None, :]


def flip(points, size, side):
    """Mirrors left and right where `side` is below 0."""
    rows, columns = points
    return rows, ops.where(side < 0, size[1] - 1 - columns, columns)


def rotate(points, size, angle):
    """Turns about the middle, counter-clockwise by `angle` in radians."""
    middle_row, middle_column = (size[0] - 1) / 2, (size[1] - 1) / 2
    down, right = points[0] - middle_row, points[1] - middle_column
    cos, sin = ops.cos(angle), ops.sin(angle)
    rows = middle_row + sin * right + cos * down
    return rows, middle_column + cos * right - sin * down


def zoom(points, size, height, width):
    """Zooms about the middle; 0.2 shows 1.2 times as much, so things get smaller."""
    middle_row, middle_column = (size[0] - 1) / 2, (size[1] - 1) / 2
    rows = middle_row + (1 + height) * (points[0] - middle_row)
    return rows, middle_column + (1 + width) * (points[1] - middle_column)


def shift(points, size, down, right):
    """Moves by shares of the height and of the width."""
    return points[0] - down * size[0], points[1] - right * size[1]


def shear(points, size, slope):
    """Moves each row to the left by `slope` times its number; the first row stays."""
    rows, columns = points
    return rows, columns + slope * rows


def nearest(points, size):
    """Takes points outside of the image to its border: (a a | a b c | c c)."""
    return tuple(ops.clip(p, 0, n - 1) for p, n in zip(points, size, strict=True))


def reflect(points, size):
    """Mirrors points outside of the image at its edge: (b a | a b c | c b).

    The edge is half a pixel beyond the middle of the border pixel. Right for points
    that are not farther out than the image is large.
    """
    mirrored = [
        n - ops.abs(n - ops.abs(p + 0.5)) - 0.5
        for p, n in zip(points, size, strict=True)
    ]
    return nearest(mirrored, size)  # between edge and border pixel there is one value


def resize(points, size, source_size):
    """From points of an image of `size` to those of a `source_size` of equal extent."""
    sides = zip(points, size, source_size, strict=True)
    return tuple((p + 0.5) * (source / n) - 0.5 for p, n, source in sides)


def sample(images, points):
    """Reads images between their pixels, by bilinear interpolation.

    Args:
        images: Tensor of shape `(batch, H, W, C)`, with H and W at least 2.
        points: Rows and columns that broadcast to `(batch, H', W')`. Points outside of
            the image are taken to its border.

    Returns:
        Tensor of shape `(batch, H', W', C)`, float32.
    """
    height, width, channels = images.shape[1:]
    rows, columns = nearest(points, (height, width))
    top = ops.clip(ops.floor(rows), 0, height - 2)  # below it there is another row
    left = ops.clip(ops.floor(columns), 0, width - 2)
    down, right = (rows - top)[..., None], (columns - left)[..., None]

    # All pixels of the batch in one table: gathering whole rows of it is cheap.
    table = ops.cast(ops.reshape(images, (-1, channels)), "float32")
    first = ops.arange(ops.shape(images)[0], dtype="int32") * (height * width)
    index = ops.cast(top * width + left, "int32") + first[:, None, None]
    above = _between(table, index, index + 1, right)
    below = _between(table, index + width, index + width + 1, right)
    return above * (1 - down) + below * down


def _between(table, left, right, share):
    left, right = ops.take(table, left, axis=0), ops.take(table, right, axis=0)
    return left * (1 - share) + right * share


def warp(images, steps, border, size):
    """Resizes images, changes them step by step, and reads them once.

    Gives what a chain of layers gives that interpolate one after the other, but for
    the blur that each of their interpolations adds.

    Args:
        images: Tensor of shape `(batch, H, W, C)`.
        steps: Tuples of a map of this module and its amounts, in order. They act on
            images of `size`, after the resizing.
        border: `nearest` or `reflect`: what each step finds outside of its image.
        size: Pair of integers, height and width of the result, in pixels.

    Returns:
        Tensor of shape `(batch, *size, C)`, float32.
    """
    points = grid(size)
    for change, *amounts in reversed(steps):  # the last change is undone first
        points = border(change(points, size, *amounts), size)
    return sample(images, resize(points, size, images.shape[1:3]))
