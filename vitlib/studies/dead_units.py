"""The narrow ViT over the inputs of its head and the learning rate."""

from dataclasses import replace

from vitlib.studies.recipes import NARROW_VIT, first_steps
from vitlib.studies.study import Study, grid

# The same trunk with fewer or more tokens side by side, and with their mean: from 64 to
# 16,384 inputs of the head. Its hidden layers stay as they are.
NARROW_HEADS = {
    f"narrow-{(32 // side) ** 2}-tokens": replace(NARROW_VIT, patch_size=side)
    for side in (16, 8, 4, 2)  # pixels
} | {"narrow-pooled": replace(NARROW_VIT, pooling="mean")}

STUDY = Study(
    name="dead-units",
    question="At which rate, for how many inputs, does a head die?",
    presets={name: first_steps(model) for name, model in NARROW_HEADS.items()},
    runs={
        "laptop": grid(
            "narrow-4-tokens",
            "narrow-16-tokens",
            "narrow-64-tokens",
            "narrow-256-tokens",
            "narrow-pooled",
            learning_rate=[1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
            seed=[0, 1, 2],
        )
    },
    watch=True,
)
