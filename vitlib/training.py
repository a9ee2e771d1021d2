"""Train any model on any data set, one way for all; evaluate it."""

import math
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime

import keras
import numpy as np
from keras import ops

from vitlib import parallel, provenance
from vitlib.batches import run_batches
from vitlib.checkpoints import Saver, describe, load_progress, load_weights
from vitlib.compilation import explain_no_compilation
from vitlib.config import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.flops import count_flops
from vitlib.instruments import READINGS, WATCHED, MeteredAdamW, read, watch_head
from vitlib.normalize import fit
from vitlib.optimizer import AdamW, make_optimizer
from vitlib.resnet import build_resnet, build_small_resnet
from vitlib.runs import Run
from vitlib.vit import build_vit

EVALUATION_BATCH = 500  # images; divides 2,000 and 10,000: one compilation on JAX
SAVE_MINUTES = 5  # what a kill costs at most, where an epoch takes longer
PERCENT = 100
BUILDERS = {
    ViTConfig: build_vit,
    ResNetConfig: build_resnet,
    SmallResNetConfig: build_small_resnet,
}
HISTORY = "loss top1 top5 val_loss val_top1 val_top5 learning_rate seconds".split()


def build_model(model_config, train_config):
    """Builds a model with the seed and the precision of its training.

    Both are settings of the process, and stay: `keras.utils.set_random_seed` and
    `keras.config.set_dtype_policy`.

    Args:
        model_config: `ViTConfig`, `ResNetConfig` or `SmallResNetConfig`.
        train_config: `TrainConfig`.

    Returns:
        `keras.Model` from images to logits.
    """
    keras.utils.set_random_seed(train_config.seed)
    keras.config.set_dtype_policy(train_config.precision)
    return BUILDERS[type(model_config)](model_config)


def _smoothed_crossentropy(label_smoothing):
    def loss(labels, logits):
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")  # Keras hands on floats
        targets = ops.one_hot(labels, logits.shape[-1])
        return keras.losses.categorical_crossentropy(
            targets, logits, from_logits=True, label_smoothing=label_smoothing
        )

    return loss


def evaluate(model, split):
    """Measures a model on a split, in one deterministic pass.

    Args:
        model: `keras.Model` from images to logits.
        split: `Split`.

    Returns:
        Dict as `score` gives it.
    """
    starts = range(0, len(split.labels), EVALUATION_BATCH)
    batches = (split.images[i : i + EVALUATION_BATCH] for i in starts)
    logits = np.concatenate([parallel.predict(model, batch) for batch in batches])
    return score(logits, split.labels)


def score(logits, labels):
    """Measures how well logits name the classes.

    Args:
        logits: Array of shape `(N, C)`.
        labels: Integer array of shape `(N,)`.

    Returns:
        Dict: `loss`, the mean cross-entropy in nats, without label smoothing; `top1`
        and `top5`, fractions of the images. Equal logits count in the order of the
        classes, so a constant predictor gets 1 / C and 5 / C on balanced labels.
    """
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    of_label = np.take_along_axis(log_probabilities, labels[:, None], axis=1)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :5] == labels[:, None]
    return {
        "loss": float(-of_label.mean()),
        "top1": float(best[:, 0].mean()),
        "top5": float(best.any(axis=1).mean()),
    }


def _check(model, data, config):
    policy, images = model.dtype_policy.name, len(data.train.labels)
    devices = parallel.count_devices()
    if policy != config.precision:
        raise ValueError(
            f"The model must compute in config.precision={config.precision!r}: "
            f"build it with build_model. Received: a model in {policy!r}."
        )
    if images < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the {images} training images. "
            f"Received: {config.batch_size}."
        )
    if config.batch_size % devices:
        raise ValueError(
            "batch_size must be a multiple of the devices that train together. "
            f"Received: batch_size={config.batch_size}, devices={devices}."
        )


def _adapt_normalization(model, images):
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            fit(layer, images)


def prepare(model, data, config, kind=AdamW):
    """Makes a model ready for its first step: normalisation, optimiser, loss, metrics.

    Args:
        model: `keras.Model` from `build_model`.
        data: `Dataset`.
        config: `TrainConfig`.
        kind: `AdamW` or a class that extends it.

    Raises:
        ValueError: When model and config disagree, there are fewer training images than
            a batch, or the devices cannot share a batch.
    """
    _check(model, data, config)
    _adapt_normalization(model, data.train.images)
    steps = config.count_steps(len(data.train.labels))
    compile_model(model, config, steps, kind)
    parallel.prepare(model, data.train.images, data.train.labels)


def compile_model(model, config, steps_per_epoch, kind=AdamW):
    """Gives a model the optimiser, the loss and the metrics of a config.

    Args:
        model: `keras.Model` from images to logits.
        config: `TrainConfig`.
        steps_per_epoch: Integer.
        kind: `AdamW` or another class of Keras' with its arguments.
    """
    model.compile(
        optimizer=make_optimizer(
            config, steps_per_epoch, parallel.sum_before_clipping(kind)
        ),
        loss=_smoothed_crossentropy(config.label_smoothing),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="top1"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5"),
        ],
    )
    model.optimizer.build(model.trainable_variables)


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


def _train_epoch(model, watcher, data, config, epoch, saver):
    """Trains one epoch, or what is left of it, and measures it.

    Returns one value for each list of the history, and the images a second.
    """
    start, train = time.perf_counter(), data.train
    nothing = {"batches": 0, "means": None, "seconds": 0.0}
    done = saver.progress.get("within") or nothing
    if not done["batches"]:  # else the seeds are those of the last save
        seed_epoch(model, config.seed, epoch)
    order = draw_order(config, epoch, len(train.labels))
    rows = order[done["batches"] * config.batch_size :]
    rows = parallel.own_rows(rows, config.batch_size)
    batch_size = config.batch_size // parallel.process()[1]

    def after_batch(batches, means):
        seconds = done["seconds"] + time.perf_counter() - start
        saver.save_within(done["batches"] + batches, means, seconds)

    images, labels = train.images[rows], train.labels[rows]
    row = run_batches(model, images, labels, batch_size, done["means"], after_batch)
    seconds_of_training = done["seconds"] + time.perf_counter() - start
    validation = evaluate(model, data.validation)
    row |= {f"val_{name}": value for name, value in validation.items()}
    if watcher is not None:
        outputs = parallel.predict(watcher, data.validation.images[:WATCHED])
        row |= read(model.optimizer, outputs)
    row["learning_rate"] = float(ops.convert_to_numpy(model.optimizer.learning_rate))
    row["seconds"] = done["seconds"] + time.perf_counter() - start
    return row, len(order) / seconds_of_training


def _progress_line(history, config):
    epoch, left = len(history["loss"]), config.epochs - len(history["loss"])
    minutes = left * float(np.median(history["seconds"])) / 60
    return (
        f"epoch {epoch}/{config.epochs}: loss {history['loss'][-1]:.3f}, "
        f"top-1 {PERCENT * history['top1'][-1]:.1f} % in training, "
        f"{PERCENT * history['val_top1'][-1]:.1f} % in validation, "
        f"{history['seconds'][-1]:.0f} s, {minutes:.0f} min left"
    )


def _not_finite(row):
    """The names of the values of an epoch that are NaN or infinite."""
    return [name for name, value in row.items() if not np.all(np.isfinite(value))]


def train(
    model,
    data,
    config,
    checkpoint_dir=None,
    report=print,
    watch=False,
    save_minutes=SAVE_MINUTES,
):
    """Trains a model, keeps its best weights on validation, and tests those once.

    AdamW (`make_optimizer` says what its weight decay means), a constant or a cosine
    learning rate, cross-entropy with label smoothing. After each epoch the model is
    measured on the validation images; at the end it gets the weights of the best epoch,
    and only then the test images are looked at.

    With a `checkpoint_dir` the training survives a kill: the same call in a new process
    goes on after what was saved last, and ends with the same history, number for number
    on the same machine, as if it had never been stopped. It is saved after each epoch,
    and in long epochs every few minutes.

    After `vitlib.parallel.use_devices` several devices share each batch. Where they
    belong to several processes, each of these makes the same call with a
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

    Returns:
        `Run`. When the loss became NaN or infinite, its status is "failed", `error`
        says so, `test` is None, and the model keeps what it then was.

    Raises:
        ValueError: When model and config disagree, there are fewer training images than
            a batch, the devices cannot share a batch, the checkpoint belongs to
            another run, or no layer of a model to be watched pools.
    """
    prepare(model, data, config, MeteredAdamW if watch else AdamW)
    watcher = None
    if watch:
        parallel.share_prediction(watcher := watch_head(model))
    if slow := explain_no_compilation(model):
        report(slow)
    with tempfile.TemporaryDirectory() as scratch:
        folder = checkpoint_dir or scratch
        minutes = math.inf if checkpoint_dir is None else save_minutes
        saver = _open_saver(model, data, config, folder, watch, minutes)
        error = _train_epochs(model, watcher, data, config, saver, report)
        progress = saver.progress
        if error is None:
            load_weights(folder, model, progress, progress["best_epoch"])
    return _record(model, data, config, progress, error)


def _open_saver(model, data, config, folder, watch, minutes):
    """Reads how far the training had got, and prepares to save it from there on."""
    facts = [asdict(config), data.fingerprint, len(data.train.labels), watch]
    if data.train.different:  # a key of all images stays as it was before these
        facts.append(data.train.different)
    key = describe(model, *facts)
    progress = load_progress(folder, key)
    if progress is None:
        progress = {"history": {}, "best_epoch": None, "images_per_second": []}
    now = provenance.git_commit()
    began = progress.get("git_commit", now)
    progress["git_commit"] = provenance.join_commits(began, now)
    _require_same_start(progress)
    return Saver(folder, model, key, progress, minutes)


def _train_epochs(model, watcher, data, config, saver, report):
    """Runs the epochs that are left. Returns why it had to stop, or None."""
    progress = saver.progress
    history = progress["history"]
    finished = len(history.get("loss", ()))
    within = progress.get("within")
    if finished or within:
        load_weights(saver.folder, model, progress)
        batches = f" and batch {within['batches']} of the next" if within else ""
        report(f"going on after epoch {finished}{batches}")
    for epoch in range(finished, config.epochs):
        row, rate = _train_epoch(model, watcher, data, config, epoch, saver)
        if _not_finite(row):
            error = (
                f"Epoch {epoch + 1} ended with {', '.join(_not_finite(row))} not a "
                "finite number; a lower learning rate, a warm-up or clipping may help."
            )
            report(error)
            return error
        for name, value in row.items():
            history.setdefault(name, []).append(value)
        progress.pop("within", None)
        progress["images_per_second"].append(rate)
        progress["best_epoch"] = int(np.argmax(history["val_top1"])) + 1
        saver.save()
        report(_progress_line(history, config))
    return None


def _require_same_start(progress):
    """A kill can come when some processes have saved and others have not.

    In the middle of an epoch they go back to its beginning, of which all have the
    weights. Where they differ in whole epochs, they must be told.
    """
    finished = len(progress["history"].get("loss", ()))
    if not parallel.is_same_everywhere(finished):
        raise ValueError(
            "All processes must go on after the same epoch: delete their checkpoints. "
            f"Received: epoch {finished} in this process, another in another."
        )
    batches = progress.get("within", {}).get("batches", 0)
    if not parallel.is_same_everywhere(batches):
        progress.pop("within", None)


def _sizes(model):
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    total = model.count_params()
    rest = total - trainable
    return {"total": total, "trainable": trainable, "non_trainable": rest}


def _facts(data):
    """What a record says of the data."""
    facts = {"name": data.name, "fingerprint": data.fingerprint}
    for name in ("train", "validation", "test"):
        facts[name] = getattr(data, name).size
    return facts


def draft(model, data, config):
    """The record of a training before its first step: all that can be known by then.

    Args:
        model: `keras.Model` from `build_model`.
        data: `Dataset`.
        config: `TrainConfig`.

    Returns:
        `Run` of no epochs, with the status "failed".
    """
    progress = {"history": {}, "best_epoch": None, "images_per_second": []}
    progress["git_commit"] = provenance.git_commit()
    return _record(model, data, config, progress, "It has not begun.")


def _record(model, data, config, progress, error):
    names = HISTORY + [name for name in READINGS if name in progress["history"]]
    history = {name: progress["history"].get(name, []) for name in names}
    rates = progress["images_per_second"]
    return Run(
        seed=config.seed,
        status="finished" if error is None else "failed",
        error=error,
        training=asdict(config),
        data=_facts(data),
        history=history,
        best_epoch=progress["best_epoch"],
        test=evaluate(model, data.test) if error is None else None,
        seconds=sum(history["seconds"]),
        images_per_second=float(np.median(rates)) if rates else None,
        peak_memory_bytes=provenance.peak_memory_bytes(),
        parameters=_sizes(model),
        flops_per_image=count_flops(model),
        device=provenance.device(),
        backend=keras.backend.backend(),
        versions=provenance.versions(),
        git_commit=progress["git_commit"],
        utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
