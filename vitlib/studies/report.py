"""The report's two models under its two recipes."""

from dataclasses import replace

from vitlib.studies.recipes import REPORT_RESNET, REPORT_TRAIN, REPORT_VIT
from vitlib.studies.study import Preset, Study, grid

# An hour of two CPU cores is enough for the first epochs of either model.
VIT_HOUR = replace(REPORT_TRAIN, epochs=2, precision="mixed_bfloat16")
RESNET_HOUR = replace(REPORT_TRAIN, epochs=5)

STUDY = Study(
    name="report",
    question="Do the report's two numbers repeat?",
    presets={
        "report-vit": Preset(REPORT_VIT, REPORT_TRAIN),
        "report-resnet": Preset(REPORT_RESNET, REPORT_TRAIN),
        "report-vit-hour": Preset(REPORT_VIT, VIT_HOUR),
        "report-resnet-hour": Preset(REPORT_RESNET, RESNET_HOUR),
    },
    runs={
        # Of the ViT's first steps more is in the study "diagnosis".
        "laptop": [
            *grid("report-vit-hour", seed=[0, 1]),
            *grid("report-resnet-hour", seed=0),
        ],
        "full": grid("report-vit", "report-resnet", seed=[0, 1]),
    },
    watch=True,
)
