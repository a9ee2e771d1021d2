"""What is known of one experiment."""

from dataclasses import dataclass, field, fields

from vitlib.config.families import MODEL_CONFIGS
from vitlib.config.training import TrainConfig
from vitlib.records.upgrade import SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that is known of one experiment. `run.schema.json` says the rules.

    `vitlib.training.recording` makes it, once. The first fields say which experiment it
    is: those that a training cannot know come from `Experiment.about`, and are empty
    for a training that is not to be recorded.
    """

    study: str = ""
    name: str = ""
    preset: str = ""
    overrides: dict = field(default_factory=dict)  # what differs from the preset
    scale: str = ""  # "quick", "laptop" or "full": the machine that it is meant for
    model: dict = field(default_factory=dict)  # family, and the config of the model
    command: str = ""
    # The weights that it began with: `record`, the file of the run that made them, or
    # `package`, where they were published, and their `digest`; None for random ones.
    initial: dict | None = None
    task: str  # the name of what was predicted
    seed: int
    status: str  # "finished" or "failed"
    error: str | None  # one sentence, for a failed run
    training: dict  # the TrainConfig
    data: dict  # name, fingerprint, and the sizes of the three splits
    # One list a quantity, one value a finished epoch: the scores of the task for the
    # training images as they went by, and with "val_" for the validation images after
    # the epoch; learning_rate after its last step; seconds, validation included; of a
    # watched run also what `vitlib.training.instruments.read` returns. The scores of a
    # classification: loss, top1, top5. Accuracies are fractions of 1.
    history: dict
    best_epoch: int | None  # counted from 1: the best validation score, first of equals
    test: dict | None  # the scores of the weights of best_epoch
    # SHA-256 of the file beside the record that holds these weights; None where they
    # were not kept.
    weights: str | None = None
    seconds: float  # of all epochs, those before a restart included
    images_per_second: float | None  # training images, validation time excluded
    peak_memory_bytes: int | None  # of the process, on the host
    parameters: dict  # total, trainable, non_trainable
    flops_per_image: int  # forward, a multiply-add counted as two
    device: dict  # kind, name, cores
    backend: str
    versions: dict
    git_commit: str | None
    utc: str  # when the run ended
    schema_version: int = SCHEMA_VERSION

    @property
    def model_config(self):
        """The config of its model, as `vitlib.build_model` takes it.

        Raises:
            ValueError: When the fields are not those of a config of today, as in a run
                of `vitlib.train` that was told nothing of its model.
        """
        values = dict(self.model)
        family = values.pop("family", None)
        for kind in MODEL_CONFIGS:
            if kind.family == family:
                return _config(kind, values)
        families = [kind.family for kind in MODEL_CONFIGS]
        raise ValueError(
            f"The family of a run's model must be one of {families}. "
            f"Received: {family!r}."
        )

    @property
    def train_config(self):
        """The config of its training, as `vitlib.train` takes it.

        Raises:
            ValueError: When the fields are not those of a `TrainConfig` of today.
        """
        return _config(TrainConfig, self.training)


def _config(kind, values):
    """A config of the values of a record, where a tuple is a list."""
    names = {field.name for field in fields(kind)}
    if wrong := sorted(names ^ values.keys()):
        raise ValueError(
            f"A run must have every field of {kind.__name__}, and no other. "
            f"Received: one that differs in {', '.join(wrong)}."
        )
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return kind(**(values | lists))


def steps_at_epochs(run):
    """Lists after how many steps of training each finished epoch of a run ended."""
    names = ("steps_per_epoch", "batch_size")
    config = TrainConfig(**{name: run.training[name] for name in names})
    steps = config.count_steps(run.data.get("repeated_to", run.data["train"]))
    return [steps * (epoch + 1) for epoch in range(len(run.history["loss"]))]


def images_at_epochs(run):
    """Lists how many images had gone by when each finished epoch of a run ended."""
    return [run.training["batch_size"] * steps for steps in steps_at_epochs(run)]
