"""What a training makes small, where a class or an error is predicted."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vitlib")
class CrossEntropy(keras.losses.Loss):
    """The cross-entropy of classes and logits, in nats.

    Args:
        label_smoothing: Number in [0, 1), the share of the target that is spread over
            all classes.
        **kwargs: Passed to `keras.losses.Loss` (`name`, `dtype`, ...).

    Input shape:
        Labels `(B,)` and logits `(B, C)`; or of pixels, `(B, H, W)` and
        `(B, H, W, C)`.

    Reference:
        Szegedy et al., 2016, section 7 (https://arxiv.org/abs/1512.00567).
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}

    def call(self, labels, logits):
        labels = ops.reshape(labels, (-1, *logits.shape[1:-1]))
        labels = ops.cast(labels, "int32")  # Keras hands on floats
        targets = ops.one_hot(labels, logits.shape[-1])
        return keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=self.label_smoothing
        )


@keras.saving.register_keras_serializable(package="vitlib")
class MeanOutput(keras.losses.Loss):
    """What the model puts out, averaged: it has compared by itself.

    Args:
        **kwargs: Passed to `keras.losses.Loss` (`name`, `dtype`, ...).

    Input shape:
        Anything, which is not looked at, and errors `(B, ...)`.
    """

    def call(self, _, errors):
        return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))
