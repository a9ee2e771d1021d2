"""Hide patches from an encoder, and give their places to a decoder."""

import keras
from keras import ops

from vitlib.config.rules import BOOLEAN, COUNT, POSITIVE, RATE, require
from vitlib.layers.inputs import require_floats, require_shape

ALWAYS = 0  # the seed of the masks outside of training: the same at each look


def _pick(tokens, places):
    """The tokens at places `(batch, K)` of each image: `(batch, K, D)`."""
    return ops.take_along_axis(tokens, places[..., None], axis=1)


@keras.saving.register_keras_serializable(package="vitlib")
class RandomMasking(keras.layers.Layer):
    """Hides some tokens of each image at random, and tells which.

    Each image has a mask of its own. In training it is drawn anew at each step;
    otherwise an image gets the same mask whenever it has the same place in a batch.

    Args:
        num_hidden: Integer M of at least 1, fewer than there are tokens.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Call arguments:
        tokens: Tensor of shape `(batch, N, D)`.
        training: Boolean, whether to draw anew.

    Input shape:
        `(batch, N, D)`, with a known N.

    Output shape:
        The tokens that are left, `(batch, N - M, D)`, in random order; their places in
        the sequence, `(batch, N - M)`; and the places of the hidden ones,
        `(batch, M)`, both integers from 0 to N - 1.

    Raises:
        ValueError: When `num_hidden` breaks its rule, the shape is another, or the
            tokens hold no floats.

    Reference:
        He et al., 2022, section 3, "Simple implementation"
        (https://arxiv.org/abs/2111.06377).
    """

    def __init__(self, num_hidden, **kwargs):
        super().__init__(**kwargs)
        require(self, "num_hidden", num_hidden, *COUNT)
        self.num_hidden = num_hidden
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")
        words = f"fewer than the {input_shape[1]} tokens"
        require(
            self, "num_hidden", self.num_hidden, words, lambda v: v < input_shape[1]
        )

    def call(self, tokens, training=False):
        require_floats(self, tokens)
        shape = ops.shape(tokens)[:2]
        seed = self.seed_generator if training else ALWAYS
        # The order of random numbers is a random order.
        order = ops.argsort(keras.random.uniform(shape, seed=seed, dtype="float32"))
        left = tokens.shape[1] - self.num_hidden
        visible, hidden = order[:, :left], order[:, left:]
        return _pick(tokens, visible), visible, hidden


@keras.saving.register_keras_serializable(package="vitlib")
class PatchDropout(keras.layers.Layer):
    """Leaves out some tokens of each image at random while it trains.

    A step costs less by what the blocks would have done with them.

    Args:
        rate: Float in [0, 1). Share of the tokens that are left out, rounded to whole
            ones; at least one stays.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Call arguments:
        tokens: Tensor of shape `(batch, N, D)`.
        training: Boolean, whether any are left out.

    Input shape:
        `(batch, N, D)`, with a known N.

    Output shape:
        The same; in training `(batch, N - round(rate * N), D)`, in random order.

    Raises:
        ValueError: When `rate` breaks its rule, the shape is another, or the tokens
            hold no floats.

    Reference:
        Li et al., 2023, section 3 (https://arxiv.org/abs/2212.00794), for images;
        Liu et al., 2023 (https://arxiv.org/abs/2208.07220).
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        require(self, "rate", rate, *RATE)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "tokens", "length")

    def call(self, tokens, training=False):
        require_floats(self, tokens)
        count = tokens.shape[1]
        left = max(count - round(self.rate * count), 1)
        if not training or left == count:
            return tokens
        shape = ops.shape(tokens)[:2]
        numbers = keras.random.uniform(shape, seed=self.seed_generator, dtype="float32")
        return _pick(tokens, ops.argsort(numbers)[:, :left])


@keras.saving.register_keras_serializable(package="vitlib")
class MaskTokens(keras.layers.Layer):
    """Puts visible tokens back to their places, and one learned token at the others.

    Args:
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        Three tensors: tokens `(batch, K, D)`, their places `(batch, K)` and the places
        that are to be filled, `(batch, M)`, as `RandomMasking` gives them.

    Output shape:
        `(batch, K + M, D)`.

    Raises:
        ValueError: When the tokens have another shape or hold no floats.

    Reference:
        He et al., 2022, section 3, "MAE decoder" (https://arxiv.org/abs/2111.06377).
    """

    def build(self, input_shape):
        require_shape(self, input_shape[0], "batch", "tokens", "length")
        self.mask_token = self.add_weight(
            name="mask_token",
            shape=input_shape[0][-1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, inputs):
        tokens, visible, hidden = inputs
        require_floats(self, tokens)
        shape = ops.shape(hidden)[0], hidden.shape[1], tokens.shape[-1]
        token = ops.cast(ops.convert_to_tensor(self.mask_token), tokens.dtype)
        x = ops.concatenate([tokens, ops.broadcast_to(token, shape)], axis=1)
        # Where each place stands in the shuffled sequence: the inverse of the order.
        places = ops.argsort(ops.concatenate([visible, hidden], axis=1))
        return _pick(x, places)


@keras.saving.register_keras_serializable(package="vitlib")
class HiddenError(keras.layers.Layer):
    """Measures how far each hidden patch was missed, in float32.

    Args:
        normalize: Boolean. Whether the pixels of a patch are shifted and scaled to mean
            0 and variance 1 before they are compared.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        Three tensors: predicted patches and patches, both `(batch, N, L)`, and the
        places of the hidden ones, `(batch, M)`.

    Output shape:
        `(batch, M)`, the mean of the squared differences over the L values of a patch.

    Raises:
        ValueError: When `normalize` is not a boolean.

    Reference:
        He et al., 2022, section 3, "Reconstruction target"
        (https://arxiv.org/abs/2111.06377).
    """

    def __init__(self, normalize=True, **kwargs):
        super().__init__(**kwargs)
        require(self, "normalize", normalize, *BOOLEAN)
        self.normalize = normalize

    def call(self, inputs):
        predicted, patches, hidden = inputs
        target = _pick(ops.cast(patches, "float32"), hidden)
        if self.normalize:
            target = standardize(target)
        differences = _pick(ops.cast(predicted, "float32"), hidden) - target
        return ops.mean(ops.square(differences), axis=-1)


@keras.saving.register_keras_serializable(package="vitlib")
class AddedLoss(keras.layers.Layer):
    """Hands on its first input, and adds the mean of its second to the loss.

    Args:
        weight: Number above 0, of that mean.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        Two tensors, of any shapes.

    Output shape:
        That of the first.

    Raises:
        ValueError: When `weight` is not a finite number above 0.
    """

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        require(self, "weight", weight, *POSITIVE)
        self.weight = weight

    def call(self, inputs):
        output, errors = inputs
        self.add_loss(self.weight * ops.mean(errors))
        return output


EPSILON = 1e-6  # of a variance; the authors' code


def standardize(patches):
    """Shifts and scales the values of each patch to mean 0 and variance 1.

    Args:
        patches: Tensor of shape `(..., L)`, floats.

    Returns:
        Tensor of the same shape.
    """
    mean, variance = ops.moments(patches, axes=-1, keepdims=True)
    return (patches - mean) / ops.sqrt(variance + EPSILON)
