"""Both families on fewer images, in as many steps."""

from vitlib.studies.study import Study, grid

IMAGES = [2_500, 5_000, 10_000, 20_000, 40_000]  # the last: all there are

STUDY = Study(
    name="data-size",
    question="Who needs more images?",
    runs={
        "laptop": grid("small-vit", "small-resnet", train_images=IMAGES, seed=[0, 1]),
        "full": grid("fair-vit", "fair-resnet", train_images=IMAGES, seed=[0, 1]),
    },
)
