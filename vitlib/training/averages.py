"""Look at the running mean of the weights in place of the weights."""

from contextlib import contextmanager

import numpy as np
from keras import ops


@contextmanager
def averaged(model):
    """Has a model the running means of its weights for a while, where it keeps some.

    The training goes on with the weights that it had. What does not train, as the means
    of a batch norm, stays as it is: it is a running mean already.

    Args:
        model: `keras.Model` with an optimiser of `make_optimizer`.
    """
    if not model.optimizer.use_ema:
        yield
        return
    weights = [_copy(weight) for weight in model.trainable_variables]
    put_averages(model)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_variables, weights, strict=True):
            weight.assign(value)


def put_averages(model):
    """Gives a model the running means of its weights for good, where it keeps some.

    Args:
        model: `keras.Model` with an optimiser of `make_optimizer`.

    Reference:
        Polyak and Juditsky, 1992 (https://doi.org/10.1137/0330046), with means that
        forget, as Keras' `use_ema` has them.
    """
    model.optimizer.put_averages(model.trainable_variables)
    if model.optimizer.use_ema:
        for weight in model.trainable_variables:
            weight.assign(_copy(weight))


def _copy(weight):
    """The numbers of a weight in memory of their own.

    On JAX a step, and a prediction, too, takes the memory of the weights for what comes
    out of it: a weight and its mean must not be one array.
    """
    return np.array(ops.convert_to_numpy(weight))
