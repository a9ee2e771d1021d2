"""Where the things of a scene lie: scattered, overlapping, and each to be seen."""

import numpy as np

from vitlib.data.words import split_words

SCENE_SIZE = 64  # pixels, the side of a scene
MARGIN = 5  # pixels of background at each edge: a move by 4 cuts no thing
ROOM = SCENE_SIZE - 2 * MARGIN  # pixels, the side of the square that holds all things
MOST_THINGS = 4  # in a scene, so that each has a quarter of the room if need be
MOST_PIXELS = ROOM // 2  # the most that a thing is high or wide, as wide as a quarter
APART = 8  # pixels between the middles of two boxes, along one axis at least
# In a quarter that begins at 0, the middle of a thing that begins at d lies at most at
# 13.5 + d / 2, and that of a thing in the next quarter at least at 27.5.
NEAR = 2 * (MOST_PIXELS // 2 + 1 - APART)  # pixels, the largest d
TRIES = 4  # layouts of a scene, of which the first good one is taken


def find_boxes(masks):
    """Finds the smallest box around each mask.

    Args:
        masks: Boolean array of shape `(..., H, W)`.

    Returns:
        int32 array of shape `(..., 4)`: top, left, bottom, right in pixels, bottom and
        right outside; zeros where a mask is empty.
    """
    limits = []
    for covered in (masks.any(axis=-1), masks.any(axis=-2)):  # rows, columns
        some = covered.any(axis=-1)
        last = covered.shape[-1] - covered[..., ::-1].argmax(axis=-1)
        limits.append((covered.argmax(axis=-1), np.where(some, last, 0)))
    (top, bottom), (left, right) = limits
    return np.stack([top, left, bottom, right], axis=-1).astype(np.int32)


def index_windows(corners, size):
    """Indexes a square window of each image.

    Args:
        corners: Integer array of shape `(N, 2)`, the upper left pixel of each window.
        size: Integer S, the side of the windows in pixels.

    Returns:
        Tuple of integer arrays that together index `(N, S, S)` of `(N, H, W)`.
    """
    rows, columns = np.moveaxis(corners[..., None] + np.arange(size), 1, 0)  # (N, S)
    image = np.arange(len(corners))[:, None, None]
    return image, rows[:, :, None], columns[:, None, :]


def lay_out(stamps, words):
    """Scatters things over scenes, the later ones in front.

    At least half of each thing is visible, the middles of the boxes around what is
    visible are 8 pixels apart along one axis at least, and a margin of 5 pixels is
    free. Of the layouts that are tried for a scene the last has a quarter of the room
    for each thing, where nothing overlaps.

    Args:
        stamps: Boolean array of shape `(N, 4, S, S)`, the pixels of each thing, in the
            upper left corner of a square; none of a thing that is not there. No thing
            is higher or wider than 27 pixels.
        words: Array of shape `(N, 16)`, random words.

    Returns:
        Tuple of the place of the upper left corner of each thing, `(N, 4, 2)`, and its
        visible pixels, a boolean array of shape `(N, 4, 64, 64)`.
    """
    words = words.reshape(-1, TRIES, MOST_THINGS)
    corners = np.zeros((len(words), MOST_THINGS, 2), int)
    masks = np.zeros((len(words), MOST_THINGS, SCENE_SIZE, SCENE_SIZE), bool)
    left = np.arange(len(words))  # the scenes that have no good layout yet
    for attempt in range(TRIES):
        apart = attempt == TRIES - 1
        corners[left] = _scatter(stamps[left], words[left, attempt], apart)
        masks[left] = _stack(stamps[left], corners[left])
        left = left[~_are_seen(stamps[left], masks[left])]
    return corners, masks


def _scatter(stamps, words, apart):
    """Returns a place for each thing, if apart then in a quarter of its own."""
    shifts = np.stack(list(split_words(words, 2**20, 2**20)), axis=-1)
    sides = find_boxes(stamps)[..., 2:]  # (N, 4, 2)
    if not apart:
        return MARGIN + shifts % (ROOM - sides + 1)
    quarters = np.divmod(words.argsort(axis=1, kind="stable"), 2)  # row, column
    most = np.minimum(MOST_PIXELS - sides, NEAR)
    return MARGIN + MOST_PIXELS * np.stack(quarters, axis=-1) + shifts % (most + 1)


def _stack(stamps, corners):
    """Returns the visible pixels of things at some places, the later ones in front."""
    count, things, size, _ = stamps.shape
    # Windows may reach out of the scene, things do not.
    front = np.full((count, SCENE_SIZE + size, SCENE_SIZE + size), -1, np.int8)
    for thing in range(things):
        window = index_windows(corners[:, thing], size)
        front[window] = np.where(stamps[:, thing], thing, front[window])
    front = front[:, None, :SCENE_SIZE, :SCENE_SIZE]
    return front == np.arange(things, dtype=np.int8)[:, None, None]


def _are_seen(stamps, masks):
    """Returns in which scenes half of each thing is visible, and boxes are apart."""
    whole, visible = (pixels.sum(axis=(2, 3)) for pixels in (stamps, masks))
    boxes, there = find_boxes(masks), whole > 0
    middles = boxes[..., :2] + boxes[..., 2:]  # twice, to be whole numbers
    gaps = abs(middles[:, :, None] - middles[:, None]).max(axis=-1)  # (N, 4, 4)
    pairs = there[:, :, None] & there[:, None] & ~np.eye(MOST_THINGS, dtype=bool)
    near = pairs & (gaps < 2 * APART)
    return ~near.any(axis=(1, 2)) & (2 * visible >= whole).all(axis=1)
