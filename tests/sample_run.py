"""A made-up run that is right in every field, for tests that need one."""

import json
from dataclasses import asdict

from vitlib.records.run import Run
from vitlib.records.upgrade import FOURTH_MODEL, FOURTH_TRAINING
from vitlib.studies import PRESETS

PRESET = "report-vit"


def in_json(values):
    """A dict as it comes back from a file: tuples are lists."""
    return json.loads(json.dumps(values))


def make_history(epochs):
    """A history whose validation top-1 is best in the last epoch."""
    rising = [(epoch + 1) / (2 * epochs) for epoch in range(epochs)]
    return {
        "loss": [4.6 - value for value in rising],
        "top1": rising,
        "top5": [2 * value for value in rising],
        "val_loss": [4.7 - value for value in rising],
        "val_top1": rising,
        "val_top5": [2 * value for value in rising],
        "learning_rate": [1e-3] * epochs,
        "seconds": [1.5] * epochs,
        "gradient_norm": [0.5] * epochs,
        "dead": [[0.75, 1.0]] * epochs,
        "token_spread": [0.25] * epochs,
        "logit_spread": [0.125] * epochs,
        "answers": [1] * epochs,
    }


def as_fourth_version(run):
    """The record of a run as the fourth version of the schema had it."""
    record = asdict(run) | {"schema_version": 4}
    for part, later in (("training", FOURTH_TRAINING), ("model", FOURTH_MODEL)):
        record[part] = {k: v for k, v in record[part].items() if k not in later}
    return record


def as_first_version(run):
    """The record of a run as the first version of the schema had it, without digest."""
    record = as_fourth_version(run) | {"schema_version": 1, "profile": run.scale}
    for name in ("scale", "task", "initial", "weights"):
        del record[name]
    for part, name in (("training", "steps_per_epoch"), ("model", "head_init_scale")):
        record[part] = {k: v for k, v in record[part].items() if k != name}
    return record


def make_run(**changes):
    """A finished `Run` of the report's ViT, but for the changes."""
    preset = PRESETS[PRESET]
    epochs = preset.train.epochs
    values = {
        "study": "report",
        "name": PRESET,
        "preset": PRESET,
        "scale": "full",
        "task": "classification",
        "seed": 0,
        "status": "finished",
        "error": None,
        "model": in_json({"family": preset.model.family, **asdict(preset.model)}),
        "training": in_json(asdict(preset.train)),
        "data": {
            "name": "cifar100",
            "fingerprint": "0" * 64,
            "train": 40_000,
            "validation": 10_000,
            "test": 10_000,
        },
        "history": make_history(epochs),
        "best_epoch": epochs,
        "test": {"loss": 2.5, "top1": 0.375, "top5": 0.75},
        "seconds": 1.5 * epochs,
        "images_per_second": 320.5,
        "peak_memory_bytes": 2**30,
        "parameters": {
            "total": 45_923_307,
            "trainable": 45_923_300,
            "non_trainable": 7,
        },
        "flops_per_image": 3_000_000_000,
        "device": {"kind": "cpu", "name": "a processor", "cores": 2},
        "backend": "tensorflow",
        "versions": {
            "python": "3.11.7",
            "keras": "3.15.1",
            "numpy": "2.2.0",
            "vitlib": "0.1.0",
        },
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "utc": "2025-01-31T23:59:59Z",
        "command": f"python experiments/train.py {PRESET}",
    }
    return Run(**(values | changes))
