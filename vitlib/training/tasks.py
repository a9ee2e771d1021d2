"""What a training predicts, how it is scored, and which score picks the epoch."""

import keras
import numpy as np

from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.training import parallel
from vitlib.training.detection import Detection
from vitlib.training.losses import CrossEntropy, MeanOutput
from vitlib.training.segmentation import Segmentation

EVALUATION_BATCH = 500  # images; divides 2,000 and 10,000: one compilation on JAX
PERCENT = 100


class Classification:
    """Name the class of an image, one of C: from the image to C logits.

    A task is what a training needs to know of its purpose. `name` is that of its
    records. `scores` are the names of what `score` returns: each has a list in the
    history for the validation images, as in `val_top1`; `train_scores`, the loss and
    the names of `metrics`, have one for the training images as they went by. The epoch
    whose score `monitor` on the validation images is best, by `mode` the largest
    ("max") or the smallest ("min"), gives the weights that are kept.
    """

    name = "classification"
    scores = train_scores = ("loss", "top1", "top5")
    monitor, mode = "top1", "max"

    def of(self, config):
        """The task as a model of this config does it: the same for all of them."""
        return self

    def require(self, split, name, model):
        """Refuses a `Split`, of this name, whose labels are no classes of a model.

        Raises:
            ValueError: When they are not integers, one an image, from 0 to C - 1.
        """
        labels, classes = split.labels, model.outputs[0].shape[-1]
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            kind = f"{labels.dtype} of shape {labels.shape}"
            raise ValueError(
                f"The labels of the {name} split must be integers of shape (N,). "
                f"Received: {kind}."
            )
        least, most = int(labels.min()), int(labels.max())
        if least < 0 or most >= classes:
            raise ValueError(
                f"The labels of the {name} split must be from 0 to {classes - 1}, for "
                f"the model has {classes} outputs. Received: {least} to {most}."
            )

    def targets(self, split):
        """What the model is to predict for each image of a `Split`: its label."""
        return split.labels

    def vary(self, images, targets, rng):
        """Varies the images of an epoch and what is to be predicted of them together.

        Args:
            images: Array of shape `(n, H, W, C)`, in the order in which they are taken.
            targets: Array of n rows.
            rng: `numpy.random.Generator` made of the seed and the epoch.

        Returns:
            Images and targets, here as they are: the model varies its images itself.
        """
        return images, targets

    def loss(self, config):
        """`CrossEntropy` with the label smoothing of a `TrainConfig`."""
        return CrossEntropy(config.label_smoothing)

    def metrics(self):
        """New metrics of Keras', for the training images as they go by."""
        return [
            keras.metrics.SparseCategoricalAccuracy(name="top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"),
        ]

    def score(self, outputs, targets):
        """Measures outputs of the model: see the function `score`."""
        return score(outputs, targets)

    def tell(self, history):
        """How good the last epoch was, in a few words."""
        return (
            f"top-1 {PERCENT * history['top1'][-1]:.1f} % in training, "
            f"{PERCENT * history['val_top1'][-1]:.1f} % in validation"
        )


CLASSIFICATION = Classification()


class Reconstruction(Classification):
    """Fill in hidden patches: from the image to the error of each, `(batch, M)`.

    Labels play no part: any will do. See `build_masked_autoencoder`.
    """

    name = "reconstruction"
    scores = train_scores = ("loss",)
    monitor, mode = "loss", "min"

    def require(self, split, name, model):
        """Refuses nothing: whatever the labels are, they are not looked at."""

    def loss(self, config):
        """`MeanOutput`, whatever the `TrainConfig`."""
        return MeanOutput()

    def metrics(self):
        """None."""
        return []

    def score(self, outputs, targets):
        """The mean error of a hidden patch, `loss`."""
        return {"loss": float(np.mean(outputs, dtype="float64"))}

    def tell(self, history):
        """How good the last epoch was, in a few words."""
        return f"{history['val_loss'][-1]:.3f} in validation"


TASKS = {
    task.name: task
    for task in (
        CLASSIFICATION,
        Reconstruction(),
        Segmentation(SegmentationConfig()),
        Detection(DetectionConfig()),
    )
}


def require_split(split, name, model, task):
    """Refuses what would train or be measured, and fail or mislead after hours.

    Args:
        split: `Split`.
        name: String, what messages call it.
        model: `keras.Model` from images to what the task predicts.
        task: As `Classification`.

    Raises:
        ValueError: When images or labels are no arrays, there are no images or not a
            label for each, the images are no finite numbers of the shape that the model
            takes, or the task does not allow the targets.
    """
    for part in ("images", "labels"):
        if not isinstance(value := getattr(split, part), np.ndarray):
            raise ValueError(
                f"The {part} of the {name} split must be a NumPy array. "
                f"Received: {type(value).__name__}."
            )
    images, wanted = split.images, model.inputs[0].shape
    if not len(images) or len(images) != len(split.labels):
        raise ValueError(
            f"The {name} split must have at least one image, and a label for each. "
            f"Received: {len(images)} images, {len(split.labels)} labels."
        )
    fits = images.ndim == len(wanted) and all(
        side in (None, size) for side, size in zip(wanted, images.shape, strict=True)
    )
    if not fits or images.dtype.kind not in "uif":
        raise ValueError(
            f"The images of the {name} split must be numbers of shape {wanted}, as the "
            f"model takes them. Received: {images.dtype} of shape {images.shape}."
        )
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise ValueError(
            f"The pixels of the {name} split must be finite. Received: NaN or inf."
        )
    task.require(split, name, model)


def evaluate(model, split, task=CLASSIFICATION, flip=False):
    """Measures a model on a split, in one deterministic pass.

    Args:
        model: `keras.Model` from images to what the task predicts.
        split: `Split`.
        task: As `Classification`, the default.
        flip: Boolean, whether the outputs are the mean of those for an image and for
            its mirror image.

    Returns:
        Dict of the `scores` of the task; for classification as `score` gives it.

    Raises:
        ValueError: As `require_split` says.
    """
    require_split(split, "given", model, task)
    outputs = _predict(model, split.images)
    if flip:
        outputs = (outputs + _predict(model, split.images[:, :, ::-1])) / 2
    return task.score(outputs, task.targets(split))


def _predict(model, images):
    starts = range(0, len(images), EVALUATION_BATCH)
    batches = (images[i : i + EVALUATION_BATCH] for i in starts)
    return np.concatenate([parallel.predict(model, batch) for batch in batches])


def score(logits, labels):
    """Measures how well logits name the classes.

    Args:
        logits: Array of shape `(N, C)`.
        labels: Integer array of shape `(N,)`.

    Returns:
        Dict: `loss`, the mean cross-entropy in nats, without label smoothing; `top1`
        and `top5`, fractions of the images. Equal logits count in the order of the
        classes, so a constant predictor gets 1 / C and 5 / C on balanced labels.
    """
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    of_label = np.take_along_axis(log_probabilities, labels[:, None], axis=1)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :5] == labels[:, None]
    return {
        "loss": float(-of_label.mean()),
        "top1": float(best[:, 0].mean()),
        "top5": float(best.any(axis=1).mean()),
    }
