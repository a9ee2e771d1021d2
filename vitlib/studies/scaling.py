"""How the loss falls with size, images and arithmetic, and whether it can be predicted.

Every run of a budget costs as much as the others: a larger model sees fewer images. On
small scenes no image comes back; on CIFAR-100 all of them do.
"""

from dataclasses import replace

from vitlib.data.tiles import KINDS
from vitlib.studies.recipes import REPAIRED_TRAIN, TINY_VIT
from vitlib.studies.study import Preset, Study, grid

WIDTHS = (16, 32, 48, 80, 144, 240)  # of a token: 0.01 to 1.0 million parameters
# TFLOP of a training, backward passes included, and the widths trained with it. The
# smallest joins where the next could be best: a lowest point needs runs on both sides.
BUDGETS = {0.6: WIDTHS, 1.2: WIDTHS, 2.4: WIDTHS[1:], 4.8: WIDTHS[1:]}
LARGEST = 144, 9.6  # the run that is predicted before it is made
REPEATED = [2_500, 5_000, 10_000]  # different scenes, where they are repeated

# The best rate falls as a token grows: looked for at 48 and at 144, over a factor of
# sixteen. The others follow the line of 1 / width.
RATE = 0.2
OTHER_RATES = {48: [0.001, 0.002, 0.008, 0.016], 144: [0.0004, 0.0007, 0.0028, 0.0056]}


def scaled_vit(width, num_classes=5):
    """A ViT of two blocks on 16 tokens of a multiple of 16 numbers."""
    return replace(
        TINY_VIT,
        num_classes=num_classes,  # of scenes, unless told
        projection_dim=width,
        num_heads=width // 16,
        key_dim=16,
        num_layers=2,
        mlp_units=(2 * width, width),
    )


def scaled_train(width):
    """The recipe of all sizes: a constant rate, and a cooldown over the last fifth."""
    return replace(
        REPAIRED_TRAIN,
        epochs=10,
        batch_size=64,
        learning_rate=round(RATE / width, 4),
        warmup_epochs=1,
        schedule="cooldown",
    )


def forward_flops(width):
    """FLOP of a forward pass of `scaled_vit` for an image, as `count_flops` has it."""
    blocks = 2 * (2 * 16 * 8 * width**2 + 2 * 2 * 16**2 * width)
    return blocks + 2 * 16 * 192 * width + 2 * len(KINDS) * width


def steps_for(width, budget):
    """Steps of each of the ten epochs with which a training costs so many TFLOP."""
    train = scaled_train(width)
    images = budget * 1e12 / (3 * forward_flops(width))  # backward costs two forward
    return round(images / (train.epochs * train.batch_size))


def of_budget(widths, budget, seed, **options):
    """The runs of some sizes under one budget."""
    return [
        run
        for width in widths
        for run in grid(
            f"scale-{width}",
            steps_per_epoch=steps_for(width, budget),
            seed=seed,
            **options,
        )
    ]


def of_grid(budget, seed):
    """The runs of all sizes that share a budget of the grid."""
    return of_budget(BUDGETS[budget], budget, seed)


def on_photographs(width):
    """The preset of a size on CIFAR-100; an epoch is half a pass over its images."""
    train = replace(scaled_train(width), epochs=9, steps_per_epoch=312)
    return Preset(scaled_vit(width, num_classes=100), train)


STUDY = Study(
    name="scaling",
    question="How does the loss fall with size, images and arithmetic?",
    presets={
        f"scale-{width}": Preset(scaled_vit(width), scaled_train(width), "fresh-scenes")
        for width in WIDTHS
    }
    | {f"scale-cifar-{width}": on_photographs(width) for width in (48, 144, 240)},
    runs={
        "laptop": [
            # Is the rate tuned? Both ends of its range must be worse than the middle.
            *of_budget([144], 1.2, 0, learning_rate=OTHER_RATES[144]),
            *of_budget([48], 1.2, 0, learning_rate=OTHER_RATES[48]),
            # The grid; a third seed where the best sizes are.
            *(run for budget in BUDGETS for run in of_grid(budget, [0, 1])),
            *of_budget([32, 48], 0.6, 2),
            *of_budget([32, 48], 1.2, 2),
            *of_budget([48, 80], 2.4, 2),
            *of_budget([48, 80], 4.8, 2),
            # The same steps on few scenes that come back.
            *of_budget([80], 2.4, [0, 1], train_images=REPEATED),
            *grid(
                "scale-cifar-48",
                "scale-cifar-144",
                "scale-cifar-240",
                epochs=[3, 9, 27],
                seed=0,
            ),
            # Last, after `experiments/predict_largest.py` has said what will come.
            *of_budget([LARGEST[0]], LARGEST[1], [0, 1, 2]),
        ],
    },
)
