"""Time the rungs of the study `ladder`, side by side in one run.

    python benchmarks/ladder_speed.py --json benchmarks/records/ladder.json

A record says how long its run took, on a machine that was busier on one day than on
another. Here the rungs take turns, a tenth of an epoch at a time with a tenth of the
validation, and the minutes of a whole run follow. Take the numbers on a machine that
does nothing else.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow

import numpy as np

from vitlib.data.sets import load_data_set
from vitlib.data.splits import limit_evaluation
from vitlib.folders import require_own
from vitlib.models.build import build_model
from vitlib.records.tables import Table
from vitlib.studies import PRESETS
from vitlib.training.loop import train
from vitlib.training.provenance import device, git_commit, versions

# "compact-decay" has the steps of "compact".
RUNGS = ("small-vit", "pure-vit", "compact")
RUNGS += ("ladder-muon", "ladder-sizes", "ladder-average")
PART = 10  # of these make an epoch
EPOCHS = 3  # at each size; the first one compiles and is not counted


def time_epochs(preset, data):
    """Seconds of whole epochs, `(on smaller images, on those of the model)`."""
    config, images = preset.train, len(data.train.labels)
    smaller = EPOCHS if config.first_epochs else 0
    config = replace(
        config,
        epochs=smaller + EPOCHS,
        first_epochs=smaller,
        warmup_epochs=1,
        steps_per_epoch=max(config.count_steps(images) // PART, 1),
    )
    classes = len(data.class_names)
    kept = len(data.validation.labels) // PART // classes * classes
    data = limit_evaluation(data, max(kept, classes))
    run = train(build_model(preset.model, config), data, config, report=lambda _: None)
    seconds = PART * np.array(run.history["seconds"])
    return seconds[1:smaller].tolist(), seconds[smaller + 1 :].tolist()


def minutes_of(preset, rounds):
    """Minutes of all epochs of a preset, from the medians of the rounds."""
    smaller, whole = (sum(seconds, []) for seconds in zip(*rounds, strict=True))
    first = preset.train.first_epochs
    seconds = (preset.train.epochs - first) * np.median(whole)
    return (seconds + (first * np.median(smaller) if first else 0)) / 60


def main(arguments=None):
    """Times all rungs in turns and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args(arguments)
    data = load_data_set("cifar100")
    found = {name: [] for name in RUNGS}
    for _ in range(options.rounds):
        for name, rounds in found.items():
            rounds.append(time_epochs(PRESETS[name], data))
    minutes = {name: minutes_of(PRESETS[name], found[name]) for name in found}
    print(Table(("rung", "minutes"), tuple(minutes.items())))
    if options.json:
        facts = {"device": device(), "versions": versions(), "git_commit": git_commit()}
        results = {"minutes": minutes, "seconds_of_epochs": found}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(facts | results, indent=1) + "\n")


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
