"""Does an encoder that has seen images without labels do better with few labels?"""

from dataclasses import asdict, replace

from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.studies.compact import STUDY as COMPACT
from vitlib.studies.recipes import TINY_TRAIN, TINY_VIT
from vitlib.studies.study import Preset, Study, grid

PURE_VIT = COMPACT.presets["pure-vit"]

# All are to take as long: 14 epochs of labelled images on two processor cores. A step
# of the masked autoencoder is two and a half times as fast as one on whole images, so
# that its 25 epochs are worth 10, and 4 are left for fine-tuning.
SCRATCH_EPOCHS, MASKED_EPOCHS, TUNING_EPOCHS = 14, 25, 4
LABELS = [2_500, 5_000, 40_000]  # images whose labels are known; the last: all
FEW = LABELS[0]
NEW_LABELS = 500  # of the 20 new classes: 25 an image class, as in FEW

# A decoder of a quarter of the encoder's width, as the small ViT is narrow already: He
# et al., 2022, table 1b, find that the width matters little for fine-tuning.
MASKED_VIT = MaskedAutoencoderConfig(
    **asdict(PURE_VIT.model), decoder_dim=32, decoder_heads=2
)
MASKED_TRAIN = replace(PURE_VIT.train, epochs=MASKED_EPOCHS)

# Half of the highest rate: what the encoder knows already is not to be washed out.
TUNED = {"epochs": TUNING_EPOCHS, "learning_rate": 1e-3}

# The same for a GPU: an encoder of 8 million parameters, and as long as its authors'
# shorter trainings (He et al., 2022, figure 7).
LARGE = COMPACT.presets["small-image-vit"]
MASKED_LARGE_VIT = MaskedAutoencoderConfig(
    **asdict(LARGE.model), decoder_dim=192, decoder_heads=6
)
MASKED_LARGE_TRAIN = replace(
    LARGE.train, epochs=400, batch_size=512, learning_rate=2e-3, warmup_epochs=4
)

# For a chapter that is read on a laptop. Patches of 4 x 4 pixels: what a tile of the
# drawn scenes holds has nothing to do with the next tile, so that a patch as large as a
# tile could not be guessed from others. Half is hidden, as a shape has four patches.
TINY_SEEN = replace(TINY_VIT, patch_size=4, num_layers=2, position="2d")
MASKED_TINY_VIT = MaskedAutoencoderConfig(
    **asdict(TINY_SEEN), mask_ratio=0.5, normalize_patches=False
)
MASKED_TINY_TRAIN = replace(
    TINY_TRAIN,
    epochs=4,
    steps_per_epoch=312,
    batch_size=32,
    learning_rate=3e-3,
    warmup_epochs=2,
)
TUNED_TINY_TRAIN = replace(TINY_TRAIN, epochs=3, steps_per_epoch=40, learning_rate=3e-3)


def tuned(initial, **options):
    """The runs of "pure-vit" that begin with the encoder of another run."""
    return grid("pure-vit", initial=initial, **TUNED, **options)


def of_classes(count, data, epochs):
    """The preset "pure-vit" on a part of the classes."""
    model = replace(PURE_VIT.model, num_classes=count)
    return Preset(model, replace(PURE_VIT.train, epochs=epochs), data)


STUDY = Study(
    name="pretraining",
    question="Does pre-training without labels help where labels are few?",
    presets={
        "masked-tiny": Preset(MASKED_TINY_VIT, MASKED_TINY_TRAIN, "shapes"),
        "tuned-tiny": Preset(TINY_SEEN, TUNED_TINY_TRAIN, "shapes"),
        "masked": Preset(MASKED_VIT, MASKED_TRAIN),
        # What does it need to see? Drawn scenes, twice as often, and plain noise. A
        # scene that is flipped is one of another class, so none is.
        "masked-shapes": Preset(
            replace(MASKED_VIT, augmentation="none"),
            replace(MASKED_TRAIN, epochs=2 * MASKED_EPOCHS),
            "shapes",
        ),
        "masked-noise": Preset(MASKED_VIT, MASKED_TRAIN, "noise"),
        # Both losses at once, as in Das et al., 2024: a step costs as much as both.
        "masked-and-labels": Preset(
            replace(MASKED_VIT, learn_labels=True), replace(PURE_VIT.train, epochs=10)
        ),
        # With labels, of other classes. Their epochs are shorter in the same measure.
        "old-classes": of_classes(80, "cifar100-old", 12),
        "new-classes": of_classes(20, "cifar100-new", 5 * SCRATCH_EPOCHS),
        "masked-large": Preset(MASKED_LARGE_VIT, MASKED_LARGE_TRAIN),
    },
    runs={
        "quick": [
            *grid("masked-tiny", seed=0),
            *grid("tuned-tiny", initial="masked-tiny", train_images=500, seed=0),
            *grid("tuned-tiny", train_images=500, seed=0),
        ],
        "laptop": [
            *grid("masked", seed=[0, 1, 2]),
            *tuned("masked", train_images=LABELS, seed=[0, 1, 2]),
            *grid(
                "pure-vit", train_images=LABELS, epochs=SCRATCH_EPOCHS, seed=[0, 1, 2]
            ),
            *grid("masked-shapes", "masked-noise", "old-classes", seed=[0, 1, 2]),
            *tuned(["masked-shapes", "masked-noise"], train_images=FEW, seed=[0, 1, 2]),
            *grid("masked-and-labels", train_images=FEW, seed=[0, 1, 2]),
            *grid("new-classes", train_images=NEW_LABELS, seed=[0, 1, 2]),
            *grid(
                "new-classes",
                initial=["masked", "old-classes"],
                train_images=NEW_LABELS,
                **TUNED | {"epochs": 5 * TUNING_EPOCHS},
                seed=[0, 1, 2],
            ),
        ],
        "full": [
            *grid("masked-large", seed=[0, 1, 2]),
            *grid("small-image-vit", train_images=LABELS, seed=[0, 1, 2]),
            *grid(
                "small-image-vit",
                initial="masked-large",
                train_images=LABELS,
                seed=[0, 1, 2],
            ),
        ],
    },
)
