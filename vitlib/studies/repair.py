"""The report's ViT under a recipe that lets it learn."""

from dataclasses import replace

from vitlib.studies.recipes import REPAIRED_TRAIN, REPORT_VIT
from vitlib.studies.study import Preset, Study, grid

# As many images as "report-vit-hour" sees, of a schedule of its own.
HOUR = replace(REPAIRED_TRAIN, epochs=2, warmup_epochs=1, precision="mixed_bfloat16")

STUDY = Study(
    name="repair",
    question="How good is the same architecture under the repaired recipe?",
    presets={
        "repaired-vit": Preset(REPORT_VIT, REPAIRED_TRAIN),
        "repaired-vit-hour": Preset(REPORT_VIT, HOUR),
    },
    runs={
        "laptop": grid("repaired-vit-hour", seed=0),
        "full": grid("repaired-vit", seed=[0, 1, 2]),
    },
    watch=True,
)
