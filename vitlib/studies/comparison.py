"""A ViT against residual networks, on the same images and for the same steps."""

from vitlib.studies.recipes import (
    CIFAR_RESNET,
    COMPACT_TRAIN,
    FAIR_RESNET,
    FAIR_RESNET_TRAIN,
    FAIR_VIT,
    REPAIRED_TRAIN,
    SMALL_RESNET,
    SMALL_TRAIN,
)
from vitlib.studies.study import Preset, Study, grid

STUDY = Study(
    name="comparison",
    question="ViT or residual network?",
    presets={
        "small-resnet": Preset(SMALL_RESNET, SMALL_TRAIN),
        # The same network under the recipe of "compact", whose rival it is.
        "compact-resnet": Preset(SMALL_RESNET, COMPACT_TRAIN),
        "fair-vit": Preset(FAIR_VIT, REPAIRED_TRAIN),
        "fair-resnet": Preset(FAIR_RESNET, FAIR_RESNET_TRAIN),
        "cifar-resnet": Preset(CIFAR_RESNET, FAIR_RESNET_TRAIN),
    },
    runs={
        # The rivals of "small-vit" (positions) and of "compact" (compact).
        "laptop": grid("small-resnet", "compact-resnet", seed=[0, 1, 2]),
        "full": grid("fair-vit", "fair-resnet", "cifar-resnet", seed=[0, 1, 2]),
    },
)
