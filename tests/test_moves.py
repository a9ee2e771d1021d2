"""Images, class maps and boxes move together, and each move is drawn."""

import numpy as np
import pytest

from vitlib.data.moves import draw_moves, move_boxes, move_planes

HEIGHT, WIDTH = 21, 26


def draw_things(rng, count, margin):
    """Boxes of three things, a third of them absent, `(N, 3, 4)`."""
    room = HEIGHT - 2 * margin, WIDTH - 2 * margin
    sides = rng.integers(1, 9, size=(count, 3, 2))
    starts = margin + rng.integers(2**16, size=sides.shape) % (room - sides + 1)
    boxes = np.concatenate([starts, starts + sides], axis=-1)
    return np.where(rng.integers(3, size=(count, 3, 1)) > 0, boxes, 0)


def fill(boxes):
    """The masks of things that fill their boxes, `(N, T, H, W)`."""
    top, left, bottom, right = np.moveaxis(boxes, -1, 0)[..., None]
    down, across = np.arange(HEIGHT), np.arange(WIDTH)
    rows, columns = (down >= top) & (down < bottom), (across >= left) & (across < right)
    return rows[..., None] & columns[..., None, :]


def paint(boxes):
    """Images of things in colours of their own, the last in front, `(N, H, W, 3)`."""
    images = np.full((len(boxes), HEIGHT, WIDTH, 3), 200, np.uint8)
    for thing, masks in enumerate(np.moveaxis(fill(boxes), 1, 0)):
        images[masks] = (10, 20 * thing, 90)
    return images


def find_box(mask):
    """The smallest box around a mask; zeros around none."""
    if not mask.any():
        return [0, 0, 0, 0]
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]


def place_anew(boxes, moves):
    """The boxes of things that are drawn where a move would bring them."""
    placed = boxes.copy()
    for image, (flip, down, right) in enumerate(zip(*moves, strict=True)):
        for box in placed[image][boxes[image].any(-1)]:
            assert box[0] >= 4  # the margin, so that no move cuts or draws it out
        for thing, (top, left, bottom, end) in enumerate(boxes[image].tolist()):
            if bottom:
                left, end = (WIDTH - end, WIDTH - left) if flip else (left, end)
                place = top + down, left + right, bottom + down, end + right
                placed[image, thing] = place
    return placed


def test_a_scene_drawn_then_moved_is_the_scene_moved_then_drawn():
    rng = np.random.default_rng(0)
    boxes, moves = draw_things(rng, 500, margin=4), draw_moves(500, rng)
    placed = place_anew(boxes, moves)
    assert np.array_equal(move_planes(paint(boxes), moves), paint(placed))
    assert np.array_equal(move_boxes(boxes, moves, (HEIGHT, WIDTH)), placed)
    for thing in range(3):
        moved = move_planes(fill(boxes)[:, thing], moves)
        assert np.array_equal(moved, fill(placed)[:, thing])


def test_the_moved_box_is_the_box_of_the_moved_mask_at_the_edges_too():
    rng = np.random.default_rng(1)
    boxes, moves = draw_things(rng, 2000, margin=0), draw_moves(2000, rng, pixels=6)
    moved = move_boxes(boxes.astype(np.int32), moves, (HEIGHT, WIDTH))
    assert moved.dtype == np.int32
    gone = (moved == 0).all(-1) & boxes.any(-1)
    for thing in range(3):
        masks = move_planes(fill(boxes)[:, thing], moves)
        assert moved[:, thing].tolist() == [find_box(mask) for mask in masks]
    assert gone.any()


def test_edges_are_replicated_and_types_kept():
    planes = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert move_planes(planes, ([False], [1], [-2])).tolist() == [
        [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]]
    ]
    assert move_planes(planes, ([True], [0], [1])).tolist() == [
        [[3, 3, 2, 1], [7, 7, 6, 5], [11, 11, 10, 9]]
    ]
    for kind in (bool, np.uint8, np.int32, np.float32):
        assert move_planes(planes.astype(kind), ([True], [1], [1])).dtype == kind


def test_a_flip_undoes_itself():
    rng = np.random.default_rng(2)
    boxes, still = draw_things(rng, 50, margin=0), np.zeros(50, int)
    moves = rng.integers(2, size=50) > 0, still, still
    once = move_planes(paint(boxes), moves)
    assert (once != paint(boxes)).any()
    assert np.array_equal(move_planes(once, moves), paint(boxes))
    size = HEIGHT, WIDTH
    assert np.array_equal(
        move_boxes(move_boxes(boxes, moves, size), moves, size), boxes
    )


def test_all_moves_are_drawn_and_equally_often():
    flip, down, right = draw_moves(16_200, np.random.default_rng(3))
    assert flip.dtype == bool
    moves, often = np.unique([flip, down, right], axis=1, return_counts=True)
    assert moves.shape == (3, 2 * 9 * 9)
    assert (abs(moves[1:]) <= 4).all()
    # 161 degrees of freedom: more than 219 would be less likely than 1 in 500.
    assert ((often - 100) ** 2 / 100).sum() < 219


@pytest.mark.parametrize(("name", "wrong"), [("count", 0), ("pixels", -1)])
def test_a_count_that_cannot_be_drawn_is_refused(name, wrong):
    arguments = {"count": 3, "rng": np.random.default_rng(0), name: wrong}
    with pytest.raises(ValueError, match=f"{name} must be an integer.*Received: "):
        draw_moves(**arguments)
