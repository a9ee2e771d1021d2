"""Numbers, arrays and generators as JSON: what grader and student say to each other.

Unlike a pickle, it makes nothing but these when it is read.
"""

import base64

import numpy as np


def encode(value):
    """Turns a value into what JSON can hold.

    Args:
        value: Number, string, None, array or tensor, `numpy.random.Generator`, or list
            or tuple of these. Of any other object only the name of its class is kept.

    Returns:
        What `json.dumps` takes.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [encode(part) for part in value]}
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return {"object": type(value).__name__}
    data = base64.b64encode(array.tobytes()).decode()
    return {"array": data, "dtype": array.dtype.str, "shape": array.shape}


def decode(value):
    """Turns what `encode` made into values again.

    Returns:
        The value; an object that can do nothing in the place of any other object.
    """
    match value:
        case {"tuple": parts}:
            return tuple(decode(part) for part in parts)
        case {"list": parts}:
            return [decode(part) for part in parts]
        case {"generator": state}:
            generator = np.random.default_rng()
            generator.bit_generator.state = state
            return generator
        case {"array": data, "dtype": dtype, "shape": shape}:
            flat = np.frombuffer(base64.b64decode(data), dtype)
            return flat.reshape(shape).copy()
        case {"object": name}:
            return type(name, (), {})()
    return value
