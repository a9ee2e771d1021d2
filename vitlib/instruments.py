"""Watch a model in its first steps: dead units, spread, gradients, its answers."""

from itertools import count, islice

import keras
import numpy as np
from keras import layers, ops

from vitlib.optimizer import AdamW
from vitlib.training import draw_order, prepare, score, seed_epoch

WATCHED = 200  # images that the instruments look at; 2 of each class in "shapes"
DEAD_BELOW = 1e-3  # a GELU is this small for all inputs below about -3.4
POOLINGS = layers.Flatten | layers.GlobalAveragePooling1D


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


@keras.saving.register_keras_serializable(package="vitlib")
class MeteredAdamW(AdamW):
    """AdamW that remembers how large the gradient of the last step was.

    `gradient_norm` is the square root of the sum of the squares of all gradients,
    before clipping. The steps are those of `AdamW`, bit for bit.

    Reference:
        Pascanu et al., 2013, section 3.2 (https://arxiv.org/abs/1211.5063): the norm
        that clipping looks at.
    """

    def build(self, variables):
        super().build(variables)
        self.gradient_norm = self.add_variable((), name="gradient_norm")

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        self.assign(self.gradient_norm, ops.sqrt(sum(squares)))


def head_layers(model):
    """Finds the head of a Vision Transformer: what comes after the blocks.

    Args:
        model: `keras.Model` from `build_vit`.

    Returns:
        The layer that pools the tokens, and the list of the hidden dense layers after
        it; the list is empty when the pooled tokens go straight to the logits.

    Raises:
        ValueError: When no layer pools the tokens of the model.
    """
    kinds = [isinstance(layer, POOLINGS) for layer in model.layers]
    if not any(kinds):
        raise ValueError(
            f"model must have a layer that pools tokens. Received: {model.name!r}."
        )
    pooling, *rest = model.layers[kinds.index(True) :]
    hidden = [layer for layer in rest[:-1] if isinstance(layer, layers.Dense)]
    return pooling, hidden


def look(model, images):
    """Lists what the head of a Vision Transformer makes of images, in prediction mode.

    Args:
        model: `keras.Model` from `build_vit`.
        images: Array of shape `(B, *input_shape)`, pixels from 0 to 255.

    Returns:
        List of float32 arrays of shape `(B, features)`: the pooled tokens, the
        activations of each hidden layer, the logits.

    Raises:
        ValueError: As `head_layers` does.
    """
    return [ops.convert_to_numpy(ops.cast(x, "float32")) for x in _head(model)(images)]


def _head(model):
    """The model with all that the head computes as its outputs."""
    pooling, hidden = head_layers(model)
    outputs = [layer.output for layer in (pooling, *hidden)]
    return keras.Model(model.input, [*outputs, model.output])


def observe(model, data, config, steps, every):
    """Trains a model as `train` does, and reads the instruments every few steps.

    The steps are the first ones of the training that the config describes. The
    instruments look at the first validation images, without dropout or augmentation.

    Args:
        model: `keras.Model` from `build_model`, a Vision Transformer.
        data: `Dataset`.
        config: `TrainConfig`.
        steps: Integer, how many steps to train.
        every: Integer, how many steps apart the readings are.

    Returns:
        Dict of lists, one value a reading. `step`; `train_loss`, the mean over the
        batches since the last reading; `gradient_norm`, of the last batch, before
        clipping; `loss`, `top1` and `top5` of the watched images as in `score`; `dead`,
        a list with the share of dead units in each hidden layer of the head;
        `token_spread` and `logit_spread`, the `spread` of the pooled tokens and of the
        logits; `answers`, the number of distinct predicted classes.

    Raises:
        ValueError: As `train` does, and when the model has no pooled tokens.
    """
    watcher = _head(model)
    prepare(model, data, config, MeteredAdamW)
    seen, losses = {}, []
    batches = islice(_batches(model, data.train, config), steps)
    for step, (images, labels) in enumerate(batches, start=1):
        losses.append(model.train_on_batch(images, labels, return_dict=True)["loss"])
        model.reset_metrics()
        if step % every == 0:
            row = {"step": step, "train_loss": float(np.mean(losses))}
            norm = ops.convert_to_numpy(model.optimizer.gradient_norm)
            row |= {"gradient_norm": float(norm)} | _read(watcher, data.validation)
            for name, value in row.items():
                seen.setdefault(name, []).append(value)
            losses = []
    return seen


def _batches(model, split, config):
    """The batches of `train`, epoch after epoch, without end."""
    for epoch in count():
        seed_epoch(model, config.seed, epoch)
        order = draw_order(config, epoch, len(split.labels))
        for rows in order.reshape(-1, config.batch_size):
            yield split.images[rows], split.labels[rows]


def _read(watcher, split):
    """What the instruments say about the first images of a split."""
    outputs = watcher.predict_on_batch(split.images[:WATCHED])
    tokens, *hidden, logits = (np.asarray(x, "float32") for x in outputs)
    return score(logits, split.labels[:WATCHED]) | {
        "dead": [dead_units(layer) for layer in hidden],
        "token_spread": spread(tokens),
        "logit_spread": spread(logits),
        "answers": distinct_answers(logits),
    }
