"""Scenes of pictures from a folder: each in one split, pasted and marked as it is."""

from itertools import count

import numpy as np
import pytest
from PIL import Image

from vitlib.data.class_maps import require_things
from vitlib.data.cutouts import load_cutouts
from vitlib.data.pasting import paste_scenes

PARTS = ("train", "validation", "test")
SIZES = {"train": 300, "validation": 100, "test": 100}
KINDS = {
    "cars": 15,
    "fruit/pears": 5,
    "fruit/plums": 6,
}  # and how many pictures of each


def draw_disc(color, height=60, width=40, around=0):
    """A disc of a colour, opaque on a ground of this alpha."""
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    alpha = np.where(x**2 + y**2 <= 1, 255, around)[..., None]
    color = np.broadcast_to(color, (height, width, 3))
    return np.concatenate([color, alpha], axis=-1).astype(np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path):
    """Pictures of kinds, each in a colour of its own: a kind has one red value."""
    numbers = count()
    for red, (kind, pictures) in enumerate(KINDS.items()):
        for picture in range(pictures):
            disc = draw_disc((100 * red, 8 * next(numbers), 255))
            save(tmp_path / kind / f"{'deep/' * (picture % 2)}{picture}.png", disc)
    save(tmp_path / "cars/cartoon/0.png", draw_disc((255, 255, 255)))
    return tmp_path


def load(folder, **options):
    return load_cutouts(folder, tuple(KINDS), ("*cartoon*",), **SIZES | options)


def list_colors(split):
    """Kind and colour of each thing in a split, as a set of tuples."""
    places = np.argwhere(split.kinds >= 0)
    colors = [np.median(split.images[i][split.masks[i, t]], 0) for i, t in places]
    kinds = split.kinds[tuple(places.T)]
    return {(kind, *map(int, color)) for kind, color in zip(kinds, colors, strict=True)}


def test_each_picture_is_in_one_split_and_has_its_kind(folder):
    data = load(folder)
    assert (data.name, data.class_names) == ("cutouts", tuple(KINDS))
    seen = {part: list_colors(getattr(data, part)) for part in PARTS}
    assert {part: len(colors) for part, colors in seen.items()} == {
        "train": 11 + 3 + 4,
        "validation": 2 + 1 + 1,
        "test": 2 + 1 + 1,
    }
    everything = set.union(*seen.values())
    assert len(everything) == sum(KINDS.values())
    assert {(kind, red) for kind, red, *_ in everything} == {(0, 0), (1, 100), (2, 200)}


def test_the_scenes_are_marked_as_drawn_ones_are(folder):
    data = load(folder)
    for part in PARTS:
        split = getattr(data, part)
        assert split.images.shape == (SIZES[part], 64, 64, 3)
        require_things(split, part, len(KINDS))
        assert {1, 2, 3, 4} == set((split.kinds >= 0).sum(axis=1).tolist())
        areas = split.masks.sum(axis=(2, 3)).argmax(axis=1)
        assert (split.labels == split.kinds[np.arange(SIZES[part]), areas]).all()
    often = np.bincount(data.train.kinds[data.train.kinds >= 0])
    assert ((often - often.mean()) ** 2 / often.mean()).sum() < 13.8  # 1 in 1000


def test_the_same_seed_gives_the_same_scenes_and_another_other_pictures(folder):
    first, again, other = (load(folder, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert list_colors(first.test) != list_colors(other.test)


def test_a_picture_is_mixed_with_what_is_below_it_by_its_alpha():
    disc = draw_disc((255, 255, 255), 21, 21, around=51)
    scenes = paste_scenes(200, 0, [disc[None, None]])
    bare = paste_scenes(200, 0, [np.zeros_like(disc)[None, None]]).images
    alone = (scenes.kinds >= 0).sum(axis=1) == 1
    assert alone.any()
    for image, below, mask, (top, left, bottom, right) in zip(
        scenes.images[alone],
        bare[alone].astype(int),
        scenes.masks[alone, 0],
        scenes.boxes[alone, 0],
        strict=True,
    ):
        assert np.array_equal(mask[top:bottom, left:right], disc[..., 3] == 255)
        expected = below.copy()
        square = expected[top:bottom, left:right]
        square[:] = np.round(square + 0.2 * (255 - square))
        expected[mask] = 255
        assert np.array_equal(image, expected)


def damage(folder, fault):
    """Makes one fault in a folder; returns what a refusal says of it."""
    path = folder / "fruit/pears/0.png"
    if fault in ("opaque", "empty"):
        Image.new("RGB" if fault == "opaque" else "RGBA", (9, 9)).save(path)
        return f"{path} must be a thing that is cut out"
    if fault == "repeated":
        path.write_bytes((folder / "fruit/pears/2.png").read_bytes())
        return f"{path.parent} must hold at least 5 different PNG files"
    if fault == "two kinds":
        path.write_bytes((folder / "cars/0.png").read_bytes())
        return f"{folder / 'cars/0.png'} in cars, and {path} in fruit/pears"
    if fault == "JPEG":
        Image.new("RGB", (9, 9)).save(path, format="JPEG")
    else:
        path.write_bytes(path.read_bytes()[:-40] if fault == "cut off" else b"text")
    return f"{path} must be an intact PNG file"


FAULTS = ("cut off", "text", "JPEG", "opaque", "empty", "repeated", "two kinds")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_that_cannot_be_pasted_is_named(folder, fault):
    words = damage(folder, fault)
    with pytest.raises(ValueError, match="Received: ") as caught:
        load(folder)
    assert words in str(caught.value)
    save(folder / "fruit/pears/6.png", draw_disc((255, 255, 255)))
    load_cutouts(folder, tuple(KINDS), ("*cartoon*", "fruit/pears/0.png"), **SIZES)


def test_too_few_kinds_and_pictures_are_refused(folder):
    for place, kinds in ((folder / "fruit/none", None), (folder, ("cars",))):
        with pytest.raises(ValueError, match="a folder for each kind.*Received: "):
            load_cutouts(place, kinds)
    with pytest.raises(ValueError, match="fruit/none must hold at least 5.*ved: 0"):
        load_cutouts(folder, ("cars", "fruit/none"))
    with pytest.raises(
        ValueError, match="A picture must be of one kind.*no folder ins"
    ):
        load_cutouts(folder, ("fruit", "fruit/pears"))


def test_a_folder_without_named_kinds_gives_all_of_its_folders(folder):
    assert load_cutouts(folder, **SIZES).class_names == ("cars", "fruit")
