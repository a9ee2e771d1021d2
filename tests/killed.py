"""Plays `experiments/train.py` and `sweep.py` with trainings of seconds, to be killed.

    python killed.py micro --seed=0 --out=OUT
    python killed.py sweep --out=OUT        # of two seeds of it

`experiments` must be among Python's folders. With KILL_AT=n in its environment a
training kills itself at its n-th operation on a file below OUT. A training saves after
every batch.
"""

import fcntl
import math
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import train_micro

from vitlib import TrainConfig, load_shapes
from vitlib.studies import PRESETS, STUDIES
from vitlib.studies.study import Preset, Study, grid
from vitlib.training import checkpoints

SEEDS = [0, 1]
MODEL = replace(train_micro.MODEL, projection_dim=8, num_heads=1, mlp_units=(8,))
TRAINING = TrainConfig(epochs=2, batch_size=4, schedule="cosine", warmup_epochs=1)
WRITING = os.O_WRONLY | os.O_RDWR


def install(script, patch):
    """Has the module `train.py` know the trainings of seconds, by a `MonkeyPatch`."""
    data = load_shapes(train=8, validation=8, test=8)
    preset = Preset(MODEL, TRAINING, "shapes", 8)
    study = Study("micro", "Is anything lost?", {"laptop": grid("micro", seed=SEEDS)})
    patch.setitem(PRESETS, "micro", preset)
    patch.setitem(STUDIES, "micro", study)
    patch.setattr(script, "load_images", lambda *_: data)
    patch.setattr(checkpoints, "MOST_SAVING", math.inf)


def start(script, seed, out):
    return script.main(["micro", f"--seed={seed}", "--save-minutes=0", f"--out={out}"])


class Killed(BaseException):
    """What no handler catches stands for a kill of the process."""


def stop():
    raise Killed


def place_of(folder):
    """Path of a folder that is open."""
    if hasattr(fcntl, "F_GETPATH"):  # macOS
        found = fcntl.fcntl(folder, fcntl.F_GETPATH, bytes(1024))
        return Path(os.fsdecode(found.rstrip(b"\0")))
    return Path(f"/proc/self/fd/{folder}").readlink()


class Files:
    """Counts what a process does to files below a folder, and kills it at a number.

    A folder made, a file opened to be written, nothing or half of it written, a file
    renamed or deleted, a folder deleted. A process that is dead does nothing more:
    whatever tries to clean up behind `Killed` is killed, too.
    """

    def __init__(self):
        self.folder, self.seen, self.number, self.kill = None, 0, math.inf, stop
        sys.addaudithook(self._look)  # for ever

    @contextmanager
    def watched(self, folder, number=math.inf, kill=stop):
        self.folder, self.seen, self.number, self.kill = folder, 0, number, kill
        try:
            yield self
        finally:
            self.folder = None

    def _look(self, event, arguments):
        if self.folder is None:
            return
        match event, arguments:
            case "open", (str() as path, _, flags) if flags & WRITING:
                self._strike(path)
                self._strike(path, damage=lambda path: path.open("wb").close())
            case "os.rename", (path, _, folder, _):
                self._strike(path, folder, damage=halve)
                self._strike(path, folder)
            case "os.mkdir", (path, _, _) if not os.path.lexists(path):
                self._strike(path)
            case (("os.remove" | "os.rmdir"), (path, folder)):
                self._strike(path, folder)

    def _strike(self, path, folder=-1, damage=None):
        path = Path(path) if folder == -1 else place_of(folder) / path
        if not path.is_relative_to(self.folder):
            return
        self.seen += 1
        if self.seen == self.number and damage:
            watched, self.folder = self.folder, None
            damage(path)
            self.folder = watched
        if self.seen >= self.number:
            self.kill()


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import sweep
    import train

    install(train, pytest.MonkeyPatch())
    out = Path(sys.argv[-1].removeprefix("--out="))
    if sys.argv[1] == "micro":
        seed = sys.argv[2].removeprefix("--seed=")
        number = int(os.environ.get("KILL_AT", sys.maxsize))
        with Files().watched(out, number, die):
            sys.exit(start(train, seed, out))
    sweep.LOGS = out / "logs"
    sweep.TRAIN, sweep.RETRY, sweep.PAUSE = Path(__file__), 1.0, 0.1
    sys.exit(sweep.main(["micro", "--scale=laptop", sys.argv[-1]]))
