"""Look inside a trained Vision Transformer: attention, positions, patch filters."""

import keras
import numpy as np
from keras import ops

from vitlib.layers.attention import SelfAttention
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches
from vitlib.layers.positions import ADDED
from vitlib.models.walk import find


def attention_maps(model, images):
    """Computes the attention weights of every block, as in inference.

    No dropout and no augmentation; the model and the settings of the process stay as
    they are. The array has layers * batch * heads * N * N numbers: keep the batch small
    when N is large.

    Args:
        model: `keras.Model` from `build_vit`.
        images: Array of shape `(batch, H, W, C)`, pixels from 0 to 255.

    Returns:
        Float32 array of shape `(layers, batch, heads, N, N)`: the weight that a query
        (second to last axis) gives to a key (last axis). Each row sums to 1, up to the
        rounding of the model's precision.

    Raises:
        ValueError: When the model has no attention.

    Reference:
        Vaswani et al., 2017, section 3.2 (https://arxiv.org/abs/1706.03762).
    """
    layers = find(model, SelfAttention)
    entrances = [layer.input for layer in layers]
    images = ops.convert_to_tensor(images, dtype="float32")
    tokens = keras.Model(model.input, entrances)(images, training=False)
    tokens = keras.tree.flatten(tokens)  # a lone output comes without a list
    maps = [_scores(layer, x) for layer, x in zip(layers, tokens, strict=True)]
    return np.stack(maps)


def _scores(layer, tokens):
    _, scores = layer(tokens, training=False, return_attention_scores=True)
    return ops.convert_to_numpy(ops.cast(scores, "float32"))


def attention_rollout(maps):
    """Follows the attention through all blocks, from the last tokens to the patches.

    A block is taken for a mean: one half its attention, averaged over the heads, one
    half the residual connection, which is the identity. The blocks are multiplied:
    `rollout = A[L] @ ... @ A[1]` with `A = (mean over heads + identity) / 2`.

    Args:
        maps: Array of shape `(layers, batch, heads, N, N)`, from `attention_maps`.

    Returns:
        Array of shape `(batch, N, N)`: the share of each patch (last axis) in each
        token of the last block. Each row sums to 1.

    Reference:
        Abnar and Zuidema, 2020, section 3 (https://arxiv.org/abs/2005.00928).
    """
    identity = np.eye(maps.shape[-1], dtype=maps.dtype)
    rollout = identity
    for attention in maps.mean(axis=2):  # over the heads; from the first block up
        mixed = (attention + identity) / 2
        mixed /= mixed.sum(axis=-1, keepdims=True)
        rollout = mixed @ rollout
    return np.broadcast_to(rollout, mixed.shape)


def patch_distances(grid_size, patch_size):
    """Measures how far apart the centres of the patches lie.

    Args:
        grid_size: `(rows, columns)` of the grid of patches.
        patch_size: Side of a patch, in pixels of the image.

    Returns:
        Float array of shape `(N, N)`, in pixels, N = rows * columns.

    Example:
        >>> patch_distances((1, 3), patch_size=8).tolist()
        [[0.0, 8.0, 16.0], [8.0, 0.0, 8.0], [16.0, 8.0, 0.0]]
    """
    centers = np.stack(np.indices(grid_size), axis=-1).reshape(-1, 2)
    steps = centers[:, None] - centers[None, :]
    return patch_size * np.sqrt((steps**2).sum(axis=-1))


def mean_attention_distance(maps, grid_size, patch_size):
    """Measures how far each head looks, on average over the images and the queries.

    The distance between the centres of the query's and the key's patch, weighted with
    the attention.

    Args:
        maps: Array of shape `(layers, batch, heads, N, N)`, from `attention_maps`.
        grid_size: `(rows, columns)` of the grid of patches.
        patch_size: Side of a patch, in pixels of the image.

    Returns:
        Array of shape `(layers, heads)`, in pixels.

    Raises:
        ValueError: When the grid does not have N patches.

    Reference:
        Dosovitskiy et al., 2021, figure 7 right and appendix D.7
        (https://arxiv.org/abs/2010.11929).
    """
    _check_grid(grid_size, maps.shape[-1])
    distances = patch_distances(grid_size, patch_size)
    return (maps * distances).sum(axis=-1).mean(axis=(1, 3))


def _check_grid(grid_size, num_patches):
    rows, columns = grid_size
    if rows * columns != num_patches:
        raise ValueError(
            f"grid_size must have {num_patches} patches, one a token. "
            f"Received: {rows} * {columns}."
        )


def position_table(model):
    """Returns what a model adds to each token to say where its patch was.

    Args:
        model: `keras.Model` from `build_vit`, its position one of those in
            `vitlib.layers.positions.ADDED`.

    Returns:
        Array of shape `(N, D)`; of "2d", each row's vector next to each column's.

    Raises:
        ValueError: When the model adds no positional embedding.
    """
    encoder = find(model, PatchEncoder)[0]
    if encoder.add_position is None:
        raise ValueError(
            "position_table needs a model that adds a positional embedding, one of "
            f"{tuple(ADDED)}. Received: position={encoder.position!r}."
        )
    return ops.convert_to_numpy(encoder.add_position.vectors())


def position_similarity(embedding, grid_size):
    """Compares each patch's positional embedding with every other's.

    Args:
        embedding: Array of shape `(N, D)`, as `position_table` returns it.
        grid_size: `(rows, columns)` of the grid of patches.

    Returns:
        Array of shape `(rows, columns, rows, columns)`: the cosine of the angle between
        two embeddings, from -1 to 1; 0 where one of them is zero.

    Raises:
        ValueError: When the grid does not have N patches.

    Reference:
        Dosovitskiy et al., 2021, figure 7 center (https://arxiv.org/abs/2010.11929).
    """
    embedding = np.asarray(embedding)
    _check_grid(grid_size, len(embedding))
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    directions = embedding / np.where(lengths > 0, lengths, 1)
    return (directions @ directions.T).reshape(*grid_size, *grid_size)


def patch_filters(model, components=16):
    """Finds the patterns in a patch to which the first layer responds most.

    The kernel of the patch projection has a filter for each of the D elements of a
    token. Its singular value decomposition gives orthogonal patterns, the strongest
    first. They are not centred: what all filters have in common counts too.

    Args:
        model: `keras.Model` from `build_vit`.
        components: Integer k, how many patterns, at most D and at most P * P * C.

    Returns:
        `(filters, shares)`: an array of shape `(k, P, P, C)`, each pattern of length 1
        and with its largest element positive, and an array of shape `(k,)`, the part of
        the sum of the squared weights that each stands for.

    Raises:
        ValueError: When there are not so many components.

    Reference:
        Dosovitskiy et al., 2021, figure 7 left (https://arxiv.org/abs/2010.11929).
    """
    encoder = find(model, PatchEncoder)[0]
    kernel = ops.convert_to_numpy(encoder.projection.kernel).astype("float64")
    if not 1 <= components <= min(kernel.shape):
        raise ValueError(
            f"components must be an integer from 1 to {min(kernel.shape)}. "
            f"Received: {components}."
        )
    patterns, strengths, _ = np.linalg.svd(kernel, full_matrices=False)
    patterns = patterns.T[:components]
    largest = np.abs(patterns).argmax(axis=1)[:, None]
    patterns = patterns * np.sign(np.take_along_axis(patterns, largest, axis=1))
    size = find(model, Patches)[0].patch_size
    filters = patterns.reshape(components, size, size, -1)
    return filters, (strengths**2 / (strengths**2).sum())[:components]
