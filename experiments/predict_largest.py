"""Predict the largest run of the study `scaling` from the others, before it is made.

    python experiments/predict_largest.py --json benchmarks/predictions/scaling.json

It reads the records of the grid, fits the scaling law, and writes where the loss of the
largest run is expected. Commit the file before that run is recorded: the history then
shows which came first.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from vitlib.folders import find_folder, require_own
from vitlib.records.run import images_at_epochs
from vitlib.records.runs import load_runs
from vitlib.records.scaling_law import fit_law, predict
from vitlib.studies.experiment import plan
from vitlib.studies.scaling import BUDGETS, LARGEST, of_budget, of_grid

LEVEL = 0.9  # of all such intervals hold their run


def names_of(runs):
    """What some runs are called, without their seeds."""
    return {plan(**run).name for run in runs}


def coordinates(runs):
    """Of each run its loss, its parameters and the images that it has seen."""
    rows = [
        (
            run.history["val_loss"][-1],
            run.parameters["total"],
            images_at_epochs(run)[-1],
        )
        for run in runs
    ]
    return list(zip(*rows, strict=True))


def make_prediction(runs):
    """What the law of the grid says of the largest run.

    Args:
        runs: List of `Run`, the recorded ones of the study.

    Returns:
        Dict: the law, where the largest run is, and the interval of its loss.

    Raises:
        ValueError: When runs of the grid are missing, or the largest one is recorded.
    """
    finished = [run for run in runs if run.status == "finished"]
    expected = names_of(run for budget in BUDGETS for run in of_grid(budget, 0))
    largest = names_of(of_budget([LARGEST[0]], LARGEST[1], 0))
    grid = [run for run in finished if run.name in expected]
    if any(run.name in largest for run in runs):
        raise ValueError(
            "The largest run must be predicted before it is recorded. Received: a "
            "record of it."
        )
    if missing := sorted(expected - {run.name for run in grid}):
        raise ValueError(
            "Every run of the grid must be recorded before the largest is predicted. "
            f"Received: none of {', '.join(missing)}."
        )
    losses, sizes, images = coordinates(grid)
    law = fit_law(losses, sizes, images)
    of_size = [n for n, run in zip(sizes, grid, strict=True) if is_wide(run)]
    (planned,) = {plan(**run).images for run in of_budget([LARGEST[0]], LARGEST[1], 0)}
    at = of_size[0], planned
    low, high = predict(losses, sizes, images, at=at, level=LEVEL, rounds=1000)
    return {
        "utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "runs": sorted(f"{run.name}-seed{run.seed}" for run in grid),
        "law": {"floor": law.floor, "factors": law.factors, "powers": law.powers},
        "largest": {"run": min(largest), "parameters": at[0], "images": at[1]},
        "level": LEVEL,
        "loss": {"expected": float(law(*at)), "low": low, "high": high},
    }


def is_wide(run):
    """Whether a run has the size of the largest one."""
    return run.model["projection_dim"] == LARGEST[0]


def main(arguments):
    """Writes the prediction. Returns 0, or 2 when it cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    options = parser.parse_args(arguments)
    try:
        said = make_prediction(load_runs(find_folder("results"), "scaling"))
    except ValueError as error:
        print(f"predict_largest.py: {error}", file=sys.stderr)
        return 2
    options.json.write_text(f"{json.dumps(said, indent=1)}\n", encoding="utf-8")
    loss = said["loss"]
    print("expected loss {expected:.4f}, from {low:.4f} to {high:.4f}".format(**loss))
    return 0


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    sys.exit(main(sys.argv[1:]))
