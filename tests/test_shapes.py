"""The embedded data set: the same everywhere, labelled rightly, and fair to sets."""

import hashlib
import re
import runpy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from flips import ceiling, count_stamps, turn_places

from vitlib.data import shapes, tiles
from vitlib.data.shapes import ARRANGEMENTS, CLASS_NAMES, KINDS, draw_shapes
from vitlib.data.words import draw_words

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = "9a6337b1750522c3cff7c8b9e9502dd99f3200d6d728b530ad57e0bb7c69ff70"


@pytest.fixture(scope="module")
def scenes():
    return draw_shapes(1000, seed=0)


def arrays(scenes):
    return [getattr(scenes, field.name) for field in fields(scenes)]


def are_equal(some, others):
    return all(map(np.array_equal, arrays(some), arrays(others)))


def sorted_patches(images, patch_size):
    """The patches of each image as a set: sorted by what they hold, `(N, patches)`."""
    count, side = len(images), 32 // patch_size
    grid = images.reshape(count, side, patch_size, side, patch_size, 3)
    flat = grid.transpose(0, 1, 3, 2, 4, 5).reshape(count, side**2, -1)
    return np.sort(np.ascontiguousarray(flat).view(f"V{flat.shape[-1]}")[..., 0])


def in_tile(boxes):
    """Top, left, height and width of the boxes, the first two inside the tile."""
    return np.concatenate([boxes[..., :2] % 8, boxes[..., 2:] - boxes[..., :2]], -1)


def test_the_arrays_have_the_promised_shapes_and_types(scenes):
    found = [(array.shape, array.dtype) for array in arrays(scenes)]
    assert found == [
        ((1000, 32, 32, 3), np.uint8),
        ((1000,), np.int32),
        ((1000, 2, 32, 32), bool),
        ((1000, 2, 4), np.int32),
    ]


def test_every_machine_draws_the_same_values(scenes):
    digest = hashlib.sha256()
    for array, dtype in zip(arrays(scenes), ("u1", "<i4", "?", "<i4"), strict=True):
        digest.update(array.astype(dtype).tobytes())
    assert digest.hexdigest() == GOLDEN


def test_the_same_seed_draws_the_same_and_fewer_images_are_the_first_of_more(scenes):
    fewer = draw_shapes(150, seed=0)
    first = shapes.Scenes(*(array[:150] for array in arrays(scenes)))
    assert are_equal(fewer, first)
    assert are_equal(fewer, draw_shapes(150, seed=0))


def test_each_seed_and_each_stream_of_a_seed_draws_other_images():
    seeds = [0, 1, (0, 0), (0, 1), (0, 2), (1, 0), 2**32]
    drawn = {draw_shapes(10, seed).images.tobytes() for seed in seeds}
    assert len(drawn) == len(seeds)


def test_a_stream_is_the_one_that_numpy_spawns():
    _, second = np.random.SeedSequence(3).spawn(2)
    words = np.random.PCG64(second).random_raw(5)
    order, scene, pair, _, _ = draw_words(1, shapes.WORDS, (3, 1))
    assert words[:4].tolist() == [*order[0], *scene[0], *pair[0]]


def test_each_hundred_images_hold_each_class_once_in_an_order_of_its_own(scenes):
    hundreds = scenes.labels.reshape(-1, 100)
    assert (np.sort(hundreds) == np.arange(100)).all()
    assert len({tuple(labels) for labels in hundreds.tolist()}) == 10


def test_there_are_100_readable_class_names():
    assert len(set(CLASS_NAMES)) == len(KINDS) ** 2 * len(ARRANGEMENTS) == 100
    assert "ring above square" in CLASS_NAMES


def test_the_arrangement_of_the_boxes_is_the_one_the_name_says(scenes):
    rows, columns = np.moveaxis(scenes.boxes[:, :, :2] // 8, -1, 0)
    down, right = rows[:, 1] - rows[:, 0], columns[:, 1] - columns[:, 0]
    assert ((down == 0) ^ (right == 0)).all()
    found = np.select([right > 0, right < 0, down > 0, down < 0], range(4))
    names = [CLASS_NAMES[label] for label in scenes.labels]
    pairs = zip(found, names, strict=True)
    assert all(f" {ARRANGEMENTS[index]} " in name for index, name in pairs)


def test_every_place_on_the_grid_is_used_equally_by_each_arrangement():
    assert shapes.PLACES.shape == (4, 24, 2, 2)
    flat = shapes.PLACES.reshape(4, 24, 4)
    assert len(np.unique(flat.reshape(-1, 4), axis=0)) == 96


def test_the_masks_are_the_kinds_that_the_name_says(scenes):
    for masks, boxes, label in zip(
        scenes.masks, scenes.boxes, scenes.labels, strict=True
    ):
        first, *_, second = CLASS_NAMES[label].split()
        for mask, box, kind in zip(masks, boxes, (first, second), strict=True):
            top, left, bottom, right = box
            drawn = tiles.draw_kinds(bottom - top)[KINDS.index(kind)]
            assert np.array_equal(mask[top:bottom, left:right], drawn)


def test_a_box_holds_all_of_its_mask_and_is_as_small_as_can_be(scenes):
    for axis, low, high in ((3, 0, 2), (2, 1, 3)):
        covered = scenes.masks.any(axis)
        assert (covered.argmax(-1) == scenes.boxes[..., low]).all()
        assert (32 - covered[..., ::-1].argmax(-1) == scenes.boxes[..., high]).all()


def test_the_kinds_differ_in_many_pixels():
    for size in tiles.SHAPE_SIZES:
        kinds = tiles.draw_kinds(size).reshape(len(KINDS), -1)
        differ = (kinds[:, None] != kinds[None]).sum(-1) + 99 * np.eye(len(KINDS))
        assert differ.min() >= 12


def test_the_first_shape_is_red_and_the_second_blue(scenes):
    red, _, blue = np.moveaxis(scenes.images.astype(int), -1, 0)
    first, second = scenes.masks[:, 0], scenes.masks[:, 1]
    assert (red - blue)[first].min() > 60
    assert (blue - red)[second].min() > 60
    assert (abs(red - blue)[~first & ~second] < 60).mean() > 0.9


@pytest.mark.parametrize("patch_size", [8, 4])
def test_another_arrangement_of_a_scene_has_the_same_set_of_patches(
    patch_size, monkeypatch
):
    words = draw_words(1000, shapes.WORDS, 0)
    words[3] = words[3][:, :1].repeat(shapes.NUM_TILES, axis=1)  # all tiles alike
    words[4] = np.zeros_like(words[4])  # no noise
    monkeypatch.setattr(shapes, "draw_words", lambda *_: words)
    drawn = draw_shapes(1000)
    monkeypatch.setattr(shapes, "PLACES", np.roll(shapes.PLACES, 1, axis=0))
    moved = draw_shapes(1000)
    assert (drawn.images != moved.images).any((1, 2, 3)).all()
    sets = (sorted_patches(scenes.images, patch_size) for scenes in (drawn, moved))
    assert np.array_equal(*sets)


def test_where_a_shape_lies_in_its_tile_does_not_tell_the_arrangement():
    scenes = draw_shapes(10_000, seed=1)
    places = np.ravel_multi_index(np.moveaxis(in_tile(scenes.boxes), -1, 0), 4 * (9,))
    for shape in (0, 1):
        _, variant = np.unique(places[:, shape], return_inverse=True)
        counts = np.zeros((14, 4))
        np.add.at(counts, (variant, scenes.labels % 4), 1)
        expected = counts.sum(1, keepdims=True) / 4
        # 39 degrees of freedom: more than 66 would be less likely than 1 in 200.
        assert ((counts - expected) ** 2 / expected).sum() < 66


def test_every_tile_has_the_same_clutter_and_noise():
    scenes = draw_shapes(5000, seed=1)
    green = scenes.images[..., 1].reshape(-1, 4, 8, 4, 8)
    free = ~scenes.masks.any(1).reshape(green.shape)
    means = (green * free).sum((0, 2, 4)) / free.sum((0, 2, 4))
    assert np.ptp(means) < 0.5  # of about 200


def test_a_flip_turns_each_arrangement_into_one():
    names = [[ARRANGEMENTS[i] for i in turn_places(axes)] for axes in ([1], [0])]
    assert names[0] == ["right of", "left of", "above", "below"]
    assert names[1] == ["left of", "right of", "below", "above"]


def test_the_triangle_alone_shows_that_it_is_upside_down():
    stamps, often = count_stamps(KINDS)
    drawn = {stamp.tobytes() for stamp in stamps}
    for kind, share in zip(KINDS, often, strict=True):
        own = stamps[share > 0]
        assert all(stamp[:, ::-1].tobytes() in drawn for stamp in own)
        seen = {stamp[::-1].tobytes() in drawn for stamp in own}
        assert seen == {kind != "triangle"}


# The most that is right after flips in training: none, left-right, top-bottom, both.
CEILINGS = {(False, False): 100, (True, False): 75, (False, True): 84, (True, True): 59}


def test_the_ceilings_after_flips():
    assert {flips: round(ceiling(*flips), 9) for flips in CEILINGS} == CEILINGS
    symmetric = [kind for kind in KINDS if kind != "triangle"]
    found = [round(ceiling(*flips, symmetric), 9) for flips in CEILINGS]
    assert found == [100, 75, 75, 50]


def test_the_chapter_on_the_data_says_these_ceilings():
    lines = (ROOT / "notebooks/data.py").read_text("utf-8").split("\n# ")
    text = " ".join(" ".join(lines).split())
    said = [
        rf"the {{term}}`ceiling` is [^%]* = {CEILINGS[True, False]}\$ %",
        rf"from top to bottom [^%]* and leaves {CEILINGS[False, True]} %",
        rf"With both flips {CEILINGS[True, True]} % are left",
    ]
    assert [part for part in said if not re.search(part, text)] == []


def test_a_table_of_scenes_upside_down_and_not_is_as_good_on_clean_ones():
    known, scenes = {}, draw_shapes(20_000, seed=2)
    rng = np.random.default_rng(0)
    for masks, label in zip(scenes.masks, scenes.labels, strict=True):
        masks = masks[:, :: rng.choice([1, -1])]
        votes = known.setdefault(seen_in(masks), np.zeros(100))
        votes[label] += 1
    clean = draw_shapes(4000, seed=3)
    hits = [
        label == known.get(seen_in(masks), np.zeros(100)).argmax()
        for masks, label in zip(clean.masks, clean.labels, strict=True)
    ]
    assert abs(100 * np.mean(hits) - CEILINGS[False, True]) < 2.5


def seen_in(masks):
    """Both shapes, cut out, and the side of the blue one on which the red one is."""
    cut, middles = [], []
    for mask in masks:
        rows, columns = np.nonzero(mask)
        box = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        cut.append((box.shape, box.tobytes()))
        middles.append((rows.min() // 8, columns.min() // 8))
    return *cut, *np.sign(np.subtract(*middles)).tolist()


def test_a_rotation_by_20_degrees_leaves_every_arrangement_that_can_be_drawn():
    middles = np.unique((tiles.BOXES[:, :2] + tiles.BOXES[:, 2:]) / 2, axis=0)
    apart = (middles[:, None] - middles).reshape(-1, 2)
    side_by_side = tiles.PLACES[:2].reshape(-1, 2, 2)
    steps = 8 * (side_by_side[:, 1] - side_by_side[:, 0])
    down, right = np.moveaxis(abs(steps[:, None] + apart), -1, 0)
    assert np.degrees(np.arctan2(down, right)).max() + 20 < 45


def test_the_flip_from_left_to_right_changes_half_of_the_classes():
    changed = np.not_equal(turn_places([1]), range(4))
    assert changed.mean() == 0.5


@pytest.mark.parametrize("num_images", [0, -1, 2.0, True, "3", None])
def test_a_number_of_images_that_cannot_be_drawn_is_refused(num_images):
    with pytest.raises(ValueError, match="num_images must be.*Received: "):
        draw_shapes(num_images)


@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "0", (), (0, -1), (0, 1.0), [0]])
def test_a_seed_that_is_not_made_of_counting_numbers_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be.*Received: "):
        draw_shapes(10, seed)


def test_importing_the_module_draws_nothing(monkeypatch):
    monkeypatch.delattr(np.random, "PCG64")
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    runpy.run_path(shapes.__file__)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
