"""The hyper-parameters of a masked autoencoder, with unit and source."""

from dataclasses import dataclass

from vitlib.config.models import INSIDE, ViTConfig
from vitlib.config.rules import (
    BOOLEAN,
    COUNT,
    POSITIVE,
    is_number,
    require_all,
    require_field,
)


@dataclass(frozen=True)
class MaskedAutoencoderConfig(ViTConfig):
    """A Vision Transformer that fills in hidden patches, and maybe names classes, too.

    The fields of `ViTConfig` describe its encoder and, where it learns labels, the head
    on it.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    # Share of the patches that the encoder does not see; He et al., 2022, section 4.1.
    mask_ratio: float = 0.75
    # One block suffices for an encoder that is fine-tuned; He et al., 2022, table 1a.
    decoder_layers: int = 1
    decoder_dim: int = 64  # length of a token in the decoder, a multiple of 4
    decoder_heads: int = 4
    # Each patch of the target has mean 0 and variance 1; He et al., 2022, table 1d.
    normalize_patches: bool = True
    # Whether it names classes at the same time, and what the other loss then weighs.
    learn_labels: bool = False
    reconstruction_weight: float = 1.0

    family = "masked-autoencoder"  # not a field: the same for all

    def __post_init__(self):
        super().__post_init__()
        patches = self.num_patches
        rule = f"a number that hides at least 1 of {patches} patches and leaves 1"
        require_field(self, "mask_ratio", rule, self._leaves_and_hides)
        require_all(self, COUNT, "decoder_layers", "decoder_dim", "decoder_heads")
        rule = f"a multiple of 4 and of decoder_heads={self.decoder_heads}"
        divisors = 4, self.decoder_heads
        require_field(
            self, "decoder_dim", rule, lambda v: not any(v % d for d in divisors)
        )
        require_all(self, BOOLEAN, "normalize_patches", "learn_labels")
        require_field(self, "reconstruction_weight", *POSITIVE)
        # The receptive fields of a stem overlap: its map knows of the hidden pixels.
        rule = "(), for convolutions before the mask see what it hides"
        require_field(self, "stem_filters", rule, lambda v: v == ())
        rule = "added to the tokens, for attention sees a part of the grid alone"
        require_field(self, "position", rule, lambda v: v not in INSIDE)
        rule = "0: mask_ratio says how many patches are left out"
        require_field(self, "patch_dropout", rule, lambda v: v == 0)

    def _leaves_and_hides(self, ratio):
        count = is_number(ratio) and round(ratio * self.num_patches)
        return 1 <= count < self.num_patches

    @property
    def task(self):
        """What it is trained for: one of `vitlib.training.tasks.TASKS`."""
        return "classification" if self.learn_labels else "reconstruction"

    @property
    def num_hidden(self):
        """How many patches of an image are hidden."""
        return round(self.mask_ratio * self.num_patches)
