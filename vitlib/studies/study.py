"""What a study is: a question, and the runs that answer it at each scale."""

from dataclasses import dataclass, field
from itertools import product

from vitlib.config.families import MODEL_CONFIGS
from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.config.rules import COUNT, one_of, or_none, require_field
from vitlib.config.training import TrainConfig
from vitlib.data.sets import DATA_SETS

SCALES = ("quick", "laptop", "full")  # seconds, two CPU cores, a GPU


@dataclass(frozen=True)
class Preset:
    """A model, its training and its images, to be run by name.

    Raises:
        ValueError: When a field breaks its rule; the message names the field, the rule
            and the value.
    """

    model: ViTConfig | ResNetConfig | SmallResNetConfig
    train: TrainConfig
    data: str = "cifar100"  # one of DATA_SETS
    # How many validation images it is measured on, and as many test images; None: all.
    evaluation_images: int | None = None

    def __post_init__(self):
        rule = f"a {' or a '.join(kind.__name__ for kind in MODEL_CONFIGS)}"
        require_field(self, "model", rule, lambda v: type(v) in MODEL_CONFIGS)
        rule = "a TrainConfig"
        require_field(self, "train", rule, lambda v: type(v) is TrainConfig)
        require_field(self, "data", *one_of(tuple(DATA_SETS)))
        require_field(self, "evaluation_images", *or_none(COUNT))


@dataclass(frozen=True)
class Study:
    """A question, and the runs that answer it.

    Args:
        name: String, the folder of its records.
        question: String, one sentence.
        runs: Dict from a scale, one of `SCALES`, to the list of its runs. A run is a
            dict of the arguments of `vitlib.studies.experiment.plan`; `grid` makes such
            lists. A run may stand in several studies; its record lies in the folder of
            the first that has it.
        presets: Dict from a name to the `Preset` that comes with this study.
        watch: Boolean, whether its runs are read by the instruments after each epoch.
    """

    name: str
    question: str
    runs: dict
    presets: dict = field(default_factory=dict)
    watch: bool = False


def grid(*presets, **options):
    """Every combination of presets and options, a list standing for each of its values.

    Example:
        >>> grid("tiny", seed=[0, 1])
        [{'preset': 'tiny', 'seed': 0}, {'preset': 'tiny', 'seed': 1}]
    """
    choices = [v if isinstance(v, list) else [v] for v in options.values()]
    names = ("preset", *options)
    return [
        dict(zip(names, values, strict=True)) for values in product(presets, *choices)
    ]
