"""Read a Vision Transformer from an ONNX file: its arrays, put into layers of ours.

Such a file describes a network: the arrays, and the operations that take them. The
operations tell which array is which, by their names; only the arrays are used.
"""

import keras
import numpy as np
from keras import layers

from vitlib.config.rules import is_count
from vitlib.layers.attention import SelfAttention
from vitlib.layers.augment import DTYPE, Augmentation
from vitlib.layers.class_token import ClassToken
from vitlib.layers.normalize import Normalization
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches
from vitlib.layers.positions import PositionEmbedding1D
from vitlib.models.blocks import EPSILON
from vitlib.models.resize import resize_bicubic

INPUT_SHAPE = (32, 32, 3)  # of the images of all data sets here
KEY_DIM = 64  # of the published ViTs: Dosovitskiy et al., 2021, table 1
# Mean and standard deviation of the pixels of ImageNet, a channel. The weights expect
# images that are normalised so, whatever they show.
MEAN = 255 * np.array([0.485, 0.456, 0.406])
DEVIATION = 255 * np.array([0.229, 0.224, 0.225])


def read_onnx_vit(path, image_size, key_dim=KEY_DIM):
    """Builds a ViT of the arrays in an ONNX file that PyTorch wrote of a DINOv2.

    It differs from `vitlib.build_encoder` in what the weights were trained with. A
    class token stands before the patches. The MLP ends without an activation. And what
    attention and MLP give is multiplied by one learned number a feature (LayerScale),
    which needs no layer here: it is multiplied into the weights of the dense layer
    before it.

    Args:
        path: Path of the file.
        image_size: Integer, a multiple of the patch size. Side in pixels to which the
            model itself resizes its images, bilinearly.
        key_dim: Integer. Length of a query of one head, which the arrays do not tell.

    Returns:
        `keras.Model` from images `(batch, 32, 32, 3)`, pixels from 0 to 255, to a list
        of L + 1 tensors `(batch, 1 + N, D)`, the class token first: the tokens after
        each of the L blocks, and those of the last block after the last norm.

    Raises:
        ModuleNotFoundError: When `onnx` is not installed.
        ValueError: When the file holds no such network, or `image_size` breaks its
            rule.

    Reference:
        Oquab et al., 2024 (https://arxiv.org/abs/2304.07193); LayerScale: Touvron et
        al., 2021 (https://arxiv.org/abs/2103.17239).
    """
    arrays = _Arrays(path)
    kernel, bias = arrays("embeddings/patch_embeddings/projection/Conv", 2)
    patch_size, width = kernel.shape[-1], len(kernel)
    if not is_count(image_size) or image_size % patch_size:
        raise ValueError(
            f"image_size must be a multiple of the patch size, {patch_size} pixels. "
            f"Received: {image_size!r}."
        )
    images = keras.Input(INPUT_SHAPE, name="images")
    x = arrays.fill(Normalization(dtype=DTYPE), images, MEAN, DEVIATION**2, np.array(0))
    x = Patches(patch_size)(Augmentation("none", image_size, dtype=DTYPE)(x))
    # The file has (D, channel, row, column); `Patches` gives (row, column, channel).
    kernel = kernel.transpose(2, 3, 1, 0).reshape(-1, width)
    x = arrays.fill(PatchEncoder(width, "none"), x, kernel, bias)
    x = arrays.fill(ClassToken(), x, *arrays("embeddings/Expand"))
    table = _positions(arrays, image_size // patch_size)
    x = arrays.fill(PositionEmbedding1D(), x, table)
    outputs = []
    while f"encoder/layer.{len(outputs)}/norm1/Mul" in arrays:
        x = _block(x, arrays, f"encoder/layer.{len(outputs)}", key_dim)
        outputs.append(x)
    outputs.append(_norm(x, arrays, "layernorm"))
    return keras.Model(images, outputs, name="pretrained_vit")


class _Arrays:
    """The arrays of a file, each list by the operation that takes it."""

    def __init__(self, path):
        try:
            import onnx  # only who reads such a file needs it
            from google.protobuf.message import DecodeError
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "To read pre-trained weights the package onnx must be installed, as "
                "requirements-pretrained.txt says. Received: an environment without it."
            ) from error
        self.path = path
        try:
            graph = onnx.load(path).graph
        except DecodeError as error:
            raise self.foreign("bytes that are no ONNX") from error
        found = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.of = {
            node.name.removeprefix("/backbone/"): [
                found[name] for name in node.input if name in found
            ]
            for node in graph.node
        }

    def __contains__(self, operation):
        return operation in self.of

    def __call__(self, operation, count=1):
        """The arrays that an operation takes."""
        arrays = self.of.get(operation, [])
        if len(arrays) != count:
            raise self.foreign(f"{len(arrays)} arrays, not {count}, for {operation}")
        return arrays

    def dense(self, name, scale=1):
        """Kernel and bias of a dense layer whose outputs are multiplied by a scale."""
        return [scale * self(f"{name}/{part}")[0] for part in ("MatMul", "Add")]

    def fill(self, layer, x, *weights):
        """Calls a layer, and gives it its weights."""
        y = layer(x)
        try:
            layer.set_weights(weights)
        except ValueError as error:
            shapes = ", ".join(str(np.shape(weight)) for weight in weights)
            raise self.foreign(f"{shapes} for {type(layer).__name__}") from error
        return y

    def foreign(self, received):
        return ValueError(
            f"{self.path} must hold a ViT in the layout of DINOv2, as PyTorch writes "
            f"it to ONNX. Received: {received}."
        )


def _positions(arrays, size):
    """The table of the positions, that of the class token first: `(1 + N, D)`."""
    (first,), (table,) = arrays("embeddings/Concat_6"), arrays("embeddings/Reshape_1")
    side = int(len(table[0]) ** 0.5)
    if side**2 != len(table[0]):
        raise arrays.foreign(f"{len(table[0])} positions, which fill no square")
    grid = table.reshape(side, side, -1)
    for axis in (0, 1):
        grid = resize_bicubic(grid, size, axis)
    return np.concatenate([first[0], grid.reshape(size**2, -1)])


def _norm(x, arrays, name):
    weights = [*arrays(f"{name}/Mul"), *arrays(f"{name}/Add_1")]
    return arrays.fill(layers.LayerNormalization(epsilon=EPSILON), x, *weights)


def _block(x, arrays, name, key_dim):
    """One block with the weights of its own, LayerScale multiplied into them."""
    parts = [f"{name}/attention/attention/{p}" for p in ("query", "key", "value")]
    weights = [weight for part in parts for weight in arrays.dense(part)]
    (scale,) = arrays(f"{name}/layer_scale1/Mul")
    weights += arrays.dense(f"{name}/attention/output/dense", scale)
    attention = SelfAttention(weights[0].shape[1] // key_dim, key_dim)
    y = arrays.fill(attention, _norm(x, arrays, f"{name}/norm1"), *weights)
    x = layers.Add()([y, x])

    (scale,) = arrays(f"{name}/layer_scale2/Mul")
    inner = arrays.dense(f"{name}/mlp/fc1")
    outer = arrays.dense(f"{name}/mlp/fc2", scale)
    y = _norm(x, arrays, f"{name}/norm2")
    y = arrays.fill(layers.Dense(len(inner[1]), activation="gelu"), y, *inner)
    y = arrays.fill(layers.Dense(len(outer[1])), y, *outer)
    return layers.Add()([y, x])
