"""The tiles of the embedded images: what shapes look like, and where they stand."""

from itertools import combinations, product

import numpy as np

IMAGE_SIZE = 32  # pixels, the side of an image, as in CIFAR-100
TILE_SIZE = 8  # pixels, the side of a tile; each shape lies wholly inside one
GRID_SIZE = IMAGE_SIZE // TILE_SIZE  # tiles, the side of the grid that fills an image
NUM_TILES = GRID_SIZE**2

KINDS = ("square", "ring", "cross", "triangle", "diamond")
ARRANGEMENTS = ("left of", "right of", "above", "below")
CLASS_NAMES = tuple(
    f"{first} {arrangement} {second}"
    for first, second, arrangement in product(KINDS, KINDS, ARRANGEMENTS)
)

SHAPE_SIZES = (6, 7, 8)  # pixels, the side of a shape
SHIFTS = range(6)  # pixels, wrapped to the 3, 2 or 1 places such a side has in a tile
VARIANTS = tuple(product(SHAPE_SIZES, SHIFTS, SHIFTS))  # equally likely
DOT_SIZE = 2  # pixels, the side of a dot of clutter
DOT_RARITY = 4  # one tile in so many holds a dot

# Red, green, blue, as dark as they come: jitter adds 0 to 31 and noise 0 to 30.
SHAPE_COLORS = np.array([(190, 50, 20), (20, 80, 180)])  # first, second
DOT_COLORS = np.array([(90, 160, 70), (190, 170, 40), (110, 110, 110)])
BACKGROUND_COLOR = np.array([180, 175, 165])
COLOR_JITTER = (32, 32, 32)


def draw_kinds(size):
    """Draws each kind as wide and as high as a square.

    Args:
        size: Integer of at least 6, the side of the square in pixels.

    Returns:
        Boolean array of shape `(5, size, size)`, in the order of `KINDS`.
    """
    x = abs(2 * np.arange(size) - (size - 1))  # whole: twice the distance to the centre
    y = x[:, None]
    return np.stack(
        [
            x + y >= 0,  # square
            (x**2 + y**2 <= size**2) & (3 * (x**2 + y**2) > size**2),  # ring
            4 * abs(x - y) < size,  # cross, of single pixels up to a side of 8
            x <= np.arange(1, size + 1)[:, None],  # triangle
            x + y <= size,  # diamond
        ]
    )


def _make_stamps():
    """Returns the kinds on a tile, `(5, V, 8, 8)`, and their boxes, `(V, 4)`."""
    stamps = np.zeros((len(KINDS), len(VARIANTS), TILE_SIZE, TILE_SIZE), bool)
    boxes = np.zeros((len(VARIANTS), 4), int)
    for variant, (size, *shifts) in enumerate(VARIANTS):
        top, left = (shift % (TILE_SIZE - size + 1) for shift in shifts)
        boxes[variant] = top, left, top + size, left + size
        stamps[:, variant, top : top + size, left : left + size] = draw_kinds(size)
    return stamps, boxes


def _make_places():
    """Returns the tiles, `(4, 24, 2, 2)`, at which each arrangement can stand.

    The axes are: arrangement; choice; first and second shape; row and column.
    """
    pairs = product(range(GRID_SIZE), combinations(range(GRID_SIZE), 2))
    left = np.array([((row, a), (row, b)) for row, (a, b) in pairs])
    above = left[:, :, ::-1]  # rows and columns change places
    return np.stack([left, left[:, ::-1], above, above[:, ::-1]])


STAMPS, BOXES = _make_stamps()
PLACES = _make_places()
