"""What a training draws at random, from its seed and the epoch alone."""

import math

import numpy as np

from vitlib.training import parallel


def draw_order(config, epoch, num_images):
    """Draws which images an epoch takes, in which order: whole batches.

    The order depends on the seed and the epoch alone. The images left over when the
    batch size does not divide their number wait for the next order. An epoch of fewer
    or more steps cuts the same sequence of batches at other places.
    """
    whole = num_images // config.batch_size  # batches of one pass over the images
    steps = config.count_steps(num_images)
    first_pass, start = divmod(epoch * steps, whole)
    passes = range(first_pass, first_pass + math.ceil((start + steps) / whole))
    orders = [
        np.random.default_rng((config.seed, number)).permutation(num_images)
        for number in passes
    ]
    order = np.concatenate([order[: whole * config.batch_size] for order in orders])
    return order[start * config.batch_size :][: steps * config.batch_size]


def seed_epoch(model, seed, epoch):
    """Makes dropout and augmentation depend on the seed and the epoch alone.

    Keras does not save the states of its seed generators with the weights, so a resumed
    run could not go on with them.
    """
    rng = np.random.default_rng((seed, epoch, 1))
    for variable in model.non_trainable_variables:
        if variable.name == "seed_generator_state":
            state = rng.integers(2**31, size=variable.shape)
            parallel.assign_seed(variable, state)
