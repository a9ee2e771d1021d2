"""Load a data set of 32 x 32 colour images, split for training, validation and test."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from vitlib import cifar100, shapes
from vitlib.config import DATA_SETS
from vitlib.download import find_archive

# Training images of each data set, in the split that runs record.
TRAIN_IMAGES = {"cifar100": 40_000, "shapes": 20_000}
TEST_IMAGES = {"cifar100": 10_000, "shapes": 2_000}


@dataclass(frozen=True, eq=False)
class Split:
    """N images and what they show. Both arrays are read-only; change a copy.

    Args:
        images: uint8 array of shape `(N, 32, 32, 3)`, channels last.
        labels: int32 array of shape `(N,)`, indices into the class names.
        different: Integer. The first so many images stand for themselves, and the
            others repeat them in turn; None where nothing is repeated.
    """

    images: np.ndarray
    labels: np.ndarray
    different: int | None = None

    @property
    def size(self):
        """The number of images without their repetitions."""
        return self.different or len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set in three splits.

    Args:
        name: `"cifar100"` or `"shapes"`.
        fingerprint: SHA-256 hex digest of the content, for the record of a run.
        class_names: Tuple of strings, one a label.
        train: `Split` to learn from.
        validation: `Split` to select with.
        test: `Split` to touch once, at the end.
    """

    name: str
    fingerprint: str
    class_names: tuple
    train: Split
    validation: Split
    test: Split


def load_cifar100(data_dir=None, validation=10_000, seed=0):
    """Loads CIFAR-100 from its official binary archive, and splits the training images.

    The validation images are drawn at random, equally many of each class. Which ones
    depends on `seed` alone, not on the order of the records in the archive, and a
    smaller validation split is part of a larger one. 14 training images repeat another
    one, so a few may stand in both splits; 10 test images are training images too.

    Args:
        data_dir: Folder that holds `cifar-100-binary.tar.gz`, the only place to look.
            If None, it is the folder that the environment variable `VITLIB_DATA` names;
            without that it is Keras' cache, into which the archive (169 MB) is
            downloaded once.
        validation: How many of the 50,000 training images to validate with, a multiple
            of 100.
        seed: Integer of at least 0, draws the validation images and mixes the others.

    Returns:
        A `Dataset`. Its fingerprint is the SHA-256 of the order-free fingerprints of
        the two record files, training and test with a colon between; it is the same for
        every split.

    Raises:
        ValueError: When an argument breaks its rule, or when the archive is truncated,
            corrupt or not CIFAR-100. It is neither changed nor deleted.
        FileNotFoundError: When the folder that the reader names has no archive.
        ConnectionError: When the archive has to be downloaded and cannot be.

    Reference:
        Krizhevsky, 2009, Learning Multiple Layers of Features from Tiny Images
        (https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf).
    """
    _check_validation(validation)
    _check_integer("seed", seed, 0)
    archive = cifar100.read_archive(find_archive(data_dir))
    per_class = validation // cifar100.NUM_CLASSES
    train_rows, validation_rows = _split_rows(archive.train[:, 1], per_class, seed)
    return Dataset(
        name="cifar100",
        fingerprint=archive.fingerprint,
        class_names=archive.class_names,
        train=_decode(archive.train[train_rows]),
        validation=_decode(archive.train[validation_rows]),
        test=_decode(archive.test),
    )


def load_shapes(train=20_000, validation=2_000, test=2_000, seed=0):
    """Draws the embedded data set: three independent draws, no file, no network.

    Args:
        train: Integer of at least 1, the number of images to learn from.
        validation: Integer of at least 1, the number of images to select with.
        test: Integer of at least 1, the number of images to test on.
        seed: Integer of at least 0. The draws use the seeds `(seed, 0)`, `(seed, 1)`
            and `(seed, 2)`.

    Returns:
        A `Dataset`. Its fingerprint is the SHA-256 over the images and the labels (as
        little-endian int32) of training, validation and test split.

    Raises:
        ValueError: When an argument breaks its rule.
    """
    counts = {"train": train, "validation": validation, "test": test}
    for name, count in counts.items():
        _check_integer(name, count, 1)
    _check_integer("seed", seed, 0)
    digest = hashlib.sha256()
    splits = {}
    for stream, (name, count) in enumerate(counts.items()):
        scenes = shapes.draw_shapes(count, (seed, stream))
        splits[name] = _make_split(scenes.images, scenes.labels)
        digest.update(splits[name].images)
        digest.update(splits[name].labels.astype("<i4"))
    return Dataset("shapes", digest.hexdigest(), shapes.CLASS_NAMES, **splits)


def load_data_set(name, data_dir=None):
    """Loads a data set by its name, with the sizes and the split that runs record.

    Args:
        name: `"cifar100"` or `"shapes"`.
        data_dir: Folder of the CIFAR-100 archive, as for `load_cifar100`; or None.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: When `name` is not one of the two, or as `load_cifar100` says.
        FileNotFoundError: As `load_cifar100` says.
        ConnectionError: As `load_cifar100` says.
    """
    if name not in DATA_SETS:
        raise ValueError(f"name must be one of {DATA_SETS}. Received: {name!r}.")
    return load_shapes() if name == "shapes" else load_cifar100(data_dir)


def limit_train(dataset, images):
    """Keeps the first training images of each class, and repeats them.

    They are repeated in turn until the split is as long as before, so that an epoch
    keeps its steps: models that are trained on more and on fewer images have as many
    steps, the same learning rates and as many looks at the validation images. A smaller
    set is part of a larger one. Validation and test split stay as they are.

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
    rows = _first_rows("training", train.labels[: train.size], classes, images)
    rows = np.resize(rows, len(train.labels))  # again from the first, up to this length
    different = images if images < len(rows) else None
    train = _make_split(train.images[rows], train.labels[rows], different)
    return replace(dataset, train=train)


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
        rows = _first_rows(name, split.labels, classes, images)
        kept[name] = _make_split(split.images[rows], split.labels[rows])
    return replace(dataset, **kept)


def _first_rows(name, labels, classes, images):
    """The places of the first `images` images, equally many of each class, in order."""
    most = classes * int(np.bincount(labels, minlength=classes).min())
    if type(images) is not int or images not in range(classes, most + 1, classes):
        raise ValueError(
            f"The number of {name} images must be a multiple of {classes} from "
            f"{classes} to {most:,}, equally many of each class. "
            f"Received: {images!r}."
        )
    groups = [np.flatnonzero(labels == label) for label in range(classes)]
    return np.sort(np.concatenate([rows[: images // classes] for rows in groups]))


def _check_integer(name, value, least):
    if type(value) is not int or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}. Received: {value!r}."
        )


def _check_validation(validation):
    step = cifar100.NUM_CLASSES
    allowed = range(step, step * cifar100.TRAIN_PER_CLASS, step)
    if type(validation) is not int or validation not in allowed:
        raise ValueError(
            f"validation must be a multiple of {step} from {step} to {allowed[-1]:,}, "
            f"equally many images of each class. Received: {validation!r}."
        )


def _split_rows(labels, per_class, seed):
    """Returns the rows to train on, mixed, and the rows to validate with, in order."""
    bits = np.random.PCG64(seed)
    train_rows, validation_rows = [], []
    for label in range(cifar100.NUM_CLASSES):
        rows = np.flatnonzero(labels == label)
        rows = rows[_random_order(bits, len(rows))]
        validation_rows.append(rows[:per_class])
        train_rows.append(rows[per_class:])
    train_rows = np.concatenate(train_rows)
    train_rows = train_rows[_random_order(bits, len(train_rows))]
    return train_rows, np.sort(np.concatenate(validation_rows))


def _random_order(bits, count):
    """Returns the numbers below `count`, mixed.

    NumPy promises the same raw words in every version, but no such thing for
    `Generator.permutation`.
    """
    return np.argsort(bits.random_raw(count), kind="stable")


def _decode(records):
    """Turns records of CIFAR-100 into a `Split`."""
    planes = records[:, 2:].reshape(-1, 3, 32, 32)
    return _make_split(planes.transpose(0, 2, 3, 1), records[:, 1])


def _make_split(images, labels, different=None):
    images = np.array(images, np.uint8, order="C")
    labels = np.array(labels, np.int32)
    for array in (images, labels):
        array.setflags(write=False)
    return Split(images, labels, different)
