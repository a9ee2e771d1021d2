"""Measure how the cost of a training step grows: tokens, width, depth, batch.

    python benchmarks/cost_curves.py --json benchmarks/records/cost_curves.json

Each point is a process of its own, so that its peak memory is its own. Take the numbers
on a machine that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow

import numpy as np

from vitlib.folders import require_own
from vitlib.records.tables import Table
from vitlib.studies.recipes import TINY_TRAIN, TINY_VIT
from vitlib.training.provenance import device, git_commit, peak_memory_bytes, versions

# The shape around which one thing at a time is changed: 144 tokens, as in the report,
# in the usual width of a head.
BASE = {"patch_size": 6, "projection_dim": 128, "num_layers": 4, "batch": 16}
HEADS, IMAGE_SIZE = 8, 72
CURVES = {
    "patch_size": (24, 18, 12, 9, 8, 6, 4, 3),  # pixels; 9 to 576 tokens
    "projection_dim": (32, 64, 128, 256, 512),
    "num_layers": (1, 2, 4, 8, 16),
    "batch": (1, 2, 4, 8, 16, 32, 64),
}
WARM_UP, STEPS = 3, 7
MIB = 2**20


def config_of(point):
    """The model of a point: the MLP is twice as wide as the tokens."""
    width = point["projection_dim"]
    return replace(
        TINY_VIT,
        image_size=IMAGE_SIZE,
        patch_size=point["patch_size"],
        projection_dim=width,
        num_heads=HEADS,
        key_dim=width // HEADS,
        num_layers=point["num_layers"],
        mlp_units=(2 * width, width),
    )


def measure(point):
    """Trains some steps on noise, in this process. Returns the numbers of the point."""
    from vitlib.models.build import build_model
    from vitlib.models.flops import count_flops
    from vitlib.training.prepare import compile_model

    config, batch = config_of(point), point["batch"]
    model = build_model(config, TINY_TRAIN)
    compile_model(model, TINY_TRAIN, steps_per_epoch=100)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, *config.input_shape)).astype("float32")
    labels, seconds = rng.integers(0, config.num_classes, batch), []
    before = peak_memory_bytes()
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - start)
    return point | {
        "tokens": config.num_patches,
        "seconds": sorted(seconds[WARM_UP:]),
        "flops_per_image": count_flops(model),
        "parameters": model.count_params(),
        "memory_bytes": peak_memory_bytes() - before,
    }


def measure_apart(point):
    """Measures a point in a new process."""
    command = [sys.executable, __file__, "--point", json.dumps(point)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def row(curve, found):
    """A point as the table shows it."""
    median = float(np.median(found["seconds"]))
    rate = 3 * found["flops_per_image"] * found["batch"] / median / 1e9
    memory = found["memory_bytes"] / MIB
    return curve, found[curve], found["tokens"], 1000 * median, rate, memory


def main(arguments=None):
    """Measures all points and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.point:
        return print(json.dumps(measure(options.point)))
    curves = {
        name: [measure_apart(BASE | {name: value}) for value in values]
        for name, values in CURVES.items()
    }
    columns = ("curve", "value", "tokens", "step (ms)", "GFLOP/s", "memory (MiB)")
    rows = [row(name, found) for name, points in curves.items() for found in points]
    print(Table(columns, tuple(rows)))
    if options.json:
        facts = {"device": device(), "versions": versions(), "git_commit": git_commit()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(facts | {"curves": curves}, indent=1) + "\n")
    return None


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
