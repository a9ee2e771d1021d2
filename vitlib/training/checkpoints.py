"""Keep a training on disk, so that it can go on after a kill at any moment.

A checkpoint is a folder. `progress.json` has the digests of the weights that belong to
it, and is written after them. The weights are NumPy arrays: where a disk is full, the
library behind `.h5` files takes the whole process down with it.
"""

import json
import time
from pathlib import Path

import numpy as np
from keras import ops

from vitlib.records.files import digest, digest_of_file, replacing
from vitlib.records.runs import PROGRESS
from vitlib.training import parallel

MOST_SAVING = 0.02  # of the time of a training goes into saving within its epochs
ASK_EVERY = 16  # batches; where several processes train, they must ask each other


class Saver:
    """Saves a training after each epoch, and every few minutes within one.

    Within an epoch it saves less often where saving is slow: it takes at most
    `MOST_SAVING` of the time.

    Args:
        folder: Path of the checkpoint.
        model: Compiled `keras.Model`.
        key: String from `describe`.
        progress: Dict, as for `save_checkpoint`.
        minutes: Number. At least so much time is between two saves within an epoch.
    """

    def __init__(self, folder, model, key, progress, minutes):
        self.folder, self.model, self.key = folder, model, key
        self.progress = progress
        self.pause = 60 * minutes  # seconds
        self.last = time.perf_counter()
        self.cost = 0.0  # seconds of the last save

    def save(self):
        """Saves now."""
        start = time.perf_counter()
        save_checkpoint(self.folder, self.model, self.key, self.progress)
        self.last = time.perf_counter()
        self.cost = self.last - start

    def save_within(self, batches, means, seconds):
        """Saves in the middle of an epoch, if it is time.

        Args:
            batches: Integer, how many of the epoch are done.
            means: Function that gives their means, as for `run_batches`.
            seconds: Number, how long they have taken.
        """
        if not self._is_due(batches):
            return
        self.progress["within"] = {
            "batches": batches,
            "means": means(),
            "seconds": seconds,
        }
        self.save()

    def _is_due(self, batches):
        if parallel.process()[1] > 1 and batches % ASK_EVERY:
            return False
        pause = max(self.pause, self.cost / MOST_SAVING)
        # All processes must stop after the same batch, so the first one decides.
        return parallel.first_says(time.perf_counter() - self.last >= pause)


def save_checkpoint(folder, model, key, progress):
    """Writes weights, optimiser and seeds of a model, and how far its training has got.

    Args:
        folder: Path, made when it is not there.
        model: Compiled `keras.Model`.
        key: String from `describe`.
        progress: Dict with `history`, `best_epoch` and, in the middle of an epoch,
            `within`. The weights of this moment, of the last whole epoch and of the
            best one are kept, older ones are deleted. Gets their `digests`.

    Raises:
        OSError: When the disk does not take it; what was saved before is still there.
    """
    folder = Path(folder)
    epoch = len(progress["history"].get("loss", ()))
    now = weights_name(progress)
    with replacing(folder / now) as file:
        np.savez(file, *map(ops.convert_to_numpy, _variables(model)))
    digests = progress.get("digests", {}) | {now: digest_of_file(folder / now)}
    kept = {now, *map(_after_epoch, (epoch, progress["best_epoch"] or 0))}
    progress["digests"] = {name: digests[name] for name in kept & digests.keys()}
    content = {"key": key, **progress}
    with replacing(folder / PROGRESS) as file:
        file.write(json.dumps({"digest": digest(content), **content}).encode())
    for path in folder.glob("epoch-*.npz"):
        if path.name not in kept:
            path.unlink()


def load_progress(folder, key):
    """Reads how far a training had got when it was stopped.

    Args:
        folder: Path that `save_checkpoint` wrote to, or that does not exist.
        key: String from `describe`.

    Returns:
        The dict `progress`, or None when nothing was saved to go on from.

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


def load_weights(folder, model, progress, epoch=None):
    """Brings a model's weights, optimiser and seeds to those that were saved.

    Args:
        folder: Path that `save_checkpoint` wrote to.
        model: Compiled `keras.Model`.
        progress: The dict that `save_checkpoint` got, or `load_progress` returned.
        epoch: Integer, one of those whose weights are kept; None for the last ones that
            were saved, be it in the middle of an epoch.

    Raises:
        ValueError: When the file of the weights is missing or was damaged.
    """
    name = weights_name(progress) if epoch is None else _after_epoch(epoch)
    path = Path(folder) / name
    if not path.exists() or digest_of_file(path) != progress["digests"].get(name):
        raise ValueError(_damaged(path))
    with np.load(path) as arrays:
        for variable, key in zip(_variables(model), arrays, strict=True):
            if variable.name == "seed_generator_state":
                parallel.assign_seed(variable, arrays[key])  # to each replica its own
            else:
                variable.assign(arrays[key])


def _variables(model):
    """All that a training changes, in an order that the model fixes."""
    return [*model.variables, *model.optimizer.variables]


def _damaged(path):
    return (
        f"{path} must be as the training wrote it. Received: a file that was cut, "
        "changed or deleted since. Delete its folder to start anew."
    )


def weights_name(progress):
    """The file of the weights that belong to a progress."""
    epoch = len(progress["history"].get("loss", ()))
    if (within := progress.get("within")) is None:
        return _after_epoch(epoch)
    return f"epoch-{epoch + 1:04d}-batch-{within['batches']:06d}.npz"


def _after_epoch(epoch):
    return f"epoch-{epoch:04d}.npz"
