"""A class for each pixel, and one sentence on things that are wrongly marked."""

from dataclasses import replace

import numpy as np
import pytest

from vitlib.data.class_maps import class_map, require_things
from vitlib.data.splits import make_split


@pytest.fixture
def split():
    """Three images of 4 x 5 pixels with two things, with one, and with none."""
    masks = np.zeros((3, 2, 4, 5), bool)
    masks[0, 0, :2, :3] = masks[0, 1, 1:, 2:] = masks[1, 0, 3, 4] = True
    boxes = np.zeros((3, 2, 4), int)
    boxes[0], boxes[1, 0] = [(0, 0, 2, 3), (1, 2, 4, 5)], (3, 4, 4, 5)
    kinds = [(2, 0), (1, -1), (-1, -1)]
    return make_split(np.zeros((3, 4, 5, 3)), [2, 1, 0], masks, boxes, kinds)


def test_a_class_map_has_the_kind_of_the_thing_in_front(split):
    require_things(split, "training", 3)
    maps = class_map(split)
    assert maps.dtype == np.uint8
    assert maps.tolist() == [
        [[3, 3, 3, 0, 0], [3, 3, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]],
        [[0] * 5] * 3 + [[0, 0, 0, 0, 2]],
        [[0] * 5] * 4,
    ]


@pytest.mark.parametrize(
    ("part", "place", "wrong", "rule"),
    [
        ("kinds", (0, 1), 3, "a kind from 0 to 2, or -1 for none"),
        ("kinds", (0, 1), -2, "a kind from 0 to 2, or -1 for none"),
        ("boxes", (0, 1), (1, 2, 5, 5), "inside the 4 x 5 pixels"),
        ("boxes", (0, 1), (1, 2, 4, 6), "inside the 4 x 5 pixels"),
        ("boxes", (0, 1), (-1, 2, 4, 5), "inside the 4 x 5 pixels"),
        ("boxes", (0, 1), (1, -2, 4, 5), "inside the 4 x 5 pixels"),
        ("boxes", (0, 1), (2, 2, 2, 5), "an area"),
        ("boxes", (0, 1), (1, 4, 4, 3), "an area"),
        ("boxes", (1, 1), (0, 0, 1, 1), "of zeros where its kind is -1"),
        ("masks", (1, 1), True, "no pixels in its mask where its kind is -1"),
    ],
)
def test_a_thing_that_is_wrongly_marked_is_named(split, part, place, wrong, rule):
    array = getattr(split, part).copy()
    array[place] = wrong
    received = 20 if wrong is True else list(wrong) if part == "boxes" else wrong
    with pytest.raises(
        ValueError, match="Each thing in the test images must"
    ) as caught:
        require_things(replace(split, **{part: array}), "test", 3)
    image, thing = place
    assert rule in str(caught.value)
    end = f"Received: {received} for thing {thing} in image {image}."
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize(
    ("part", "shape"),
    [("masks", (3, 2, 4, 4)), ("boxes", (3, 1, 4)), ("kinds", (2, 2))],
)
def test_marks_that_do_not_fit_the_images_are_refused(split, part, shape):
    damaged = replace(split, **{part: np.zeros(shape, int)})
    with pytest.raises(
        ValueError, match=f"The {part} of the test images must"
    ) as caught:
        require_things(damaged, "test", 3)
    assert str(caught.value).endswith(f"Received: {shape}.")


def test_images_without_marks_are_refused(split):
    with pytest.raises(ValueError, match="Received: no masks and no kinds.$"):
        require_things(replace(split, masks=None, kinds=None), "training", 3)
