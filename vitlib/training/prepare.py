"""Make a model ready for its first step."""

import keras

from vitlib.layers.normalize import fit
from vitlib.models.walk import walk
from vitlib.training import parallel
from vitlib.training.optimizer import KINDS, make_optimizer
from vitlib.training.tasks import CLASSIFICATION, require_split


def _precisions(model):
    """What the layers of a model compute in, but for those that always take float32.

    The policy of the model itself is no help: it is the one that the process had when
    input and output were joined, whatever the layers between them were built under.
    """
    policies = {layer.dtype_policy.name for layer in walk(model) if layer.weights}
    return sorted(policies - {"float32"}) or ["float32"]


def _check(model, data, config):
    precisions, images = _precisions(model), len(data.train.labels)
    devices = parallel.count_devices()
    if precisions != [config.precision]:
        raise ValueError(
            f"The model must compute in config.precision={config.precision!r}: "
            "build it with build_model. Received: a model in "
            f"{' and '.join(map(repr, precisions))}."
        )
    if images < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the {images} training images. "
            f"Received: {config.batch_size}."
        )
    if config.batch_size % devices:
        raise ValueError(
            "batch_size must be a multiple of the devices that train together. "
            f"Received: batch_size={config.batch_size}, devices={devices}."
        )


def _adapt_normalization(model, images):
    for layer in walk(model):
        if isinstance(layer, keras.layers.Normalization):
            fit(layer, images)


def prepare(model, data, config, kind=None, task=CLASSIFICATION):
    """Makes a model ready for its first step: normalisation, optimiser, loss, metrics.

    Args:
        model: `keras.Model` from `build_model`.
        data: `Dataset`.
        config: `TrainConfig`.
        kind: As for `make_optimizer`.
        task: As `vitlib.training.tasks.Classification`.

    Raises:
        ValueError: When model and config disagree, there are fewer training images than
            a batch, the devices cannot share a batch, or a split lacks images, has
            pixels that are not finite, or targets that the task does not allow.
    """
    for name in ("train", "validation", "test"):
        require_split(getattr(data, name), name, model, task)
    _check(model, data, config)
    _adapt_normalization(model, data.train.images)
    steps = config.count_steps(len(data.train.labels))
    compile_model(model, config, steps, kind, task)
    parallel.prepare(model, data.train.images, task.targets(data.train))


def compile_model(model, config, steps_per_epoch, kind=None, task=CLASSIFICATION):
    """Gives a model the optimiser of a config, the loss and the metrics of a task.

    Args:
        model: `keras.Model` from images to logits.
        config: `TrainConfig`.
        steps_per_epoch: Integer.
        kind: As for `make_optimizer`, or another class of Keras' with its arguments.
        task: As `vitlib.training.tasks.Classification`.
    """
    model.compile(
        optimizer=make_optimizer(
            config,
            steps_per_epoch,
            parallel.sum_before_clipping(kind or KINDS[config.optimizer]),
        ),
        loss=task.loss(config),
        metrics=task.metrics(),
    )
    model.optimizer.build(model.trainable_variables)
