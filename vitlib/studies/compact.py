"""Small hybrids and pure ViTs for two CPU cores, and for a GPU."""

from dataclasses import replace

from vitlib.studies.recipes import COMPACT_TRAIN, COMPACT_VIT, SMALL_VIT
from vitlib.studies.study import Preset, Study, grid

# Two ViTs for small images, sized for 30 epochs of a GPU: seven blocks on patches of
# 4 x 4 pixels, and seven blocks on 256 tokens behind a convolution, the sizes of
# CCT-7/3x1 (Hassani et al., 2021, https://arxiv.org/abs/2104.05704). Their recipe is
# that of "compact-half-hour" with the rate of the small ViT; nobody has tuned it.
SMALL_IMAGE_VIT = replace(
    SMALL_VIT,
    projection_dim=384,
    num_heads=6,
    key_dim=64,
    num_layers=7,
    mlp_units=(768, 384),
)
SMALL_IMAGE_HYBRID = replace(
    SMALL_IMAGE_VIT,
    patch_size=1,
    projection_dim=256,
    num_heads=4,
    mlp_units=(512, 256),
    stem_filters=(256,),
)
SMALL_IMAGE_TRAIN = replace(
    COMPACT_TRAIN, epochs=30, learning_rate=1e-3, weight_decay=0.3
)

STUDY = Study(
    name="compact",
    question="What can half an hour of two processor cores do, and 30 epochs of a GPU?",
    presets={
        "compact": Preset(COMPACT_VIT, COMPACT_TRAIN),
        # Does the shorter number format cost accuracy? The same training without it.
        "compact-float32": Preset(
            COMPACT_VIT, replace(COMPACT_TRAIN, precision="float32")
        ),
        # It knows its training images better than others: does stronger decay help?
        "compact-decay": Preset(COMPACT_VIT, replace(COMPACT_TRAIN, weight_decay=0.3)),
        # A quiet machine needs 12 minutes for "compact". This one takes all of the 30.
        "compact-half-hour": Preset(
            COMPACT_VIT, replace(COMPACT_TRAIN, epochs=45, weight_decay=0.3)
        ),
        # Patches in place of convolutions, in as much time. The small ViT does not know
        # its training images better than others, so it gets no dropout.
        "pure-vit": Preset(
            replace(SMALL_VIT, dropout=0.0, head_dropout=0.0),
            replace(COMPACT_TRAIN, epochs=28),
        ),
        # The same question to a GPU and the report's 30 epochs.
        "small-image-vit": Preset(SMALL_IMAGE_VIT, SMALL_IMAGE_TRAIN),
        "small-image-hybrid": Preset(SMALL_IMAGE_HYBRID, SMALL_IMAGE_TRAIN),
    },
    runs={
        "laptop": grid(
            "compact",
            "compact-float32",
            "compact-decay",
            "compact-half-hour",
            "pure-vit",
            seed=[0, 1, 2],
        ),
        "full": grid("small-image-vit", "small-image-hybrid", seed=[0, 1, 2]),
    },
)
