"""Every positional variant under a pooled head, which cannot learn it by itself."""

from vitlib.studies.recipes import POOLED_VIT, REPAIRED_TRAIN, SMALL_TRAIN, SMALL_VIT
from vitlib.studies.study import Preset, Study, grid

VARIANTS = ["none", "1d", "2d", "relative", "sincos", "rope"]

STUDY = Study(
    name="positions",
    question="What does each kind of position add?",
    presets={
        "small-vit": Preset(SMALL_VIT, SMALL_TRAIN),
        "pooled-vit": Preset(POOLED_VIT, REPAIRED_TRAIN),
    },
    runs={
        "laptop": grid("small-vit", position=VARIANTS, seed=[0, 1, 2]),
        "full": grid("pooled-vit", position=VARIANTS, seed=[0, 1, 2]),
    },
)
