"""Begin a training with the encoder of another one."""

from vitlib.config.models import ViTConfig
from vitlib.models.resize import resize_positions
from vitlib.models.vit import build_encoder

# What the weights of an encoder depend on, apart from the grid of its positions.
SHAPES = "input_shape patch_size stem_filters projection_dim num_heads key_dim".split()
SHAPES += "num_layers mlp_units position attention".split()


def begin_with(model, config, source, source_config):
    """Gives a model the encoder of a trained one; what is on top of it stays as it is.

    Where the two resize their images to different sizes, the positions are resized as
    `vitlib.resize_positions` says.

    Args:
        model: `keras.Model` that `vitlib.build_model` has built of `config`.
        config: `ViTConfig`, or one that extends it.
        source: `keras.Model` built of `source_config`, trained.
        source_config: As `config`.

    Raises:
        ValueError: When the encoders are not of one shape.
    """
    for each in (config, source_config):
        if not isinstance(each, ViTConfig):
            raise ValueError(
                "begin_with needs two Vision Transformers, or masked autoencoders. "
                f"Received: a {each.family}."
            )
    wrong = {n for n in SHAPES if getattr(config, n) != getattr(source_config, n)}
    if wrong:
        name = min(wrong, key=SHAPES.index)
        raise ValueError(
            f"The encoder to begin with must have {name}={getattr(config, name)!r}, as "
            f"the model has. Received: {getattr(source_config, name)!r}."
        )
    old, new = build_encoder(source_config), build_encoder(config)
    # The layers of the encoder come first in each of the models.
    old.set_weights(source.get_weights()[: len(old.weights)])
    resize_positions(old, new)
    values = new.get_weights()
    for weight, value in zip(model.weights[: len(values)], values, strict=True):
        weight.assign(value)
