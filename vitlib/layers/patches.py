"""Cut images into square patches, and put the patches back together."""

import math

import keras
from keras import ops

from vitlib.config.rules import COUNT, require
from vitlib.layers.inputs import require_numbers, require_shape


@keras.saving.register_keras_serializable(package="vitlib")
class Patches(keras.layers.Layer):
    """Cuts each image into a sequence of flattened, non-overlapping patches.

    Patches are read left to right, then top to bottom. Inside a patch the
    pixel values keep the order (row, column, channel). No weights are learned.

    With height H, width W, channels C and patch size P, the sequence length is
    N = (H / P) * (W / P) and each patch is a vector of P * P * C values.

    Args:
        patch_size: Integer P. Side of a patch, in pixels. Must divide the
            height and the width of the images.
        **kwargs: Passed to `keras.layers.Layer` (`name`, `dtype`, ...).

    Input shape:
        `(batch, H, W, C)`, channels last.

    Output shape:
        `(batch, N, P * P * C)`.

    Raises:
        ValueError: When `patch_size` is not a positive integer, when the layer is
            built on images whose height or width is unknown or is not a multiple of
            `patch_size`, or when they hold neither floats nor integers.

    Example:
        >>> from keras import ops
        >>> patches = Patches(patch_size=6)(ops.ones((2, 72, 72, 3)))
        >>> tuple(patches.shape)
        (2, 144, 108)

    Reference:
        Dosovitskiy et al., 2021, section 3.1, equation 1
        (https://arxiv.org/abs/2010.11929).
    """

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        require(self, "patch_size", patch_size, *COUNT)
        self.patch_size = patch_size

    def build(self, input_shape):
        require_shape(self, input_shape, "batch", "height", "width", "channels")
        words = f"a multiple of patch_size={self.patch_size}"
        for name, size in zip(("height", "width"), input_shape[1:3], strict=True):
            require(self, name, size, words, lambda v: v % self.patch_size == 0)

    def call(self, images):
        require_numbers(self, images)
        _, height, width, channels = images.shape
        size = self.patch_size
        rows, columns = height // size, width // size
        x = ops.reshape(images, (-1, rows, size, columns, size, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))  # (B, rows, columns, P, P, C)
        return ops.reshape(x, (-1, rows * columns, size * size * channels))


def join_patches(patches, image_size):
    """Puts a sequence of patches back together: the inverse of `Patches`.

    The patch size P follows from the count: N patches of P * P pixels fill H * W.

    Args:
        patches: Tensor of shape `(batch, N, P * P * C)`, ordered as `Patches`
            orders them.
        image_size: `(H, W)`, height and width of the images in pixels.

    Returns:
        Tensor of shape `(batch, H, W, C)`.

    Raises:
        ValueError: When N square patches of this length cannot tile such an image.
    """
    height, width = image_size
    _, num_patches, length = patches.shape
    size = math.isqrt(height * width // num_patches)
    rows, columns = height // max(size, 1), width // max(size, 1)
    tiles = (rows * size, columns * size) == (height, width)
    if not tiles or rows * columns != num_patches or length % size**2:
        raise ValueError(
            "join_patches needs N = (H / P) * (W / P) patches of P * P * C values. "
            f"Received: {num_patches} patches of {length} values for an image of "
            f"{height} x {width} pixels."
        )
    channels = length // size**2
    x = ops.reshape(patches, (-1, rows, columns, size, size, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))  # (B, rows, P, columns, P, C)
    return ops.reshape(x, (-1, height, width, channels))
