"""What may go into a layer, and the one sentence that refuses any other input."""

import keras

from vitlib.config.rules import are_counts, require

# With these the numbers of the course are computed; `keras.json` may say otherwise.
SETTINGS = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7}


def require_settings():
    """Refuses settings of Keras under which its layers compute something else.

    Raises:
        ValueError: When one of `SETTINGS` is another.
    """
    for name, usual in SETTINGS.items():
        if (value := getattr(keras.config, name)()) != usual:
            raise ValueError(
                f"The setting {name} of Keras must be {usual!r}: change keras.json, or "
                f"call keras.config.set_{name}({usual!r}). Received: {value!r}."
            )


def require_shape(layer, shape, *axes):
    """Refuses an input of another number of axes, or of a size that is not known.

    Args:
        layer: `keras.layers.Layer` that is built on the input.
        shape: Its shape, a tuple of integers and, where a size is not known, None.
        *axes: Names of the axes. The first, the batch, needs no known size.

    Raises:
        ValueError: When the shape is another.
    """
    words = f"({', '.join(axes)}), each but {axes[0]} known and at least 1"
    require(
        layer,
        "input_shape",
        tuple(shape),
        words,
        lambda value: len(value) == len(axes) and are_counts(value[1:]),
    )


def require_floats(layer, tensor):
    """Refuses an input of integers, truth values or anything but floats.

    Args:
        layer: `keras.layers.Layer` that is called with it.
        tensor: The input.

    Raises:
        ValueError: When the input has another dtype.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    require(layer, "input_dtype", dtype, "floats", keras.backend.is_float_dtype)


def require_numbers(layer, tensor):
    """Refuses an input of anything but floats or integers, as pixels are.

    Args:
        layer: `keras.layers.Layer` that is called with it.
        tensor: The input.

    Raises:
        ValueError: When the input has another dtype.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    is_number_type = keras.backend.is_float_dtype(dtype) or "int" in dtype
    require(layer, "input_dtype", dtype, "floats or integers", lambda _: is_number_type)


def require_tokens(layer, input_shape, grid_size, divisor=1):
    """Refuses tokens that do not fill a grid, or whose length has no such divisor."""
    rows, columns = grid_size
    _, num_patches, projection_dim = input_shape
    length = f"a multiple of {divisor}" if divisor > 1 else "length"
    words = f"(batch, {rows} * {columns}, {length})"
    fits = projection_dim % divisor == 0 and num_patches == rows * columns
    require(layer, "input_shape", tuple(input_shape), words, lambda _: fits)


def require_grid(layer, grid_size):
    """Refuses a `grid_size` that is not two positive integers; a list will do, too."""
    require(
        layer,
        "grid_size",
        grid_size,
        "(rows, columns), two integers of at least 1",
        is_grid,
    )


def is_grid(value):
    """Whether a value is two positive integers; a list will do, too."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2
    return pair and are_counts(tuple(value))
