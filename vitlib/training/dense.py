"""What the tasks that say where something is have in common."""

from vitlib.data.class_maps import require_things
from vitlib.data.moves import draw_moves, move_planes


class DenseTask:
    """A task as `vitlib.training.tasks.Classification`, of images with marked things.

    Args:
        config: `SegmentationConfig` or `DetectionConfig` of the model.
    """

    def __init__(self, config):
        self.config = config

    def of(self, config):
        """The task as a model of this config does it."""
        return type(self)(config)

    def require(self, split, name, model):
        """Refuses a `Split`, of this name, that does not say what is where.

        Raises:
            ValueError: As `vitlib.data.class_maps.require_things` says, and where no
                image has a thing: then there is nothing to measure.
        """
        require_things(split, name, self.config.num_kinds)
        if not (split.kinds >= 0).any():
            raise ValueError(
                f"The {name} images must show at least one thing. "
                f"Received: {len(split.kinds)} images without any."
            )

    def vary(self, images, targets, rng):
        """Flips and moves images and targets together, by up to `config.moves` pixels.

        Args:
            images: Array of shape `(n, H, W, C)`.
            targets: Array of n rows, from `targets`.
            rng: `numpy.random.Generator`.

        Returns:
            Images and targets.
        """
        if not self.config.moves:
            return images, targets
        moves = draw_moves(len(images), rng, self.config.moves)
        return move_planes(images, moves), self._move(targets, moves)
