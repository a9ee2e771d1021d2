"""Run a study: every run of its grid that is not recorded yet, in a process of its own.

    python experiments/sweep.py positions --scale laptop
    python experiments/sweep.py positions --scale full --cluster slurm --partition gpu

STUDY.yml beside this file lists the runs. Stop the sweep at any time and start it
again: what is recorded is not repeated, and what was stopped goes on after its last
finished epoch. A run that broke off is tried again; until then its checkpoint keeps the
last lines that it said.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import submitit
import yaml
from submitit.core.utils import UncompletedJobError
from train import (
    BUSY,
    RESULTS,
    checkpoint_of,
    clear,
    configure,
    parse_arguments,
    record_name,
)

from vitlib.checkpoints import PROGRESS
from vitlib.config import PRESETS
from vitlib.files import replacing
from vitlib.runs import load_run, record_path

FOLDER = Path(__file__).resolve().parent
TRAIN = FOLDER / "train.py"
LOGS = FOLDER.parent / "runs/sweeps"
STUDIES = sorted(path.stem for path in FOLDER.glob("*.yml"))
SCALES = ("laptop", "full")
FAILURE = "failure.txt"  # in the checkpoint of a run that broke off
LAST_LINES = 12  # of its log
PAUSE = 5.0  # seconds between two looks at the runs
RETRY = 60.0  # seconds until a run that another process trains is looked at again


@dataclass(frozen=True)
class Task:
    """One run of a grid."""

    arguments: tuple  # of train.py
    path: Path  # of its record
    preset: str
    epochs: int

    @property
    def name(self):
        return self.path.stem

    @property
    def failure_path(self):
        return checkpoint_of(self.path) / FAILURE

    def failure(self):
        """Why the run failed, by its record or by what an earlier sweep wrote."""
        if self.path.exists():
            return load_run(self.path).error
        return self.failure_path.read_text() if self.failure_path.exists() else None


def read_grid(path, scale):
    """Reads the runs of a study.

    Args:
        path: Path of a YAML file. Each scale is a list of entries; an entry gives the
            options of train.py, a list of values standing for one run with each.
        scale: `"laptop"` or `"full"`.

    Returns:
        List of dicts of options, all with a `preset`.

    Raises:
        ValueError: When the study has no such scale.
    """
    grid = yaml.safe_load(path.read_text(encoding="utf-8"))
    if scale not in grid:
        raise ValueError(
            f"The scale of {path.stem} must be one of {sorted(grid)}. "
            f"Received: {scale!r}."
        )
    choices = [
        {key: v if isinstance(v, list) else [v] for key, v in entry.items()}
        for entry in grid[scale]
    ]
    return [
        dict(zip(entry, values, strict=True))
        for entry in choices
        for values in product(*entry.values())
    ]


def plan(study, scale, out=RESULTS, data_dir=None):
    """Makes the tasks of a study from its grid, in the order of the file.

    Raises:
        ValueError: When the study has no such scale, or a run belongs to another study
            or scale or breaks a rule of train.py.
    """
    runs = read_grid(FOLDER / f"{study}.yml", scale)
    return [_task(run, study, scale, out, data_dir) for run in runs]


def _task(run, study, scale, out, data_dir):
    rest = [f"--{key}={value}" for key, value in run.items() if key != "preset"]
    words = [run["preset"], *rest]
    options = parse_arguments(words)
    preset = PRESETS[options.preset]
    if (preset.study, preset.profile) != (study, scale):
        raise ValueError(
            f"The runs of {study}.yml under {scale} must be of presets of this study "
            f"and scale. Received: {options.preset!r}, of {preset.study} at "
            f"{preset.profile} scale."
        )
    _, training, overrides = configure(preset, options)
    name = record_name(options.preset, overrides)
    folders = [f"--out={out}"] if out != RESULTS else []
    folders += [f"--data-dir={data_dir}"] if data_dir else []
    path = record_path(out, study, name, options.seed)
    return Task((*words, *folders), path, options.preset, training.epochs)


class Sweep:
    """The runs of a study, and the jobs that train them.

    Args:
        tasks: List of `Task`.
        executor: `submitit.AutoExecutor`.
        at_once: Integer, how many jobs may run or wait in a queue at a time.
        share_gpus: Boolean, whether to give each job a GPU of this machine.
    """

    def __init__(self, tasks, executor, at_once, share_gpus=False):
        self.tasks, self.executor, self.at_once = tasks, executor, at_once
        self.share_gpus = share_gpus
        self.jobs = {}  # task: job
        self.gpus = {}  # task: the number of its GPU
        self.failed = {}  # task: why it broke off
        self.elsewhere = {}  # task: when another process was last seen to train it

    def state(self, task):
        """Returns `"done"`, `"failed"`, `"running"` or `"left"`."""
        if task in self.jobs:
            return "running"
        if task.path.exists():
            return "failed" if task.failure() else "done"
        if task in self.failed:
            return "failed"
        return "running" if task in self.elsewhere else "left"

    def step(self):
        """Collects the jobs that have ended, and starts others in their place."""
        for task, job in list(self.jobs.items()):
            if job.done():
                del self.jobs[task]
                self.gpus.pop(task, None)
                self._collect(task, job)
        now = time.monotonic()
        self.elsewhere = {t: s for t, s in self.elsewhere.items() if now < s + RETRY}
        left = [task for task in self.tasks if self.state(task) == "left"]
        for task in left[: max(self.at_once - len(self.jobs), 0)]:
            command = [sys.executable, str(TRAIN), *task.arguments]
            if self.share_gpus:
                free = set(range(self.at_once)) - set(self.gpus.values())
                self.gpus[task] = min(free)
                command = ["env", f"CUDA_VISIBLE_DEVICES={min(free)}", *command]
            self.jobs[task] = self.executor.submit(subprocess.call, command)

    def _collect(self, task, job):
        try:
            status = job.result()
        except UncompletedJobError as error:  # killed, or past its time limit
            self._note_failure(task, str(error))
            return
        if status == BUSY:
            self.elsewhere[task] = time.monotonic()
        elif not task.path.exists():
            said = f"{job.stdout() or ''}\n{job.stderr() or ''}"
            self._note_failure(task, said, f"exit status {status}\n")

    def _note_failure(self, task, said, heading=""):
        lines = [line for line in said.splitlines() if line.strip()]
        self.failed[task] = heading + "\n".join(lines[-LAST_LINES:])
        with suppress(OSError), replacing(task.failure_path) as file:
            file.write(self.failed[task].encode())

    def is_over(self):
        """Whether no run is left and none is running."""
        return all(self.state(task) in ("done", "failed") for task in self.tasks)

    def failures(self):
        """Returns the tasks that failed, each with its reason."""
        failed = [task for task in self.tasks if self.state(task) == "failed"]
        return {task: self.failed.get(task) or task.failure() for task in failed}

    def describe(self):
        """How many runs are done, running, left and failed, and the time left."""
        states = [self.state(task) for task in self.tasks]
        counts = [
            f"{states.count(state)} {state}" for state in ("done", "running", "left")
        ]
        if "failed" in states:
            counts.append(f"{states.count('failed')} failed")
        seconds = self.seconds_left()
        time_left = "unknown" if seconds is None else f"about {seconds / 60:.0f} min"
        return f"{', '.join(counts)}; time left: {time_left}"

    def seconds_left(self):
        """Estimates the time left; None while a preset that is left has no run."""
        open_tasks = [t for t in self.tasks if self.state(t) in ("left", "running")]
        known = {t: load_run(t.path).seconds for t in self.tasks if t.path.exists()}
        estimates = [_seconds(task, known) for task in open_tasks]
        if None in estimates:
            return None
        return sum(estimates) / min(self.at_once, max(len(open_tasks), 1))


def _seconds(task, known):
    """Time left for a run, by its own epochs or by the other runs of its preset."""
    progress = checkpoint_of(task.path) / PROGRESS
    if progress.exists():
        seconds = json.loads(progress.read_text())["history"]["seconds"]
        return statistics.median(seconds) * (task.epochs - len(seconds))
    same = [s for t, s in known.items() if t.preset == task.preset]
    return statistics.mean(same) if same else None


def make_executor(options):
    """The executor that the command line asks for.

    Raises:
        ValueError: When there is no such cluster on this machine.
    """
    folder = LOGS / options.study / "%j"
    try:
        executor = submitit.AutoExecutor(folder, cluster=options.cluster)
    except RuntimeError as error:
        raise ValueError(
            "--cluster slurm must be typed on a machine with SLURM's commands. "
            "Received: one without srun."
        ) from error
    executor.update_parameters(
        name=f"vitlib-{options.study}",
        timeout_min=round(60 * options.hours),
        gpus_per_node=int(options.scale == "full"),
        stderr_to_stdout=True,
        slurm_partition=options.partition,
        slurm_cpus_per_task=options.cpus,
    )
    return executor


def parse_command(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("study", choices=STUDIES, help="which study to run")
    add("--scale", choices=SCALES, required=True, help="two CPU cores, or a GPU a run")
    add("--cluster", choices=("local", "slurm", "debug"), default="local")
    add("--jobs", type=int, help="at a time; default: 1, or all with SLURM")
    add("--partition", help="of SLURM")
    add("--cpus", type=int, default=4, help="of a job of SLURM; default: 4")
    add("--hours", type=float, default=24, help="most time of a run; default: 24")
    add("--data-dir", help="folder of cifar-100-binary.tar.gz")
    add("--out", default=RESULTS, type=Path, help="default: results")
    add("--dry-run", action="store_true", help="only say what would run")
    options = parser.parse_args(arguments)
    if options.jobs is None:
        options.jobs = sys.maxsize if options.cluster == "slurm" else 1
    return options


def show_plan(sweep, options):
    """Prints the state and the command of each run, and what each job would ask for."""
    for task in sweep.tasks:
        print(f"{sweep.state(task):8}python experiments/train.py", *task.arguments)
    print(sweep.describe())
    asked = f"{options.cluster}, {options.hours:g} hours at most"
    if options.cluster == "slurm":
        asked += f", partition {options.partition or 'by default'}, {options.cpus} CPUs"
    if options.scale == "full":
        asked += ", 1 GPU"
    print(f"each job: {asked}")


def run(sweep):
    """Starts and collects runs until none is left; prints each change."""
    for task in sweep.tasks:
        if task.path.exists():
            clear(task.path)
    said = None
    while said is None or not sweep.is_over():
        sweep.step()
        if (now := sweep.describe()) != said:
            print(time.strftime("%H:%M"), said := now, flush=True)
        time.sleep(0 if sweep.is_over() else PAUSE)


def main(arguments):
    """Runs the sweep. Returns 0, 1 when a run failed, 2 for bad input."""
    options = parse_command(arguments)
    try:
        tasks = plan(options.study, options.scale, options.out, options.data_dir)
        for path in (task.path for task in tasks if task.path.exists()):
            load_run(path)  # a damaged record is told before anything starts
        executor = None if options.dry_run else make_executor(options)
    except (ValueError, OSError) as error:
        print(f"sweep.py: {error}", file=sys.stderr)
        return 2
    share_gpus = options.scale == "full" and options.cluster == "local"
    sweep = Sweep(tasks, executor, options.jobs, share_gpus)
    if options.dry_run:
        sweep.failed = {task: task.failure() for task in tasks if task.failure()}
        show_plan(sweep, options)
    else:
        run(sweep)
    for task, reason in sweep.failures().items():
        print(f"\n{task.name} failed: {reason}", file=sys.stderr)
    return 1 if sweep.failures() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
