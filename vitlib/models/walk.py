"""Find the layers of a model, those of the models inside it too."""

import keras


def walk(model):
    """Yields all layers of a model in their order; a model inside it, as its layers.

    Args:
        model: `keras.Model`.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from walk(layer)
        else:
            yield layer


def find(model, kind):
    """Finds the layers of a kind.

    Args:
        model: `keras.Model`.
        kind: Class of layers, or a tuple of classes.

    Returns:
        List of layers, at least one.

    Raises:
        ValueError: When there is none.
    """
    if found := [layer for layer in walk(model) if isinstance(layer, kind)]:
        return found
    kinds = kind if isinstance(kind, tuple) else (kind,)
    words = " or ".join(each.__name__ for each in kinds)
    raise ValueError(
        f"The model must have a layer {words}. Received: {model.name!r} without one."
    )
