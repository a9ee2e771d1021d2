"""The hyper-parameters of models that say what is where, with unit and source."""

from dataclasses import dataclass

from vitlib.config.models import ViTConfig
from vitlib.config.rules import BOOLEAN, COUNT, is_index, one_of, require_field

SEGMENTATION_HEADS = ("patch", "pixels")
DETECTION_HEADS = ("cells", "set")


@dataclass(frozen=True)
class DenseConfig(ViTConfig):
    """What segmentation and detection have in common: an encoder, and no pooling.

    The fields of `ViTConfig` describe the encoder; `head_units` and `head_dropout` are
    those of hidden layers that see one token at a time, and `pooling` is not asked.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    input_shape: tuple = (64, 64, 3)  # pixels and channels
    image_size: int = 64  # pixels: the images are not resized
    patch_size: int = 8  # pixels
    head_units: tuple = ()
    augmentation: str = "none"  # inside the model nothing would move the targets along
    # Pixels up to which the task moves images and targets together, in each direction,
    # and it flips half of them; 0: neither. The usual CIFAR crop: He et al., 2016,
    # section 4.2 (https://arxiv.org/abs/1512.03385).
    moves: int = 4
    # Whether tokens see each other. Without, a block is its MLP alone, and a token
    # knows its own patch and its place: what is left shows what attention adds.
    attention: bool = True

    def __post_init__(self):
        super().__post_init__()
        side = self.input_shape[0]
        rule = f"that of input_shape={self.input_shape}, whose pixels have the targets"
        require_field(self, "image_size", rule, lambda v: v == side)
        rule = "'none': what varies the images must vary their targets with them"
        require_field(self, "augmentation", rule, lambda v: v == "none")
        rule = f"an integer from 0 up to, but not including, {side}, the side in pixels"
        require_field(self, "moves", rule, lambda v: is_index(v, side))
        require_field(self, "attention", *BOOLEAN)
        rule = "0, for each token has an answer of its own"
        require_field(self, "patch_dropout", rule, lambda v: v == 0)

    @property
    def num_kinds(self):
        """How many kinds of things there are: the classes without a background."""
        return self.num_classes

    @property
    def cell_size(self):
        """The side in pixels of what a token stands for."""
        return self.image_size // self.grid_size[0]


@dataclass(frozen=True)
class SegmentationConfig(DenseConfig):
    """A Vision Transformer that names the class of each pixel.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    num_classes: int = 6  # the kinds of things, and the background, which is 0
    # One of SEGMENTATION_HEADS. "patch" names one class for all pixels of a patch,
    # "pixels" makes P * P * C logits of each token: a class for each pixel.
    head: str = "pixels"

    family = "segmentation"  # not a field: the same for all
    task = "segmentation"

    def __post_init__(self):
        super().__post_init__()
        require_field(self, "head", *one_of(SEGMENTATION_HEADS))
        rule = "at least 2: the background, and a kind of things"
        require_field(self, "num_classes", rule, lambda v: v >= 2)

    @property
    def num_kinds(self):
        """How many kinds of things there are: the classes without the background."""
        return self.num_classes - 1


@dataclass(frozen=True)
class DetectionConfig(DenseConfig):
    """A Vision Transformer that finds things and draws a box around each.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    num_classes: int = 5  # the kinds of things
    # One of DETECTION_HEADS. In "cells" each token tells whether a thing has its centre
    # there, and how large it is (Zhou et al., 2019, https://arxiv.org/abs/1904.07850);
    # in a "set" learned queries name a thing each, or none (Carion et al., 2020,
    # https://arxiv.org/abs/2005.12872).
    head: str = "cells"
    num_queries: int = 8  # of a "set": the most things that it can find in an image
    decoder_layers: int = 2  # of a "set": blocks in which queries ask the tokens

    family = "detection"  # not a field: the same for all
    task = "detection"

    def __post_init__(self):
        super().__post_init__()
        require_field(self, "head", *one_of(DETECTION_HEADS))
        require_field(self, "num_queries", *COUNT)
        require_field(self, "decoder_layers", *COUNT)
