"""Keep a training on disk, so that it can go on after a kill at any moment.

A checkpoint is a folder. `progress.json` names the weights that belong to it; it is
replaced in one step after they are written, so it never names a half-written file.
"""

import hashlib
import json
from pathlib import Path

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
            finished and of the best one are kept, older ones are deleted.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    epoch = len(progress["history"]["loss"])
    partial = folder / "partial.weights.h5"
    model.save_weights(partial, overwrite=True)
    partial.replace(_weights(folder, epoch))
    partial = folder / f"{PROGRESS}.partial"
    partial.write_text(json.dumps({"key": key, **progress}), encoding="utf-8")
    partial.replace(folder / PROGRESS)
    kept = {_weights(folder, epoch), _weights(folder, progress["best_epoch"])}
    for path in set(folder.glob("epoch-*.weights.h5")) - kept:
        path.unlink()


def load_progress(folder, key):
    """Reads how far a training had got when it was stopped.

    Args:
        folder: Path that `save_checkpoint` wrote to, or that does not exist.
        key: String from `describe`.

    Returns:
        The dict `progress`, or None when there is no finished epoch to go on from.

    Raises:
        ValueError: When the checkpoint is of another model, configuration or data set.
    """
    path = Path(folder) / PROGRESS
    if not path.exists():
        return None
    progress = json.loads(path.read_text(encoding="utf-8"))
    if progress.pop("key") != key:
        raise ValueError(
            f"{folder} must hold a checkpoint of the same model, training "
            "configuration and data. Received: one of another run. Delete the folder "
            "to start anew."
        )
    return progress


def load_weights(folder, model, epoch):
    """Brings a model's weights, optimiser and seeds to those of a kept epoch."""
    model.load_weights(_weights(Path(folder), epoch))


def _weights(folder, epoch):
    return folder / f"epoch-{epoch:04d}.weights.h5"
