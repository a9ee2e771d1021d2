"""Train any model on any data set, one way for all."""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from vitlib.config.training import TrainConfig
from vitlib.data.splits import Dataset
from vitlib.training import parallel
from vitlib.training.averages import averaged, put_averages
from vitlib.training.batches import run_batches
from vitlib.training.checkpoints import Saver, load_weights
from vitlib.training.compilation import explain_no_compilation
from vitlib.training.draws import draw_order, seed_epoch
from vitlib.training.instruments import METERED, WATCHED, read, watch_head
from vitlib.training.mixing import with_mixing
from vitlib.training.prepare import prepare
from vitlib.training.recording import record
from vitlib.training.resume import open_saver
from vitlib.training.sizes import require_size, set_training_size
from vitlib.training.tasks import CLASSIFICATION, Classification, evaluate

SAVE_MINUTES = 5  # what a kill costs at most, where an epoch takes longer


def train(
    model,
    data,
    config,
    checkpoint_dir=None,
    report=print,
    watch=False,
    save_minutes=SAVE_MINUTES,
    task=CLASSIFICATION,
    about=None,
):
    """Trains a model, keeps its best weights on validation, and tests those once.

    The optimiser of the config (`make_optimizer` says what weight decay means), the
    learning rate of one of `SCHEDULES`, the loss of the task. After each epoch the
    model is measured on the validation images; at the end it gets the weights of the
    best epoch, and only then the test images are looked at. With `config.ema_momentum`
    the running means of the weights are what is measured, kept and tested.

    With a `checkpoint_dir` the training survives a kill: the same call in a new process
    goes on after what was saved last, and ends with the same history, number for number
    on the same machine, as if it had never been stopped. It is saved after each epoch,
    and in long epochs every few minutes.

    After `vitlib.training.parallel.use_devices` several devices share each batch. Where
    they belong to several processes, each of these makes the same call with a
    `checkpoint_dir` of its own, and returns the same run.

    Args:
        model: `keras.Model` from `build_model` (or built after the same settings).
        data: `Dataset`.
        config: `TrainConfig`.
        checkpoint_dir: Path of a folder for this run alone, or None.
        report: Called with one line an epoch; and with one before the first when a
            layer keeps the model from being compiled where that matters.
        watch: Boolean, whether to read the instruments after each epoch, on the first
            validation images; the history then has the lists of `READINGS`, too.
        save_minutes: Number of at least 0. At least so much time is between two saves
            within an epoch; more where they would take over 2 % of the time.
        task: As `vitlib.training.tasks.Classification`.
        about: Dict, what the `Run` says of the experiment: see `vitlib.records.runs`.

    Returns:
        `Run`. When the loss became NaN or infinite, its status is "failed", `error`
        says so, `test` is None, and the model keeps what it then was.

    Raises:
        ValueError: When config is no `TrainConfig`, model and config disagree, there
            are fewer training images than a batch, the devices cannot share a batch,
            the checkpoint belongs to another run, no layer of a model to be watched
            pools, or a split is refused by `require_split`.
    """
    if not isinstance(config, TrainConfig):
        raise ValueError(
            f"config must be a TrainConfig. Received: {type(config).__name__}."
        )
    task = with_mixing(task, config, model.output.shape[-1])
    if config.first_epochs:
        require_size(model, config.first_size)
    prepare(model, data, config, METERED[config.optimizer] if watch else None, task)
    watcher = None
    if watch:
        parallel.share_prediction(watcher := watch_head(model))
    if slow := explain_no_compilation(model):
        report(slow)
    with tempfile.TemporaryDirectory() as scratch:
        folder = checkpoint_dir or scratch
        minutes = math.inf if checkpoint_dir is None else save_minutes
        saver = open_saver(model, data, config, folder, watch, minutes)
        loop = _Loop(model, watcher, data, config, task, saver, report)
        error = loop.run()
        progress = saver.progress
        if error is None:
            load_weights(folder, model, progress, progress["best_epoch"])
            put_averages(model)
    return record(model, data, config, task, progress, error, about)


@dataclass
class _Loop:
    model: keras.Model
    watcher: keras.Model | None
    data: Dataset
    config: TrainConfig
    task: Classification
    saver: Saver
    report: Callable

    def __post_init__(self):
        self.targets = self.task.targets(self.data.train)

    def run(self):
        """Runs the epochs that are left. Returns why it had to stop, or None."""
        progress = self.saver.progress
        history = progress["history"]
        finished = len(history.get("loss", ()))
        within = progress.get("within")
        if finished or within:
            load_weights(self.saver.folder, self.model, progress)
            batches = f" and batch {within['batches']} of the next" if within else ""
            self.report(f"going on after epoch {finished}{batches}")
        for epoch in range(finished, self.config.epochs):
            row, rate = self._train_epoch(epoch)
            if error := _find_infinite(row, epoch):
                self.report(error)
                return error
            for name, value in row.items():
                history.setdefault(name, []).append(value)
            progress.pop("within", None)
            progress["images_per_second"].append(rate)
            pick = {"max": np.argmax, "min": np.argmin}[self.task.mode]
            progress["best_epoch"] = 1 + int(pick(history[f"val_{self.task.monitor}"]))
            self.saver.save()
            self.report(self._progress_line(history))
        return None

    def _train_epoch(self, epoch):
        """Trains one epoch, or what is left of it, and measures it.

        Returns one value for each list of the history, and the images a second.
        """
        start, train, config = time.perf_counter(), self.data.train, self.config
        nothing = {"batches": 0, "means": None, "seconds": 0.0}
        done = self.saver.progress.get("within") or nothing
        if config.first_epochs:
            is_first = epoch < config.first_epochs
            set_training_size(self.model, config.first_size if is_first else None)
        if not done["batches"]:  # else the seeds are those of the last save
            seed_epoch(self.model, config.seed, epoch)
        pairs = self._draw_pairs(epoch, done["batches"])

        def seconds():
            return done["seconds"] + time.perf_counter() - start

        def after_batch(batches, means):
            self.saver.save_within(done["batches"] + batches, means, seconds())

        batch_size = config.batch_size // parallel.process()[1]
        row = run_batches(self.model, *pairs, batch_size, done["means"], after_batch)
        images = config.count_steps(len(train.labels)) * config.batch_size
        rate = images / seconds()
        row |= self._measure()
        row["seconds"] = seconds()
        return row, rate

    def _draw_pairs(self, epoch, batches):
        """The images of an epoch and their targets, but for the batches that are done.

        All are drawn and varied, so that the rest is the same after a stop.
        """
        train, config = self.data.train, self.config
        if self.data.fresh is None:
            order = draw_order(config, epoch, len(train.labels))
            pair = train.images[order], self.targets[order]
        else:  # in the order in which they are drawn
            images = config.count_steps(len(train.labels)) * config.batch_size
            drawn = self.data.fresh(config.seed, epoch, images)
            pair = drawn.images, self.task.targets(drawn)
        rng = np.random.default_rng((config.seed, epoch, 2))  # of this use alone
        rest = (
            part[batches * config.batch_size :] for part in self.task.vary(*pair, rng)
        )
        return [parallel.own_rows(part, config.batch_size) for part in rest]

    def _measure(self):
        """What the validation images and the instruments tell after an epoch."""
        validation, optimizer = self.data.validation, self.model.optimizer
        with averaged(self.model):
            scores = evaluate(self.model, validation, self.task)
        row = {f"val_{name}": value for name, value in scores.items()}
        if self.watcher is not None:
            outputs = parallel.predict(self.watcher, validation.images[:WATCHED])
            row |= read(optimizer, outputs)
        row["learning_rate"] = float(ops.convert_to_numpy(optimizer.learning_rate))
        return row

    def _progress_line(self, history):
        epoch, epochs = len(history["loss"]), self.config.epochs
        minutes = (epochs - epoch) * float(np.median(history["seconds"])) / 60
        return (
            f"epoch {epoch}/{epochs}: loss {history['loss'][-1]:.3f}, "
            f"{self.task.tell(history)}, "
            f"{history['seconds'][-1]:.0f} s, {minutes:.0f} min left"
        )


def _find_infinite(row, epoch):
    """Why a training has to stop: a value of the epoch is NaN or infinite."""
    names = [name for name, value in row.items() if not np.all(np.isfinite(value))]
    if not names:
        return None
    return (
        f"Epoch {epoch + 1} ended with {', '.join(names)} not a finite number; a lower "
        "learning rate, a warm-up or clipping may help."
    )
