"""Load a Vision Transformer that others have pre-trained, from keras-hub."""

import keras
from keras import layers

from vitlib.layers.augment import DTYPE, Augmentation
from vitlib.models.onnx_vit import INPUT_SHAPE


def load_hub_preset(preset, image_size=None):
    """Loads a ViT or a DINOv2 of keras-hub, as `load_pretrained` gives its own.

    A name, such as "dinov2_small" or "vit_base_patch16_224_imagenet", is downloaded
    once, with all that keras-hub knows of its origin. The images are resized and
    normalised as the preset says; its layers are those of keras-hub.

    Args:
        preset: String. Name of a preset, or the path of a folder that holds one.
        image_size: Integer, a multiple of the patch size. Side in pixels to which the
            model itself resizes its images, bilinearly; None: that of the preset, which
            a ViT needs.

    Returns:
        `keras.Model` from images `(batch, 32, 32, 3)`, pixels from 0 to 255, to a list
        of L + 1 tensors `(batch, 1 + N, D)`, the class token first: the tokens after
        each of the L blocks, and those of the last block after the last norm.

    Raises:
        ModuleNotFoundError: When keras-hub is not installed.
        ValueError: When the preset is none of these, or `image_size` breaks its rule.

    Example:
        `*blocks, last = load_hub_preset("dinov2_small", 112).predict(images)`
    """
    hub = _import_hub()
    try:
        backbone = hub.models.Backbone.from_preset(preset)
        converter = hub.layers.ImageConverter.from_preset(preset)
    except (ValueError, FileNotFoundError) as error:
        raise _refusal(preset, str(error).splitlines()[0]) from error
    is_dinov2 = isinstance(backbone, hub.models.DINOV2Backbone)
    if not is_dinov2 and not isinstance(backbone, hub.models.ViTBackbone):
        raise _refusal(preset, f"a {type(backbone).__name__}")
    side = backbone.image_shape[0] if image_size is None else image_size
    if is_dinov2:  # it resizes its positions itself
        shape = (side, side, INPUT_SHAPE[-1])
        backbone = hub.models.Backbone.from_preset(preset, image_shape=shape)
    elif side != backbone.image_shape[0]:
        raise ValueError(
            "image_size must be None or the side that the positions of a ViT belong "
            f"to, {backbone.image_shape[0]} pixels. Received: {image_size!r}."
        )
    images = keras.Input(INPUT_SHAPE, name="images")
    x = Augmentation("none", side, dtype=DTYPE)(images)
    scale, offset = converter.scale, converter.offset
    x = layers.Rescaling(1 if scale is None else scale, offset or 0, dtype=DTYPE)(x)
    tokens = keras.Model(backbone.inputs, _tokens(backbone, is_dinov2))(x)
    return keras.Model(images, tokens, name="pretrained_vit")


def _import_hub():
    try:
        import keras_hub  # only who loads a preset needs it
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "load_hub_preset needs the package keras-hub: pip install keras-hub. "
            "Received: an environment without it."
        ) from error
    return keras_hub


def _refusal(preset, received):
    return ValueError(
        "The preset must be a ViT or a DINOv2 of keras-hub, with its image converter. "
        f"Received: {preset!r}, {received.rstrip('.')}."
    )


def _tokens(backbone, is_dinov2):
    """The tokens after each block and after the last norm, without registers."""
    if is_dinov2:
        _, *blocks = backbone.pyramid_outputs.values()  # the first is before all blocks
        skip = 1 + backbone.num_register_tokens
    else:
        embedding, encoder = backbone.layers[-2:]
        x, blocks, skip = encoder.dropout(embedding.output), [], 1
        for block in encoder.encoder_layers:
            x = block(x)
            blocks.append(x)
    return [
        keras.ops.concatenate([x[:, :1], x[:, skip:]], axis=1)
        for x in (*blocks, backbone.output)
    ]
