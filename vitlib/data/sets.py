"""The data sets of colour images, by name: 32 x 32 pixels, scenes 64 x 64."""

from collections.abc import Callable
from dataclasses import dataclass

from vitlib.data.cifar100 import load_cifar100
from vitlib.data.fresh import load_fresh_scenes
from vitlib.data.noise import load_noise
from vitlib.data.scenes import load_scenes
from vitlib.data.shapes import load_shapes
from vitlib.data.splits import take_classes


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, and how many images runs record of it.

    Args:
        load: Function from the folder of its files, or None, to a `Dataset`.
        train: Integer. Images of the training split.
        test: Integer. Images of the test split.
    """

    load: Callable
    train: int
    test: int


def _load_part(name, labels):
    return lambda folder: take_classes(load_cifar100(folder), labels, name)


# Of the hundred classes in the order of the alphabet, 80 to learn from before the other
# 20 are met.
OLD, NEW = range(80), range(80, 100)

DATA_SETS = {
    "cifar100": Source(load_cifar100, train=40_000, test=10_000),
    "shapes": Source(lambda _: load_shapes(), train=20_000, test=2_000),
    "cifar100-old": Source(_load_part("cifar100-old", OLD), train=32_000, test=8_000),
    "cifar100-new": Source(_load_part("cifar100-new", NEW), train=8_000, test=2_000),
    "noise": Source(lambda _: load_noise(), train=40_000, test=2_000),
    "scenes": Source(lambda _: load_scenes(), train=10_000, test=1_000),
    "fresh-scenes": Source(lambda _: load_fresh_scenes(), train=20_000, test=10_000),
}


def load_data_set(name, data_dir=None):
    """Loads a data set by its name, with the sizes and the split that runs record.

    Args:
        name: One of `DATA_SETS`: `"cifar100"`, its parts `"cifar100-old"` of 80 classes
            and `"cifar100-new"` of 20, `"shapes"`, `"noise"`, `"scenes"`
            or `"fresh-scenes"`, which never ends.
        data_dir: Folder of the CIFAR-100 archive, as for `load_cifar100`; or None.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: When there is no such data set, or as `load_cifar100` says.
        FileNotFoundError: As `load_cifar100` says.
        ConnectionError: As `load_cifar100` says.
    """
    if name not in DATA_SETS:
        raise ValueError(f"name must be one of {tuple(DATA_SETS)}. Received: {name!r}.")
    return DATA_SETS[name].load(data_dir)
