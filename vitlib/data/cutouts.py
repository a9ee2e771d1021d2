"""Scenes of real things, from a folder of pictures that are cut out."""

import hashlib
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from PIL import Image

from vitlib.data.layout import MOST_PIXELS, find_boxes
from vitlib.data.pasting import OPAQUE, paste_scenes
from vitlib.data.splits import Dataset, draw_splits
from vitlib.data.words import draw_words

LEAST = 5  # pictures of a kind: one to validate with, one to test on, and three
HELD_OUT = 6  # one picture in so many is for validation, and one for the test
SIDES = (16, 19, 23, MOST_PIXELS)  # pixels, the longer side of a pasted picture
SHUFFLE = 3  # the stream that chooses the pictures, behind those of the splits
CORRUPT_PNG = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def load_cutouts(
    folder, kinds=None, leave_out=(), train=10_000, validation=1_000, test=1_000, seed=0
):
    """Pastes cut-out pictures into scenes of one to four things, split by picture.

    A picture of the training scenes is in no scene of another split, so a model that
    knows these pictures by heart has not seen those that it is tested on. Each kind is
    pasted equally often, and in a split each picture of a kind. How the things lie is
    that of `vitlib.data.scenes.draw_scenes`.

    Args:
        folder: Folder with a folder for each kind, in which the PNG files may lie in
            further folders. They have an alpha channel, 0 where the thing is not.
        kinds: Sequence of strings, the folders inside `folder` that are the kinds, such
            as `("animals/birds", "vehicles")`; None for all folders there.
        leave_out: Sequence of patterns such as `"*cartoon*"`. A file of which the path
            inside `folder` matches one is passed over.
        train: Integer of at least 1, the number of images to learn from.
        validation: Integer of at least 1, the number of images to select with.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0, chooses the pictures of each split. The draws use
            the seeds `(seed, 0)`, `(seed, 1)` and `(seed, 2)`.

    Returns:
        A `Dataset` of images of 64 x 64 pixels with room for 4 things each, of which
        the classes are the kinds. Its fingerprint is that of `draw_splits`.

    Raises:
        ValueError: When an argument breaks its rule; when there are fewer than two
            kinds, or fewer than 5 different pictures of one; when a file is of two
            kinds, is damaged, or is not cut out.
    """
    files = _find_files(Path(folder).expanduser(), kinds, leave_out)
    pictures = [np.stack([_read(path) for path in paths]) for paths in files.values()]
    splits, fingerprint = draw_splits(
        lambda count, stream: paste_scenes(count, stream, _choose(pictures, *stream)),
        seed,
        train=train,
        validation=validation,
        test=test,
    )
    return Dataset("cutouts", fingerprint, tuple(files), **splits)


def _find_files(folder, kinds, leave_out):
    """Returns the PNG files of each kind that differ, in the order of their paths."""
    if kinds is None:
        kinds = sorted(path.name for path in folder.glob("*/"))
    if len(kinds) < 2:
        raise ValueError(
            f"{folder} must hold a folder for each kind of thing, at least two. "
            f"Received: {tuple(kinds)}."
        )
    files, owners = {}, {}  # owners: the first file of some content, and its kind
    for kind in kinds:
        for path in sorted((folder / kind).rglob("*.png")):
            name = path.relative_to(folder).as_posix()
            if not any(fnmatch(name, pattern) for pattern in leave_out):
                digest = hashlib.sha256(path.read_bytes()).digest()
                _require_one_kind(kind, path, *owners.setdefault(digest, (kind, path)))
        files[kind] = [path for owner, path in owners.values() if owner == kind]
        if len(files[kind]) < LEAST:
            raise ValueError(
                f"{folder / kind} must hold at least {LEAST} different PNG files, of "
                f"which each split gets its own. Received: {len(files[kind])}."
            )
    return files


def _require_one_kind(kind, path, owner, first):
    if kind != owner:
        raise ValueError(
            "A picture must be of one kind; leave out one of two that are the same, "
            f"and name no folder inside another. Received: {first} in {owner}, and "
            f"{path} in {kind}."
        )


def _read(path):
    """Returns a picture in each size, `(4, 27, 27, 4)`: red, green, blue and alpha."""
    try:
        with Image.open(path, formats=["PNG"]) as file:
            picture = file.convert("RGBA")
    except CORRUPT_PNG as error:
        raise ValueError(
            f"{path} must be an intact PNG file; put a fresh copy in its place, or "
            f"leave it out. Received: {error}."
        ) from error
    shown = np.asarray(picture)[..., 3] >= OPAQUE
    if shown.all() or not shown.any():
        raise _not_cut_out(path, "all of it opaque" if shown.all() else "nothing in it")
    picture, sizes = (
        _crop(picture),
        np.zeros((len(SIDES), *2 * (MOST_PIXELS,), 4), "u1"),
    )
    for array, side in zip(sizes, SIDES, strict=True):
        scaled = [max(1, round(side * x / max(picture.size))) for x in picture.size]
        small = np.asarray(_crop(picture.resize(scaled)))
        array[: small.shape[0], : small.shape[1]] = small
    if (sizes[..., 3].max(axis=(1, 2)) < OPAQUE).any():
        raise _not_cut_out(path, f"nothing left of it at {SIDES[0]} pixels")
    return sizes


def _not_cut_out(path, received):
    return ValueError(
        f"{path} must be a thing that is cut out by an alpha channel; correct it, or "
        f"leave it out. Received: {received}."
    )


def _crop(picture):
    """Returns what is not transparent of a picture."""
    box = find_boxes(np.asarray(picture)[..., 3] >= OPAQUE)
    return picture.crop(tuple(box[[1, 0, 3, 2]].tolist()))


def _choose(pictures, seed, part):
    """Returns the pictures of each kind that are of one of the splits 0, 1 and 2."""
    chosen = []
    for kind, own in enumerate(pictures):
        (words,) = draw_words(1, np.array([len(own)]), (seed, SHUFFLE, kind))
        order, held = words[0].argsort(kind="stable"), max(1, len(own) // HELD_OUT)
        rows = order[2 * held :], order[:held], order[held : 2 * held]
        chosen.append(own[rows[part]])
    return chosen
