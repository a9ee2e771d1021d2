"""Train the models of the explorer page and write its files.

    python experiments/explorer.py
    python experiments/explorer.py --compare

Each trains three models, in six minutes on two CPU cores. The first writes the records
in results/explorer, book/explorer/POSITION.safetensors, and the picture for those who
read the page on paper. The second trains anew in a scratch folder, and fails where a
model ends more than two points from its record.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import train

from vitlib.data.shapes import CLASS_NAMES, draw_shapes
from vitlib.folders import require_own
from vitlib.inspection import introspect, pictures
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
        options = ["--keep-weights", f"--out={results}"]
        if status := train.main([run["preset"], *words, *options]):
            raise SystemExit(status)
    return {run["position"]: path_of(run, results) for run in RUNS}


def differences(results):
    """How far each training ended from its committed record, in shares of 1."""

    def top1(run, folder):
        return load_run(path_of(run, folder)).test["top1"]

    return [abs(top1(run, results) - top1(run, RESULTS)) for run in RUNS]


def draw(model, path):
    """Draws what the page shows of one scene: patches, rollout and likely classes."""
    image = draw_shapes(1, seed=0).images
    flow = introspect.attention_rollout(introspect.attention_maps(model, image))
    logits = np.array(model(image.astype("float32")))[0].astype("float64")
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = shares.argsort()[::-1][:5]
    style = {"svg.hashsalt": "explorer", "svg.fonttype": "path"}
    with plt.style.context(["vitlib.course", style]):
        fig, (first, second, third) = plt.subplots(1, 3, figsize=(8.5, 2.6))
        pictures.show_image(first, image[0])
        second.imshow(flow[0].mean(axis=0).reshape(4, 4), cmap="Greys", vmin=0)
        second.set(title="rollout, mean of all queries")
        second.set_axis_off()
        pictures.draw_patch_grid(first, image_size=(32, 32), patch_size=8)
        third.barh([CLASS_NAMES[i] for i in best], shares[best])
        third.set(xlim=(0, 1), xlabel="probability")
        third.invert_yaxis()
        fig.savefig(path, metadata={"Date": None})
        plt.close(fig)


def write(records):
    """Writes what the page shows: records, weights and the picture."""
    for position, record in records.items():
        path = PAGE / f"{position}.safetensors"
        export_explorer(load_model(record), path)
        shutil.copy(record, RESULTS / "explorer")
        print(f"{path}: {path.stat().st_size:,} bytes")
    draw(load_model(records["1d"]), PAGE / "still.svg")


def main(arguments):
    """Writes the files of the page, or compares; returns the status of the process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true", help="write no file")
    is_compared = parser.parse_args(arguments).compare
    with tempfile.TemporaryDirectory() as scratch:
        records = train_all(Path(scratch))
        if not is_compared:
            write(records)
            return 0
        apart = differences(Path(scratch))
    points = ", ".join(f"{100 * each:.2f}" for each in apart)
    print(f"Points between these trainings and their records: {points}.")
    return int(max(apart) > MOST_POINTS)


if __name__ == "__main__":
    require_own(ROOT)
    sys.exit(main(sys.argv[1:]))
