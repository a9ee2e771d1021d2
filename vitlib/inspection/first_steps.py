"""Train a model for its first steps alone, and read the instruments on the way."""

from itertools import count, islice

import numpy as np

from vitlib.data.splits import Split
from vitlib.training import parallel
from vitlib.training.draws import draw_order, seed_epoch
from vitlib.training.instruments import WATCHED, MeteredAdamW, read, watch_head
from vitlib.training.loop import prepare
from vitlib.training.tasks import score


def observe(model, data, config, steps, every):
    """Trains a model as `train` does, and reads the instruments every few steps.

    The steps are the first ones of the training that the config describes. The
    instruments look at the first validation images, without dropout or augmentation.

    Args:
        model: `keras.Model` from `build_model`.
        data: `Dataset`.
        config: `TrainConfig`.
        steps: Integer, how many steps to train.
        every: Integer, how many steps apart the readings are.

    Returns:
        Dict of lists, one value a reading: `step`; `train_loss`, the mean over the
        batches since the last reading; `loss`, `top1` and `top5` of the watched images
        as in `score`; and what `vitlib.training.instruments.read` returns.

    Raises:
        ValueError: As `train` does, and when no layer of the model pools.
    """
    parallel.share_prediction(watcher := watch_head(model))
    prepare(model, data, config, MeteredAdamW)
    watched = Split(data.validation.images[:WATCHED], data.validation.labels[:WATCHED])
    seen, losses = {}, []
    batches = islice(_batches(model, data.train, config), steps)
    for step, batch in enumerate(batches, start=1):
        losses.append(model.train_on_batch(*batch, return_dict=True)["loss"])
        model.reset_metrics()
        if step % every == 0:
            outputs = parallel.predict(watcher, watched.images)
            row = {"step": step, "train_loss": float(np.mean(losses))}
            row |= score(outputs[-1], watched.labels) | read(model.optimizer, outputs)
            for name, value in row.items():
                seen.setdefault(name, []).append(value)
            losses = []
    return seen


def _batches(model, split, config):
    """The batches of `train`, epoch after epoch, without end; shared by the devices."""
    for epoch in count():
        seed_epoch(model, config.seed, epoch)
        order = draw_order(config, epoch, len(split.labels))
        rows = parallel.own_rows(order, config.batch_size)
        for part in rows.reshape(-1, config.batch_size // parallel.process()[1]):
            yield map(parallel.split, (split.images[part], split.labels[part]))
