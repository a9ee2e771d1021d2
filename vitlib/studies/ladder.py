"""From a small ViT to the best that half an hour of two cores can do, rung by rung."""

from dataclasses import replace

from vitlib.studies.compact import STUDY as COMPACT
from vitlib.studies.study import Preset, Study, grid


def climb(preset, **training):
    """A preset that changes some fields of another one's training: the next rung."""
    return Preset(preset.model, replace(preset.train, **training))


# Each rung keeps what the one below it has, and takes as long: the 12 minutes of
# "compact-decay". A step of Muon takes 1.12 times one of AdamW. Its rate is the best of
# four on the validation split, after 6 epochs: 1e-3, 2e-3, 4e-3 and 8e-3 came to 52.7,
# 57.6, 59.8 and 57.9 %. Mirror images are tested beside the others from here on.
WITH_MUON = {"optimizer": "muon", "learning_rate": 4e-3, "test_flip": True}
MUON = climb(COMPACT.presets["compact-decay"], **WITH_MUON, epochs=18)
# Three cells of 8 pixels a side in place of four take two thirds of the time of a step.
SIZES = climb(MUON, first_size=24, first_epochs=15, epochs=23)
AVERAGED = climb(SIZES, ema_momentum=0.998)
# Muon for 30 minutes, and with images mixed, which more epochs may want.
HALF_HOUR = climb(MUON, epochs=40)
MIXED = climb(HALF_HOUR, cutmix=0.5)
# The same for patches of pixels: as many minutes as "pure-vit".
PURE = climb(COMPACT.presets["pure-vit"], **WITH_MUON, epochs=25)

STUDY = Study(
    name="ladder",
    question="Which changes lead from 32 % to the best in half an hour of two cores?",
    presets={
        "ladder-muon": MUON,
        "ladder-sizes": SIZES,
        "ladder-average": AVERAGED,
        "ladder-half-hour": HALF_HOUR,
        "ladder-cutmix": MIXED,
        "ladder-pure": PURE,
    },
    runs={
        "laptop": [
            *grid("small-vit", "compact", "compact-decay", seed=[0, 1, 2]),
            *grid("ladder-muon", "ladder-sizes", "ladder-average", seed=[0, 1, 2]),
            *grid("compact-half-hour", "ladder-half-hour", seed=[0, 1, 2]),
            *grid("ladder-cutmix", seed=0),
            *grid("pure-vit", "ladder-pure", seed=[0, 1, 2]),
        ],
    },
)
