"""Say what a recorded run does otherwise than the report."""

from dataclasses import asdict

from vitlib.data.sets import DATA_SETS
from vitlib.studies.recipes import REPORT_RESNET, REPORT_TRAIN, REPORT_VIT

# What a row says of an entry that is not the report's, in this order.
MODEL_WORDS = {
    "normalize": "normalised",
    "pooling": "{} pooling",
    "head_units": "head of {}",
    "head_dropout": "head dropout {:g}",
    "patch_dropout": "patch dropout {:g}",
    "head_init_scale": "head starts at {:g} times",
    "position": "position {}",
    "augmentation": "augmentation {}",
}
TRAINING_WORDS = {
    "epochs": "{} epochs",
    "steps_per_epoch": "of {} steps",
    "precision": "{}",
    "batch_size": "batch {}",
    "learning_rate": "rate {:g}",
    "weight_decay": "decay {:g}",
    "decay_exclude": "in part",
    "schedule": "{}",
    "warmup_epochs": "warm-up {}",
    "clip_norm": "clipped at {:g}",
    "label_smoothing": "smoothing {:g}",
    "optimizer": "{}",
    "ema_momentum": "mean of weights {:g}",
    "mixup": "mixup {:g}",
    "cutmix": "cutmix {:g}",
    "first_size": "first at {} pixels",
    "first_epochs": "for {} epochs",
    "test_flip": "tested mirrored, too",
}
PARTS = {"train": "training", "test": "test"}


def what_changed(run):
    """Says in words all that a run does not have as the report has it.

    Args:
        run: `Run`.

    Returns:
        String: every entry of the training that is not the report's, and of the model
        those of the head, the position and the augmentation; "other model" stands for
        all else. It also tells where fewer images were trained on or tested. "-" where
        nothing changed.
    """
    told = _changes_of_the_model(run.model)
    told += _words(run.training, asdict(REPORT_TRAIN), TRAINING_WORDS)
    if (whole := DATA_SETS.get(run.data["name"])) is None:  # one's own
        told.append(f"data set {run.data['name']}")
        return ", ".join(told)
    for part in ("train", "test"):
        if (size := run.data[part]) < getattr(whole, part):
            told.append(f"{size:,} {PARTS[part]} images")
    return ", ".join(told) or "-"


def _changes_of_the_model(model):
    """The names of the parts that change, where all but these is the report's."""
    reports = {config.family: asdict(config) for config in (REPORT_VIT, REPORT_RESNET)}
    report = reports.get(model["family"])
    others = {"family", *MODEL_WORDS}
    if report and all(_same(model[k], report[k]) for k in model.keys() - others):
        return _words(model, report, MODEL_WORDS)
    told = {"augmentation": model["augmentation"].removeprefix("report_")}
    report = {"augmentation": model["family"]}
    return ["other model", *_words(told, report, MODEL_WORDS)]


def _words(config, report, words):
    return [
        word.format(config[name]).removeprefix("mixed_")
        for name, word in words.items()
        if name in config and not _same(config[name], report[name])
    ]


def _same(value, other):
    """Whether two entries are equal; a record has lists where a config has tuples."""
    plain = [list(v) if isinstance(v, tuple) else v for v in (value, other)]
    return plain[0] == plain[1]
