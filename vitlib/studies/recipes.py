"""The models and the recipes that more than one study trains."""

from dataclasses import replace

from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.config.training import TrainConfig
from vitlib.studies.study import Preset

REPORT_VIT = ViTConfig()
REPORT_RESNET = ResNetConfig()
REPORT_TRAIN = TrainConfig()

# The report's ViT made to train: the reasons are in the chapter on training. Rate and
# warm-up: a batch of 128 in place of 32; decay and clipping: Dosovitskiy et al., 2021,
# table 3, and Steiner et al., 2022 (https://arxiv.org/abs/2106.10270).
REPAIRED_TRAIN = TrainConfig(
    batch_size=128,
    learning_rate=3e-4,
    weight_decay=0.05,
    decay_exclude=("bias", "gamma", "beta", "position"),
    schedule="cosine",
    warmup_epochs=2,
    clip_norm=1.0,
)

# Small enough for a test or a cell of a notebook, on the embedded set. One block with
# four narrow heads learns where things stand in half the steps of two blocks with two.
TINY_VIT = ViTConfig(
    image_size=32,
    patch_size=8,
    projection_dim=64,
    num_heads=4,
    key_dim=16,
    num_layers=1,
    mlp_units=(128, 64),
    head_units=(),
    pooling="mean",
    dropout=0.0,
    head_dropout=0.0,
    augmentation="none",
)
TINY_TRAIN = replace(REPAIRED_TRAIN, epochs=9, warmup_epochs=1, learning_rate=8e-3)

# For 30 minutes of two CPU cores. On a CPU a convolution does about three times as much
# arithmetic a second as attention, so three of them make 16 tokens for two wide blocks.
COMPACT_VIT = ViTConfig(
    image_size=32,
    patch_size=1,
    projection_dim=192,
    num_heads=3,
    key_dim=64,
    num_layers=2,
    mlp_units=(384, 192),
    head_units=(),
    pooling="mean",
    dropout=0.1,
    head_dropout=0.1,
    stem_filters=(64, 128, 192),
    augmentation="shift_flip",
)
COMPACT_TRAIN = replace(
    REPAIRED_TRAIN,
    epochs=20,
    learning_rate=2e-3,
    weight_decay=0.06,
    label_smoothing=0.1,
    precision="mixed_bfloat16",
)

# The report's trunk under a mean and one dense layer: a flattened head sees by itself
# which token stood where, and would hide what the positions add.
POOLED_VIT = replace(REPORT_VIT, pooling="mean", head_units=())

# A pure ViT for 10 minutes of two CPU cores: 64 tokens, so that its maps have a shape.
SMALL_VIT = replace(
    TINY_VIT,
    patch_size=4,
    projection_dim=128,
    key_dim=32,
    num_layers=3,
    mlp_units=(256, 128),
    dropout=0.1,
    head_dropout=0.1,
    augmentation="shift_flip",
)
SMALL_TRAIN = replace(
    COMPACT_TRAIN, epochs=8, warmup_epochs=1, learning_rate=1e-3, label_smoothing=0.0
)

# The convolutional sides of a comparison. Beside the small and the tiny ViT: about as
# many parameters, the same training, the same dropout and augmentation. Their
# arithmetic is not the same; the tables show it.
SMALL_RESNET = SmallResNetConfig(
    filters=(32, 64, 160), dropout=0.1, augmentation="shift_flip"
)
TINY_RESNET = SmallResNetConfig(
    filters=(8, 16, 32, 48), blocks_per_stage=(1, 1, 1, 1), augmentation="none"
)
# ResNet-18 with a stem for small images: the layout that public results on CIFAR-100
# start from, at a quarter of the report's parameters.
CIFAR_RESNET = SmallResNetConfig(
    filters=(64, 128, 256, 512),
    blocks_per_stage=(2, 2, 2, 2),
    augmentation="shift_flip",
)

# The report's two architectures without what its recipes add to one side alone: both
# normalised, both shifted and flipped, both with one dense layer on the mean of their
# map (of ResNet101V2 that map has one place, so that `Flatten` is its mean).
FAIR_VIT = replace(POOLED_VIT, augmentation="shift_flip")
FAIR_RESNET = replace(
    REPORT_RESNET, head_units=(), normalize=True, augmentation="shift_flip"
)
# A batch norm bears larger steps: Adam's own default rate of 1e-3 (Kingma and Ba, 2015,
# https://arxiv.org/abs/1412.6980), which is the report's as well. Otherwise as the ViT.
# It was not tuned, and neither was the ViT's: nobody may call one of them the best.
FAIR_RESNET_TRAIN = replace(REPAIRED_TRAIN, learning_rate=1e-3)

# The report's ViT at a hundredth of its cost: each part is there, and its recipe is the
# same, so that all 30 epochs can be watched on two CPU cores.
NARROW_VIT = replace(
    REPORT_VIT,
    image_size=32,
    patch_size=4,
    projection_dim=64,
    num_heads=4,
    key_dim=64,  # as wide as a token, as in the report
    num_layers=1,
    mlp_units=(128, 64),
    head_units=(1024, 512),
)

# For a look every 25 steps: few images, because a forward pass of all 20,000 takes as
# long as the steps.
FIRST_IMAGES = 500


def first_steps(model=REPORT_VIT, **changes):
    """A preset of the first 200 steps of the report's recipe, for two CPU cores."""
    train = replace(REPORT_TRAIN, **({"epochs": 8, "steps_per_epoch": 25} | changes))
    return Preset(model, train, evaluation_images=FIRST_IMAGES)
