"""Every hyper-parameter of the models and of their training, with unit and source.

A comment that says "report" points to the student report that this course re-runs;
"not in the report" marks a choice of ours, with its reason.
"""

import re
from dataclasses import dataclass, replace

from vitlib.rules import (
    COUNT,
    COUNTS,
    POSITIVE,
    RATE,
    SEED,
    are_counts,
    is_index,
    is_number,
    one_of,
    or_none,
    require,
)

POSITIONS = ("none", "1d", "2d", "relative")
POOLINGS = ("flatten", "mean")
AUGMENTATIONS = ("none", "report_vit", "report_resnet", "shift_flip")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16")
DATA_SETS = ("cifar100", "shapes")
PROFILES = ("quick", "laptop", "full")


def _require(config, field, words, holds):
    require(config, field, getattr(config, field), words, holds)


def _require_all(config, rule, *fields):
    for field in fields:
        _require(config, field, *rule)


def _are_words(value):
    return type(value) is tuple and all(type(word) is str and word for word in value)


def _is_folder_name(value):
    return type(value) is str and re.fullmatch("[a-z0-9-]+", value) is not None


def _require_image_shape(config):
    words = "(height, width, channels), three integers of at least 1"
    _require(config, "input_shape", words, lambda v: are_counts(v) and len(v) == 3)


@dataclass(frozen=True)
class ViTConfig:
    """The architecture that `build_vit` builds. The defaults are the report's.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    input_shape: tuple = (32, 32, 3)  # pixels and channels, as the data has them
    image_size: int = 72  # pixels, the side after resizing; report
    patch_size: int = 6  # pixels of the image, or cells of the stem's map; report
    projection_dim: int = 128  # D, the length of a token; report
    num_heads: int = 8  # report
    # D_h, the length of a query in one head. The usual choice is projection_dim //
    # num_heads = 16; the report's parameter count proves 128.
    key_dim: int = 128
    num_layers: int = 10  # L, the number of blocks; report
    mlp_units: tuple = (256, 128)  # units of a block's MLP, the last is D; report
    head_units: tuple = (2048, 1024)  # hidden units of the classifier; report
    position: str = "1d"  # one of POSITIONS; report
    pooling: str = "flatten"  # one of POOLINGS: how tokens become one vector; report
    # In attention and in the MLPs. Not in the report: the Keras example that it
    # extends has 0.1 here and 0.5 in the head.
    dropout: float = 0.1
    head_dropout: float = 0.5
    # Multiplies the first weights of the head's hidden layers. The report: Keras'
    # default, uniform up to sqrt(6 / (inputs + outputs)).
    head_init_scale: float = 1.0
    num_classes: int = 100  # report
    # Filters of 3 x 3 convolutions before the patches, each with a 2 x 2 max pooling, a
    # batch norm and a ReLU; () cuts the image itself. Convolutional tokens: Hassani et
    # al., 2021, section 3.2 (https://arxiv.org/abs/2104.05704).
    stem_filters: tuple = ()
    augmentation: str = "report_vit"  # one of AUGMENTATIONS; report

    family = "vit"  # not a field: the same for all

    def __post_init__(self):
        _require_image_shape(self)
        _require_all(self, COUNT, "image_size", "patch_size", "projection_dim")
        _require_all(self, COUNT, "num_heads", "key_dim", "num_layers", "num_classes")
        _require_all(self, COUNTS, "mlp_units", "head_units", "stem_filters")
        rule = f"a tuple that ends in projection_dim={self.projection_dim}"
        _require(self, "mlp_units", rule, lambda v: v[-1:] == (self.projection_dim,))
        _require(self, "position", *one_of(POSITIONS))
        _require(self, "pooling", *one_of(POOLINGS))
        _require(self, "augmentation", *one_of(AUGMENTATIONS))
        _require_all(self, RATE, "dropout", "head_dropout")
        _require(self, "head_init_scale", *POSITIVE)
        step = self.patch_size * 2 ** len(self.stem_filters)
        rule = f"a multiple of patch_size * 2 ** len(stem_filters) = {step}"
        _require(self, "image_size", rule, lambda v: v % step == 0)

    @property
    def grid_size(self):
        """`(rows, columns)` of the grid of patches."""
        side = self.image_size // 2 ** len(self.stem_filters) // self.patch_size
        return side, side

    @property
    def num_patches(self):
        """N, the number of tokens of an image."""
        rows, columns = self.grid_size
        return rows * columns

    @property
    def head_inputs(self):
        """How many numbers go into the head: all tokens side by side, or their mean."""
        tokens = self.num_patches if self.pooling == "flatten" else 1
        return tokens * self.projection_dim


@dataclass(frozen=True)
class ResNetConfig:
    """ResNet101V2 and the head that the report puts on it; its values are the defaults.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    input_shape: tuple = (32, 32, 3)  # pixels and channels; report
    # Units of the two hidden layers of the head; report.
    head_units: tuple = (512, 1024)
    # Rate of the GaussianDropout after each. The report names the layer, not the rate:
    # 0.5 is the head dropout of its ViT.
    head_dropout: float = 0.5
    num_classes: int = 100  # report
    # The report says that its data "were not normalized": pixels enter as 0 to 255.
    normalize: bool = False
    augmentation: str = "report_resnet"  # one of AUGMENTATIONS; report

    family = "resnet"  # not a field: the same for all

    def __post_init__(self):
        _require_image_shape(self)
        rule = "at least 32 x 32 pixels, the least that ResNet101V2 takes"
        _require(self, "input_shape", rule, lambda v: min(v[:2]) >= 32)
        _require(self, "head_units", *COUNTS)
        _require(self, "head_dropout", *RATE)
        _require(self, "num_classes", *COUNT)
        _require(self, "normalize", "True or False", lambda v: type(v) is bool)
        _require(self, "augmentation", *one_of(AUGMENTATIONS))


@dataclass(frozen=True)
class SmallResNetConfig:
    """A residual network for small images, as `build_small_resnet` builds it.

    Its stem keeps the size of the image, where ResNet101V2 shrinks it by four. He et
    al., 2016, section 4.2 (https://arxiv.org/abs/1512.03385), do so for CIFAR-10.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    input_shape: tuple = (32, 32, 3)  # pixels and channels
    # Of each stage; a stage has half the rows and columns of the one before.
    filters: tuple = (32, 64, 128)
    blocks_per_stage: tuple = (1, 1, 1)  # residual blocks, of two convolutions each
    dropout: float = 0.0  # of the pooled vector
    num_classes: int = 100
    augmentation: str = "none"  # one of AUGMENTATIONS

    family = "small-resnet"  # not a field: the same for all

    def __post_init__(self):
        _require_image_shape(self)
        rule = "a tuple of integers of at least 1, and not empty"
        _require(self, "filters", rule, lambda v: are_counts(v) and v)
        stages = len(self.filters)
        rule = f"a tuple of integers of at least 1, as many as filters has: {stages}"
        _require(
            self,
            "blocks_per_stage",
            rule,
            lambda v: are_counts(v) and len(v) == stages,
        )
        _require(self, "dropout", *RATE)
        _require(self, "num_classes", *COUNT)
        _require(self, "augmentation", *one_of(AUGMENTATIONS))


MODEL_CONFIGS = (ViTConfig, ResNetConfig, SmallResNetConfig)


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained: the same record for every model. Defaults: the report's.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    epochs: int = 30  # passes over the training images; report
    # Steps of an epoch in place of a whole pass: to look at a training more often.
    steps_per_epoch: int | None = None
    batch_size: int = 32  # images a step; report
    learning_rate: float = 1e-3  # the highest of the schedule; report
    # Each step takes the share learning_rate * weight_decay off every decayed weight
    # (see `make_optimizer`). The report's 1e-4 reads the same in TensorFlow Addons and
    # means 1e-4 a step there; at a learning rate of 1e-3 that is weight_decay=0.1 here.
    weight_decay: float = 1e-4
    # Weights whose name holds one of these words are not decayed. The report: none.
    decay_exclude: tuple = ()
    schedule: str = "constant"  # one of SCHEDULES; report
    warmup_epochs: int = 0  # epochs of linear rise from 0; the report has none
    clip_norm: float | None = None  # largest global norm of the gradients; report: none
    label_smoothing: float = 0.0  # share of the target spread over all classes
    precision: str = "float32"  # one of PRECISIONS; the report's Keras default
    seed: int = 0  # of the weights, the order of the images, dropout and augmentation

    def __post_init__(self):
        _require_all(self, COUNT, "epochs", "batch_size")
        _require(self, "steps_per_epoch", *or_none(COUNT))
        _require(self, "learning_rate", *POSITIVE)
        rule = "a finite number of at least 0"
        _require(self, "weight_decay", rule, lambda v: is_number(v) and v >= 0)
        _require(self, "decay_exclude", "a tuple of words", _are_words)
        _require(self, "schedule", *one_of(SCHEDULES))
        rule = "an integer from 0 up to, but not including, epochs"
        _require(self, "warmup_epochs", rule, lambda v: is_index(v, self.epochs))
        _require(self, "clip_norm", *or_none(POSITIVE))
        _require(self, "label_smoothing", *RATE)
        _require(self, "precision", *one_of(PRECISIONS))
        _require(self, "seed", *SEED)

    def count_steps(self, images):
        """The number of steps of an epoch, after which a training looks at itself.

        Args:
            images: Integer, the length of the training split. It is that of the whole
                data set, too, where `limit_train` repeats fewer images.
        """
        return self.steps_per_epoch or images // self.batch_size


@dataclass(frozen=True)
class Preset:
    """One experiment by name: what `experiments/train.py` runs and records.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    study: str  # the folder of its record
    profile: str  # one of PROFILES: the machine that it is meant for
    model: ViTConfig | ResNetConfig | SmallResNetConfig
    train: TrainConfig
    data: str = "cifar100"  # one of DATA_SETS
    # How many validation images it is measured on, and as many test images; None: all.
    evaluation_images: int | None = None

    def __post_init__(self):
        rule = "lower-case letters, digits and dashes: the name of a folder"
        _require(self, "study", rule, _is_folder_name)
        rule = "a ViTConfig, a ResNetConfig or a SmallResNetConfig"
        _require(self, "model", rule, lambda v: type(v) in MODEL_CONFIGS)
        _require(self, "train", "a TrainConfig", lambda v: type(v) is TrainConfig)
        _require(self, "evaluation_images", *or_none(COUNT))
        _require(self, "profile", *one_of(PROFILES))
        _require(self, "data", *one_of(DATA_SETS))


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

# The first 200 steps of the report's recipe, for two CPU cores: a look every 25 steps,
# at few images, because a forward pass of all 20,000 takes as long as the steps.
FIRST_STEPS = replace(REPORT_TRAIN, epochs=8, steps_per_epoch=25)
FIRST_IMAGES = 500
# The same in the shorter format, for what takes more images than these 200 steps.
SHORT_STEPS = replace(FIRST_STEPS, precision="mixed_bfloat16")
# All images once, for the report's ResNet, which is several times as fast.
FIRST_PASS = replace(REPORT_TRAIN, epochs=10, steps_per_epoch=125)

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

# The same trunk with fewer or more tokens side by side, and with their mean: from 64 to
# 16,384 inputs of the head. Its hidden layers stay as they are.
NARROW_HEADS = {
    f"narrow-{(32 // side) ** 2}-tokens": replace(NARROW_VIT, patch_size=side)
    for side in (16, 8, 4, 2)  # pixels
} | {"narrow-pooled": replace(NARROW_VIT, pooling="mean")}

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


def _first_steps(model=REPORT_VIT, base=FIRST_STEPS, study="diagnosis", **changes):
    training = replace(base, **changes)
    return Preset(study, "laptop", model, training, evaluation_images=FIRST_IMAGES)


def _first_pass(model=REPORT_RESNET, **changes):
    return _first_steps(model, FIRST_PASS, **changes)


PRESETS = {
    "report-vit": Preset("report", "full", REPORT_VIT, REPORT_TRAIN),
    "report-resnet": Preset("report", "full", REPORT_RESNET, REPORT_TRAIN),
    # An hour of two CPU cores is enough for the first epochs of either model.
    "report-vit-hour": Preset(
        "report",
        "laptop",
        REPORT_VIT,
        replace(REPORT_TRAIN, epochs=2, precision="mixed_bfloat16"),
    ),
    "report-resnet-hour": Preset(
        "report", "laptop", REPORT_RESNET, replace(REPORT_TRAIN, epochs=5)
    ),
    # One change each to the report's two models: which of them lets them learn?
    "report-vit-low-rate": Preset(
        "diagnosis", "full", REPORT_VIT, replace(REPORT_TRAIN, learning_rate=1e-4)
    ),
    "report-vit-warmup": Preset(
        "diagnosis", "full", REPORT_VIT, replace(REPORT_TRAIN, warmup_epochs=2)
    ),
    "report-vit-clipped": Preset(
        "diagnosis", "full", REPORT_VIT, replace(REPORT_TRAIN, clip_norm=1.0)
    ),
    "report-vit-pooled": Preset(
        "diagnosis", "full", replace(REPORT_VIT, pooling="mean"), REPORT_TRAIN
    ),
    "report-vit-decay": Preset(
        "diagnosis", "full", REPORT_VIT, replace(REPORT_TRAIN, weight_decay=0.1)
    ),
    "report-vit-small-init": Preset(
        "diagnosis", "full", replace(REPORT_VIT, head_init_scale=0.1), REPORT_TRAIN
    ),
    "report-vit-no-dropout": Preset(
        "diagnosis", "full", replace(REPORT_VIT, head_dropout=0.0), REPORT_TRAIN
    ),
    "report-resnet-low-rate": Preset(
        "diagnosis", "full", REPORT_RESNET, replace(REPORT_TRAIN, learning_rate=1e-4)
    ),
    "report-resnet-no-dropout": Preset(
        "diagnosis", "full", replace(REPORT_RESNET, head_dropout=0.0), REPORT_TRAIN
    ),
    # The same and more on two CPU cores, for the first steps alone.
    "first-steps": _first_steps(),
    "first-steps-low-rate": _first_steps(learning_rate=1e-4),
    # 100 steps of rise, then as many at the report's rate as "first-steps" makes.
    "first-steps-warmup": _first_steps(warmup_epochs=4, epochs=12),
    "first-steps-clipped": _first_steps(clip_norm=1.0),
    # What the report's weight decay means in TensorFlow Addons (see `TrainConfig`).
    "first-steps-decay": _first_steps(weight_decay=0.1),
    "first-steps-pooled": _first_steps(replace(REPORT_VIT, pooling="mean")),
    "first-steps-small-init": _first_steps(replace(REPORT_VIT, head_init_scale=0.1)),
    "first-steps-no-dropout": _first_steps(replace(REPORT_VIT, head_dropout=0.0)),
    # Is it the batch of 32? And at equal distance: ten times the steps at a tenth of
    # the rate. Too long for float32, so the report's recipe has a twin here.
    "bfloat16-steps": _first_steps(base=SHORT_STEPS),
    "bfloat16-steps-batch-256": _first_steps(base=SHORT_STEPS, batch_size=256),
    "bfloat16-steps-low-rate": _first_steps(
        base=SHORT_STEPS, learning_rate=1e-4, epochs=20, steps_per_epoch=100
    ),
    # What slows the report's ResNet?
    "first-pass": _first_pass(),
    "first-pass-low-rate": _first_pass(learning_rate=1e-4),
    "first-pass-no-dropout": _first_pass(replace(REPORT_RESNET, head_dropout=0.0)),
    "first-pass-normalized": _first_pass(replace(REPORT_RESNET, normalize=True)),
    # Does a dead head come back, if one waits? That of the narrow ViT has 4,096 inputs,
    # the report's 18,432. At the high rate the product of inputs and rate, and so the
    # bound of a step, is that of the report.
    "narrow-vit": Preset("diagnosis", "laptop", NARROW_VIT, REPORT_TRAIN),
    "narrow-vit-high-rate": Preset(
        "diagnosis", "laptop", NARROW_VIT, replace(REPORT_TRAIN, learning_rate=4.5e-3)
    ),
    # With --learning-rate: at which rate, for how many inputs, does a head die?
    **{
        name: _first_steps(model, study="dead-units")
        for name, model in NARROW_HEADS.items()
    },
    "repaired-vit": Preset("repair", "full", REPORT_VIT, REPAIRED_TRAIN),
    # As many images as "report-vit-hour" sees, of a schedule of its own.
    "repaired-vit-hour": Preset(
        "repair",
        "laptop",
        REPORT_VIT,
        replace(REPAIRED_TRAIN, epochs=2, warmup_epochs=1, precision="mixed_bfloat16"),
    ),
    "pooled-vit": Preset("positions", "full", POOLED_VIT, REPAIRED_TRAIN),
    "small-vit": Preset("positions", "laptop", SMALL_VIT, SMALL_TRAIN),
    "fair-vit": Preset("comparison", "full", FAIR_VIT, REPAIRED_TRAIN),
    "fair-resnet": Preset("comparison", "full", FAIR_RESNET, FAIR_RESNET_TRAIN),
    "cifar-resnet": Preset("comparison", "full", CIFAR_RESNET, FAIR_RESNET_TRAIN),
    "small-resnet": Preset("comparison", "laptop", SMALL_RESNET, SMALL_TRAIN),
    # The same network under the recipe of "compact", whose rival it is.
    "compact-resnet": Preset("comparison", "laptop", SMALL_RESNET, COMPACT_TRAIN),
    # With --train-images: is it the amount of data?
    "data-size-vit": Preset("data-size", "laptop", SMALL_VIT, SMALL_TRAIN),
    "data-size-resnet": Preset("data-size", "laptop", SMALL_RESNET, SMALL_TRAIN),
    "data-size-fair-vit": Preset("data-size", "full", FAIR_VIT, REPAIRED_TRAIN),
    "data-size-fair-resnet": Preset(
        "data-size", "full", FAIR_RESNET, FAIR_RESNET_TRAIN
    ),
    "compact": Preset("compact", "laptop", COMPACT_VIT, COMPACT_TRAIN),
    # Does the shorter number format cost accuracy? The same training without it.
    "compact-float32": Preset(
        "compact", "laptop", COMPACT_VIT, replace(COMPACT_TRAIN, precision="float32")
    ),
    # It knows its training images better than others: does stronger decay help?
    "compact-decay": Preset(
        "compact", "laptop", COMPACT_VIT, replace(COMPACT_TRAIN, weight_decay=0.3)
    ),
    # A quiet machine needs 12 minutes for "compact". This one takes all of the 30.
    "compact-half-hour": Preset(
        "compact",
        "laptop",
        COMPACT_VIT,
        replace(COMPACT_TRAIN, epochs=45, weight_decay=0.3),
    ),
    # Patches in place of convolutions, in as much time. The small ViT does not know its
    # training images better than others, so it gets no dropout.
    "pure-vit": Preset(
        "compact",
        "laptop",
        replace(SMALL_VIT, dropout=0.0, head_dropout=0.0),
        replace(COMPACT_TRAIN, epochs=28),
    ),
    # The same question to a GPU and the report's 30 epochs.
    "small-image-vit": Preset("compact", "full", SMALL_IMAGE_VIT, SMALL_IMAGE_TRAIN),
    "small-image-hybrid": Preset(
        "compact", "full", SMALL_IMAGE_HYBRID, SMALL_IMAGE_TRAIN
    ),
    "tiny": Preset("tiny", "quick", TINY_VIT, TINY_TRAIN, data="shapes"),
    "tiny-resnet": Preset("tiny", "quick", TINY_RESNET, TINY_TRAIN, data="shapes"),
}

# The studies that ask why a model does not learn: their records have the instruments.
WATCHED_STUDIES = ("report", "diagnosis", "dead-units", "repair")

# What a chapter trains while it is read, by the profile of its notebook.
PROFILE_PRESETS = {
    "quick": PRESETS["tiny"],
    "laptop": PRESETS["small-vit"],
    "full": PRESETS["pooled-vit"],
}
# The residual network that a chapter trains beside it.
PROFILE_RESNETS = {
    "quick": PRESETS["tiny-resnet"],
    "laptop": PRESETS["small-resnet"],
    "full": PRESETS["cifar-resnet"],
}
