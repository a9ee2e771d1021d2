"""Plays `experiments/train.py` for the tests of the sweep, without loading Keras.

It copies `sample.json`, the record of a run, from the folder above the results. A seed
of 1 fails with a traceback, 2 says a line and kills its process, 3 takes a while, and 4
always finds that another process trains it.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

BUSY = 3  # as in train.py
CHANGES = ("epochs", "steps-per-epoch", "evaluation-images")

if __name__ == "__main__":
    preset, *words = sys.argv[1:]
    options = dict(word.removeprefix("--").split("=") for word in words)
    seed, out = int(options["seed"]), Path(options["out"])
    if seed == 1:
        raise RuntimeError("the disk is full of holes")
    if seed == 2:
        sys.stdout.write("epoch 7/30\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 3:
        out.mkdir(exist_ok=True)
        (out / "sleeping").touch()
        time.sleep(2)
    if seed == 4:
        sys.exit(BUSY)
    record = json.loads((out.parent / "sample.json").read_text())
    changes = [f"{key}-{options[key]}" for key in options if key in CHANGES]
    name = "-".join([preset, *changes])
    record |= {"preset": preset, "name": name, "seed": seed}
    path = out / record["study"] / f"{name}-seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    (out / f"gpu-of-{path.stem}").write_text(
        os.environ.get("CUDA_VISIBLE_DEVICES", "unset")
    )
    path.with_suffix(".partial").write_text(json.dumps(record))
    path.with_suffix(".partial").replace(path)
