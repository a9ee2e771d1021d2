"""Make several devices train one model together: each takes its part of every batch.

All devices hold the same weights. Each computes the gradient of its part of the batch,
the gradients are averaged over the devices, and all make the same step. So the result
is that of one device, up to rounding.
"""

import os

import keras
import numpy as np

PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"  # Keras reads it, and two more beside it


def use_devices(count):
    """Makes the models that are built from now on train on several devices.

    A setting of the process, for its whole life, to be made before the first layer. On
    JAX the devices may belong to several processes, which the environment variables of
    `keras.distribution.initialize` name; then all devices of all processes take part.

    Args:
        count: Integer. The devices that train together, those of all processes.

    Raises:
        ValueError: When there are fewer devices, when several processes do not use all
            of theirs, or when the backend cannot do it.
    """
    several = int(os.environ.get(PROCESSES, "1")) > 1
    if count == 1 and not several:
        return
    backend = keras.backend.backend()
    if backend != "jax" and (several or backend != "tensorflow"):
        raise ValueError(
            "Several devices need the backend JAX, or TensorFlow in one process. "
            f"Received: devices={count}, {backend}."
        )
    if several:
        keras.distribution.initialize()
    devices = keras.distribution.list_devices()
    if not (len(devices) if several else 1) <= count <= len(devices):
        rule = "all of all processes" if several else "from 1 to all that there are"
        raise ValueError(
            f"devices must be {rule}, which are {len(devices)}. Received: {count}."
        )
    STARTS[backend](devices[:count])


def _start_jax(devices):
    # Each process hands over its own part of a batch; Keras could split tf.data alone.
    parallel = keras.distribution.DataParallel(
        devices=devices, auto_shard_dataset=False
    )
    keras.distribution.set_distribution(parallel)


def _start_tensorflow(devices):
    import tensorflow as tf  # noqa: TID251, keras.distribution does nothing on TensorFlow

    tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(devices))


STARTS = {"jax": _start_jax, "tensorflow": _start_tensorflow}


def _strategy():
    """TensorFlow's strategy when several devices train together, else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf  # noqa: TID251

    strategy = tf.distribute.get_strategy()
    return strategy if strategy.num_replicas_in_sync > 1 else None


def count_devices():
    """The number of devices that train together: 1 without `use_devices`."""
    if (strategy := _strategy()) is not None:
        return strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def process():
    """Which process this is, counted from 0, and of how many: `(0, 1)` when alone."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 0, 1
    return distribution.data_shard_id, distribution.num_processes


def own_rows(order, batch_size):
    """The part of each batch that this process hands to its devices.

    Args:
        order: Array of shape `(N, ...)`: whole batches, one after the other.
        batch_size: Integer. Images a batch, over all devices.

    Returns:
        Array of shape `(N / processes, ...)`.
    """
    index, count = process()
    parts = np.reshape(order, (-1, count, batch_size // count, *order.shape[1:]))
    return parts[:, index].reshape(-1, *order.shape[1:])


def is_same_everywhere(number):
    """Whether all processes hold the same number. All of them must ask."""
    if process()[1] == 1:
        return True
    from jax.experimental import multihost_utils  # noqa: TID251, Keras has no such question

    return np.unique(multihost_utils.process_allgather(np.array(number))).size == 1


def first_says(flag):
    """What the first of the processes answers. All of them must ask."""
    if process()[1] == 1:
        return flag
    from jax.experimental import multihost_utils  # noqa: TID251, Keras has no such question

    return bool(multihost_utils.broadcast_one_to_all(np.array(flag)))


def split(batch):
    """Gives each replica of TensorFlow its part of a batch; JAX needs no such help.

    Keras splits what comes from tf.data alone, and hands a whole array to each replica.

    Args:
        batch: Array of shape `(B, ...)`.

    Returns:
        One value for each replica, or the batch itself when there is one device.
    """
    if (strategy := _strategy()) is None:
        return batch
    parts = np.array_split(batch, strategy.num_replicas_in_sync)
    return strategy.experimental_distribute_values_from_function(
        lambda context: keras.ops.convert_to_tensor(
            parts[context.replica_id_in_sync_group]
        )
    )


def predict(model, batch):
    """Predicts for a batch of any size, of which each device takes an equal part.

    A batch that does not divide among the devices is filled up with images of its own,
    whose outputs are dropped.

    Args:
        model: `keras.Model` with one input, after `prepare` or `share_prediction`.
        batch: Array of shape `(B, ...)`.

    Returns:
        What `predict_on_batch` of the model gives: arrays of B rows.
    """
    size = len(batch)
    rows = np.arange(size + -size % count_devices()) % size
    outputs = model.predict_on_batch(split(batch[rows]))
    return keras.tree.map_structure(lambda output: output[:size], outputs)


def assign_seed(variable, seed):
    """Sets the state of a seed generator; each replica of TensorFlow gets its own.

    With one state for all, every part of a batch would get the same dropout. JAX draws
    for the whole batch before it is split, as one device would.
    """
    variable.assign(seed)
    if _strategy() is not None:
        for replica, copy in enumerate(variable.value.values):
            copy.assign(seed + np.array([replica, 0]))


def sum_before_clipping(kind):
    """An optimiser that clips the gradient of the batch, not of a replica's part of it.

    Keras on TensorFlow clips first and sums over the replicas then, which is another
    training than that of one device.

    Args:
        kind: Class that extends `keras.optimizers.Optimizer`.

    Returns:
        Class that extends `kind`, or `kind` itself where nothing is to be mended.
    """
    if _strategy() is None:
        return kind

    class Summing(kind):
        def _clip_gradients(self, grads):
            summed = super()._all_reduce_sum_gradients([(g, None) for g in grads])
            return super()._clip_gradients([gradient for gradient, _ in summed])

        def _all_reduce_sum_gradients(self, grads_and_vars):
            return grads_and_vars  # they are sums already

    return Summing


def prepare(model, images, labels):
    """Makes a compiled model ready for batches that are split over devices.

    Args:
        model: Compiled `keras.Model`.
        images: Array of shape `(N, H, W, C)`. One of them is looked at.
        labels: Integer array of shape `(N,)`.
    """
    if _strategy() is not None:
        # Keras makes the variables of the metrics here, which no replica could do.
        model.test_on_batch(images[:1], labels[:1])
    share_prediction(model)


def share_prediction(model):
    """Lets the devices of JAX share a prediction; Keras has each compute all of it.

    Args:
        model: `keras.Model` with one input.
    """
    if keras.distribution.distribution() is not None:
        model.predict_function = _split_prediction(model)


def _split_prediction(model):
    import jax  # noqa: TID251, to compile with a layout of the result, which keras.ops cannot say

    distribution = keras.distribution.distribution()
    mesh = distribution.device_mesh.backend_mesh
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    def predict(state, images):
        layout = distribution.get_data_layout(images.shape)
        part = keras.distribution.distribute_tensor(images, layout)
        outputs, other_variables = model.predict_step(state, (part,))
        return outputs, (state[0], other_variables)

    compiled = jax.jit(predict, donate_argnums=0, out_shardings=everywhere)
    return lambda state, batches: compiled(state, *next(batches))
