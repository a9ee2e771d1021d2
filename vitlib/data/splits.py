"""A data set in three splits, and smaller ones made of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vitlib.config.rules import require_integer


@dataclass(frozen=True, eq=False)
class Split:
    """N images and what they show. All arrays are read-only; change a copy.

    Args:
        images: uint8 array of shape `(N, H, W, 3)`, channels last.
        labels: int32 array of shape `(N,)`, indices into the class names.
        masks: Boolean array of shape `(N, things, H, W)`, the pixels of each thing in
            an image; None where the data set does not know them.
        boxes: int32 array of shape `(N, things, 4)`, top, left, bottom, right in
            pixels, bottom and right outside; or None.
        kinds: int32 array of shape `(N, things)`, what each thing is, from 0; -1 where
            an image has fewer things, whose mask and box then are zeros; or None.
        different: Integer. The first so many images stand for themselves, and the
            others repeat them in turn; None where nothing is repeated.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None
    boxes: np.ndarray | None = None
    kinds: np.ndarray | None = None
    different: int | None = None

    @property
    def size(self):
        """The number of images without their repetitions."""
        return self.different or len(self.labels)

    def take(self, rows, different=None):
        """A split of some of the images, with all that is known of them.

        Args:
            rows: Integer array, or what else indexes the first axis.
            different: As of the split that is made.
        """
        arrays = (self.images, self.labels, self.masks, self.boxes, self.kinds)
        return make_split(*(x if x is None else x[rows] for x in arrays), different)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set in three splits.

    Args:
        name: As in `vitlib.data.sets.DATA_SETS`, or one's own.
        fingerprint: SHA-256 hex digest of the content, for the record of a run.
        class_names: Tuple of strings, one a label.
        train: `Split` to learn from.
        validation: `Split` to select with.
        test: `Split` to touch once, at the end.
        fresh: Where images never end, function from the seed of a run, an epoch and a
            number of images to a `Split` of so many new ones. Each epoch learns from
            its own, and `train` tells what they are like. None where images are seen
            again in each epoch.
    """

    name: str
    fingerprint: str
    class_names: tuple
    train: Split
    validation: Split
    test: Split
    fresh: Callable | None = None


def limit_train(dataset, images):
    """Keeps the first training images of each class, and repeats them.

    They are repeated in turn until the split is as long as before, so that an epoch
    keeps its steps: models that are trained on more and on fewer images have as many
    steps, the same learning rates and as many looks at the validation images. A smaller
    set is part of a larger one. Validation and test split stay as they are. Where
    images never end, they now do.

    Args:
        dataset: `Dataset`.
        images: How many different training images to keep, a multiple of the number of
            classes.

    Returns:
        A `Dataset` with the same fingerprint, which is that of its source. Its training
        split, and the record of a run on it, know how many images are different.

    Raises:
        ValueError: When `images` breaks its rule.
    """
    train, classes = dataset.train, len(dataset.class_names)
    rows = first_rows("training", train.labels[: train.size], classes, images)
    rows = np.resize(rows, len(train.labels))  # again from the first, up to this length
    different = images if images < len(rows) else None
    return replace(dataset, train=train.take(rows, different), fresh=None)


def limit_evaluation(dataset, images):
    """Keeps the first validation images and the first test images of each class.

    Args:
        dataset: `Dataset`.
        images: How many of each split to keep, a multiple of the number of classes.

    Returns:
        A `Dataset` with the same fingerprint, which is that of its source.

    Raises:
        ValueError: When `images` breaks its rule.
    """
    classes, kept = len(dataset.class_names), {}
    for name in ("validation", "test"):
        split = getattr(dataset, name)
        rows = first_rows(name, split.labels, classes, images)
        kept[name] = split.take(rows)
    return replace(dataset, **kept)


def draw_splits(draw, seed, **counts):
    """Draws the splits of a data set, each from a stream of random numbers of its own.

    Args:
        draw: Function from a number of images and `(seed, stream)` to a `Split`; the
            streams are 0, 1, ... in the order of the splits.
        seed: Integer of at least 0.
        **counts: Integers of at least 1, the number of images of each split.

    Returns:
        Dict of the splits, and the SHA-256 over the images and the labels (as
        little-endian int32) of one after the other, and over masks, boxes and kinds
        where a split has kinds.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    for name, count in counts.items():
        require_integer(name, count, 1)
    require_integer("seed", seed, 0)
    digest, splits = hashlib.sha256(), {}
    for stream, (name, count) in enumerate(counts.items()):
        splits[name] = draw(count, (seed, stream))
        _digest(splits[name], digest)
    return splits, digest.hexdigest()


def _digest(split, digest):
    """Feeds what a model can learn of a split to a hash."""
    digest.update(split.images)
    digest.update(split.labels.astype("<i4"))
    if split.kinds is not None:  # made for dense tasks: where things are counts, too
        digest.update(split.masks)
        digest.update(split.boxes.astype("<i4"))
        digest.update(split.kinds.astype("<i4"))


def take_classes(dataset, labels, name):
    """Keeps the images of some classes, and counts these from 0.

    Args:
        dataset: `Dataset`.
        labels: Sequence of different labels of it; their order is that of the new ones.
        name: String, of the data set that is made.

    Returns:
        A `Dataset` with the same fingerprint, which is that of its source.
    """
    new = np.full(len(dataset.class_names), -1)  # of each old label
    new[list(labels)] = range(len(labels))
    splits = {}
    for part in ("train", "validation", "test"):
        split = getattr(dataset, part)
        kept = split.take(new[split.labels] >= 0)
        splits[part] = replace(kept, labels=_frozen(new[kept.labels], np.int32))
    names = tuple(dataset.class_names[label] for label in labels)
    return Dataset(name, dataset.fingerprint, names, **splits)


def first_rows(name, labels, classes, images):
    """The places of the first images of each class, equally many of each, in order.

    Args:
        name: String, what the refusal calls them.
        labels: Integer array of shape `(n,)`, from 0.
        classes: Integer, how many there are.
        images: Integer, a multiple of `classes`, of how many images in all.

    Returns:
        Integer array of shape `(images,)`.

    Raises:
        ValueError: When `images` breaks its rule.
    """
    most = classes * int(np.bincount(labels, minlength=classes).min())
    if type(images) is not int or images not in range(classes, most + 1, classes):
        raise ValueError(
            f"The number of {name} images must be a multiple of {classes} from "
            f"{classes} to {most:,}, equally many of each class. "
            f"Received: {images!r}."
        )
    groups = [np.flatnonzero(labels == label) for label in range(classes)]
    return np.sort(np.concatenate([rows[: images // classes] for rows in groups]))


def make_split(images, labels, masks=None, boxes=None, kinds=None, different=None):
    """A `Split` of read-only copies."""
    types = np.uint8, np.int32, bool, np.int32, np.int32
    pairs = zip((images, labels, masks, boxes, kinds), types, strict=True)
    arrays = [x if x is None else _frozen(x, kind) for x, kind in pairs]
    return Split(*arrays, different)


def _frozen(array, kind):
    """A copy of an array of this kind that nobody can change."""
    copy = np.array(array, kind, order="C")
    copy.setflags(write=False)
    return copy
