"""The studies: which runs there are, and why. No module here needs Keras."""

from vitlib.studies import (
    compact,
    comparison,
    data_size,
    dead_units,
    dense,
    diagnosis,
    explorer,
    ladder,
    positions,
    positions_long,
    pretraining,
    repair,
    report,
    scaling,
    tiny,
)

# A run that stands in several studies is recorded in the first of them.
MODULES = (
    report,
    diagnosis,
    dead_units,
    repair,
    positions,
    positions_long,
    comparison,
    data_size,
    compact,
    ladder,
    pretraining,
    dense,
    scaling,
    tiny,
    explorer,
)
STUDIES = {module.STUDY.name: module.STUDY for module in MODULES}
PRESETS = {name: p for study in STUDIES.values() for name, p in study.presets.items()}

# What a chapter trains while it is read, by the profile of its notebook.
PROFILE_PRESETS = {
    "quick": PRESETS["tiny"],
    "laptop": PRESETS["small-vit"],
    "full": PRESETS["pooled-vit"],
}
# The residual network that a chapter trains beside it.
PROFILE_RESNETS = {
    "quick": PRESETS["tiny-resnet"],
    "laptop": PRESETS["small-resnet"],
    "full": PRESETS["cifar-resnet"],
}
