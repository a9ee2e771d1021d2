"""Flip and move images, class maps and boxes alike: augmentation for dense tasks.

Where things are is what a dense task predicts, so what moves an image must move its
targets with it. These moves are whole pixels: no value is blended, and a class map
keeps its classes.
"""

import numpy as np

from vitlib.config.rules import require_integer


def draw_moves(count, rng, pixels=4):
    """Draws for each image whether it is flipped, and how far it is moved.

    Args:
        count: Integer N of at least 1, the number of images.
        rng: `numpy.random.Generator`.
        pixels: Integer of at least 0, the largest move in each direction, in pixels.

    Returns:
        Tuple `(flip, down, right)` of arrays of shape `(N,)`: a boolean, true for half
        of the images; two integers from `-pixels` to `pixels`, equally likely.

    Raises:
        ValueError: When `count` or `pixels` breaks its rule.
    """
    require_integer("count", count, 1)
    require_integer("pixels", pixels, 0)
    flip = rng.integers(2, size=count).astype(bool)
    down, right = rng.integers(-pixels, pixels + 1, size=(2, count))
    return flip, down, right


def move_planes(planes, moves):
    """Flips images from left to right, then moves them; edges are replicated.

    Args:
        planes: Array of shape `(N, H, W)` or `(N, H, W, C)`: class maps, masks or
            images, of any type.
        moves: Tuple `(flip, down, right)` as of `draw_moves`.

    Returns:
        Array of the same shape and type. Pixel `(row, column)` of an image is what was
        at `(row - down, column - right)` after the flip, or at the edge next to it.
    """
    flip, down, right = (np.asarray(move)[:, None] for move in moves)
    height, width = planes.shape[1:3]
    rows = (np.arange(height) - down).clip(0, height - 1)  # (N, H)
    columns = (np.arange(width) - right).clip(0, width - 1)  # (N, W)
    columns = np.where(flip, width - 1 - columns, columns)
    image = np.arange(len(planes))[:, None, None]
    return planes[image, rows[:, :, None], columns[:, None, :]]


def move_boxes(boxes, moves, size):
    """Flips and moves boxes as `move_planes` does the images.

    The box of a thing that stays whole is again as small as can be. A thing that
    touches an edge of the image is drawn out with it, and its box still touches the
    edge. Of a thing that the move cuts, the box is what is left of the old one.

    Args:
        boxes: Integer array of shape `(N, T, 4)`, top, left, bottom, right in pixels,
            bottom and right outside; zeros where an image has fewer things.
        moves: Tuple `(flip, down, right)` as of `draw_moves`.
        size: Integer, the side of the images in pixels, or their height and width.

    Returns:
        Array of the same shape and type; zeros where nothing of a thing is left.
    """
    flip, down, right = (np.asarray(move)[:, None] for move in moves)
    height, width = np.broadcast_to(size, 2)
    top, left, bottom, right_side = np.moveaxis(boxes, -1, 0)  # (N, T)
    there = (top < bottom) & (left < right_side)
    sides = np.where(flip, (width - right_side, width - left), (left, right_side))
    spans = _move_span(top, bottom, down, height), _move_span(*sides, right, width)
    (top, bottom), (left, right_side) = spans
    there &= (top < bottom) & (left < right_side)
    moved = np.stack([top, left, bottom, right_side], axis=-1)
    return np.where(there[..., None], moved, 0).astype(boxes.dtype)


def _move_span(low, high, move, size):
    """Returns the moved limits of boxes along one axis, inside the image."""
    low = np.where(low == 0, 0, low + move)  # the edge goes on at the edge
    high = np.where(high == size, size, high + move)
    return low.clip(0, size), high.clip(0, size)
