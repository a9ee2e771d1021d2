"""What a chapter trains while it is read on a laptop."""

from vitlib.studies.recipes import TINY_RESNET, TINY_TRAIN, TINY_VIT
from vitlib.studies.study import Preset, Study, grid

STUDY = Study(
    name="tiny",
    question="What can two CPU cores learn in a minute?",
    presets={
        "tiny": Preset(TINY_VIT, TINY_TRAIN, data="shapes"),
        "tiny-resnet": Preset(TINY_RESNET, TINY_TRAIN, data="shapes"),
    },
    runs={"quick": grid("tiny", "tiny-resnet", seed=0)},
)
