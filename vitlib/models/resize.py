"""Take a trained Vision Transformer to another grid of patches: resized positions."""

import numpy as np
from keras import ops

from vitlib.layers.patch_encoder import PatchEncoder
from vitlib.layers.positioned_attention import GridRelativeSelfAttention
from vitlib.layers.positions import PositionEmbedding1D, PositionEmbedding2D
from vitlib.layers.tables import interpolate, resize_grid, resize_table, spread
from vitlib.models.walk import find, walk

SLOPE = -0.75  # of the cubic kernel in PyTorch; -0.5 in TensorFlow and in JAX


def resize_bicubic(table, size, axis=0):
    """As `resize_table`, but with a cubic between four vectors, as PyTorch resizes.

    The places are the same. The cubics have the slope -0.75 of their kernel at 1; from
    beyond the first or the last vector that one is taken.

    Args:
        table: Array, its vectors along `axis`.
        size: Integer n.
        axis: Integer.

    Returns:
        Float array with `size` vectors along `axis`.

    Reference:
        Keys, 1981, equation 4 has the kernel (https://doi.org/10.1109/TASSP.1981.1163711).
    """
    count = table.shape[axis]
    places = spread(size, count)
    near = np.floor(places)[:, None] + np.arange(-1, 3)  # (n, 4)
    t, a = abs(places[:, None] - near), SLOPE
    inner = (a + 2) * t**3 - (a + 3) * t**2 + 1  # up to a distance of 1
    outer = a * (t**3 - 5 * t**2 + 8 * t - 4)  # up to 2
    weights = np.where(t <= 1, inner, outer)
    taken = np.take(table, np.clip(near, 0, count - 1).astype(int), axis)
    taken = np.moveaxis(taken, (axis, axis + 1), (0, 1))
    return np.moveaxis(np.einsum("nk,nk...->n...", weights, taken), 0, axis)


def _resize_1d(old, new):
    """The table of the new encoder: the old one is laid out as the grid that it is."""
    (table,) = old.add_position.get_weights()
    return [resize_grid(table, old.grid_size, new.grid_size)]


def _resize_2d(old, new):
    """The tables of rows and of columns."""
    tables = zip(old.add_position.get_weights(), new.grid_size, strict=True)
    return [resize_table(table, size) for table, size in tables]


RESIZERS = {PositionEmbedding1D: _resize_1d, PositionEmbedding2D: _resize_2d}


def _tables(old, new):
    """What the position of one patch encoder is on the grid of another.

    Returns:
        List of arrays, one a weight of the position: none of "none", "sincos" and
        "rope".

    Raises:
        ValueError: When the positions are not of one kind, or a grid is not known.
    """
    kinds, grids = (old.position, new.position), (old.grid_size, new.grid_size)
    if len(set(kinds)) > 1 or None in grids:
        raise ValueError(
            "resize_positions needs two models of one position, whose patch encoders "
            f"know their grid_size. Received: {kinds}, grid_size {grids}."
        )
    resizer = RESIZERS.get(type(old.add_position))
    return [] if resizer is None else resizer(old, new)


def _offset_tables(model, target):
    """The tables of offsets of one model, for those of another that are longer.

    An offset is told by the share of the grid that it spans. Where larger offsets count
    as the last one, both have tables of one length, which are copied.

    Returns:
        Dict from the id of a weight of the target to its array.
    """
    tables = {}
    for old, new in zip(walk(model), walk(target), strict=False):
        if isinstance(old, GridRelativeSelfAttention) and type(old) is type(new):
            for weight, goal in zip(old.weights, new.weights, strict=True):
                if "offset" in goal.name and weight.shape != goal.shape:
                    tables[id(goal)] = _stretch(weight, goal, old, new)
    return tables


def _stretch(weight, goal, old, new):
    """One table of offsets of a larger or smaller grid: see `_offset_tables`."""
    axis = 0 if goal.name.startswith("row") else 1
    scale = old.grid_size[axis] / new.grid_size[axis]
    middle, new_middle = (table.shape[0] // 2 for table in (weight, goal))
    places = middle + (np.arange(goal.shape[0]) - new_middle) * scale
    return interpolate(ops.convert_to_numpy(weight), places)


def _set_spans(model, target):
    """Has the places of formulas fill the grid that a model was trained on."""
    for old, new in zip(walk(model), walk(target), strict=True):
        if hasattr(new, "set_span"):
            new.set_span(old.grid_size)
    # What Keras has compiled of the target has the places of before.
    target.train_function = target.test_function = target.predict_function = None


def resize_positions(model, target, scaled=False):
    """Gives a model the weights of another that was trained on images of another size.

    Both have the same layers; only the grids of their patches differ. The position of
    a patch then follows its place in the image: a table of "1d" is interpolated along
    rows and columns, those of "2d" and of "relative2d" along theirs (see
    `resize_table`). "sincos" and "rope" have no weights: their formulas give the places
    of the new grid, counted in patches or, when `scaled`, as shares of the grid. All
    other weights are copied. The new model predicts worse than the old one until it is
    trained a little at its size: what a patch shows of a thing has changed.

    Args:
        model: `keras.Model` from `build_vit` or `build_encoder`, trained.
        target: `keras.Model` built by the same function from the same config, but for
            `image_size` and `input_shape`. Its weights are replaced.
        scaled: Boolean, whether the places of formulas fill the new grid as they filled
            the old one, so that there are places between them. They are counted from 0
            otherwise, and go on beyond those that the model was trained with.

    Returns:
        The target.

    Raises:
        ValueError: When a model has no patch encoder, the positions differ, or another
            weight has another shape: the numbered offsets of "relative" have no rows
            and columns, and the first layer of a flattened head belongs to one grid.
            The target then is as it was.

    Reference:
        Dosovitskiy et al., 2021, section 3.2 (https://arxiv.org/abs/2010.11929).
    """
    old, new = (find(each, PatchEncoder)[0] for each in (model, target))
    tables = _tables(old, new)
    places = new.add_position.weights if tables else []
    resized = dict(zip(map(id, places), tables, strict=True))
    resized |= _offset_tables(model, target)
    values = []
    for weight, goal in _pairs(model, target):
        value = resized.get(id(goal))
        values.append(ops.convert_to_numpy(weight) if value is None else value)
        if values[-1].shape != tuple(goal.shape):
            raise ValueError(
                "resize_positions resizes the tables of '1d', '2d' and 'relative2d'; "
                "every other weight must have one shape in both models. Received: "
                f"{goal.path} of {values[-1].shape} and {tuple(goal.shape)}."
            )
    target.set_weights(values)
    if scaled:
        _set_spans(model, target)
    return target


def _pairs(model, target):
    """Each weight of one model beside that of the other."""
    names = [[weight.name for weight in each.weights] for each in (model, target)]
    if names[0] != names[1]:
        raise ValueError(
            "resize_positions needs two models of the same layers. "
            f"Received: {model.name!r} and {target.name!r}, whose weights differ."
        )
    return zip(model.weights, target.weights, strict=True)
