"""Find where the time of a training step goes on a CPU: seconds of each operation.

    python benchmarks/profile_step.py --model report --precision mixed_bfloat16

TensorFlow's profiler watches one step of each contender, after a warm-up. The seconds
of an operation add up over its calls and over the threads, so that their sum exceeds
the time of the step. Take the numbers on a machine that does nothing else.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow
os.environ["KERAS_BACKEND"] = "tensorflow"

from contenders import CONTENDERS, MODELS

from vitlib.config.training import PRECISIONS
from vitlib.folders import require_own
from vitlib.records.tables import Table
from vitlib.studies import PRESETS
from vitlib.training.provenance import device, git_commit, versions

WARM_UP, TOP, MILLISECOND = 3, 16, 1e9  # the profiler counts picoseconds
KINDS = {"vitlib": "vitlib", "keras": "Keras layers"}


def operations(folder):
    """Milliseconds and calls of each kind of operation in a recorded profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: TID251

    (path,) = Path(folder).rglob("*.xplane.pb")
    space, time, calls = xplane_pb2.XSpace(), Counter(), Counter()
    space.ParseFromString(path.read_bytes())
    for plane in (plane for plane in space.planes if "CPU" in plane.name):
        for event in (event for line in plane.lines for event in line.events):
            # "name of the node:kind of operation"; others are the profiler's own.
            _, _, kind = plane.event_metadata[event.metadata_id].name.partition(":")
            if kind.isidentifier():
                time[kind] += event.duration_ps / MILLISECOND
                calls[kind] += 1
    return time, calls


def profile(name, model, batch):
    """One step of a contender under the profiler: rows of operation, ms, calls."""
    import tensorflow as tf  # noqa: TID251

    work, _ = CONTENDERS[name](PRESETS[MODELS[model]], batch)
    run = work["train"]
    run(WARM_UP)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        run(1)
        tf.profiler.experimental.stop()
        time, calls = operations(folder)
    rows = [(kind, spent, calls[kind]) for kind, spent in time.most_common(TOP)]
    return (*rows, ("all", sum(time.values()), sum(calls.values())))


def main(arguments=None):
    """Profiles the contender that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="report")
    parser.add_argument("--kind", choices=KINDS, default="vitlib")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args(arguments)
    name = f"{KINDS[options.kind]}, {options.precision.removeprefix('mixed_')}"
    rows = profile(name, options.model, options.batch)
    print(Table(("operation", "milliseconds", "calls"), rows))
    if options.json:
        facts = {"contender": name, "model": options.model, "batch": options.batch}
        facts |= {
            "device": device(),
            "versions": versions(),
            "git_commit": git_commit(),
        }
        options.json.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
