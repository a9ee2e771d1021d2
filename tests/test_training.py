import json
import math
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import keras
import numpy as np
import pytest
from small_scenes import small_scenes
from train_micro import MODEL, TRAINING, micro_data, outcome

from vitlib import (
    Split,
    TrainConfig,
    build_model,
    evaluate,
    limit_train,
    save_run,
    train,
)
from vitlib.config.dense import DetectionConfig
from vitlib.training import checkpoints
from vitlib.training.detection import Detection
from vitlib.training.draws import draw_order
from vitlib.training.instruments import READINGS
from vitlib.training.prepare import prepare
from vitlib.training.tasks import Classification

pytestmark = pytest.mark.backend

DETECTOR = DetectionConfig(**asdict(replace(MODEL, num_classes=2, augmentation="none")))
LEVERS = replace(TRAINING, optimizer="muon", ema_momentum=0.9, mixup=0.3, cutmix=0.3)
LEVERS = replace(LEVERS, first_size=16, first_epochs=4, test_flip=True)
SCRIPT = Path(__file__).with_name("train_micro.py")


@pytest.fixture(scope="module")
def data():
    return micro_data()


def micro_run(
    data, folder=None, training=TRAINING, report=lambda line: None, watch=False
):
    return train(build_model(MODEL, training), data, training, folder, report, watch)


@pytest.fixture(scope="module")
def whole_run(data):
    return micro_run(data)


def test_the_same_seed_gives_the_same_run(data, whole_run):
    assert outcome(micro_run(data)) == outcome(whole_run)


def test_another_seed_gives_another_run(data, whole_run):
    other = micro_run(data, training=replace(TRAINING, seed=1))
    assert other.history["loss"] != whole_run.history["loss"]


def test_an_interrupted_run_goes_on_to_the_same_end(data, whole_run, tmp_path):
    def interrupt(line):
        if line.startswith(("epoch 2/", "epoch 3/")):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            micro_run(data, tmp_path / "checkpoint", report=interrupt)
    lines = []
    run = micro_run(data, tmp_path / "checkpoint", report=lines.append)
    assert [line[:7] for line in lines] == ["going o", "epoch 4", "epoch 5"]
    assert outcome(run) == outcome(whole_run)
    assert len(list((tmp_path / "checkpoint").glob("*.npz"))) <= 2


def test_a_stop_within_a_step_stays_a_stop(data, whole_run, tmp_path, monkeypatch):
    """On JAX the weights of that moment are gone, and with them Keras' way to end."""
    make, steps = keras.Model.make_train_function, count(1)

    def make_stopping(model, **options):
        if model.train_function is not None:
            return
        make(model, **options)
        step = model.train_function

        def stop(*arguments):
            result = step(*arguments)
            if next(steps) == 14:  # the second of the second epoch
                raise KeyboardInterrupt
            return result

        model.train_function = stop

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "make_train_function", make_stopping)
        with pytest.raises(KeyboardInterrupt):
            micro_run(data, tmp_path)
    lines = []
    assert outcome(micro_run(data, tmp_path, report=lines.append)) == outcome(whole_run)
    assert lines[0] == "going on after epoch 1"


def stop_within_an_epoch(monkeypatch, saves):
    """Has a training save after every batch, and break off after so many saves."""
    left, save = iter(range(saves, 0, -1)), checkpoints.Saver.save

    def save_and_stop(saver):
        save(saver)
        if next(left) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "MOST_SAVING", math.inf)
    monkeypatch.setattr(checkpoints.Saver, "save", save_and_stop)


@pytest.mark.parametrize("kind", ["classification", "detection", "every lever"])
def test_a_run_that_was_stopped_within_epochs_goes_on_to_the_same_end(
    data, tmp_path, kind
):
    """Order, dropout, augmentation and the means of the epoch go on, too.

    So do the flips and moves of a task that varies its images itself, and all that may
    make a training better or faster.
    """
    lines, config, options, training = [], MODEL, {"watch": True}, TRAINING
    if kind == "every lever":
        config, training = replace(MODEL, patch_dropout=0.25), LEVERS
    if kind == "detection":
        data, config = small_scenes(train=620), DETECTOR
        options = {"task": Detection(config)}

    def go_on(*folder, **more):
        model = build_model(config, training)
        report = lines.append if folder else str
        return train(model, data, training, *folder, report=report, **options, **more)

    for saves in (7, 46):  # an epoch of 12 batches has 11 saves within, 1 after
        with pytest.MonkeyPatch.context() as patch:
            stop_within_an_epoch(patch, saves)
            with pytest.raises(KeyboardInterrupt):
                go_on(tmp_path, save_minutes=0)
        assert len(list(tmp_path.glob("*.npz"))) <= 3
    run = go_on(tmp_path, save_minutes=0)
    assert [line for line in lines if line.startswith("going on")] == [
        "going on after epoch 0 and batch 7 of the next",
        "going on after epoch 4 and batch 5 of the next",
    ]
    assert outcome(run) == outcome(go_on())


@pytest.mark.parametrize(
    ("minutes", "cost", "saved"),
    [(5, 0.0, [300, 600, 900]), (0, 0.5, [25, 50, 75]), (5, 10.0, [500, 1000])],
)
def test_saves_within_an_epoch_keep_their_distance(
    monkeypatch, tmp_path, minutes, cost, saved
):
    """At least the minutes, and at most 2 % of the time; the clock is played."""
    now, seen = [0.0], []
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda *_: None)
    saver = checkpoints.Saver(tmp_path, None, "key", {"history": {}}, minutes)
    saver.cost = cost
    for second in range(1, saved[-1] + 5):
        now[0] = float(second)
        saver.save_within(second, list, second)
        if saver.last == second:
            seen.append(second)
            saver.cost = cost
    assert seen == saved


def start(folder):
    command = [sys.executable, "-W", "ignore", SCRIPT, folder]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def test_a_killed_process_goes_on_to_the_same_end(whole_run, tmp_path):
    for epoch, delay in ((1, 0.0), (3, 0.15)):
        process = start(tmp_path / "checkpoint")
        for line in process.stdout:
            if line.startswith(f"epoch {epoch}/"):
                break
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
    output, _ = start(tmp_path / "checkpoint").communicate()
    assert output.startswith("going on after epoch ")
    assert json.loads(output.splitlines()[-1]) == outcome(whole_run)


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path):
    micro_run(data, tmp_path, replace(TRAINING, epochs=2))
    with pytest.raises(ValueError, match="Received: one of another run"):
        micro_run(data, tmp_path, replace(TRAINING, epochs=3))


def test_a_run_on_fewer_images_says_so_and_is_another_run(data, tmp_path):
    training = replace(TRAINING, epochs=2)
    run = micro_run(limit_train(data, 100), tmp_path, training)
    assert (run.data["train"], run.data["validation"]) == (100, 200)
    with pytest.raises(ValueError, match="Received: one of another run"):
        micro_run(data, tmp_path, training)


@pytest.fixture
def stopped(data, tmp_path):
    """The checkpoint of a training that was stopped after its second epoch."""

    def interrupt(line):
        if line.startswith("epoch 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        micro_run(data, tmp_path, report=interrupt)
    return tmp_path


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def change(path):
    """One bit in the middle, where no format notices it by itself."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["progress.json", "epoch-0002.npz"])
@pytest.mark.parametrize(
    "damage", [cut, change, lambda path: path.write_bytes(b"[1, 2, 3]")]
)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(data, stopped, file, damage):
    path = stopped / file
    damage(path)
    rule = f"{path} must be as the training wrote it. Received: a file that was cut,"
    with pytest.raises(ValueError, match=re.escape(rule)):
        micro_run(data, stopped)


def test_a_checkpoint_without_its_weights_is_refused_in_one_sentence(data, stopped):
    (stopped / "epoch-0002.npz").unlink()
    with pytest.raises(ValueError, match="must be as the training wrote it"):
        micro_run(data, stopped)


def test_a_full_disk_is_told_and_the_run_goes_on_after_it(data, stopped, whole_run):
    """The limit of a file's size stops a write in its middle, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(
            OSError, match="epoch-0003.npz could not be written. Received"
        ):
            micro_run(data, stopped)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome(micro_run(data, stopped)) == outcome(whole_run)


def test_a_loss_that_is_not_finite_fails_the_run(data, tmp_path):
    lines = []
    training = replace(TRAINING, learning_rate=1e30, warmup_epochs=0)
    run = micro_run(data, training=training, report=lines.append)
    assert (run.status, run.test) == ("failed", None)
    assert "loss" in run.error and "not a finite number" in run.error
    assert run.error == lines[-1]
    named = {"study": "s", "name": "n", "preset": "p", "scale": "quick"}
    family = {"model": {"family": "vit"}, "command": "c"}
    path = save_run(tmp_path, replace(run, **named, **family))
    assert json.loads(path.read_text())["status"] == "failed"


def test_the_training_values_of_an_epoch_are_means_over_all_its_images(data):
    still = TrainConfig(epochs=2, batch_size=155, learning_rate=1e-12, weight_decay=0.0)
    config = replace(MODEL, augmentation="none", dropout=0.0)
    model = build_model(config, still)
    run = train(model, data, still, report=lambda line: None)
    expected = evaluate(model, data.train)
    for name, value in expected.items():
        assert run.history[name][-1] == pytest.approx(value, rel=1e-4)


def test_a_run_ends_with_the_weights_of_its_best_epoch(data):
    training = replace(TRAINING, schedule="constant", learning_rate=0.02)
    model = build_model(MODEL, training)
    run = train(model, data, training, report=lambda line: None)
    best = max(run.history["val_top1"])
    assert run.history["val_top1"][run.best_epoch - 1] == best
    assert evaluate(model, data.validation)["top1"] == best
    assert evaluate(model, data.test) == run.test


def test_the_test_images_are_looked_at_once(data, monkeypatch):
    seen = []
    real = evaluate
    spy = lambda m, split, task: (seen.append(split), real(m, split, task))[1]  # noqa: E731
    for module in ("loop", "recording"):
        monkeypatch.setattr(f"vitlib.training.{module}.evaluate", spy)
    micro_run(data, training=replace(TRAINING, epochs=2))
    assert [split is data.test for split in seen] == [False, False, True]


def test_a_run_knows_what_it_did(data, whole_run):
    assert (whole_run.data["train"], whole_run.status) == (620, "finished")
    assert whole_run.parameters["non_trainable"] == 7
    assert whole_run.seconds == pytest.approx(sum(whole_run.history["seconds"]))
    assert {len(values) for values in whole_run.history.values()} == {5}
    assert whole_run.backend == keras.backend.backend()
    assert whole_run.history["learning_rate"][-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("steps", [1, 5, 12, 30])
def test_shorter_or_longer_epochs_cut_the_same_batches_at_other_places(steps):
    cut = replace(TRAINING, steps_per_epoch=steps)  # a pass has 12 batches of 50
    passes = np.concatenate([draw_order(TRAINING, n, 620) for n in range(10)])
    pieces = np.concatenate([draw_order(cut, n, 620) for n in range(120 // steps)])
    np.testing.assert_array_equal(pieces, passes)
    assert len(draw_order(cut, 0, 620)) == steps * TRAINING.batch_size


def test_a_watched_run_goes_on_to_the_same_end(data, tmp_path):
    """And one that was not watched cannot go on watched."""

    def interrupt(line):
        if line.startswith("epoch 3/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        micro_run(data, tmp_path, report=interrupt, watch=True)
    with pytest.raises(ValueError, match="of another run"):
        micro_run(data, tmp_path)
    run = micro_run(data, tmp_path, watch=True)
    assert outcome(run) == outcome(micro_run(data, watch=True))
    assert set(READINGS) < set(run.history)


def test_each_epoch_is_one_line_with_the_time_left(data):
    lines = []
    micro_run(data, training=replace(TRAINING, epochs=2), report=lines.append)
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(line.endswith("min left") for line in lines)


def test_a_small_model_learns_its_training_images_by_heart(data):
    few = Split(data.train.images[:32], data.train.labels[:32])
    training = TrainConfig(epochs=40, batch_size=8, learning_rate=1e-2)
    config = replace(MODEL, augmentation="none", dropout=0.0)
    model = build_model(config, training)
    seen = replace(data, train=few, validation=few)
    train(model, seen, training, report=lambda line: None)
    assert evaluate(model, few)["top1"] > 0.9


def test_bfloat16_trains_and_keeps_its_weights_in_float32(data):
    training = replace(TRAINING, precision="mixed_bfloat16", epochs=2)
    try:
        model = build_model(MODEL, training)
        run = train(model, data, training, report=lambda line: None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert run.status == "finished"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}


def test_the_normalisation_fits_the_training_images(data):
    model = build_model(MODEL, TRAINING)
    train(model, data, replace(TRAINING, epochs=2), report=lambda line: None)
    mean, variance = model.layers[1].get_weights()[:2]
    pixels = data.train.images.astype("float64")
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(variance, pixels.var((0, 1, 2)), rtol=1e-3)


def constant_model():
    images = keras.Input((32, 32, 3))
    features = keras.layers.GlobalAveragePooling2D()(images)
    logits = keras.layers.Dense(100, kernel_initializer="zeros")(features)
    return keras.Model(images, logits)


def test_a_constant_predictor_scores_what_the_report_got():
    images = np.zeros((1000, 32, 32, 3), "uint8")
    split = Split(images, np.arange(1000, dtype="int32") % 100)
    result = evaluate(constant_model(), split)
    assert (result["top1"], result["top5"]) == (0.01, 0.05)
    assert result["loss"] == pytest.approx(math.log(100))


def test_a_model_of_another_precision_is_refused(data):
    training = replace(TRAINING, precision="mixed_bfloat16")
    with pytest.raises(ValueError, match="Received: a model in 'float32'"):
        train(build_model(MODEL, TRAINING), data, training)


class Untold(Classification):
    """Takes any labels."""

    def require(self, *_):
        pass


def test_the_precision_is_that_of_the_layers_whatever_the_policy_was_later(data):
    half = replace(TRAINING, precision="mixed_bfloat16")
    model = build_model(MODEL, half)
    keras.config.set_dtype_policy("float32")
    joined = keras.Model(model.input, model.output)
    assert joined.dtype_policy.name == "float32"
    with pytest.raises(ValueError, match="Received: a model in 'mixed_bfloat16'"):
        train(joined, data, TRAINING)
    prepare(joined, data, half)
    features = keras.layers.Dense(9, dtype="bfloat16")(model.layers[-2].output)
    mixture = keras.Model(model.input, features)
    with pytest.raises(ValueError, match="a model in 'bfloat16' and 'mixed_bfloat16'"):
        prepare(mixture, data, half, task=Untold())


def test_a_batch_larger_than_the_training_images_is_refused(data):
    with pytest.raises(ValueError, match="at most the 620 training .*Received: 621"):
        micro_run(data, training=replace(TRAINING, batch_size=621))
