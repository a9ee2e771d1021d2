"""Small marked images, for the tests of tasks that say where something is."""

import numpy as np

from vitlib.data.splits import Dataset, make_split

SIDE, HALF = 32, 16  # pixels, of an image and of the part of it that holds a thing
COLORS = np.array([[220, 60, 40], [40, 90, 220]])  # of a rectangle and of a disc
KINDS = ("rectangle", "disc")


def draw_split(count, seed):
    """Images of no thing to three things, each in a quarter of its own."""
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 130, (count, SIDE, SIDE, 3), dtype="uint8")
    kinds = rng.integers(0, 2, (count, 3))
    kinds[np.arange(3) >= rng.integers(0, 4, count)[:, None]] = -1
    masks = np.zeros((count, 3, SIDE, SIDE), bool)
    boxes = np.zeros((count, 3, 4), int)
    down, right = np.mgrid[:SIDE, :SIDE] + 0.5
    for i, j in np.argwhere(kinds >= 0):
        quarter = HALF * np.array(np.divmod((i + j) % 4, 2))
        sides = (
            rng.integers(6, 11, 2) if kinds[i, j] == 0 else [rng.integers(7, 11)] * 2
        )
        start = quarter + rng.integers(2, HALF - 1 - np.array(sides))
        top, left, bottom, edge = box = [*start, *(start + sides)]
        mask = (top < down) & (down < bottom) & (left < right) & (right < edge)
        if kinds[i, j] == 1:
            middle = start + np.array(sides) / 2
            mask &= np.hypot(down - middle[0], right - middle[1]) < sides[0] / 2
        images[i, mask] = COLORS[kinds[i, j]] + rng.integers(0, 30, 3)
        masks[i, j], boxes[i, j] = mask, box
    return make_split(images, np.zeros(count), masks, boxes, kinds)


def small_scenes(train=320, validation=100, test=100):
    splits = {
        name: draw_split(count, seed)
        for seed, (name, count) in enumerate(
            {"train": train, "validation": validation, "test": test}.items()
        )
    }
    return Dataset("small-scenes", "0" * 64, KINDS, **splits)
