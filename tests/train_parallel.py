"""A training of seconds by `experiments/train.py`, for the tests of several devices.

`python train_parallel.py ARGUMENTS` runs the script's `main` on a preset of its own,
"micro": 20 epochs of one step. The processor plays four devices on TensorFlow; on JAX
the environment says how many. With STOP_AFTER=n in its environment it breaks off after
its n-th save.
"""

import importlib.util
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import keras
from train_micro import MODEL, TRAINING

from vitlib import load_shapes, studies
from vitlib.studies.study import Preset, Study, grid
from vitlib.training import checkpoints

SCRIPT = Path(__file__).parents[1] / "experiments" / "train.py"
if keras.backend.backend() == "tensorflow":
    # The replicas of TensorFlow draw dropout and augmentation each for itself.
    MODEL = replace(MODEL, dropout=0.0, head_dropout=0.0, augmentation="none")
MODEL = replace(MODEL, head_units=(24, 12))  # for the instruments to look at
# The batch divides by 2 and by 4. The clipping always acts.
TRAINING = replace(TRAINING, epochs=20, batch_size=100, clip_norm=0.1)


def micro_data():
    """The images of an evaluation divide by 2, and not by 4."""
    return load_shapes(train=100, validation=102, test=102)


def play_devices(count=4):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: TID251

        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * count
        tf.config.set_logical_device_configuration(cpu, parts)


def stop_after(saves):
    save, left = checkpoints.Saver.save, iter(range(saves, 0, -1))

    def save_and_stop(saver):
        save(saver)
        if next(left) == 1:
            sys.exit("stopped")

    checkpoints.Saver.save = save_and_stop


def main(arguments):
    spec = importlib.util.spec_from_file_location("train_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    studies.PRESETS["micro"] = Preset(MODEL, TRAINING, "shapes")
    runs = {"quick": grid("micro", seed=0)}
    studies.STUDIES["micro"] = Study("diagnosis", "Is it the same?", runs, watch=True)
    script.load_data_set = lambda *_: micro_data()
    return script.main(["micro", *arguments])


if __name__ == "__main__":
    play_devices()
    checkpoints.MOST_SAVING = math.inf
    if "STOP_AFTER" in os.environ:
        stop_after(int(os.environ["STOP_AFTER"]))
    sys.exit(main(sys.argv[1:]))
