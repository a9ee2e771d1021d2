"""Trainings and sweeps killed at random moments: nothing lost, doubled or half-written.

Some trainings kill themselves at a random operation on a file, so that the writing of
checkpoints and records is hit; others are killed in an epoch, sweeps at any time.
"""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from train_micro import TRAINING, outcome

from vitlib.records.runs import load_runs

SCRIPT = Path(__file__).with_name("killed.py")
SEEDS = [0, 1]  # of the study in killed.py
KILLS, AT_ONCE = 50, 2
OPERATIONS = 415  # on files, of a whole training that saves after every batch


def start(*arguments, **environment):
    experiments = str(SCRIPT.parents[1] / "experiments")
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT), *arguments],
        env=os.environ | {"PYTHONPATH": experiments} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def train(out, seed, **environment):
    return start("micro", f"--seed={seed}", f"--out={out}", **environment)


def end(process):
    """Waits for a process; tells whether it was killed."""
    process.communicate()
    return process.returncode == -signal.SIGKILL


def kill_at_a_file(out, chance):
    step = chance.randint(1, OPERATIONS)
    return end(train(out, chance.choice(SEEDS), KILL_AT=str(step)))


def kill_in_an_epoch(out, chance):
    process = train(out, chance.choice(SEEDS))
    epoch = f"epoch {chance.randint(1, TRAINING.epochs)}/"
    if any(line.startswith(epoch) for line in process.stdout):
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
    return end(process)


def kill_the_sweep(out, chance):
    """The sweep alone: what it has started goes on."""
    process = start("sweep", f"--out={out}")
    time.sleep(chance.uniform(1, 15))
    process.kill()
    return end(process)


def survive(out, chance, most):
    """Kills a study until it is recorded or killed so often; lets it end.

    Returns how often it was killed, and what its runs found.
    """
    ways = [kill_at_a_file, kill_in_an_epoch, kill_the_sweep]
    kills = 0
    while kills < most and len(load_runs(out)) < len(SEEDS):  # reads every record whole
        kills += chance.choice(ways)(out, chance)
    sweep = start("sweep", f"--out={out}")
    said, _ = sweep.communicate()
    assert sweep.returncode == 0, said
    names = {path.name for path in (out / "micro").iterdir()}
    assert names == {f"micro-seed{seed}.json" for seed in SEEDS}
    return kills, {run.seed: outcome(run) for run in load_runs(out)}


def survive_often(folder, chance, most):
    """Studies one after the other, until they were killed so often together."""
    kills, found = 0, []
    while kills < most:
        more, outcomes = survive(folder / str(len(found)), chance, most - kills)
        kills += more
        found.append(outcomes)
    return found


def test_fifty_kills_lose_nothing(tmp_path):
    """Each run ends as its unkilled twin, number for number."""
    folders = [tmp_path / str(number) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [
            pool.submit(survive_often, folder, random.Random(n), KILLS // AT_ONCE)
            for n, folder in enumerate(folders)
        ]
        found = [outcomes for job in jobs for outcomes in job.result()]
    for seed in SEEDS:
        assert not end(train(tmp_path / "unkilled", seed))
    twins = {run.seed: outcome(run) for run in load_runs(tmp_path / "unkilled")}
    assert found == [twins] * len(found)


def test_two_sweeps_started_at_once_train_each_run_once(tmp_path):
    out = tmp_path / "results"
    sweeps = [start("sweep", f"--out={out}") for _ in range(2)]
    assert [end(sweep) for sweep in sweeps] == [False, False]
    assert [sweep.returncode for sweep in sweeps] == [0, 0]
    assert [run.seed for run in load_runs(out)] == SEEDS
    said = "".join(path.read_text() for path in out.rglob("*_log.out"))
    assert said.count(f"epoch 1/{TRAINING.epochs}:") == len(SEEDS)
