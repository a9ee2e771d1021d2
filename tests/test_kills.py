"""Trainings and sweeps killed at any moment: nothing lost, doubled or half-written.

One training is stopped at each of its operations on a file, in this process. A few
others are real kills of processes, of a sweep too.
"""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import keras
import killed
import pytest
from killed import SEEDS, TRAINING, Files, Killed
from train_micro import outcome

from vitlib.records.runs import load_runs

SCRIPT = Path(__file__).with_name("killed.py")
EXPERIMENTS = SCRIPT.parents[1] / "experiments"
SECONDS = 120  # what a process has to come to a point


@pytest.fixture(scope="module")
def train():
    """The script, which knows the trainings of seconds."""
    spec = importlib.util.spec_from_file_location(
        "kills_train", EXPERIMENTS / "train.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        killed.install(module, patch)
        yield module


@pytest.fixture(scope="module")
def files():
    return Files()


@pytest.fixture
def uncompiled(monkeypatch):
    """A training of a few steps is over before it would have been compiled."""
    real = keras.Model.compile

    def compile_model(model, **options):
        real(model, run_eagerly=True, **options)

    monkeypatch.setattr(keras.Model, "compile", compile_model)


def train_to_the_end(train, out):
    """What a training finds that leaves its record and nothing else."""
    assert killed.start(train, 0, out) == 0
    record = out / "micro/micro-seed0.json"
    assert sorted(out.rglob("*")) == [record.parent, record]
    return outcome(load_runs(out)[0])


def is_killed(train, files, out, number):
    with files.watched(out, number):
        try:
            return killed.start(train, 0, out) != 0
        except Killed:
            return True


def test_a_kill_at_any_operation_on_a_file_loses_nothing(
    train, files, uncompiled, tmp_path
):
    """Each run ends as its unkilled twin, number for number."""
    with files.watched(tmp_path / "unkilled"):
        twin = train_to_the_end(train, tmp_path / "unkilled")
    assert files.seen > 30
    for number in range(1, files.seen + 1):
        out = tmp_path / str(number)
        assert is_killed(train, files, out, number), number
        assert train_to_the_end(train, out) == twin, number


def test_kills_one_after_the_other_lose_nothing(train, files, uncompiled, tmp_path):
    """Each start comes one operation further than the one before."""
    twin = train_to_the_end(train, tmp_path / "unkilled")
    out = tmp_path / "killed"
    kills = next(n for n in count(1) if not is_killed(train, files, out, n)) - 1
    assert kills > 15
    assert train_to_the_end(train, out) == twin


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT), *arguments],
        env=os.environ | {"PYTHONPATH": paths()} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def paths():
    return os.pathsep.join([str(EXPERIMENTS), os.environ.get("PYTHONPATH", "")])


def end(process):
    """Waits for a process; tells whether it was killed."""
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_at_a_file(out, seed, number):
    process = start("micro", f"--seed={seed}", f"--out={out}", KILL_AT=str(number))
    assert end(process)


def kill_in_an_epoch(out, seed):
    process = start("micro", f"--seed={seed}", f"--out={out}")
    assert any(line.startswith("epoch 1/") for line in process.stdout)
    process.kill()
    assert end(process)


def kill_the_sweep(out):
    """The sweep alone, when it has started a training, which goes on."""
    process = start("sweep", f"--out={out}")
    until = time.monotonic() + SECONDS
    while not list((out / "logs").glob("**/*_log.out")) and time.monotonic() < until:
        time.sleep(0.1)
    process.kill()
    assert end(process)


def test_killed_processes_lose_nothing(train, files, tmp_path):
    """Each run ends as its unkilled twin, number for number."""
    with files.watched(tmp_path / "unkilled"):
        assert killed.start(train, SEEDS[0], tmp_path / "unkilled") == 0
    operations = files.seen
    assert killed.start(train, SEEDS[1], tmp_path / "unkilled") == 0
    twins = {run.seed: outcome(run) for run in load_runs(tmp_path / "unkilled")}
    out, chance = tmp_path / "results", random.Random(0)
    kill_at_a_file(out, SEEDS[0], chance.randint(8, operations // 2))
    kill_in_an_epoch(out, SEEDS[1])
    kill_at_a_file(out, SEEDS[0], chance.randint(8, operations // 2))
    kill_the_sweep(out)
    sweep = start("sweep", f"--out={out}")
    said, _ = sweep.communicate()
    assert sweep.returncode == 0, said
    names = {path.name for path in (out / "micro").iterdir()}
    assert names == {f"micro-seed{seed}.json" for seed in SEEDS}
    assert {run.seed: outcome(run) for run in load_runs(out)} == twins


def test_two_sweeps_started_at_once_train_each_run_once(tmp_path):
    out = tmp_path / "results"
    sweeps = [start("sweep", f"--out={out}") for _ in range(2)]
    assert [end(sweep) for sweep in sweeps] == [False, False]
    assert [sweep.returncode for sweep in sweeps] == [0, 0]
    assert [run.seed for run in load_runs(out)] == SEEDS
    said = "".join(path.read_text() for path in out.rglob("*_log.out"))
    assert said.count(f"epoch 1/{TRAINING.epochs}:") == len(SEEDS)
