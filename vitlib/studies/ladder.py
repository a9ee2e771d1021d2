"""From a small ViT to the best that half an hour of two cores can do, rung by rung."""

from dataclasses import replace

from vitlib.studies.compact import STUDY as COMPACT
from vitlib.studies.recipes import COMPACT_TRAIN, COMPACT_VIT
from vitlib.studies.study import Preset, Study, grid

PURE = COMPACT.presets["pure-vit"]
HALF_HOUR = COMPACT.presets["compact-half-hour"]


def climb(preset, model=None, **training):
    """A preset that changes some fields of another one: the next rung."""
    changed = replace(preset.train, **training)
    return Preset(replace(preset.model, **(model or {})), changed)


# Patches under convolutions in place of patches of pixels: otherwise as "pure-vit", for
# as many minutes. "compact-half-hour" adds the decay.
STEM = Preset(COMPACT_VIT, replace(COMPACT_TRAIN, epochs=45))

# Each rung keeps what the one below it has. The number of epochs is what 30 minutes
# allow. Mirror images are tested beside the others from the first rung of ours on.
MUON = climb(HALF_HOUR, optimizer="muon", test_flip=True, epochs=40)
MIXED = climb(MUON, cutmix=0.5)
AVERAGED = climb(MIXED, ema_momentum=0.998)
# Three cells of 8 pixels a side in place of four take 0.6 of the time of a step.
SIZES = climb(AVERAGED, first_size=24, first_epochs=33, epochs=52)

# The same for patches of pixels, which have too few epochs to need other images.
PURE_MUON = climb(PURE, optimizer="muon", test_flip=True)
PURE_SIZES = climb(PURE_MUON, first_size=24, first_epochs=30, epochs=46)
PURE_AVERAGED = climb(PURE_SIZES, ema_momentum=0.998)

STUDY = Study(
    name="ladder",
    question="Which changes lead from 32 % to the best in half an hour of two cores?",
    presets={
        "ladder-stem": STEM,
        "ladder-muon": MUON,
        "ladder-cutmix": MIXED,
        "ladder-average": AVERAGED,
        "ladder-sizes": SIZES,
        "ladder-pure-muon": PURE_MUON,
        "ladder-pure-sizes": PURE_SIZES,
        "ladder-pure-average": PURE_AVERAGED,
    },
    runs={
        "laptop": [
            *grid("small-vit", seed=[0, 1, 2]),
            *grid("small-vit", epochs=30, seed=0),
            *grid("pure-vit", "ladder-stem", "compact-half-hour", seed=0),
            *grid("ladder-muon", "ladder-cutmix", "ladder-average", seed=0),
            *grid("ladder-sizes", "ladder-pure-average", seed=[0, 1, 2]),
            *grid("ladder-pure-muon", "ladder-pure-sizes", seed=0),
        ],
    },
)
