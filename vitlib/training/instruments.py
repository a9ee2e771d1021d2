"""What tells whether a model is alive: dead units, spread, gradients, its answers."""

import keras
import numpy as np
from keras import layers, ops

from vitlib.models.walk import find, walk
from vitlib.training.optimizer import AdamW, Muon

WATCHED = 200  # images that the instruments look at; 2 of each class in "shapes"
# What `read` returns, and with them the gradient norm: one value a reading.
READINGS = "gradient_norm dead token_spread logit_spread answers".split()
DEAD_BELOW = 1e-3  # a GELU is this small for all inputs below about -3.4
POOLING_LAYERS = (
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
)


def dead_units(activations, threshold=DEAD_BELOW):
    """Measures the share of units that are silent for every image.

    Such a unit tells no image from another, and lets (nearly) no gradient through.

    Args:
        activations: Array of shape `(B, units)`, after the activation function.
        threshold: Float. An activation of a smaller size counts as silence.

    Returns:
        Float from 0 to 1.

    Reference:
        For the ReLU: Lu et al., 2020 (https://arxiv.org/abs/1903.06733). A GELU never
        is exactly 0 over a range, so a threshold is needed.
    """
    loudest = np.abs(activations).max(axis=0)
    return float((loudest < threshold).mean())


def spread(features):
    """Measures how much images differ: the standard deviation over the images.

    Args:
        features: Array of shape `(B, features)`, one row an image.

    Returns:
        Float, the mean over the features; 0 when all rows are the same.
    """
    return float(np.std(features, axis=0, dtype="float64").mean())


def distinct_answers(logits):
    """Counts the classes that a model names at least once: 1 when it is constant.

    Args:
        logits: Array of shape `(B, C)`.

    Returns:
        Integer from 1 to C.
    """
    return len(np.unique(np.argmax(logits, axis=1)))


class _Metered:
    """An optimiser that remembers how large the gradient of the last step was."""

    def build(self, variables):
        super().build(variables)
        # Where several devices train together, each has the same norm.
        self.gradient_norm = self.add_variable(
            (), name="gradient_norm", aggregation="only_first_replica"
        )

    def _clip_gradients(self, grads):
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        self.assign(self.gradient_norm, ops.sqrt(sum(squares)))
        return super()._clip_gradients(grads)


@keras.saving.register_keras_serializable(package="vitlib")
class MeteredAdamW(_Metered, AdamW):
    """AdamW that remembers how large the gradient of the last step was.

    `gradient_norm` is the square root of the sum of the squares of all gradients,
    before clipping. The steps are those of `AdamW`, bit for bit.

    Reference:
        Pascanu et al., 2013, section 3.2 (https://arxiv.org/abs/1211.5063): the norm
        that clipping looks at.
    """


@keras.saving.register_keras_serializable(package="vitlib")
class MeteredMuon(_Metered, Muon):
    """Muon that remembers it, too: see `MeteredAdamW`."""


METERED = {"adamw": MeteredAdamW, "muon": MeteredMuon}


def head_layers(model):
    """Finds the head of a model: what comes after its last map or its tokens.

    Args:
        model: `keras.Model` from `build_vit`, `build_resnet` or `build_small_resnet`.

    Returns:
        The layer that pools, and the list of the hidden dense layers after it; the list
        is empty when what was pooled goes straight to the logits.

    Raises:
        ValueError: When no layer of the model pools.
    """
    found = list(walk(model))
    pooling = find(model, POOLING_LAYERS)[0]
    rest = found[found.index(pooling) + 1 :]
    hidden = [layer for layer in rest[:-1] if isinstance(layer, layers.Dense)]
    return pooling, hidden


def watch_head(model):
    """The same model, with all that its head computes as outputs.

    Args:
        model: As for `head_layers`.

    Returns:
        `keras.Model` that shares all layers. Its outputs are a list: what was pooled,
        the activations of each hidden layer, the logits, each of shape `(B, features)`.

    Raises:
        ValueError: As `head_layers` does.
    """
    pooling, hidden = head_layers(model)
    outputs = [layer.output for layer in (pooling, *hidden)]
    return keras.Model(model.input, [*outputs, model.output])


def look(model, images):
    """Lists what the head of a model makes of images, in prediction mode.

    Args:
        model: As for `head_layers`.
        images: Array of shape `(B, *input_shape)`, pixels from 0 to 255.

    Returns:
        List of float32 arrays of shape `(B, features)`, as `watch_head` orders them.

    Raises:
        ValueError: As `head_layers` does.
    """
    outputs = watch_head(model)(images)
    return [ops.convert_to_numpy(ops.cast(x, "float32")) for x in outputs]


def read(optimizer, outputs):
    """Reads the instruments.

    Args:
        optimizer: `MeteredAdamW` of the training.
        outputs: Arrays as `watch_head` orders them, for the watched images.

    Returns:
        Dict: `gradient_norm`, of the last batch, before clipping; `dead`, a list with
        the share of dead units in each hidden layer; `token_spread` and `logit_spread`,
        the `spread` of what was pooled and of the logits; `answers`, the number of
        distinct predicted classes.
    """
    tokens, *hidden, logits = (np.asarray(x, "float32") for x in outputs)
    return {
        "gradient_norm": float(ops.convert_to_numpy(optimizer.gradient_norm)),
        "dead": [dead_units(layer) for layer in hidden],
        "token_spread": spread(tokens),
        "logit_spread": spread(logits),
        "answers": distinct_answers(logits),
    }
