"""Go on with a training that was stopped: with this one and no other."""

import hashlib
import json
from dataclasses import asdict

from vitlib.models.walk import walk
from vitlib.training import parallel, provenance
from vitlib.training.checkpoints import Saver, load_progress


def open_saver(model, data, config, folder, watch, minutes):
    """Reads how far the training had got, and prepares to save it from there on."""
    facts = [asdict(config), data.fingerprint, len(data.train.labels), watch]
    if data.train.different:  # a key of all images stays as it was before these
        facts.append(data.train.different)
    key = describe(model, *facts)
    progress = load_progress(folder, key)
    if progress is None:
        progress = {"history": {}, "best_epoch": None, "images_per_second": []}
    now = provenance.git_commit()
    began = progress.get("git_commit", now)
    progress["git_commit"] = provenance.join_commits(began, now)
    _require_same_start(progress)
    return Saver(folder, model, key, progress, minutes)


def _require_same_start(progress):
    """A kill can come when some processes have saved and others have not.

    In the middle of an epoch they go back to its beginning, of which all have the
    weights. Where they differ in whole epochs, they must be told.
    """
    finished = len(progress["history"].get("loss", ()))
    if not parallel.is_same_everywhere(finished):
        raise ValueError(
            "All processes must go on after the same epoch: delete their checkpoints. "
            f"Received: epoch {finished} in this process, another in another."
        )
    batches = progress.get("within", {}).get("batches", 0)
    if not parallel.is_same_everywhere(batches):
        progress.pop("within", None)


def describe(model, *facts):
    """Digest of a model's layers and of other facts: equal for runs that may resume."""
    layers = []
    for layer in walk(model):
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
