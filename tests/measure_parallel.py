"""What several devices measure together, as JSON, for the tests of several devices.

`python measure_parallel.py observe` reads the instruments on four devices, and
`python measure_parallel.py predict` predicts for many numbers of images on few and on
many devices in turn.
"""

import json
import sys

import keras
import numpy as np
from train_parallel import MODEL, TRAINING, micro_data, play_devices

from vitlib import Split, build_model, evaluate
from vitlib.inspection.first_steps import observe
from vitlib.training import parallel, tasks
from vitlib.training.instruments import watch_head

DEVICES = (1, 2, 3, 4, 8, 16)  # with 1 first: more of them are a setting that stays
SIZES = (1, 2, 7, 16, 20, 22, 41)


def watch():
    """The readings of the first steps, and how many images each device gets in each."""
    model, shares, step = build_model(MODEL, TRAINING), [], None

    def count(images, labels, **options):
        shares.append([len(part) for part in parts_of(images)])
        return step(images, labels, **options)

    step, model.train_on_batch = model.train_on_batch, count
    return observe(model, micro_data(), TRAINING, steps=6, every=3), shares


def parts_of(batch):
    """A batch as its replicas of TensorFlow get it; JAX splits an array by itself."""
    return getattr(batch, "values", (batch,))


def small_model():
    """Its head is what comes after a pooling, so that it can be watched."""
    keras.utils.set_random_seed(0)
    images = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    return keras.Model(images, keras.layers.Dense(100)(pooled))


def predict(devices):
    """For each number of images the measures, and all that the watched head makes."""
    parallel.use_devices(devices)
    test, model, found = micro_data().test, small_model(), {}
    parallel.share_prediction(model)
    parallel.share_prediction(watcher := watch_head(model))
    for size in SIZES:
        split = Split(test.images[:size], test.labels[:size])
        outputs = parallel.predict(watcher, split.images)
        outputs = [np.asarray(output).tolist() for output in outputs]
        found[size] = evaluate(model, split), outputs
    return found


if __name__ == "__main__":
    tasks.EVALUATION_BATCH = 20  # so that few images are several batches
    play_devices(max(DEVICES))
    if sys.argv[1] == "observe":
        parallel.use_devices(4)
        found = watch()
    else:
        found = {devices: predict(devices) for devices in DEVICES}
    sys.stdout.write(json.dumps(found))
