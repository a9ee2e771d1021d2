"""The scenes: the same everywhere, each thing seen, and marked where it is seen."""

import hashlib
import re
from itertools import combinations

import numpy as np
import pytest

from vitlib.data import layout, scenes
from vitlib.data.class_maps import class_map, require_things
from vitlib.data.layout import lay_out
from vitlib.data.scenes import draw_scenes, load_scenes
from vitlib.data.sets import DATA_SETS, load_data_set
from vitlib.data.splits import make_split
from vitlib.data.tiles import KINDS, draw_kinds

GOLDEN = "76f94fbc90a26cd573c379cc4c080a0b9a49d9e97bed390fcf6e866706936da5"
ARRAYS = ("images", "labels", "masks", "boxes", "kinds")
TYPES = ("u1", "<i4", "?", "<i4", "<i4")


@pytest.fixture(scope="module")
def drawn():
    return draw_scenes(5000, seed=0)


def are_equal(some, others):
    pairs = ((getattr(some, name), getattr(others, name)) for name in ARRAYS)
    return all(np.array_equal(*pair) for pair in pairs)


def list_things(split):
    """Image, number, kind, box and mask of each thing that is there."""
    for image, thing in np.argwhere(split.kinds >= 0):
        place = image, thing
        yield *place, split.kinds[place], split.boxes[place], split.masks[place]


def test_the_arrays_have_the_promised_shapes_and_types(drawn):
    shapes = (64, 64, 3), (), (4, 64, 64), (4, 4), (4,)
    for name, shape, kind in zip(ARRAYS, shapes, TYPES, strict=True):
        array = getattr(drawn, name)
        assert (array.shape, array.dtype) == ((5000, *shape), np.dtype(kind))
        assert not array.flags.writeable


def test_every_machine_draws_the_same_values():
    split, digest = draw_scenes(500, seed=0), hashlib.sha256()
    for name, kind in zip(ARRAYS, TYPES, strict=True):
        digest.update(getattr(split, name).astype(kind).tobytes())
    assert digest.hexdigest() == GOLDEN


def test_fewer_images_are_the_first_of_more_and_each_seed_draws_others(drawn):
    assert are_equal(draw_scenes(150, seed=0), drawn.take(slice(150)))
    seeds = [0, 1, (0, 0), (0, 1), (1, 0), 2**32]
    assert len({draw_scenes(10, seed).images.tobytes() for seed in seeds}) == 6


def test_a_scene_has_one_to_four_things_the_present_ones_first(drawn):
    require_things(drawn, "training", len(KINDS))
    there = drawn.kinds >= 0
    assert (there[:, :-1] >= there[:, 1:]).all()
    counts = np.bincount(there.sum(axis=1), minlength=5)
    kinds = np.bincount(drawn.kinds[there], minlength=5)
    assert counts[0] == 0
    # 3 and 4 degrees of freedom: more would be less likely than 1 in 1000.
    assert ((counts[1:] - 1250) ** 2 / 1250).sum() < 16.3
    assert ((kinds - kinds.mean()) ** 2 / kinds.mean()).sum() < 18.5


def test_a_mask_is_what_is_seen_of_a_kind_and_its_box_is_tight(drawn):
    for _, _, kind, (top, left, bottom, right), mask in list_things(drawn):
        rows, columns = np.nonzero(mask)
        assert (rows.min(), rows.max() + 1) == (top, bottom)
        assert (columns.min(), columns.max() + 1) == (left, right)
        assert min(top, left) >= 5 and max(bottom, right) <= 59
        seen = mask[top:bottom, left:right]
        assert max(seen.shape) <= 20
        assert any(is_part(seen, draw_kinds(side)[kind]) for side in range(10, 21))


def is_part(seen, whole):
    """Whether half of a thing or more, and nothing beside it, is seen somewhere."""
    height, width = seen.shape
    size = len(whole)
    if max(height, width) > size or 2 * seen.sum() < whole.sum():
        return False
    shifts = np.ndindex(size - height + 1, size - width + 1)
    return any(whole[y : y + height, x : x + width][seen].all() for y, x in shifts)


@pytest.mark.parametrize("tries", [4, 1])  # with one, all are laid out in quarters
def test_things_of_any_size_keep_the_promises_of_a_layout(tries, monkeypatch):
    monkeypatch.setattr(layout, "TRIES", tries)
    rng = np.random.default_rng(0)
    sides = rng.integers(1, 28, size=(2000, 4, 2))
    steps = np.arange(27)
    rows, columns = steps < sides[..., :1], steps < sides[..., 1:]
    stamps = rows[..., None] & columns[..., None, :]
    stamps[:1000, :, 1:, 1:] &= rng.random((1000, 4, 26, 26)) < 0.9
    stamps[rng.random((2000, 4)) < 0.2] = False
    words = rng.integers(2**63, size=(2000, 4 * tries), dtype=np.uint64)
    covered = 0
    for things in zip(stamps, *lay_out(stamps, words), strict=True):
        covered += check_layout(*things)
    assert covered > 500 if tries > 1 else covered == 0


def check_layout(stamps, corners, masks):
    """Looks at one scene pixel by pixel; returns how many of its things are covered."""
    front = np.zeros((91, 91), int)
    for thing, (top, left) in enumerate(corners):
        front[top : top + 27, left : left + 27][stamps[thing]] = thing + 1
    inside = front[5:59, 5:59]
    assert (front > 0).sum() == (inside > 0).sum()
    assert np.array_equal(masks, front[:64, :64] == np.arange(1, 5)[:, None, None])
    whole, seen = stamps.sum(axis=(1, 2)), masks.sum(axis=(1, 2))
    assert (2 * seen >= whole).all()
    places = [np.argwhere(mask) for mask in masks[seen > 0]]
    middles = [(x.min(axis=0) + x.max(axis=0) + 1) / 2 for x in places]
    assert all(abs(a - b).max() >= 8 for a, b in combinations(middles, 2))
    return (seen < whole).sum()


def test_the_front_thing_has_its_colour_and_none_is_like_the_background(drawn):
    fronts = drawn.masks.any(axis=1)
    assert (drawn.masks.sum(axis=1) <= 1).all()
    backgrounds = np.stack(
        [np.median(x[~f], 0) for x, f in zip(drawn.images, fronts, strict=True)]
    )
    colors, kinds, order = [], [], []
    for image, thing, kind, _, mask in list_things(drawn):
        pixels = drawn.images[image][mask].astype(int)
        assert np.ptp(pixels, axis=0).max() <= 30  # one colour and the noise
        assert (backgrounds[image] - pixels.mean(axis=0)).max() > 60
        colors.append(pixels.mean(axis=0))
        kinds.append(kind)
        order.append(thing)
    for names in (kinds, order):  # neither is told by the colour
        groups = [np.array(colors)[np.array(names) == name] for name in set(names)]
        spread = 75 / np.sqrt([len(group) for group in groups])[:, None]
        away = [group.mean(axis=0) - np.mean(colors, axis=0) for group in groups]
        assert (abs(np.array(away)) < 4 * spread).all()


def test_the_label_is_the_kind_that_most_is_seen_of(drawn):
    areas = drawn.masks.sum(axis=(2, 3))
    for label, kinds, area in zip(drawn.labels, drawn.kinds, areas, strict=True):
        assert label == kinds[area.tolist().index(area.max())]


def test_the_class_map_has_the_kinds_of_the_masks(drawn):
    maps = class_map(drawn)
    assert np.array_equal(maps > 0, drawn.masks.any(axis=1))
    for image, _, kind, _, mask in list_things(drawn):
        assert (maps[image][mask] == 1 + kind).all()


def test_the_data_set_has_three_splits_and_a_fingerprint_of_all_that_is_learned(
    monkeypatch,
):
    data = load_scenes(30, 20, 10)
    assert (data.name, data.class_names) == ("scenes", KINDS)
    for stream, (part, count) in enumerate(
        (("train", 30), ("validation", 20), ("test", 10))
    ):
        assert are_equal(getattr(data, part), draw_scenes(count, (0, stream)))
    found = {data.fingerprint}
    for name in ARRAYS:
        monkeypatch.setattr(
            scenes, "draw_scenes", lambda *a, name=name: change(draw_scenes(*a), name)
        )
        found.add(load_scenes(30, 20, 10).fingerprint)
    assert len(found) == 1 + len(ARRAYS)


def change(split, name):
    """The split with one value of an array changed."""
    arrays = {part: np.array(getattr(split, part)) for part in ARRAYS}
    arrays[name].flat[-1] ^= True
    return make_split(**arrays)


def test_the_scenes_are_found_by_their_name_in_the_size_that_runs_record():
    data = load_data_set("scenes")
    assert len(data.train.labels) == DATA_SETS["scenes"].train == 10_000
    assert len(data.test.labels) == DATA_SETS["scenes"].test == 1_000


@pytest.mark.parametrize(("num_images", "seed"), [(0, 0), (2.0, 0), (3, -1), (3, ())])
def test_what_cannot_be_drawn_is_refused(num_images, seed):
    name = "seed" if num_images == 3 else "num_images"
    with pytest.raises(ValueError, match=f"{re.escape(name)} must be.*Received: "):
        draw_scenes(num_images, seed)
