"""Count the arithmetic of a model from the shapes of its layers."""

import math

import keras
from keras import layers

from vitlib.layers.attention import SelfAttention
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.queries import Queries

# Operations and layers of Keras that multiply without weights of their own, and one
# that may hide such a product.
PRODUCTS = {
    *("Matmul", "Einsum", "Dot", "Tensordot", "Vdot", "Inner", "Outer"),
    *("Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose"),
    *("Attention", "AdditiveAttention", "DotProductAttention", "Lambda"),
}


def _kernel(layer, shape):
    """Dense layers and convolutions use each weight of the kernel once a position."""
    positions = math.prod(shape[1:-1])
    return 2 * positions * math.prod(layer.kernel.shape)


def _attention(layer, shape):
    """Four projections, the products of queries and keys, and the weighted values."""
    num_patches = shape[1]
    kernels = [w for w in layer.weights if w.name == "kernel"]
    projections = sum(math.prod(kernel.shape) for kernel in kernels)
    width = kernels[0].shape[1]  # heads * length in a head
    products = 2 * num_patches**2 * width + layer.count_position_products()
    return 2 * (num_patches * projections + products)


def _cross_attention(layer, shape, keys):
    """As `_attention`, but queries and keys may be of two sequences."""
    heads = layer.num_heads * (layer.key_dim + layer.value_dim)
    asking, reading = (
        sum(math.prod(dense.kernel.shape) for dense in pair)
        for pair in (
            (layer.query_dense, layer.output_dense),
            (layer.key_dense, layer.value_dense),
        )
    )
    products = shape[1] * keys[1] * heads
    return 2 * (shape[1] * asking + keys[1] * reading + products)


def count_flops(model):
    """Counts the floating-point operations of one forward pass of one image.

    A multiply-add counts as two. Dense layers, convolutions and attention are counted;
    activations, norms, additions, pooling and augmentation, together about 1 % of a
    Vision Transformer, are not. A layer or a model that is called twice counts twice. A
    training step costs about three times as much.

    Args:
        model: `keras.Model` of inputs and outputs, or `keras.Sequential`, built of the
            layers that this course uses.

    Returns:
        Integer, operations an image.

    Raises:
        ValueError: When another layer has a matrix of weights or multiplies, or the
            model is none that was built from its inputs, or images of any size go in.
    """
    graph = getattr(model, "_functional", model)  # a Sequential has it inside
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(
            "count_flops needs a keras.Model of inputs and outputs, or a "
            f"keras.Sequential, built. Received: {type(model).__name__} "
            f"{getattr(model, 'name', model)!r}."
        )
    for tensor in model.inputs:
        if None in tensor.shape[1:]:
            raise ValueError(
                "count_flops needs inputs of known size. "
                f"Received: {tensor.name!r} of shape {tensor.shape}."
            )
    # One node a call: Keras tells the calls of a layer nowhere else.
    nodes = [node for depth in graph._nodes_by_depth.values() for node in depth]
    return sum(_call_flops(node) for node in nodes)


def _call_flops(node):
    """The operations of one call of a layer."""
    layer, shape = node.operation, node.outputs[0].shape
    if isinstance(layer, keras.Model):
        return count_flops(layer)
    if isinstance(layer, layers.Dense | layers.Conv2D):
        return _kernel(layer, shape)
    if isinstance(layer, SelfAttention):
        return _attention(layer, shape)
    if isinstance(layer, layers.MultiHeadAttention):
        return _cross_attention(layer, shape, node.input_tensors[1].shape)
    if isinstance(layer, PatchEncoder):
        return 2 * shape[1] * math.prod(layer.projection.kernel.shape)
    if isinstance(layer, Queries):  # vectors that are handed on as they are
        return 0
    weights = getattr(layer, "weights", ())  # an operation such as addition has none
    name = type(layer).__name__
    if name in PRODUCTS or any(len(weight.shape) > 1 for weight in weights):
        raise ValueError(
            "count_flops counts Dense, Conv2D, PatchEncoder and attention. "
            f"Received: {name}, which multiplies or has a matrix of weights."
        )
    return 0
