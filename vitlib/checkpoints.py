"""Keep a training on disk, so that it can go on after a kill at any moment.

A checkpoint is a folder. `progress.json` has the digests of the weights that belong to
it, and is written after them. The weights are NumPy arrays: where a disk is full, the
library behind `.h5` files takes the whole process down with it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from keras import ops

from vitlib.files import digest, digest_of_file, replacing

PROGRESS = "progress.json"


def describe(model, *facts):
    """Digest of a model's layers and of other facts: equal for runs that may resume."""
    layers = []
    for layer in model.layers:
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        shapes = [tuple(weight.shape) for weight in layer.weights]
        layers.append([type(layer).__name__, _without_names(config), shapes])
    text = json.dumps([layers, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_names(value):
    """Keras numbers the names of layers by the order in which a process makes them."""
    if isinstance(value, dict):
        dropped = ("name", "registered_name", "input_layers", "output_layers")
        return {k: _without_names(v) for k, v in value.items() if k not in dropped}
    return value


def save_checkpoint(folder, model, key, progress):
    """Writes weights, optimiser and seeds of a model, and how far its training has got.

    Args:
        folder: Path, made when it is not there.
        model: Compiled `keras.Model`.
        key: String from `describe`.
        progress: Dict with `history` and `best_epoch`. The weights of the epoch just
            finished and of the best one are kept, older ones are deleted. Gets their
            `digests`.

    Raises:
        OSError: When the disk does not take it; what was saved before is still there.
    """
    folder = Path(folder)
    epoch = len(progress["history"]["loss"])
    with replacing(_weights(folder, epoch)) as file:
        np.savez(file, *map(ops.convert_to_numpy, _variables(model)))
    digests = progress.get("digests", {})
    digests |= {str(epoch): digest_of_file(_weights(folder, epoch))}
    kept = {str(number) for number in (epoch, progress["best_epoch"])}
    progress["digests"] = {name: digests[name] for name in kept}
    content = {"key": key, **progress}
    with replacing(folder / PROGRESS) as file:
        file.write(json.dumps({"digest": digest(content), **content}).encode())
    for path in folder.glob("epoch-*.npz"):
        if path not in {_weights(folder, int(name)) for name in kept}:
            path.unlink()


def load_progress(folder, key):
    """Reads how far a training had got when it was stopped.

    Args:
        folder: Path that `save_checkpoint` wrote to, or that does not exist.
        key: String from `describe`.

    Returns:
        The dict `progress`, or None when there is no finished epoch to go on from.

    Raises:
        ValueError: When the checkpoint is of another model, configuration or data set,
            or its file was damaged.
    """
    path = Path(folder) / PROGRESS
    if not path.exists():
        return None
    try:
        progress = json.loads(path.read_text(encoding="utf-8"))
        is_whole = progress.pop("digest") == digest(progress)
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or no dict
        is_whole = False
    if not is_whole:
        raise ValueError(_damaged(path))
    if progress.pop("key") != key:
        raise ValueError(
            f"{folder} must hold a checkpoint of the same model, training "
            "configuration and data. Received: one of another run. Delete the folder "
            "to start anew."
        )
    return progress


def load_weights(folder, model, progress, epoch):
    """Brings a model's weights, optimiser and seeds to those of a kept epoch.

    Args:
        folder: Path that `save_checkpoint` wrote to.
        model: Compiled `keras.Model`.
        progress: The dict that `save_checkpoint` got, or `load_progress` returned.
        epoch: Integer, one of those whose weights are kept.

    Raises:
        ValueError: When the file of the weights is missing or was damaged.
    """
    path = _weights(Path(folder), epoch)
    if not path.exists() or digest_of_file(path) != progress["digests"][str(epoch)]:
        raise ValueError(_damaged(path))
    with np.load(path) as arrays:
        for variable, name in zip(_variables(model), arrays, strict=True):
            variable.assign(arrays[name])


def _variables(model):
    """All that a training changes, in an order that the model fixes."""
    return [*model.variables, *model.optimizer.variables]


def _damaged(path):
    return (
        f"{path} must be as the training wrote it. Received: a file that was cut, "
        "changed or deleted since. Delete its folder to start anew."
    )


def _weights(folder, epoch):
    return folder / f"epoch-{epoch:04d}.npz"
