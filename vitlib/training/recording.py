"""The record of a training: what it was, and what came of it."""

from dataclasses import asdict
from datetime import UTC, datetime

import keras
import numpy as np

from vitlib.models.flops import count_flops
from vitlib.records.run import Run
from vitlib.training import provenance
from vitlib.training.instruments import READINGS
from vitlib.training.tasks import CLASSIFICATION, evaluate


def _sizes(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    total = model.count_params()
    rest = total - trainable
    return {"total": total, "trainable": trainable, "non_trainable": rest}


def _facts(data):
    """What a record says of the data."""
    facts = {"name": data.name, "fingerprint": data.fingerprint}
    for name in ("train", "validation", "test"):
        facts[name] = getattr(data, name).size
    if data.train.different:
        facts["repeated_to"] = len(data.train.labels)
    return facts


def _test(model, data, config, task):
    """The scores of the test images; with their mirror images, too, where asked for."""
    scores = evaluate(model, data.test, task)
    if config.test_flip:
        flipped = evaluate(model, data.test, task, flip=True)
        scores |= {f"flip_{name}": value for name, value in flipped.items()}
    return scores


def draft(model, data, config, task=CLASSIFICATION, about=None):
    """The record of a training before its first step: all that can be known by then.

    Args:
        model: `keras.Model` from `build_model`.
        data: `Dataset`.
        config: `TrainConfig`.
        task: As `vitlib.training.tasks.Classification`.
        about: Dict, as for `vitlib.train`.

    Returns:
        `Run` of no epochs, with the status "failed".
    """
    progress = {"history": {}, "best_epoch": None, "images_per_second": []}
    progress["git_commit"] = provenance.git_commit()
    return record(model, data, config, task, progress, "It has not begun.", about)


def record(model, data, config, task, progress, error, about=None):
    """The record of a training: the one place where a `Run` is made.

    Args:
        model: `keras.Model`, with the weights that the test images are to see.
        data: `Dataset`.
        config: `TrainConfig`.
        task: As `vitlib.training.tasks.Classification`.
        progress: Dict, as a checkpoint has it.
        error: Why the training had to stop, or None.
        about: Dict, as for `vitlib.train`.
    """
    # Their names alone: a metric has variables, which all processes must make together.
    names = [*task.train_scores, *(f"val_{name}" for name in task.scores)]
    names += ["learning_rate", "seconds"]
    names += [name for name in READINGS if name in progress["history"]]
    history = {name: progress["history"].get(name, []) for name in names}
    rates = progress["images_per_second"]
    return Run(
        **(about or {}),
        task=task.name,
        seed=config.seed,
        status="finished" if error is None else "failed",
        error=error,
        training=asdict(config),
        data=_facts(data),
        history=history,
        best_epoch=progress["best_epoch"],
        test=_test(model, data, config, task) if error is None else None,
        seconds=sum(history["seconds"]),
        images_per_second=float(np.median(rates)) if rates else None,
        peak_memory_bytes=provenance.peak_memory_bytes(),
        parameters=_sizes(model),
        flops_per_image=count_flops(model),
        device=provenance.device(),
        backend=keras.backend.backend(),
        versions=provenance.versions(),
        git_commit=progress["git_commit"],
        utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
