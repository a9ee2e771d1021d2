"""Every hyper-parameter of the models, with unit and source.

A comment that says "report" points to the student report that this course re-runs;
"not in the report" marks a choice of ours, with its reason.
"""

from dataclasses import dataclass

from vitlib.config.rules import (
    BOOLEAN,
    COUNT,
    COUNTS,
    POSITIVE,
    RATE,
    are_counts,
    one_of,
    require_all,
    require_field,
)

# Those that act inside the attention: `vitlib.layers.positioned_attention`.
INSIDE = ("relative", "rope", "relative2d", "relative2d-clipped")
INSIDE += ("relative2d-values", "relative2d-wide")
POSITIONS = ("none", "1d", "2d", "relative", "sincos", *INSIDE[1:])
POOLINGS = ("flatten", "mean")
AUGMENTATIONS = ("none", "report_vit", "report_resnet", "shift_flip")


def _require_image_shape(config):
    words = "(height, width, channels), three integers of at least 1"
    require_field(config, "input_shape", words, lambda v: are_counts(v) and len(v) == 3)


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
    # Share of the tokens that each training step leaves out; the report: none.
    patch_dropout: float = 0.0
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
    task = "classification"
    attention = True  # nor this: a field where a model may do without

    def __post_init__(self):
        _require_image_shape(self)
        rule = "as high as wide, for image_size is the side of both"
        require_field(self, "input_shape", rule, lambda v: v[0] == v[1])
        require_all(self, COUNT, "image_size", "patch_size", "projection_dim")
        require_all(self, COUNT, "num_heads", "key_dim", "num_layers", "num_classes")
        require_all(self, COUNTS, "mlp_units", "head_units", "stem_filters")
        rule = f"a tuple that ends in projection_dim={self.projection_dim}"
        require_field(
            self, "mlp_units", rule, lambda v: v[-1:] == (self.projection_dim,)
        )
        require_field(self, "position", *one_of(POSITIONS))
        require_field(self, "pooling", *one_of(POOLINGS))
        require_field(self, "augmentation", *one_of(AUGMENTATIONS))
        require_all(self, RATE, "dropout", "head_dropout")
        rule = f"{RATE[0]}; 0 where attention or a flattened head knows the whole grid"
        require_field(self, "patch_dropout", rule, self._may_lack)
        require_field(self, "head_init_scale", *POSITIVE)
        step = self.patch_size * 2 ** len(self.stem_filters)
        rule = f"a multiple of patch_size * 2 ** len(stem_filters) = {step}"
        require_field(self, "image_size", rule, lambda v: v % step == 0)

    def _may_lack(self, rate):
        free = self.pooling == "mean" and self.position not in INSIDE
        return RATE[1](rate) and (free or rate == 0)

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
        """How many numbers go into the head, of all tokens or of their mean."""
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
    # The report says that its data "were not normalized". That pixels enter as 0 to 255
    # is how we read it.
    normalize: bool = False
    augmentation: str = "report_resnet"  # one of AUGMENTATIONS; report

    family = "resnet"  # not a field: the same for all
    task = "classification"

    def __post_init__(self):
        _require_image_shape(self)
        rule = "at least 32 x 32 pixels, the least that ResNet101V2 takes"
        require_field(self, "input_shape", rule, lambda v: min(v[:2]) >= 32)
        require_field(self, "head_units", *COUNTS)
        require_field(self, "head_dropout", *RATE)
        require_field(self, "num_classes", *COUNT)
        require_field(self, "normalize", *BOOLEAN)
        require_field(self, "augmentation", *one_of(AUGMENTATIONS))


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
    task = "classification"

    def __post_init__(self):
        _require_image_shape(self)
        rule = "a tuple of integers of at least 1, and not empty"
        require_field(self, "filters", rule, lambda v: are_counts(v) and v)
        stages = len(self.filters)
        rule = f"a tuple of integers of at least 1, as many as filters has: {stages}"
        require_field(
            self,
            "blocks_per_stage",
            rule,
            lambda v: are_counts(v) and len(v) == stages,
        )
        require_field(self, "dropout", *RATE)
        require_field(self, "num_classes", *COUNT)
        require_field(self, "augmentation", *one_of(AUGMENTATIONS))
