"""Plays `experiments/train.py` and `sweep.py` with trainings of seconds, to be killed.

    python killed.py micro --seed=0 --out=OUT
    python killed.py sweep --out=OUT        # of two seeds of it

`experiments` must be among Python's folders. With KILL_AT=n in its environment a
training kills itself at its n-th operation on a file below OUT: a folder made, a file
opened, renamed or deleted. A training saves after every batch.
"""

import math
import os
import signal
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import sweep
import train
from train_micro import MODEL, TRAINING

from vitlib.studies import PRESETS, STUDIES
from vitlib.studies.study import Preset, Study, grid
from vitlib.training import checkpoints

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
SHORT = replace(TRAINING, steps_per_epoch=10)
PRESETS["micro"] = Preset(MODEL, SHORT, "shapes", 200)
STUDIES["micro"] = Study(
    "micro", "Is anything lost?", {"laptop": grid("micro", seed=[0, 1])}
)


def die_at(number, folder):
    """Kills this process at an operation of that number on what is in a folder."""
    seen = count(1)

    def look(event, arguments):
        if event in OPERATIONS and str(arguments[0]).startswith(folder):
            if next(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


if __name__ == "__main__":
    out = sys.argv[-1].removeprefix("--out=")
    if sys.argv[1] == "micro":
        if "KILL_AT" in os.environ:
            die_at(int(os.environ["KILL_AT"]), out)
        checkpoints.MOST_SAVING = math.inf
        sys.exit(train.main([*sys.argv[1:], "--save-minutes=0"]))
    sweep.LOGS = Path(out) / "logs"
    sweep.TRAIN, sweep.RETRY, sweep.PAUSE = Path(__file__), 1.0, 0.1
    sys.exit(sweep.main(["micro", "--scale=laptop", sys.argv[-1]]))
