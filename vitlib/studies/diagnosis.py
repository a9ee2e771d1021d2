"""The report's two models with one change at a time."""

from dataclasses import replace

from vitlib.studies.recipes import (
    NARROW_VIT,
    REPORT_RESNET,
    REPORT_TRAIN,
    REPORT_VIT,
    first_steps,
)
from vitlib.studies.study import Preset, Study, grid

# Of the model and of the training of the report's ViT.
VIT_CHANGES = {
    "low-rate": ({}, {"learning_rate": 1e-4}),
    "warmup": ({}, {"warmup_epochs": 2}),
    "clipped": ({}, {"clip_norm": 1.0}),
    # What the report's weight decay means in TensorFlow Addons (see `TrainConfig`).
    "decay": ({}, {"weight_decay": 0.1}),
    "pooled": ({"pooling": "mean"}, {}),
    "small-init": ({"head_init_scale": 0.1}, {}),
    "no-dropout": ({"head_dropout": 0.0}, {}),
}
# 100 steps of rise, then as many at the report's rate as "first-steps" makes.
FIRST_WARMUP = {"warmup_epochs": 4, "epochs": 12}
RESNET_CHANGES = {
    "low-rate": ({}, {"learning_rate": 1e-4}),
    "no-dropout": ({"head_dropout": 0.0}, {}),
}
# Is it the batch of 32? And at equal distance: ten times the steps at a tenth of the
# rate. Too long for float32, so the report's recipe has a twin in the shorter format.
SHORT = {"precision": "mixed_bfloat16"}
SHORT_CHANGES = {
    "batch-256": {"batch_size": 256},
    "low-rate": {"learning_rate": 1e-4, "epochs": 20, "steps_per_epoch": 100},
}
# All images once, for the report's ResNet, which is several times as fast.
PASS = {"epochs": 10, "steps_per_epoch": 125}


def _full():
    for name, (model, training) in VIT_CHANGES.items():
        train = replace(REPORT_TRAIN, **training)
        yield f"report-vit-{name}", Preset(replace(REPORT_VIT, **model), train)
    for name, (model, training) in RESNET_CHANGES.items():
        train = replace(REPORT_TRAIN, **training)
        yield f"report-resnet-{name}", Preset(replace(REPORT_RESNET, **model), train)


def _laptop():
    """The same and more on two CPU cores, for the first steps alone."""
    yield "first-steps", first_steps()
    for name, (model, training) in VIT_CHANGES.items():
        changes = FIRST_WARMUP if name == "warmup" else training
        yield (
            f"first-steps-{name}",
            first_steps(replace(REPORT_VIT, **model), **changes),
        )
    yield "bfloat16-steps", first_steps(**SHORT)
    for name, changes in SHORT_CHANGES.items():
        yield f"bfloat16-steps-{name}", first_steps(**SHORT, **changes)
    yield "first-pass", first_steps(REPORT_RESNET, **PASS)
    normalized = {"normalized": ({"normalize": True}, {})}
    for name, (model, training) in (RESNET_CHANGES | normalized).items():
        model = replace(REPORT_RESNET, **model)
        yield f"first-pass-{name}", first_steps(model, **PASS, **training)


FULL, LAPTOP = dict(_full()), dict(_laptop())
PASSES = [name for name in LAPTOP if name.startswith("first-pass")]
STEPS = [name for name in LAPTOP if name not in PASSES]
# Does a dead head come back, if one waits? That of the narrow ViT has 4,096 inputs, the
# report's 18,432. At the high rate the product of inputs and rate, and so the bound of
# a step, is that of the report.
NARROW = {
    "narrow-vit": Preset(NARROW_VIT, REPORT_TRAIN),
    "narrow-vit-high-rate": Preset(
        NARROW_VIT, replace(REPORT_TRAIN, learning_rate=4.5e-3)
    ),
}

STUDY = Study(
    name="diagnosis",
    question="Which single change lets the report's two models learn?",
    presets=FULL | LAPTOP | NARROW,
    runs={
        # The first steps of the exact models; a narrow ViT for all 30 epochs.
        "laptop": [*grid(*STEPS, seed=[0, 1]), *grid(*PASSES, *NARROW, seed=0)],
        "full": grid(*FULL, seed=[0, 1]),
    },
    watch=True,
)
