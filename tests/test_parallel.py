"""Several devices train one model: the same run as on one device.

The devices are played by the processor, in processes of their own, because a backend
counts its devices when it starts. On JAX dropout and augmentation are on: it draws the
same numbers however many devices there are. On TensorFlow each replica draws for
itself, so that another number of devices is another draw; there they are off.
"""

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
from measure_parallel import DEVICES, SIZES, watch
from train_micro import outcome
from train_parallel import MODEL, TRAINING, micro_data

from vitlib import build_model, load_runs, train
from vitlib.training import parallel, resume
from vitlib.training.checkpoints import ASK_EVERY
from vitlib.training.instruments import READINGS

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[1]
SECONDS = 300  # at most, of a process: it hangs when another one fails
BACKEND = keras.backend.backend()
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="JAX alone can do this")
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")


@pytest.fixture(scope="module")
def alone():
    """The outcome of the run on one device."""
    model = build_model(MODEL, TRAINING)
    return outcome(train(model, micro_data(), TRAINING, watch=True))


def start(script, *arguments, devices=4, **variables):
    """Starts a process that sees so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    flags += " --xla_backend_optimization_level=0"  # compiling takes most of the time
    variables |= {"XLA_FLAGS": flags, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""}
    return subprocess.Popen(
        [sys.executable, ROOT / "tests" / script, *map(str, arguments)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(*processes):
    """What each process prints, once it has ended: status, output, errors."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


def start_pair(*arguments, script="train_parallel.py", **more):
    """Two processes of two devices each, which meet at a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    variables = {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    return [
        start(
            script,
            *arguments,
            devices=2,
            KERAS_DISTRIBUTION_PROCESS_ID=number,
            **variables,
            **more,
        )
        for number in "01"
    ]


def expect_the_run_of_one_device(folder, alone, devices):
    (run,) = load_runs(folder)
    found = outcome(run)
    assert set(alone["history"]) >= {*READINGS, "loss"}
    for name, values in alone["history"].items():
        found_values = found["history"][name]
        np.testing.assert_allclose(found_values, values, rtol=0, atol=1e-4)
    assert len(values) == TRAINING.epochs == 20
    assert found["test"] == pytest.approx(alone["test"], abs=1e-4)
    assert run.device["name"].startswith(f"{devices} x ")
    assert run.command.endswith(f" micro --seed=0 --devices={devices}")
    assert (run.name, run.overrides) == ("micro", {})
    assert [path.name for path in (folder / "diagnosis").iterdir()] == [
        "micro-seed0.json"
    ]


@pytest.mark.parametrize("devices", [2, 4])
def test_each_step_of_several_devices_is_that_of_one(alone, tmp_path, devices):
    arguments = (f"--devices={devices}", f"--out={tmp_path}")
    ((status, _, errors),) = end(start("train_parallel.py", *arguments))
    assert status == 0, errors
    expect_the_run_of_one_device(tmp_path, alone, devices)


def test_any_number_of_devices_measures_any_number_of_images_as_one_does():
    """Also where their numbers have a divisor in common, or the images are fewer."""
    script = start("measure_parallel.py", "predict", devices=max(DEVICES))
    ((status, output, errors),) = end(script)
    assert status == 0, errors
    found = json.loads(output)
    for devices, size in product(map(str, DEVICES), map(str, SIZES)):
        measures, outputs = found[devices][size]
        expected, expected_outputs = found["1"][size]
        assert measures == pytest.approx(expected, abs=1e-4)
        for rows, expected_rows in zip(outputs, expected_outputs, strict=True):
            assert len(rows) == int(size)
            np.testing.assert_allclose(rows, expected_rows, rtol=1e-4, atol=1e-3)


@pytest.fixture(scope="module")
def readings():
    """What the instruments read on one device."""
    return watch()[0]


def expect_the_readings_of_one_device(said, expected):
    ((status, output, errors), *_) = said
    assert status == 0, errors
    seen, shares = json.loads(output.splitlines()[-1])  # after what JAX says
    assert seen.keys() == expected.keys() > set(READINGS)
    for name, values in expected.items():
        np.testing.assert_allclose(seen[name], values, rtol=0, atol=1e-4)
    return shares


def test_the_first_steps_of_several_devices_are_those_of_one(readings):
    said = end(start("measure_parallel.py", "observe"))
    shares = expect_the_readings_of_one_device(said, readings)
    parts = [25] * 4 if BACKEND == "tensorflow" else [100]  # JAX takes it apart itself
    assert shares == [parts] * 6


@on_jax
def test_the_first_steps_of_two_processes_are_those_of_one(readings):
    said = end(*start_pair("observe", script="measure_parallel.py"))
    assert expect_the_readings_of_one_device(said, readings) == [[50]] * 6


@on_jax
def test_each_step_of_two_processes_is_that_of_one(alone, tmp_path):
    said = end(*start_pair("--devices=4", f"--out={tmp_path}"))
    assert [status for status, *_ in said] == [0, 0], said
    expect_the_run_of_one_device(tmp_path, alone, 4)


@on_jax
def test_processes_that_would_go_on_after_different_epochs_are_refused(tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    checkpoint = tmp_path / "diagnosis" / "micro-seed0.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        model = build_model(MODEL, TRAINING)
        train(model, micro_data(), TRAINING, checkpoint, interrupt, watch=True)
    said = end(*start_pair("--devices=4", f"--out={tmp_path}"))
    for (status, _, errors), epoch in zip(said, (1, 0), strict=True):
        assert status == 2, errors
        assert f"Received: epoch {epoch} in this process, another" in errors


@on_jax
def test_two_processes_stop_after_the_same_batch_and_go_on_from_it(tmp_path):
    changes = {"epochs": 2, "steps_per_epoch": 20}
    training = replace(TRAINING, **changes)
    alone = train(build_model(MODEL, training), micro_data(), training, watch=True)
    arguments = ["--epochs=2", "--steps-per-epoch=20", "--save-minutes=0"]
    arguments += ["--devices=4", f"--out={tmp_path}"]
    stopped = end(*start_pair(*arguments, STOP_AFTER="3"))
    assert [status for status, *_ in stopped] == [1, 1], stopped
    for status, output, errors in end(*start_pair(*arguments)):
        assert status == 0, errors
        assert f"after epoch 1 and batch {ASK_EVERY} of the next" in output
    (run,) = load_runs(tmp_path)
    for name, values in outcome(alone)["history"].items():
        np.testing.assert_allclose(run.history[name], values, rtol=0, atol=1e-4)


@on_jax
def test_processes_that_saved_different_batches_go_back_to_the_epoch(monkeypatch):
    same = lambda number: number == 3  # noqa: E731  3 whole epochs in all of them
    monkeypatch.setattr(parallel, "is_same_everywhere", same)
    progress = {"history": {"loss": [4.6] * 3}, "within": {"batches": 16}}
    resume._require_same_start(progress)
    assert progress == {"history": {"loss": [4.6] * 3}}


@on_jax
def test_processes_use_all_their_devices(tmp_path):
    for status, _, errors in end(*start_pair(f"--out={tmp_path}")):
        assert status == 2, errors
        assert re.search(
            "^train.py: devices must be all of all processes, which are 4. "
            "Received: 1.$",
            errors,
            re.MULTILINE,
        )


def test_a_batch_that_the_devices_cannot_share_is_refused(tmp_path):
    arguments = ("--devices=3", f"--out={tmp_path}")
    ((status, output, errors),) = end(start("train_parallel.py", *arguments))
    assert (status, output) == (2, ""), errors
    assert errors.splitlines()[-1] == (
        "train.py: batch_size must be a multiple of the devices that train together. "
        "Received: batch_size=100, devices=3."
    )


@pytest.mark.parametrize("devices", [0, 1000])
def test_devices_that_are_not_there_are_refused(devices):
    rule = r"devices must be from 1 to all that there are, which are \d+\."
    with pytest.raises(ValueError, match=rf"^{rule} Received: {devices}\.$"):
        parallel.use_devices(devices)
    assert parallel.count_devices() == 1


@pytest.mark.parametrize(
    ("backend", "processes"), [("torch", "1"), ("torch", "2"), ("tensorflow", "2")]
)
def test_a_backend_that_cannot_do_it_is_named(monkeypatch, backend, processes):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setenv(parallel.PROCESSES, processes)
    with pytest.raises(ValueError, match=rf"Received: devices=2, {backend}\.$"):
        parallel.use_devices(2)


def test_one_device_changes_nothing():
    parallel.use_devices(1)
    assert keras.distribution.distribution() is None
    assert parallel.count_devices() == 1
    assert parallel.process() == (0, 1)
    batch = np.arange(6)
    assert parallel.split(batch) is batch
    assert parallel.own_rows(batch, 3).tolist() == batch.tolist()
    assert parallel.is_same_everywhere(3)
    kind = keras.optimizers.AdamW
    assert parallel.sum_before_clipping(kind) is kind


def test_the_processes_take_a_batch_apart(monkeypatch):
    parts = []
    for number in range(2):
        monkeypatch.setattr(parallel, "process", lambda n=number: (n, 2))
        parts.append(parallel.own_rows(np.arange(10, 22), 4).tolist())
    assert parts == [[10, 11, 14, 15, 18, 19], [12, 13, 16, 17, 20, 21]]
    images = np.arange(12)[:, None, None] * np.ones((12, 2, 3))
    part = parallel.own_rows(images, 4)  # of the second process still
    np.testing.assert_array_equal(part, images[[2, 3, 6, 7, 10, 11]])


@on_tensorflow
def test_each_replica_draws_its_own_dropout_after_a_stop_too(tmp_path):
    code = """
import keras, numpy, sys, train_parallel, tensorflow
from vitlib.training import checkpoints, parallel
train_parallel.play_devices()
parallel.use_devices(2)
dropout = keras.layers.Dropout(0.5)
parallel.assign_seed(dropout.seed_generator.state, numpy.array([3, 4]))
draw = lambda: dropout(numpy.ones(64, "float32"), training=True)
def draw_all():
    values = tensorflow.distribute.get_strategy().run(draw).values
    return [value.numpy().tolist() for value in values]
first, second = draw_all()
assert set(first) == set(second) == {0.0, 2.0}
assert first != second

model = keras.Sequential([keras.Input((64,)), dropout])
model.compile("adam")
model.optimizer.build([])
progress = {"history": {}, "best_epoch": None, "within": {"batches": 1}}
checkpoints.save_checkpoint(sys.argv[1], model, "key", progress)
drawn = draw_all()
assert draw_all() != drawn
checkpoints.load_weights(sys.argv[1], model, progress)
assert draw_all() == drawn
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
