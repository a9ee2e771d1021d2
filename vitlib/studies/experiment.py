"""One run of a study, or of a reader's own: a preset, a seed, and what is changed."""

from dataclasses import asdict, dataclass, field, replace

from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.config.training import TrainConfig
from vitlib.data.sets import DATA_SETS
from vitlib.studies import PRESETS, STUDIES

# What may be changed of a preset, in the order in which names of runs tell it.
OPTIONS = (
    "initial",
    "position",
    "mask_ratio",
    "train_images",
    "epochs",
    "learning_rate",
    "steps_per_epoch",
    "evaluation_images",
)
OF_MODEL = ("position", "mask_ratio")  # these are fields of the model
NEEDS = {  # the models that an option goes with, where it does not go with all
    "initial": ("ViT", ViTConfig),
    "position": ("ViT", ViTConfig),
    "mask_ratio": ("masked autoencoder", MaskedAutoencoderConfig),
}


@dataclass(frozen=True)
class Experiment:
    """A run before it is run. `plan` makes it."""

    preset: str
    seed: int
    model: ViTConfig | ResNetConfig | SmallResNetConfig
    training: TrainConfig
    overrides: dict = field(default_factory=dict)  # what differs from the preset

    @property
    def name(self):
        """The preset and what differs from it, as the record is called."""
        changes = [f"{key}-{value}" for key, value in self.overrides.items()]
        return "-".join([self.preset, *changes]).replace("_", "-")

    @property
    def study(self):
        """The first `Study` that has the run; else the first that has its preset."""
        return _home(self.preset, self.name)[0]

    @property
    def scale(self):
        """One of `SCALES`, for the machine that it is meant for."""
        return _home(self.preset, self.name)[1]

    @property
    def watch(self):
        """Whether the instruments are read, as they are where a study asks for it."""
        return self.name in _watched() or self.study.watch

    @property
    def initial(self):
        """The name of the run whose encoder it begins with, or None."""
        return self.overrides.get("initial")

    @property
    def keeps_weights(self):
        """Whether its weights are kept, as they are where a planned run needs them."""
        return any(run.initial == self.name for run, *_ in _planned())

    @property
    def data(self):
        """The name of its data set."""
        return PRESETS[self.preset].data

    @property
    def evaluation_images(self):
        """How many it is validated on, and tested; None: all there are."""
        usual = PRESETS[self.preset].evaluation_images
        return self.overrides.get("evaluation_images", usual)

    @property
    def images(self):
        """How many training images all its epochs go through."""
        steps = self.training.count_steps(DATA_SETS[self.data].train)
        return self.training.epochs * steps * self.training.batch_size

    def about(self):
        """What the record of the run says of it, as `vitlib.train` takes it."""
        return {
            "study": self.study.name,
            "name": self.name,
            "preset": self.preset,
            "overrides": self.overrides,
            "scale": self.scale,
            "model": {"family": self.model.family, **asdict(self.model)},
        }


def plan(preset, seed=0, **options):
    """Applies a seed and options to a preset.

    Args:
        preset: One of `PRESETS`, by name.
        seed: Integer, of `TrainConfig`.
        **options: Some of `OPTIONS`. None, and what the preset has anyway, change
            nothing. `initial` is the name of the run, of the same seed, whose encoder a
            ViT begins with (`vitlib.begin_with`); `position` is a field of the ViT, and
            `mask_ratio` one of a masked autoencoder; `train_images` is how many of the
            training images there are to be (`vitlib.limit_train`), `evaluation_images`
            how many it is validated on, and tested; the others are fields of
            `TrainConfig`.

    Returns:
        `Experiment`.

    Raises:
        ValueError: When there is no such preset or option, or a value breaks a rule of
            its config.
    """
    require_choice("preset", preset, PRESETS)
    for name in options:
        require_choice("option", name, OPTIONS)
    base, overrides = PRESETS[preset], {}
    model, training = base.model, replace(base.train, seed=seed)
    source = DATA_SETS[base.data]
    usual = {"train_images": source.train}  # of the options that are of the data
    usual["evaluation_images"] = base.evaluation_images or source.test
    for name in OPTIONS:
        value = options.get(name)
        if value is None:
            continue
        _require_family(name, preset, model)
        owner = model if name in OF_MODEL else training
        if value == getattr(owner, name, usual.get(name)):
            continue
        overrides[name] = value
        if name in OF_MODEL:
            model = replace(model, **{name: value})
        elif name == "epochs":  # those on smaller images keep their share
            first = training.first_epochs * value // training.epochs
            training = replace(training, epochs=value, first_epochs=first)
        elif name not in ("initial", *usual):
            training = replace(training, **{name: value})
    return Experiment(preset, seed, model, training, overrides)


def _require_family(option, preset, model):
    word, kind = NEEDS.get(option, ("model", object))
    if not isinstance(model, kind):
        raise ValueError(
            f"{option} must go with a {word}. Received: {preset}, a {model.family}."
        )


def require_choice(word, name, choices):
    """Refuses a name that is none of the choices."""
    if name not in choices:
        raise ValueError(
            f"{word} must be one of {sorted(choices)}. Received: {name!r}."
        )


def _planned():
    """Each planned run, with its study and the scale."""
    return [
        (plan(**run), study, scale)
        for study in STUDIES.values()
        for scale, runs in study.runs.items()
        for run in runs
    ]


def _home(preset, name):
    """The study and the scale to which a run belongs."""
    planned = _planned()
    homes = [where for run, *where in planned if run.name == name]
    homes += [where for run, *where in planned if run.preset == preset]
    homes += [(s, next(iter(s.runs))) for s in STUDIES.values() if preset in s.presets]
    return homes[0]


def _watched():
    return {planned.name for planned, study, _ in _planned() if study.watch}


def file_name(name, seed):
    """What the record of a run is called, without the ending."""
    return f"{name}-seed{seed}"


def runs_of(study):
    """The runs that a `Study` asks for, by the names of their files."""
    return {
        file_name(planned.name, planned.seed)
        for planned, home, _ in _planned()
        if home is study
    }
