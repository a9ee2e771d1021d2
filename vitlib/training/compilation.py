"""Tell when a model trains uncompiled, and because of which layers.

One layer that XLA cannot compile is enough: Keras then compiles no part of the model,
without a word. On JAX each operation of each step is then started on its own.
"""

import keras

from vitlib.training import provenance


def uncompilable_layers(model):
    """Lists the layers of a model, nested ones too, that XLA cannot compile.

    Args:
        model: `keras.Model`.

    Returns:
        List of strings, such as "random_rotation (RandomRotation)".
    """
    # Keras asks the same layers when it decides whether to compile the model.
    layers = [layer for layer in model._flatten_layers() if not layer.supports_jit]
    return [f"{layer.name} ({type(layer).__name__})" for layer in layers]


def explain_no_compilation(model):
    """Says in a sentence which layers keep a model from being compiled.

    Args:
        model: `keras.Model`.

    Returns:
        String; or None when nothing keeps the model from being compiled, or Keras would
        not compile it here anyway (TensorFlow on a CPU).
    """
    layers = uncompilable_layers(model)
    if not layers:
        return None
    if keras.backend.backend() != "jax" and provenance.device()["kind"] == "cpu":
        return None
    return (
        f"The model trains uncompiled, and so more slowly, because of {len(layers)} "
        f"of its layers: {', '.join(layers)}."
    )
