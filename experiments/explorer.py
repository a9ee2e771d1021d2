"""Train the models of the explorer page and write its files: three minutes.

    python experiments/explorer.py
    python experiments/explorer.py --compare

The first writes book/explorer/POSITION.safetensors and the records in results/explorer.
The second trains anew in a scratch folder, and fails where a model ends more than two
points from its committed record.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import train

from vitlib.folders import require_own
from vitlib.models.explorer import export_explorer
from vitlib.models.weights import load_model
from vitlib.records.runs import load_run, record_path
from vitlib.studies import STUDIES
from vitlib.studies.experiment import plan

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book/explorer"
RESULTS = ROOT / "results"
RUNS = STUDIES["explorer"].runs["quick"]
MOST_POINTS = 0.02  # between two trainings from one seed, on machines that round apart


def path_of(run, results):
    """Path of the record of a run of the study."""
    experiment = plan(**run)
    return record_path(results, "explorer", experiment.name, run["seed"])


def train_all(results):
    """Trains and records each model; returns its record by its position.

    Raises:
        SystemExit: When a training fails, with its status.
    """
    for run in RUNS:
        words = [f"--{key}={value}" for key, value in run.items() if key != "preset"]
        options = ["--keep-weights", "--force", f"--out={results}"]
        if status := train.main([run["preset"], *words, *options]):
            raise SystemExit(status)
    return {run["position"]: path_of(run, results) for run in RUNS}


def differences(results):
    """How far each training ended from its committed record, in shares of 1."""
    pairs = [
        (load_run(path_of(run, each)) for each in (results, RESULTS)) for run in RUNS
    ]
    return [abs(new.test["top1"] - old.test["top1"]) for new, old in pairs]


def main(arguments):
    """Writes the files of the page, or compares; returns the status of the process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true", help="write no file")
    if not parser.parse_args(arguments).compare:
        for position, record in train_all(RESULTS).items():
            path = PAGE / f"{position}.safetensors"
            export_explorer(load_model(record), path)
            print(f"{path}: {path.stat().st_size:,} bytes")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        train_all(Path(scratch))
        apart = differences(Path(scratch))
    points = ", ".join(f"{100 * each:.2f}" for each in apart)
    print(f"Points between these trainings and their records: {points}.")
    return int(max(apart) > MOST_POINTS)


if __name__ == "__main__":
    require_own(ROOT)
    sys.exit(main(sys.argv[1:]))
