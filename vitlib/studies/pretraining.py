"""Does an encoder that has seen images without labels do better with few labels?"""

from dataclasses import asdict, replace

from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.studies.compact import STUDY as COMPACT
from vitlib.studies.study import Preset, Study, grid

PURE_VIT = COMPACT.presets["pure-vit"]

# All are to take as long: 14 epochs of labelled images on two processor cores. A step of
# the masked autoencoder is two and a half times as fast as one on whole images, so that
# its 25 epochs are worth 10, and 4 are left for fine-tuning.
SCRATCH_EPOCHS, MASKED_EPOCHS, TUNING_EPOCHS = 14, 25, 4
LABELS = [2_500, 5_000, 40_000]  # images whose labels are known; the last: all

# A decoder of a quarter of the encoder's width, as the small ViT is narrow already: He
# et al., 2022, table 1b, find that the width matters little for fine-tuning.
MASKED_VIT = MaskedAutoencoderConfig(
    **asdict(PURE_VIT.model), decoder_dim=32, decoder_heads=2
)
MASKED_TRAIN = replace(PURE_VIT.train, epochs=MASKED_EPOCHS)

# Half of the highest rate: what the encoder knows already is not to be washed out.
TUNED = {"epochs": TUNING_EPOCHS, "learning_rate": 1e-3}


def tuned(initial, **options):
    """The runs of "pure-vit" that begin with the encoder of another run."""
    return grid("pure-vit", initial=initial, **TUNED, **options)


STUDY = Study(
    name="pretraining",
    question="Does pre-training without labels help where labels are few?",
    presets={
        "masked": Preset(MASKED_VIT, MASKED_TRAIN),
    },
    runs={
        "laptop": [
            *grid("masked", seed=[0, 1, 2]),
            *grid(
                "pure-vit", train_images=LABELS, epochs=SCRATCH_EPOCHS, seed=[0, 1, 2]
            ),
            *tuned("masked", train_images=LABELS, seed=[0, 1, 2]),
        ],
    },
)
