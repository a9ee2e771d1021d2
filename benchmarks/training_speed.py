"""Time the training of vitlib and of its peers, side by side in one run.

    python benchmarks/training_speed.py
    python benchmarks/training_speed.py --model compact --json speed.json

Each contender is a process of its own. They are warmed up first, then take turns: in
each round each does a few steps while the others wait, so that whatever disturbs the
machine meets all of them. The peers need `pip install -r requirements-bench.txt`; one
that cannot be imported is left out, and named. Take the numbers on a machine that does
nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow

import numpy as np
from contenders import CONTENDERS, MODELS, is_keras, takes

from vitlib.folders import require_own
from vitlib.records.tables import Table
from vitlib.training.provenance import device, git_commit, versions

WORKER = Path(__file__).with_name("contenders.py")
GIGA, GIB = 1e9, 2**30
# What is timed: a training step, a prediction, and the images' way to the first patch.
KINDS = ("train", "predict", "input")
TRAIN_TO_FORWARD = 3  # a step costs about three forward passes
COLUMNS = (
    "contender",
    "images/s",
    "range",
    "GFLOP/s",
    "share of matrix rate (%)",
    "predict images/s",
    "input images/s",
    "first step (s)",
    "memory (GiB)",
)


class Worker:
    """One contender in its process.

    Args:
        name: One of `CONTENDERS`.
        model: One of `MODELS`.
        batch: Integer, images a step.

    Raises:
        ImportError: When the peer is not installed.
        RuntimeError: When its process ended in another way; the message is its last
            line.
    """

    def __init__(self, name, model, batch):
        self.name, start = name, time.perf_counter()
        command = [sys.executable, str(WORKER), name, model, str(batch)]
        root = str(WORKER.parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path}
        if not is_keras(name):  # PyTorch does not bear TensorFlow in its process
            environment["KERAS_BACKEND"] = "torch"
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answer()  # its first step is done
        seconds = time.perf_counter() - start
        self.facts = {"seconds_to_first_step": seconds} | self._answer()
        self.seconds = {kind: [] for kind in self.facts.pop("kinds")}

    def _answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        last = self.process.stderr.read().strip().splitlines()[-1]
        kind = ImportError if "ModuleNotFoundError" in last else RuntimeError
        raise kind(last)

    def work(self, kind, steps):
        """Does some steps; keeps the seconds of one."""
        self.process.stdin.write(f"{kind} {steps}\n")
        self.process.stdin.flush()
        self.seconds[kind].append(self._answer() / steps)

    def finish(self):
        """Ends the process; its peak memory joins the facts."""
        self.process.stdin.close()
        self.facts |= self._answer()
        self.process.wait()


def matrix_rate(dtype):
    """The most arithmetic a second that large matrix products reach, in FLOP/s.

    TensorFlow multiplies two square matrices, or JAX where it is the backend, while no
    contender is there yet.
    """
    import keras
    from keras import ops

    on_cpu = keras.distribution.list_devices()[0].startswith("cpu")
    side = 2048 if on_cpu else 8192
    x = ops.cast(keras.random.normal((side, side)), dtype)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        float(ops.cast(ops.matmul(x, x)[0, 0], "float32"))
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


def start_workers(names, model, batch):
    """Starts the contenders one after the other; names those that cannot run."""
    workers = []
    for name in names:
        try:
            workers.append(Worker(name, model, batch))
        except (ImportError, RuntimeError) as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
    return workers


def measure(workers, rounds, steps):
    """Lets the contenders take turns."""
    for _ in range(rounds):
        for kind in KINDS:
            for worker in workers:
                if kind in worker.seconds:
                    worker.work(kind, steps)
    for worker in workers:
        worker.finish()


def result(worker, batch, rates):
    """The numbers of one contender."""
    train = np.array(worker.seconds["train"])
    medians = {kind: np.median(seconds) for kind, seconds in worker.seconds.items()}
    flops = TRAIN_TO_FORWARD * worker.facts["flops_per_image"]
    speed = batch / medians["train"]
    input_speed = batch / medians["input"] if "input" in medians else None
    dtype = "bfloat16" if "bfloat16" in worker.name else "float32"
    return {
        "contender": worker.name,
        "images_per_second": speed,
        "slowest": batch / train.max(),
        "fastest": batch / train.min(),
        "flops_per_second": speed * flops,
        "share_of_matrix_rate": speed * flops / rates[dtype],
        "predict_images_per_second": batch / medians["predict"],
        "input_images_per_second": input_speed,
        "seconds_of_steps": train.tolist(),
        **worker.facts,
    }


def row(found):
    """A result as the table shows it."""
    return (
        found["contender"],
        found["images_per_second"],
        f"{found['slowest']:.3g} to {found['fastest']:.3g}",
        found["flops_per_second"] / GIGA,
        100 * found["share_of_matrix_rate"],
        found["predict_images_per_second"],
        found["input_images_per_second"] or "-",
        found["seconds_to_first_step"],
        found["peak_memory_bytes"] / GIB,
    )


def ratios(results):
    """How much faster each contender of vitlib is than each peer."""
    ours = [r for r in results if r["contender"].startswith("vitlib")]
    peers = [r for r in results if r not in ours]
    columns = ("against", *(r["contender"] for r in ours))
    speed = "images_per_second"
    rows = [(p["contender"], *(r[speed] / p[speed] for r in ours)) for p in peers]
    return Table(columns, tuple(rows))


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="report")
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of each in a round")
    parser.add_argument("--only", nargs="*", choices=CONTENDERS, metavar="CONTENDER")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Times the contenders and prints two tables: the speeds and the ratios."""
    options = parse_arguments(arguments)
    names = [n for n in options.only or CONTENDERS if takes(n, options.model)]
    rates = {dtype: matrix_rate(dtype) for dtype in ("float32", "bfloat16")}
    workers = start_workers(names, options.model, options.batch)
    measure(workers, options.rounds, options.steps)
    results = [result(worker, options.batch, rates) for worker in workers]
    print(Table(COLUMNS, tuple(row(found) for found in results)))
    print(ratios(results))
    for dtype, rate in rates.items():
        print(f"matrix products in {dtype}: {rate / GIGA:.0f} GFLOP/s")
    if options.json:
        facts = {"model": options.model, "batch": options.batch, "matrix_rates": rates}
        facts |= {"device": device(), "versions": versions()}
        facts |= {"git_commit": git_commit()}
        text = json.dumps(facts | {"results": results}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
