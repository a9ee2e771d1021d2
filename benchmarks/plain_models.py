"""The models of this course from layers of Keras alone, for `contenders.py` to time."""

import keras
from keras import layers, ops

from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ResNetConfig

EPSILON = 1e-6  # of the layer norms


def build_plain(config):
    """Builds the model of a config."""
    if isinstance(config, ResNetConfig):
        return plain_resnet(config)
    masked = isinstance(config, MaskedAutoencoderConfig)
    return MaskedAutoencoder(config) if masked else plain_vit(config)


def plain_augmentation(x, recipe):
    """The layers that the report names, or the nearest that Keras has."""
    if recipe == "none":
        return x
    if recipe == "shift_flip":
        x = layers.RandomTranslation(4 / 32, 4 / 32)(x)
    x = layers.RandomFlip("horizontal")(x)
    if recipe == "report_vit":
        x = layers.RandomZoom(0.2, 0.2)(layers.RandomRotation(0.02)(x))
    elif recipe == "report_resnet":
        x = layers.RandomRotation(20 / 360)(x)
        x = layers.RandomTranslation(0.2, 0.2)(x)
        x = layers.RandomZoom(0.2, 0.2)(layers.RandomShear(0.0035)(x))
    return x


def plain_patches(x, config):
    """A convolutional stem where the config has one, then flat patches."""
    for filters in config.stem_filters:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(layers.MaxPooling2D(2)(x)))
    size = config.patch_size
    if size > 1:
        x = ops.image.extract_patches(x, size)
    return layers.Reshape((config.num_patches, -1))(x)


def plain_inputs(config):
    """From images to patches: the input, and the flat patches of each image."""
    images = keras.Input(config.input_shape)
    x = layers.Resizing(config.image_size, config.image_size)(
        layers.Normalization()(images)
    )
    return images, plain_patches(plain_augmentation(x, config.augmentation), config)


def plain_tokens(patches, config):
    """A dense layer, and a learned vector for each place."""
    return add_places(layers.Dense(config.projection_dim)(patches))


def add_places(x, trainable=True):
    """Adds a vector for each place to tokens."""
    _, count, width = x.shape
    places = ops.zeros_like(x[..., 0], dtype="int32") + ops.arange(count)
    return x + layers.Embedding(count, width, trainable=trainable)(places)


def plain_block(x, attention, mlp_units, dropout=0.0):
    """One encoder block; `attention` is how many heads, and how long a key is."""
    y = layers.LayerNormalization(epsilon=EPSILON)(x)
    attend = layers.MultiHeadAttention(*attention, dropout=dropout)
    x = layers.Add()([attend(y, y), x])
    y = layers.LayerNormalization(epsilon=EPSILON)(x)
    for units in mlp_units:
        y = layers.Dropout(dropout)(layers.Dense(units, "gelu")(y))
    return layers.Add()([y, x])


def plain_blocks(x, config):
    """The encoder, from tokens to tokens."""
    for _ in range(config.num_layers):
        attention = config.num_heads, config.key_dim
        x = plain_block(x, attention, config.mlp_units, config.dropout)
    return layers.LayerNormalization(epsilon=EPSILON)(x)


def plain_vit(config):
    """A ViT of the same shape, written as Keras' example that the report extends."""
    images, patches = plain_inputs(config)
    x = plain_blocks(plain_tokens(patches, config), config)
    flatten = config.pooling == "flatten"
    x = layers.Flatten()(x) if flatten else layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(config.head_dropout)(x)
    for units in config.head_units:
        x = layers.Dropout(config.head_dropout)(layers.Dense(units, "gelu")(x))
    return keras.Model(images, layers.Dense(config.num_classes, dtype="float32")(x))


def plain_resnet(config):
    """ResNet101V2 under the report's head, with Keras' own augmentation."""
    images = keras.Input(config.input_shape)
    x = plain_augmentation(images, config.augmentation)
    trunk = keras.applications.ResNet101V2(
        include_top=False, weights=None, input_shape=config.input_shape
    )
    x = layers.Flatten()(trunk(x))
    for units in config.head_units:
        x = layers.Dense(units, "relu")(x)
        x = layers.GaussianDropout(config.head_dropout)(x)
    return keras.Model(images, layers.Dense(config.num_classes, dtype="float32")(x))


class MaskedAutoencoder(keras.Model):
    """A masked autoencoder of the same shape, as an example of Keras has one.

    A model of its own draws the masks; what it calls are models of layers of Keras. The
    vectors for the places of the decoder do not train, as in the model of the course;
    here they are drawn, which takes as long.
    """

    def __init__(self, config):
        super().__init__()
        images, patches = plain_inputs(config)
        self.patches = keras.Model(images, patches)
        self.tokens = on_tokens(patches.shape[1:], lambda x: plain_tokens(x, config))
        self.num_hidden = config.num_hidden
        self.normalize = config.normalize_patches
        kept = config.num_patches - self.num_hidden, config.projection_dim
        self.encoder = on_tokens(kept, lambda x: plain_blocks(x, config))
        self.narrow = on_tokens(kept, layers.Dense(config.decoder_dim))
        filled = config.num_patches, config.decoder_dim
        self.decoder = on_tokens(filled, lambda x: plain_decoder(x, config))
        self.mask_token = self.add_weight((config.decoder_dim,), "random_normal")
        self.seeds = keras.random.SeedGenerator()

    def call(self, images, training=False):
        patches = self.patches(images, training=training)
        tokens = self.tokens(patches)
        seed = self.seeds if training else 0
        noise = keras.random.uniform(ops.shape(tokens)[:2], seed=seed, dtype="float32")
        order = ops.argsort(noise)
        left = tokens.shape[1] - self.num_hidden
        visible, hidden = order[:, :left], order[:, left:]
        kept = self.narrow(self.encoder(pick(tokens, visible), training=training))
        pixels = self.decoder(self.fill(kept, order), training=training)
        target = ops.cast(pick(patches, hidden), "float32")
        if self.normalize:
            mean, variance = ops.moments(target, axes=-1, keepdims=True)
            target = (target - mean) / ops.sqrt(variance + EPSILON)
        return ops.mean(ops.square(pick(pixels, hidden) - target), axis=-1)

    def fill(self, kept, order):
        """The visible tokens at their places, and the mask token at the others."""
        token = ops.cast(ops.convert_to_tensor(self.mask_token), kept.dtype)
        shape = ops.shape(kept)[0], self.num_hidden, kept.shape[-1]
        x = ops.concatenate([kept, ops.broadcast_to(token, shape)], axis=1)
        return pick(x, ops.argsort(order))


def on_tokens(shape, call):
    """A model of what a function does to tokens."""
    tokens = keras.Input(shape)
    return keras.Model(tokens, call(tokens))


def pick(tokens, places):
    """The tokens at some places of each image."""
    return ops.take_along_axis(tokens, places[..., None], axis=1)


def plain_decoder(x, config):
    """From tokens at all places to the pixels of each patch."""
    width, heads = config.decoder_dim, config.decoder_heads
    x = add_places(x, trainable=False)
    for _ in range(config.decoder_layers):
        x = plain_block(x, (heads, width // heads), (2 * width, width))
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    pixels = config.patch_size**2 * config.input_shape[-1]
    return layers.Dense(pixels, dtype="float32")(x)
