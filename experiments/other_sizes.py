"""Test recorded ViTs on images of other sizes than those that they were trained on.

    python experiments/other_sizes.py positions-long --json runs/sizes.json

Each run of the study whose weights were kept (train.py --keep-weights) is tested on the
test images, resized to each of the sizes: with the places of its formulas counted on
beyond those of the training, and with the same places spread over the larger grid. A
table of positions is interpolated, and knows no such choice.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow

import keras

from vitlib import evaluate, load_data_set, load_model, load_runs
from vitlib.data.splits import limit_evaluation
from vitlib.folders import require_own
from vitlib.models.weights import weights_path
from vitlib.records.runs import record_path
from vitlib.records.tables import Table
from vitlib.training.provenance import device, git_commit, versions

RESULTS = Path(__file__).resolve().parents[1] / "results"
OF_FORMULAS = ("sincos", "rope")  # positions whose places may be counted or scaled


def measure(run, folder, split, size):
    """The scores of a run on images of one size; one row, or two for a formula.

    A row has `scores` of None, and says `why`, where the model cannot be resized.
    """
    position, trained = run.model["position"], run.model["image_size"]
    both = position in OF_FORMULAS and size != trained
    for scaled in (False, True) if both else (False,):
        row = {"name": run.name, "seed": run.seed, "position": position}
        row |= {"size": size, "scaled": scaled, "scores": None, "why": None}
        try:
            model = load_model(run, folder, size, scaled)
            row["scores"] = evaluate(model, split)
        except ValueError as error:
            row["why"] = str(error)
        yield row


def gather(options):
    """The rows of all runs of the study that kept their weights."""
    runs = [run for run in load_runs(options.results, options.study) if run.weights]
    if not runs:
        raise ValueError(
            f"A run of {options.study} must have been recorded with --keep-weights. "
            f"Received: {options.results}, where none is."
        )
    rows, data = [], None
    for run in runs:
        path = record_path(options.results, run.study, run.name, run.seed)
        if not weights_path(path).is_file():  # they are not in the repository
            print(f"{path.name}: its weights are not here", file=sys.stderr)
            continue
        data = data or load_data_set(run.data["name"], options.data_dir)
        split = (limit_evaluation(data, options.test) if options.test else data).test
        for size in options.sizes:
            rows += measure(run, options.results, split, size)
    return rows, data and data.fingerprint


def parse(arguments):
    """The options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", help="whose runs are tested")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 40, 48])
    parser.add_argument("--test", type=int, help="images; default: all")
    parser.add_argument("--data-dir", help="folder of the archive of CIFAR-100")
    parser.add_argument("--results", type=Path, default=RESULTS, help="of the records")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Tests, and prints the accuracies."""
    options = parse(arguments)
    rows, fingerprint = gather(options)
    columns = ("name", "seed", "size", "scaled", "top-1 (%)")
    shown = [
        (*(row[name] for name in columns[:4]), f"{100 * row['scores']['top1']:.2f}")
        for row in rows
        if row["scores"]
    ]
    print(Table(columns, tuple(shown)))
    if options.json:
        words = sys.argv[1:] if arguments is None else arguments
        record = {
            "device": device(),
            "backend": keras.backend.backend(),
            "versions": versions(),
            "git_commit": git_commit(),
            "command": shlex.join(["python", "experiments/other_sizes.py", *words]),
            "fingerprint": fingerprint,
            "rows": rows,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
