"""Mix other images into some of those of an epoch, and their labels in proportion."""

import keras
import numpy as np

from vitlib.training.tasks import CLASSIFICATION, Classification


class MixedClassification(Classification):
    """Name the classes of images of which some have another one mixed in.

    Its targets are shares of the C classes, `(N, C)`, that sum to 1. An image and its
    partner stand in the same batch. In a mixup the image becomes
    `s * one + (1 - s) * other`, with one s in [0, 1] an image, evenly drawn; in a
    cutmix a rectangle of the other one covers the share 1 - s of its area, at a place
    that is evenly drawn, where it may reach over the border and is then cut. The shares
    of the labels are those of what can be seen. The model itself moves and flips images
    after that.

    Args:
        config: `TrainConfig`, whose `mixup` and `cutmix` are the shares of the images.
        classes: Integer C.

    Reference:
        Zhang et al., 2018 (https://arxiv.org/abs/1710.09412), with alpha = 1; Yun et
        al., 2019, section 3.1 (https://arxiv.org/abs/1905.04899).
    """

    def __init__(self, config, classes):
        self.config, self.classes = config, classes

    def targets(self, split):
        """The whole share of the label of each image."""
        return np.eye(self.classes, dtype="float32")[split.labels]

    def vary(self, images, targets, rng):
        """Mixes partners into images: see `Classification.vary`."""
        count, kinds = len(images), rng.random(len(images))
        order, shares = self._partners(count, rng), rng.random(count).astype("float32")
        mixed, cut = images.copy(), kinds < self.config.cutmix
        for i in np.flatnonzero(cut):
            shares[i] = _paste(mixed[i], images[order[i]], shares[i], rng)
        laid = ~cut & (kinds < self.config.cutmix + self.config.mixup)
        for i in np.flatnonzero(laid):
            mixed[i] = _lay(images[i], images[order[i]], shares[i])
        shares[~(cut | laid)] = 1
        shares = shares[:, None]
        return mixed, shares * targets + (1 - shares) * targets[order]

    def _partners(self, count, rng):
        """The place of a partner for each image: one of its batch, maybe itself."""
        size = self.config.batch_size
        orders = [start + rng.permutation(size) for start in range(0, count, size)]
        return np.concatenate(orders)

    def loss(self, config):
        """The cross-entropy of shares and logits, with the label smoothing."""
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        )

    def metrics(self):
        """Those of `Classification`, for the class that an image has most of."""
        return [
            keras.metrics.CategoricalAccuracy(name="top1"),
            keras.metrics.TopKCategoricalAccuracy(5, name="top5"),
        ]

    def score(self, outputs, targets):
        """As of `Classification`."""
        return super().score(outputs, np.argmax(targets, axis=1))


def _paste(image, other, share, rng):
    """Pastes a rectangle of another image; returns the share that is still seen."""
    height, width = image.shape[:2]
    side = np.sqrt(1 - share)
    row, column = rng.random() * height, rng.random() * width
    rows, columns = (
        slice(
            *np.clip(np.round([at - side * n / 2, at + side * n / 2]), 0, n).astype(int)
        )
        for at, n in ((row, height), (column, width))
    )
    image[rows, columns] = other[rows, columns]
    hidden = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1 - hidden / (height * width)


def _lay(image, other, share):
    """The mean of two images, in their dtype; integers are rounded."""
    mean = share * image + (1 - share) * other.astype("float32")
    return np.round(mean) if image.dtype.kind in "iu" else mean


def with_mixing(task, config, classes):
    """The task as a training config has it: a classification may change its images.

    Args:
        task: As `vitlib.training.tasks.Classification`.
        config: `TrainConfig`.
        classes: Integer, the outputs of the model.

    Returns:
        `MixedClassification`, or the task itself where nothing is mixed.

    Raises:
        ValueError: When another task than a classification is to do so.
    """
    names = "mixup", "cutmix", "test_flip", "first_epochs"
    asked = [name for name in names if getattr(config, name)]
    if asked and task is not CLASSIFICATION:
        raise ValueError(
            f"{', '.join(names)} must be left as they are for what is no "
            f"classification. Received: {asked[0]} for a {task.name}."
        )
    if config.mixup or config.cutmix:
        return MixedClassification(config, classes)
    return task
