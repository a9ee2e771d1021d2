"""Segmentation and detection with the encoder of a small ViT, on drawn scenes."""

from dataclasses import asdict, replace

from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.studies.compact import STUDY as COMPACT
from vitlib.studies.recipes import TINY_TRAIN, TINY_VIT
from vitlib.studies.study import Preset, Study, grid

KINDS = 5  # of things in the scenes
PURE_VIT = COMPACT.presets["pure-vit"]
# The size of "pure-vit" on images of four times the pixels. A thing is 10 to 20 pixels
# wide, so that patches of 8 pixels are small enough to part two of them. With patches
# of 4 a step takes seven times as long.
SIZES = {"input_shape": (64, 64, 3), "image_size": 64, "patch_size": 8}
SCENES_VIT = replace(PURE_VIT.model, **SIZES, num_classes=KINDS)
SCENES_TRAIN = replace(PURE_VIT.train, epochs=30, batch_size=64, label_smoothing=0.0)

SEGMENTER = SegmentationConfig(
    **asdict(replace(SCENES_VIT, augmentation="none", num_classes=KINDS + 1))
)
# Without attention, and with MLPs of as many parameters in its place.
width, tokens = SEGMENTER.mlp_units
ALONE = replace(SEGMENTER, attention=False, mlp_units=(2 * width, tokens))
DETECTOR = DetectionConfig(**asdict(replace(SCENES_VIT, augmentation="none")))
DETECTOR_TRAIN = replace(SCENES_TRAIN, epochs=45)  # half as long again

# For a chapter that is read on a laptop.
TINY_SEGMENTER = SegmentationConfig(
    **asdict(replace(TINY_VIT, **SIZES, num_layers=2, num_classes=KINDS + 1))
)
TINY_DETECTOR = DetectionConfig(
    **asdict(replace(TINY_VIT, **SIZES, num_layers=2, num_classes=KINDS))
)
TINY_DENSE_TRAIN = replace(TINY_TRAIN, epochs=3, steps_per_epoch=200, batch_size=32)

# An encoder that others have trained, on a hundred scenes with marks and on all.
FEW = 100
TUNED = {"epochs": 15, "learning_rate": 1e-3}


def on_scenes(model, train):
    """A preset on the data set of scenes."""
    return Preset(model, train, "scenes")


STUDY = Study(
    name="dense",
    question="Can the encoder of a classifier say what is where?",
    presets={
        "segment-tiny": on_scenes(TINY_SEGMENTER, TINY_DENSE_TRAIN),
        "detect-tiny": on_scenes(TINY_DETECTOR, TINY_DENSE_TRAIN),
        "segment": on_scenes(SEGMENTER, SCENES_TRAIN),
        "segment-patch": on_scenes(replace(SEGMENTER, head="patch"), SCENES_TRAIN),
        "segment-alone": on_scenes(ALONE, SCENES_TRAIN),
        "detect": on_scenes(DETECTOR, DETECTOR_TRAIN),
        # Queries in place of cells. A step takes a third longer: for as many minutes.
        "detect-set": on_scenes(
            replace(DETECTOR, head="set"), replace(DETECTOR_TRAIN, epochs=34)
        ),
        # Encoders to begin with: one that names the largest thing, one that fills in.
        "classify-scenes": on_scenes(SCENES_VIT, SCENES_TRAIN),
        "masked-scenes": on_scenes(
            MaskedAutoencoderConfig(
                **asdict(SCENES_VIT), decoder_dim=32, decoder_heads=2
            ),
            replace(SCENES_TRAIN, epochs=60),
        ),
    },
    runs={
        "quick": grid("segment-tiny", "detect-tiny", seed=0),
        "laptop": [
            *grid("segment", "segment-patch", "segment-alone", seed=[0, 1, 2]),
            *grid("detect", "detect-set", seed=[0, 1, 2]),
            *grid("classify-scenes", "masked-scenes", seed=[0, 1, 2]),
            *grid("segment", "detect", train_images=FEW, seed=[0, 1, 2], **TUNED),
            *grid(
                "segment",
                "detect",
                initial=["classify-scenes", "masked-scenes"],
                train_images=FEW,
                seed=[0, 1, 2],
                **TUNED,
            ),
        ],
    },
)
