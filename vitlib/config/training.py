"""Every hyper-parameter of a training, with unit and source.

A comment that says "report" points to the student report that this course re-runs;
"not in the report" marks a choice of ours, with its reason.
"""

from dataclasses import dataclass

from vitlib.config.rules import (
    BOOLEAN,
    COUNT,
    POSITIVE,
    RATE,
    SEED,
    is_index,
    is_number,
    one_of,
    or_none,
    require_all,
    require_field,
)

# "cooldown": constant, and over the last fifth of all steps linearly down to 0.
SCHEDULES = ("constant", "cosine", "cooldown")
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "mixed_bfloat16")


def _are_words(value):
    return type(value) is tuple and all(type(word) is str and word for word in value)


def _is_momentum(value):
    return value is None or (is_number(value) and 0 < value < 1)


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained: the same record for every model. Defaults: the report's.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    epochs: int = 30  # passes over the training images; report
    # Steps of an epoch in place of a whole pass: to look at a training more often.
    steps_per_epoch: int | None = None
    batch_size: int = 32  # images a step; report
    learning_rate: float = 1e-3  # the highest of the schedule; report
    # Each step takes the share learning_rate * weight_decay off every decayed weight
    # (see `make_optimizer`). The report's 1e-4 reads the same in TensorFlow Addons and
    # means 1e-4 a step there; at a learning rate of 1e-3 that is weight_decay=0.1 here.
    weight_decay: float = 1e-4
    # Weights whose name holds one of these words are not decayed. The report: none.
    decay_exclude: tuple = ()
    schedule: str = "constant"  # one of SCHEDULES; of the Keras example that it extends
    warmup_epochs: int = 0  # epochs of linear rise from 0; the report has none
    clip_norm: float | None = None  # largest global norm of the gradients; report: none
    label_smoothing: float = 0.0  # share of the target spread over all classes
    precision: str = "float32"  # one of PRECISIONS; the report's Keras default
    optimizer: str = "adamw"  # one of OPTIMIZERS; of the Keras example that it extends
    # The share that the running mean of the weights keeps at each step; what is
    # measured and kept then is that mean. None, as in the report: the weights.
    ema_momentum: float | None = None
    # Shares of the images of an epoch that have another one laid over them, or a
    # rectangle of another one pasted in (see `MixedClassification`). The report: none.
    mixup: float = 0.0
    cutmix: float = 0.0
    # Pixels to which a ViT shrinks its images in the first `first_epochs` epochs, which
    # are cheaper for it. The report: all epochs are alike.
    first_size: int | None = None
    first_epochs: int = 0
    # Whether the test images are also looked at together with their mirror images: the
    # scores of the mean logits then stand beside the others. The report: no.
    test_flip: bool = False
    seed: int = 0  # of the weights, the order of the images, dropout and augmentation

    def __post_init__(self):
        require_all(self, COUNT, "epochs", "batch_size")
        require_field(self, "steps_per_epoch", *or_none(COUNT))
        require_field(self, "learning_rate", *POSITIVE)
        rule = "a finite number of at least 0"
        require_field(self, "weight_decay", rule, lambda v: is_number(v) and v >= 0)
        require_field(self, "decay_exclude", "a tuple of words", _are_words)
        require_field(self, "schedule", *one_of(SCHEDULES))
        rule = "an integer from 0 up to, but not including, epochs"
        require_field(self, "warmup_epochs", rule, lambda v: is_index(v, self.epochs))
        require_field(self, "clip_norm", *or_none(POSITIVE))
        require_field(self, "label_smoothing", *RATE)
        require_field(self, "precision", *one_of(PRECISIONS))
        require_field(self, "optimizer", *one_of(OPTIMIZERS))
        rule = "None or a number above 0 and below 1"
        require_field(self, "ema_momentum", rule, _is_momentum)
        require_field(self, "mixup", *RATE)
        rule = "a number from 0 up to, but not including, 1, and below 1 with mixup"
        require_field(self, "cutmix", rule, self._leaves_some)
        require_field(self, "first_size", *or_none(COUNT))
        rule = (
            "an integer from 0 up to, but not including, epochs; 0 without first_size"
        )
        require_field(self, "first_epochs", rule, self._has_a_size)
        require_field(self, "test_flip", *BOOLEAN)
        require_field(self, "seed", *SEED)

    def _leaves_some(self, share):
        return is_number(share) and 0 <= share < 1 - self.mixup

    def _has_a_size(self, epochs):
        has_size = self.first_size is not None
        return is_index(epochs, self.epochs) and (has_size or epochs == 0)

    def count_steps(self, images):
        """The number of steps of an epoch, after which a training looks at itself.

        Args:
            images: Integer, the length of the training split. It is that of the whole
                data set, too, where `limit_train` repeats fewer images.
        """
        return self.steps_per_epoch or images // self.batch_size
