"""Write a small trained ViT into the file that the explorer page of the book reads.

The file has the layout of safetensors, which many programs read: the length of a header
as eight bytes, the header in JSON, and then the weights, as little-endian float16. Its
header holds the sizes of the model, the names of its classes, and the SHA-256 of the
weights, so that the page can refuse a file that was cut, changed or is of another kind.
"""

import hashlib
import json
from itertools import zip_longest
from pathlib import Path

import numpy as np
from keras import layers, ops

from vitlib.config.models import ViTConfig
from vitlib.data.tiles import CLASS_NAMES
from vitlib.layers.attention import SelfAttention
from vitlib.layers.normalize import Normalization
from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.patches import Patches
from vitlib.layers.positions import ADDED
from vitlib.models.vit import build_vit
from vitlib.models.walk import find, walk
from vitlib.records.files import replacing

FORMAT = "vitlib-explorer-1"  # the page reads this one
MOST_TOKENS = 64  # which the page can show side by side
RULE = (
    "a ViT of build_vit for images of 32 x 32 x 3 pixels that it does not resize, with "
    f"at most {MOST_TOKENS} patches, no stem, at least one block, an MLP of two dense "
    f"layers, a position of {('none', *ADDED)}, and one dense layer on the mean"
)


def export_explorer(model, path, class_names=None):
    """Writes a model for the explorer page, which loads it with a button.

    Args:
        model: `keras.Model` from `build_vit`, trained: see `Raises` for its shape.
        path: Path of the file, best with the ending `.safetensors`.
        class_names: Sequence of strings, one a class; None for those of the embedded
            data set, which the page knows.

    Raises:
        ValueError: When the model has another shape than the page can show, a weight
            does not fit float16, or the names are not as many as the classes.
        OSError: When the disk does not take the file.

    Reference:
        The layout: https://huggingface.co/docs/safetensors.
    """
    sizes = _require_shape(model)
    count = len(CLASS_NAMES if class_names is None else class_names)
    if count != sizes["num_classes"]:
        raise ValueError(
            f"class_names must have a name for each of {sizes['num_classes']} classes. "
            f"Received: {count}."
        )
    tensors = {name: _half(name, weight) for name, weight in _weights(model).items()}
    with replacing(Path(path)) as file:
        file.write(_pack(tensors, sizes | {"class_names": class_names}))


def _require_shape(model):
    """The sizes of a model, or a sentence on what the page cannot show of it."""
    try:
        config = _config(model)
        twin = build_vit(config)
    except ValueError as error:
        raise ValueError(f"The model must be {RULE}. Received: {error}") from error
    pairs = zip_longest(_describe(model), _describe(twin), fillvalue="other layers")
    wrong = [received for received, expected in pairs if received != expected]
    if config.num_patches > MOST_TOKENS:
        wrong.append(f"{config.num_patches} patches")
    if config.position not in ("none", *ADDED):
        wrong.append(f"position={config.position!r}")
    if wrong:
        raise ValueError(f"The model must be {RULE}. Received: {wrong[0]}.")
    names = "patch_size projection_dim num_heads key_dim num_layers num_classes"
    sizes = {name: getattr(config, name) for name in (*names.split(), "position")}
    return sizes | {"image_size": config.image_size, "mlp_dim": config.mlp_units[0]}


def _config(model):
    """The config that makes the same layers, if the page can show the model."""
    encoder = find(model, PatchEncoder)[0]
    attentions = find(model, SelfAttention)
    denses = [layer for layer in walk(model) if type(layer) is layers.Dense]
    return ViTConfig(
        image_size=32,
        patch_size=find(model, Patches)[0].patch_size,
        projection_dim=encoder.projection_dim,
        num_heads=attentions[0].num_heads,
        key_dim=attentions[0].key_dim,
        num_layers=len(attentions),
        mlp_units=(denses[0].units, encoder.projection_dim),
        head_units=(),
        position=encoder.position,
        pooling="mean",
        num_classes=denses[-1].units,
        augmentation="none",
    )


def _describe(model):
    """What tells one shape of a model from another, in the words of a message."""
    for layer in walk(model):
        yield f"{type(layer).__name__} that gives {layer.output.shape[1:]}"
        if isinstance(layer, SelfAttention):
            yield f"{layer.num_heads} heads of {layer.key_dim}"
        if isinstance(layer, layers.Dense):
            yield f"an activation {layer.activation.__name__}"


def _weights(model):
    """The weights by the names that the page gives them."""
    encoder, normalization = find(model, PatchEncoder)[0], find(model, Normalization)[0]
    norms = find(model, layers.LayerNormalization)
    denses = [layer for layer in walk(model) if type(layer) is layers.Dense]
    parts = {"patches": encoder.projection, "norm": norms[-1], "logits": denses[-1]}
    for block, attention in enumerate(find(model, SelfAttention)):
        parts |= {
            f"block{block}.norm1": norms[2 * block],
            f"block{block}.query": attention.query_dense,
            f"block{block}.key": attention.key_dense,
            f"block{block}.value": attention.value_dense,
            f"block{block}.output": attention.output_dense,
            f"block{block}.norm2": norms[2 * block + 1],
            f"block{block}.mlp1": denses[2 * block],
            f"block{block}.mlp2": denses[2 * block + 1],
        }
    found = {
        "mean": normalization.adapt_mean,
        "variance": normalization.adapt_variance,
        **{f"{n}.{w.name}": w for n, part in parts.items() for w in part.weights},
    }
    if encoder.add_position is not None:
        found["positions"] = encoder.add_position.vectors()
    return {name: ops.convert_to_numpy(weight) for name, weight in found.items()}


def _half(name, weight):
    with np.errstate(over="ignore"):
        half = weight.astype("<f2")
    if not np.isfinite(half).all():
        raise ValueError(
            f"The weights must be numbers that float16 holds, up to 65,504. Received: "
            f"{np.abs(weight).max()} in {name}."
        )
    return half


def _pack(tensors, sizes):
    """The bytes of the file."""
    header, start = {}, 0
    for name, tensor in tensors.items():
        end = start + tensor.nbytes
        header[name] = {"dtype": "F16", "shape": tensor.shape}
        header[name]["data_offsets"] = start, end
        start = end
    data = b"".join(tensor.tobytes() for tensor in tensors.values())
    digest = hashlib.sha256(data).hexdigest()
    about = {"format": FORMAT, "sha256": digest, "model": json.dumps(sizes)}
    text = json.dumps({"__metadata__": about} | header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the weights begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + data
