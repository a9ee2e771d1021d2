"""Train on one batch after the other, in a way that can be broken off and gone on with.

The means of an epoch go on, too, so that they come out number for number as if the
epoch had never been broken off.
"""

import keras
import numpy as np
from keras import ops

from vitlib.training import parallel


def run_batches(model, images, labels, batch_size, means=None, after_batch=None):
    """Trains on images as they stand, batch after batch.

    Args:
        model: Compiled `keras.Model`.
        images: Array of shape `(N, H, W, C)`, pixels from 0 to 255.
        labels: Integer array of shape `(N,)`.
        batch_size: Integer that divides N.
        means: The means over the batches before these ones, as the function that
            `after_batch` gets returned them; None where these are the first.
        after_batch: Called between two batches with the number of batches done here,
            and a function that returns the means so far, as JSON can hold them. Who
            reads the weights of the model then, must call that function first: on JAX
            it fetches them from the running steps.

    Returns:
        Dict: the means of the loss and of each metric over the batches, those before
        these ones included.

    Raises:
        KeyboardInterrupt: After Ctrl-C. On JAX the weights of the model may be gone.
    """
    after_batch = after_batch or (lambda *_: None)
    if keras.backend.backend() == "tensorflow":
        return _one_by_one(model, images, labels, batch_size, means, after_batch)
    callback = _BetweenBatches(means, after_batch)
    options = {"shuffle": False, "verbose": 0, "callbacks": [callback]}
    try:
        fit = model.fit(images, labels, batch_size, **options)
    except RuntimeError as error:
        # Stopped within a step, Keras asks JAX for arrays that the step has used up.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    return {name: float(values[0]) for name, values in fit.history.items()}


def _one_by_one(model, images, labels, batch_size, means, after_batch):
    # Keras would hand the arrays to tf.data. There TensorFlow 2.21 may wait at the end
    # of an epoch for its autotuning thread, which sleeps as long as the epoch took.
    batches = list(means or [])
    for i in range(0, len(labels), batch_size):
        if i:
            after_batch(i // batch_size, batches.copy)
        pair = images[i : i + batch_size], labels[i : i + batch_size]
        pair = map(parallel.split, pair)
        batches.append(model.train_on_batch(*pair, return_dict=True))
        model.reset_metrics()  # so that each value is that of its own batch
    return {n: float(np.mean([batch[n] for batch in batches])) for n in batches[0]}


class _BetweenBatches(keras.callbacks.Callback):
    """Steps in between the batches of `fit`; Keras' metrics hold the means so far.

    Before a batch, not after one: a callback after each batch would have JAX wait for
    the numbers of every step. Asking for `self.model` fetches its weights.
    """

    def __init__(self, means, after_batch):
        super().__init__()
        self.means, self.after_batch = means, after_batch

    def on_epoch_begin(self, epoch, logs=None):
        if self.means is not None:  # `fit` has just set them to zero
            variables = self.model.metrics_variables
            for variable, value in zip(variables, self.means, strict=True):
                variable.assign(value)

    def on_train_batch_begin(self, batch, logs=None):
        if batch:
            self.after_batch(batch, self._values)

    def _values(self):
        variables = self.model.metrics_variables
        return [ops.convert_to_numpy(variable).tolist() for variable in variables]
