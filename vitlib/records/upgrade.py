"""Read records of every version of the schema as if they were of the newest one."""

from vitlib.data.sets import DATA_SETS

# 2: steps_per_epoch and head_init_scale in the configs; the instruments in the history;
# the digest of the file.
# 3: `scale` in place of `profile`; `task` and `initial`; `repeated_to` of the data.
# 4: `weights`.
# 5: what the ladder varies, in the configs; the scores of `test_flip`.
SCHEMA_VERSION = 5
# What the records of the fourth version did: the fields have come since.
FOURTH_TRAINING = {
    "optimizer": "adamw",
    "ema_momentum": None,
    "mixup": 0.0,
    "cutmix": 0.0,
    "first_size": None,
    "first_epochs": 0,
    "test_flip": False,
}
FOURTH_MODEL = {"patch_dropout": 0.0}
VITS = "vit", "masked-autoencoder", "segmentation", "detection"

# What a preset was called while a study had presets of its own for the same runs.
RENAMED = {
    "data-size-vit": "small-vit",
    "data-size-resnet": "small-resnet",
    "data-size-fair-vit": "fair-vit",
    "data-size-fair-resnet": "fair-resnet",
}


def upgrade(record):
    """Turns a record of any version into one of `SCHEMA_VERSION`.

    Args:
        record: What a JSON file held, without its digest. What is no record stays as it
            is, for the schema to refuse.

    Returns:
        The record, or a new dict.
    """
    steps = {1: _from_first, 2: _from_second, 3: _from_third, 4: _from_fourth}
    while (version := _version(record)) in steps:
        record = steps[version](record) | {"schema_version": version + 1}
    return record


def _version(record):
    version = record.get("schema_version") if type(record) is dict else None
    return version if type(version) is int else None


def _from_first(record):
    training, model = record.get("training"), record.get("model")
    if type(training) is dict:
        training = {"steps_per_epoch": None} | training
    if type(model) is dict and model.get("family") == "vit":
        model = {"head_init_scale": 1.0} | model
    return record | {"training": training, "model": model}


def _from_second(record):
    rest = {key: value for key, value in record.items() if key != "profile"}
    old = record.get("preset")
    if type(old) is str and old in RENAMED:
        for key in ("preset", "name", "command"):
            rest[key] = str(record.get(key)).replace(old, RENAMED[old], 1)
    data, overrides = record.get("data"), record.get("overrides")
    if type(data) is type(overrides) is dict and "train_images" in overrides:
        if source := DATA_SETS.get(str(data.get("name"))):
            rest["data"] = {"repeated_to": source.train} | data
    added = {"scale": record.get("profile"), "task": "classification", "initial": None}
    return rest | added


def _from_third(record):
    return {"weights": None} | record


def _from_fourth(record):
    training, model = record.get("training"), record.get("model")
    if type(training) is dict:
        training = FOURTH_TRAINING | training
    if type(model) is dict and model.get("family") in VITS:
        model = FOURTH_MODEL | model
    return record | {"training": training, "model": model}
