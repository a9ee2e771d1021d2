"""Train on smaller images first: a step costs less, and the weights stay the same."""

from keras import layers

from vitlib.layers.augment import Augmentation
from vitlib.layers.masking import RandomMasking
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.positioned_attention import POSITIONED
from vitlib.models.walk import find, walk

# What belongs to one grid of patches, so that a model that has it knows no other size.
OF_ONE_GRID = (
    layers.Flatten,
    RandomMasking,
    *(kind for kind, _ in POSITIONED.values()),
)


def require_size(model, size):
    """Refuses a model that cannot be trained on images of another size.

    Args:
        model: `keras.Model` from `build_vit`.
        size: Integer, pixels.

    Raises:
        ValueError: When there is no `PatchEncoder`, a layer belongs to one grid of
            patches, or whole patches do not fill the size or exceed the model's.
    """
    side = find(model, Augmentation)[0].output.shape[1]
    step = side // find(model, PatchEncoder)[0].grid_size[0]
    if fixed := [type(e).__name__ for e in walk(model) if isinstance(e, OF_ONE_GRID)]:
        raise ValueError(
            "first_size needs a model whose layers take any number of patches. "
            f"Received: one with {fixed[0]}."
        )
    if size % step or size > side:
        raise ValueError(
            f"first_size must be a multiple of {step}, the pixels that a patch stands "
            f"for, and at most {side}, those of the model. Received: {size}."
        )


def set_training_size(model, size):
    """Has a model resize the images that it trains on to another size than the others.

    Keras compiles the training step anew, where the size changes: once for a training
    that begins on smaller images. Predictions keep the size of the model.

    Args:
        model: Compiled `keras.Model` that `require_size` takes.
        size: Integer, pixels; None for the size of the model.

    Reference:
        Tan and Le, 2021, section 4 (https://arxiv.org/abs/2104.00298).
    """
    for layer in find(model, Augmentation):
        if layer.training_size != size:
            layer.training_size = size
            model.train_function = None
