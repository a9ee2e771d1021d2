"""Count the arithmetic of a model from the shapes of its layers."""

import math

from keras import layers

from vitlib.layers.attention import SelfAttention
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.models.walk import walk


def _kernel(layer):
    """Dense layers and convolutions use each weight of the kernel once a position."""
    positions = math.prod(layer.output.shape[1:-1])
    return 2 * positions * math.prod(layer.kernel.shape)


def _attention(layer):
    """Four projections, the products of queries and keys, and the weighted values."""
    num_patches = layer.output.shape[1]
    kernels = [w for w in layer.weights if w.name == "kernel"]
    projections = sum(math.prod(kernel.shape) for kernel in kernels)
    width = kernels[0].shape[1]  # heads * length in a head
    products = 2 * num_patches**2 * width + layer.count_position_products()
    return 2 * (num_patches * projections + products)


def count_flops(model):
    """Counts the floating-point operations of one forward pass of one image.

    A multiply-add counts as two. Dense layers, convolutions and attention are counted;
    activations, norms, additions, pooling and augmentation, together about 1 % of a
    Vision Transformer, are not. A training step costs about three times as much.

    Args:
        model: `keras.Model` made of the layers that this course uses, built.

    Returns:
        Integer, operations an image.

    Raises:
        ValueError: When a layer has a matrix of weights and is none of these.
    """
    return sum(map(_layer_flops, walk(model)))


def _layer_flops(layer):
    if isinstance(layer, layers.Dense | layers.Conv2D):
        return _kernel(layer)
    if isinstance(layer, SelfAttention):
        return _attention(layer)
    if isinstance(layer, PatchEncoder):
        return 2 * layer.output.shape[1] * math.prod(layer.projection.kernel.shape)
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise ValueError(
            "count_flops counts Dense, Conv2D, SelfAttention and PatchEncoder. "
            f"Received: a layer {type(layer).__name__} with a matrix of weights."
        )
    return 0
