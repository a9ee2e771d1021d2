"""Load CIFAR-100, with its training images split for validation."""

import numpy as np

from vitlib.config.rules import require_integer
from vitlib.data import archive
from vitlib.data.download import find_archive
from vitlib.data.splits import Dataset, make_split


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
    require_integer("seed", seed, 0)
    records = archive.read_archive(find_archive(data_dir))
    per_class = validation // archive.NUM_CLASSES
    train_rows, validation_rows = _split_rows(records.train[:, 1], per_class, seed)
    return Dataset(
        name="cifar100",
        fingerprint=records.fingerprint,
        class_names=records.class_names,
        train=_decode(records.train[train_rows]),
        validation=_decode(records.train[validation_rows]),
        test=_decode(records.test),
    )


def _check_validation(validation):
    step = archive.NUM_CLASSES
    allowed = range(step, step * archive.TRAIN_PER_CLASS, step)
    if type(validation) is not int or validation not in allowed:
        raise ValueError(
            f"validation must be a multiple of {step} from {step} to {allowed[-1]:,}, "
            f"equally many images of each class. Received: {validation!r}."
        )


def _split_rows(labels, per_class, seed):
    """Returns the rows to train on, mixed, and the rows to validate with, in order."""
    bits = np.random.PCG64(seed)
    train_rows, validation_rows = [], []
    for label in range(archive.NUM_CLASSES):
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
    return make_split(planes.transpose(0, 2, 3, 1), records[:, 1])
