"""Read a file of the explorer page back into a model of Keras."""

import json
from dataclasses import replace

import numpy as np

from vitlib import TINY_VIT, build_vit


def read(path):
    """The header of a file, and its weights by name."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    about = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        first, last = (start + place for place in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[first:last], "<f2").reshape(entry["shape"])
    return about, tensors


def model_of(path):
    """The model that a file of the page holds, with 1-D positions where it has any."""
    about, tensors = read(path)
    sizes = json.loads(about["model"])
    names = "patch_size projection_dim num_heads key_dim num_layers num_classes"
    fields = {name: sizes[name] for name in names.split()}
    fields["mlp_units"] = sizes["mlp_dim"], sizes["projection_dim"]
    position = "1d" if "positions" in tensors else "none"
    model = build_vit(replace(TINY_VIT, position=position, **fields))
    ours = [weight for weight in model.weights if weight.name != "count"]
    for weight, name in zip(ours, names_in_order(sizes, tensors), strict=True):
        weight.assign(tensors[name].astype("float32"))
    return model


def names_in_order(sizes, tensors):
    """The names of the weights as build_vit makes them."""
    parts = ["patches"]
    for block in range(sizes["num_layers"]):
        words = "norm1 query key value output norm2 mlp1 mlp2".split()
        parts += [f"block{block}.{word}" for word in words]
    ends = {name: ("gamma", "beta") for name in parts + ["norm"] if "norm" in name}
    names = ["mean", "variance"]
    for part in [*parts, "norm", "logits"]:
        names += [f"{part}.{end}" for end in ends.get(part, ("kernel", "bias"))]
        names += ["positions"] if part == "patches" and "positions" in tensors else []
    return names
