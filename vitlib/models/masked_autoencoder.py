"""The masked autoencoder: hide most patches, and predict them from the others."""

import keras
from keras import layers

from vitlib.layers.attention import SelfAttention
from vitlib.layers.masking import AddedLoss, HiddenError, MaskTokens, RandomMasking
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches
from vitlib.layers.positions import SinCosPosition2D
from vitlib.models.blocks import EPSILON, transformer_block
from vitlib.models.heads import classify
from vitlib.models.vit import build_encoder
from vitlib.models.walk import find

MLP_RATIO = 2  # units of a decoder block's MLP to its width; as in the small ViTs


def decode(tokens, visible, hidden, config):
    """Predicts all patches of an image from some of its tokens.

    Args:
        tokens: Tensor of shape `(batch, N - M, D)`, from the encoder.
        visible: Integer tensor of shape `(batch, N - M)`, their places.
        hidden: Integer tensor of shape `(batch, M)`, the places to be filled.
        config: `MaskedAutoencoderConfig`.

    Returns:
        Tensor of shape `(batch, N, P * P * C)`, in float32.

    Reference:
        He et al., 2022, section 3, "MAE decoder" (https://arxiv.org/abs/2111.06377).
    """
    width, heads = config.decoder_dim, config.decoder_heads
    x = layers.Dense(width)(tokens)  # (batch, N - M, width)
    x = MaskTokens()([x, visible, hidden])  # (batch, N, width)
    x = SinCosPosition2D(config.grid_size)(x)
    for _ in range(config.decoder_layers):
        attention = SelfAttention(heads, width // heads)
        x = transformer_block(x, attention, (MLP_RATIO * width, width))
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    pixels = config.patch_size**2 * config.input_shape[-1]
    return layers.Dense(pixels, dtype="float32", name="pixels")(x)


def build_masked_autoencoder(config):
    """Builds a Vision Transformer that learns by filling in hidden patches.

    The encoder sees the visible patches alone, so a step costs less than one on whole
    images. Its layers come first in the model, as `build_encoder` makes them.

    Args:
        config: `MaskedAutoencoderConfig`.

    Returns:
        `keras.Model` from images `(batch, *config.input_shape)`, pixels from 0 to 255,
        to the error of each hidden patch, `(batch, M)`: the mean squared difference
        from its pixels. With `config.learn_labels`, to the logits of the whole image,
        `(batch, config.num_classes)`, and the mean error is an added loss.

    Reference:
        He et al., 2022 (https://arxiv.org/abs/2111.06377); both losses at once: Das et
        al., 2024 (https://arxiv.org/abs/2310.20704).
    """
    encoder = build_encoder(config)
    patches = find(encoder, Patches)[0].output  # (batch, N, P * P * C)
    embedded = find(encoder, PatchEncoder)[0].output  # (batch, N, D)
    kept, visible, hidden = RandomMasking(config.num_hidden)(embedded)
    # The same layers again, on fewer tokens: as a call of the model, they would be one.
    tokens = keras.Model(embedded, encoder.output).call(kept)
    pixels = decode(tokens, visible, hidden, config)
    errors = HiddenError(config.normalize_patches)([pixels, patches, hidden])
    if config.learn_labels:
        logits = classify(encoder.output, config)
        errors = AddedLoss(config.reconstruction_weight)([logits, errors])
    return keras.Model(encoder.input, errors, name="masked_autoencoder")


def reconstruct(model, images):
    """Shows what a masked autoencoder makes of images.

    Args:
        model: `keras.Model` from `build_masked_autoencoder`.
        images: Array of shape `(n, H, W, C)`, pixels from 0 to 255.

    Returns:
        Three arrays: what is predicted for each patch, and the patch as the model has
        it, both `(n, N, P * P * C)`, and the places of the hidden ones, `(n, M)`.
    """
    inputs = find(model, HiddenError)[0].input
    return keras.Model(model.input, inputs).predict_on_batch(images)
