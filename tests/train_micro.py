"""A training of seconds, for the tests: `python train_micro.py CHECKPOINT_DIR`.

Prints one line an epoch and at last what must not depend on a kill, as JSON.
"""

import json
import sys
from dataclasses import replace

from vitlib import TINY_VIT, TrainConfig, build_model, load_shapes, train

MODEL = replace(
    TINY_VIT,
    projection_dim=16,
    num_heads=2,
    key_dim=8,
    num_layers=1,
    mlp_units=(32, 16),
    dropout=0.1,
    augmentation="shift_flip",
)
TRAINING = TrainConfig(
    epochs=5, batch_size=50, schedule="cosine", warmup_epochs=1, label_smoothing=0.1
)


def micro_data():
    return load_shapes(train=620, validation=200, test=200)


def outcome(run):
    """What a run found, without what its clock and its machine say."""
    history = {key: list(run.history[key]) for key in run.history if key != "seconds"}
    return {"history": history, "best_epoch": run.best_epoch, "test": run.test}


if __name__ == "__main__":
    model = build_model(MODEL, TRAINING)

    def report(line):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    run = train(model, micro_data(), TRAINING, sys.argv[1], report)
    report(json.dumps(outcome(run)))
