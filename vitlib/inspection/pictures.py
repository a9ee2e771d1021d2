"""Draw pictures, patches and maps on axes that the caller gives.

The look of a figure is `plt.style.use("vitlib.course")`. It has no title: the book
gives it a caption.
"""

import numpy as np

GAP = 1 / 3  # white space between patches, in patches
MAX_PIXEL = 255
SHADE = 0.8  # how dark a patch without attention is drawn, 1 being black
FRAME = np.array([(0, 1, 1, 0, 0), (0, 0, 1, 1, 0)])  # x and y around a square
EDGE = 0.5  # pixels, from the middle of a pixel, where `imshow` counts, to its border


def show_image(ax, image):
    """Draws an image without ticks, a square for each pixel.

    Args:
        ax: Axes to draw on.
        image: Array of shape `(H, W, C)`, pixels from 0 to 255, or `(H, W)`, a table.

    Raises:
        ValueError: When the pixels are fractions from 0 to 1, which would be black.
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.dtype != np.uint8:
        if image.max() <= 1 and (image % 1).any():
            raise ValueError(
                "The pixels of an image must be from 0 to 255. "
                f"Received: fractions up to {image.max():.3g}."
            )
        image = image.clip(0, MAX_PIXEL).astype(np.uint8)
    ax.imshow(image)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def show_numbers(ax, values, colors=None):
    """Draws a small table of integers `(rows, columns)`, each number in its cell.

    Args:
        ax: Axes to draw on.
        values: Array of shape `(rows, columns)`, what is written.
        colors: Array of the same shape, what is shown as colour; the values by default.
    """
    values = np.asarray(values)
    colors = values if colors is None else np.asarray(colors)
    show_image(ax, colors)
    middle = (colors.min() + colors.max()) / 2
    for (row, column), value in np.ndenumerate(values):
        ink = "black" if colors[row, column] > middle else "white"
        ax.text(column, row, value, ha="center", va="center", color=ink)
    return ax


def draw_patch_grid(ax, image_size, patch_size, color="white"):
    """Draws the borders of the patches over an image that is already there.

    Args:
        ax: Axes that show the image.
        image_size: `(H, W)` in pixels.
        patch_size: P, in pixels.
        color: Colour of the lines.
    """
    height, width = image_size
    lines = {"color": color, "linewidth": 1}
    ax.hlines(
        np.arange(patch_size, height, patch_size) - 0.5, -0.5, width - 0.5, **lines
    )
    ax.vlines(
        np.arange(patch_size, width, patch_size) - 0.5, -0.5, height - 0.5, **lines
    )
    return ax


def show_patches(ax, patches, columns=None):
    """Draws a sequence of flattened patches as squares, left to right, row by row.

    Args:
        ax: Axes to draw on.
        patches: Array of shape `(N, P * P * C)` with C = 3, values 0 to 255.
        columns: Patches in a row of the drawing; all of them by default.
    """
    patches = np.asarray(patches)
    columns = columns or len(patches)
    size = int(np.sqrt(patches.shape[1] // 3))
    gap = max(1, round(GAP * size))
    step = size + gap
    rows = -(-len(patches) // columns)
    shape = (rows * step - gap, columns * step - gap, 3)
    canvas = np.full(shape, MAX_PIXEL, np.uint8)
    for index, patch in enumerate(patches):
        top, left = (index // columns) * step, (index % columns) * step
        square = patch.reshape(size, size, 3).clip(0, MAX_PIXEL)
        canvas[top : top + size, left : left + size] = square
    return show_image(ax, canvas)


def show_map(ax, image, attention, limit=None, query=None):
    """Draws an attention map over an image: the less attention, the darker.

    Args:
        ax: Axes to draw on.
        image: Array of shape `(H, W, C)`, values 0 to 255.
        attention: Array of shape `(rows, columns)`, a weight of at least 0 a patch.
        limit: The weight from which on a patch is not darkened; the largest of the map
            by default. Give maps that are compared the same limit.
        query: `(row, column)` of the patch that attends, to frame it; or None.
    """
    show_image(ax, image)
    attention = np.asarray(attention)
    height, width = np.shape(image)[:2]
    limit = attention.max() if limit is None else limit
    shade = SHADE * (1 - attention / limit).clip(0, 1)
    edges = (-EDGE, width - EDGE, height - EDGE, -EDGE)
    ax.imshow(np.zeros_like(shade), cmap="gray", alpha=shade, extent=edges)
    if query is not None:
        tall, wide = np.divide((height, width), attention.shape)
        top, left = query[0] * tall - EDGE, query[1] * wide - EDGE
        x, y = left + wide * FRAME[0], top + tall * FRAME[1]
        ax.plot(x, y, color="C2", solid_joinstyle="miter")
    return ax


def show_similarity_maps(ax, similarity):
    """Draws one small map a patch: how similar every patch's position is to its own.

    The colours run from -1 to 1 with 0 in the middle, so that pictures compare.
    `ax.get_images()[0]` is what a colour bar needs.

    Args:
        ax: Axes to draw on.
        similarity: Array of shape `(rows, columns, rows, columns)`, values -1 to 1, as
            `vitlib.inspection.introspect.position_similarity` returns it.
    """
    similarity = np.asarray(similarity)
    rows, columns = similarity.shape[:2]
    gap = max(1, round(GAP * rows / 2))
    shape = rows * (rows + gap) - gap, columns * (columns + gap) - gap
    canvas = np.full(shape, np.nan)
    for row, column in np.ndindex(rows, columns):
        top, left = row * (rows + gap), column * (columns + gap)
        canvas[top : top + rows, left : left + columns] = similarity[row, column]
    show_image(ax, canvas)
    ax.get_images()[0].set(cmap="RdBu_r", clim=(-1, 1))
    return ax


def show_images(axes, images, labels=None):
    """Draws each image on axes of its own, with its label below.

    Args:
        axes: Axes to draw on, one an image, in an array of any shape.
        images: Sequence of as many arrays `(H, W, 3)` or `(H, W)`.
        labels: Sequence of as many strings; none by default.

    Raises:
        ValueError: When axes, images and labels are not equally many.
    """
    labels = [""] * len(images) if labels is None else labels
    for ax, image, label in zip(np.ravel(axes), images, labels, strict=True):
        show_image(ax, image)
        ax.set_xlabel(label)
    return axes
