"""Run a study: every run of its grid that is not recorded yet, in a process of its own.

    python experiments/sweep.py positions --scale laptop
    python experiments/sweep.py report --scale full --rehearse
    python experiments/sweep.py positions --scale full --cluster slurm --account vision

The module of the study in vitlib/studies lists the runs. Stop the sweep at any time and
start it again: what is recorded is not repeated, and what was stopped goes on from
where it was saved last. A run that broke off is tried again; until then its checkpoint
keeps the last lines that it said.
"""

import argparse
import json
import math
import statistics
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cluster import (
    choose_gpus,
    describe_job,
    make_executor,
    require_slurm,
    require_writable,
    submit,
)
from submitit.core.utils import UncompletedJobError

from vitlib.folders import require_own
from vitlib.records.claims import BUSY, STOPPED, checkpoint_of, clear
from vitlib.records.files import replacing
from vitlib.records.runs import PROGRESS, load_run, record_path
from vitlib.studies import STUDIES
from vitlib.studies.experiment import plan
from vitlib.studies.study import SCALES

FOLDER = Path(__file__).resolve().parent
TRAIN = FOLDER / "train.py"
RESULTS = FOLDER.parent / "results"
LOGS = FOLDER.parent / "runs/sweeps"
REHEARSALS = FOLDER.parent / "runs/rehearsal"
# 20 steps, with more epochs than any preset warms up for, each validated on one image
# of each class: most of the time goes into the steps.
REHEARSAL = {"seed": 0, "epochs": 5, "steps_per_epoch": 4, "evaluation_images": 100}
FAILURE = "failure.txt"  # in the checkpoint of a run that broke off
LAST_LINES = 12  # of its log
STATES = ("done", "running", "pending", "refused", "left", "failed")
PAUSE = 5.0  # seconds between two looks at the runs
RETRY = 60.0  # seconds until a run that others train, or the queue refused, is tried


@dataclass(frozen=True)
class Task:
    """One run of a grid."""

    arguments: tuple  # of train.py
    path: Path  # of its record
    preset: str
    epochs: int
    images: int = field(compare=False)  # of all epochs; of the run that it rehearses

    @property
    def name(self):
        return self.path.stem

    @property
    def failure_path(self):
        return checkpoint_of(self.path) / FAILURE

    def failure(self):
        """Why the run failed, by its record or by what an earlier sweep wrote."""
        if self.path.exists():
            try:
                return _read(self.path, self.path.stat().st_mtime_ns).error
            except ValueError as error:  # damaged since: the others go on
                return str(error)
        return self.failure_path.read_text() if self.failure_path.exists() else None

    def seconds(self):
        """How long each finished epoch of the run took, as far as its files say."""
        progress = checkpoint_of(self.path) / PROGRESS
        try:
            if self.path.exists():
                history = _read(self.path, self.path.stat().st_mtime_ns).history
            else:
                history = json.loads(progress.read_text())["history"]
            return history["seconds"]
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
            return []


@cache
def _read(path, changed):
    """A record as it was at its last change; a sweep asks for it every few seconds."""
    return load_run(path)


def plan_tasks(study, scale, out=RESULTS, data_dir=None, changes=None):
    """Makes the tasks of a study at a scale, in its order.

    `changes` are arguments of `plan` for every run, such as `REHEARSAL`. Runs that
    become one by them are planned once, with the images of the longest.

    Raises:
        ValueError: When the study has no such scale, or a run breaks a rule.
    """
    runs = STUDIES[study].runs
    if scale not in runs:
        raise ValueError(
            f"The scale of {study} must be one of {sorted(runs)}. Received: {scale!r}."
        )
    tasks = {}
    for run in runs[scale]:
        images = plan(**run).images
        task = _task(plan(**run | (changes or {})), out, data_dir, images)
        same = task, tasks.get(task, task)
        tasks[task] = max(same, key=lambda each: each.images)
    return list(tasks.values())


def _task(experiment, out, data_dir, images):
    options = {"seed": experiment.seed, **experiment.overrides}
    words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    words += [f"--out={out}"] if out != RESULTS else []
    words += [f"--data-dir={data_dir}"] if data_dir else []
    path = record_path(out, experiment.study.name, experiment.name, experiment.seed)
    epochs = experiment.training.epochs
    return Task((experiment.preset, *words), path, experiment.preset, epochs, images)


class Sweep:
    """The runs of a study, and the jobs that train them.

    Args:
        tasks: List of `Task`.
        executor: As `make_executor` makes it.
        at_once: Integer, how many jobs may run or wait in a queue at a time.
        gpus: Names of the GPUs of this machine, as many as `at_once`, of which each job
            gets one; none where jobs find theirs by themselves.
    """

    def __init__(self, tasks, executor, at_once, gpus=()):
        self.tasks, self.executor, self.at_once = tasks, executor, at_once
        self.all_gpus = gpus
        self.jobs = {}  # task: job
        self.gpus = {}  # task: the name of its GPU
        self.failed = {}  # task: why it broke off
        self.refused = {}  # task: when the queue did not take it, and why
        self.accepted = 0  # how many jobs it has taken
        self.elsewhere = {}  # task: when another process was last seen to train it

    def state(self, task):
        """Returns one of `STATES`."""
        if task in self.jobs:
            return "pending" if self._is_pending(self.jobs[task]) else "running"
        if task.path.exists():
            return "failed" if task.failure() else "done"
        if task in self.failed:
            return "failed"
        if task in self.elsewhere:
            return "running"
        return "refused" if task in self.refused else "left"

    def _is_pending(self, job):
        # SLURM makes the log when it starts the job; its accounting may be minutes old.
        return self.executor.cluster == "slurm" and not job.paths.stdout.exists()

    def step(self):
        """Collects the jobs that have ended, and starts others in their place.

        Raises:
            ValueError: When the queue does not take the first job.
        """
        for task, job in list(self.jobs.items()):
            if job.done():
                del self.jobs[task]
                self.gpus.pop(task, None)
                self._collect(task, job)
        now = time.monotonic()
        self.elsewhere = {t: s for t, s in self.elsewhere.items() if now < s + RETRY}
        self.refused = {t: r for t, r in self.refused.items() if now < r[0] + RETRY}
        left = [task for task in self.tasks if self.state(task) == "left"]
        # What another process trains here takes a place, too: of a GPU, or of the CPU.
        places = self.at_once - len(self.jobs) - len(self.elsewhere)
        for task in left[: max(places, 0)]:
            if not self.refused:
                self._submit(task)
        for _, why in self.refused.values():
            if not self.accepted:
                raise ValueError(f"SLURM must take a job. Received: {why}")

    def _submit(self, task):
        # Unbuffered, so that the log has the last lines of a process that is killed.
        command = [sys.executable, "-u", str(TRAIN), *task.arguments]
        if self.all_gpus:
            taken = self.gpus.values()
            free = next(gpu for gpu in self.all_gpus if gpu not in taken)
            self.gpus[task] = free
            command = ["env", f"CUDA_VISIBLE_DEVICES={free}", *command]
        try:
            self.jobs[task] = submit(self.executor, command)
        except ValueError as error:
            self.refused[task] = time.monotonic(), str(error)
            return
        self.accepted += 1
        with suppress(OSError):  # the run is tried again: why it broke off is past
            task.failure_path.unlink(missing_ok=True)

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
        shown = [s for s in STATES if s in states or s in ("done", "running", "left")]
        counts = ", ".join(f"{states.count(state)} {state}" for state in shown)
        reasons = "".join(f"; SLURM said: {why}" for _, why in self.refused.values())
        return f"{counts}; time left: {self.time_left()}{reasons}"

    def time_left(self):
        """Estimates the time left from the epochs of each preset that are finished."""
        ended = ("done", "failed")
        open_tasks = [t for t in self.tasks if self.state(t) not in ended]
        estimates = [self._seconds_left(task) for task in open_tasks]
        known = [seconds for seconds in estimates if seconds is not None]
        if estimates and not known:
            return "unknown"
        shared = sum(known) / min(self.at_once, max(len(open_tasks), 1))
        minutes = max([shared, *known]) / 60  # no sooner than the longest of them
        word = "about" if len(known) == len(estimates) else "at least"
        return f"{word} {minutes:.0f} min"

    def _seconds_left(self, task):
        same = [t.seconds() for t in self.tasks if t.preset == task.preset]
        seconds = [second for run in same for second in run]
        if not seconds:
            return None
        return statistics.median(seconds) * (task.epochs - len(task.seconds()))


def count(text):
    """An integer of at least 1, from the command line."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1. Received: {text}.")
    return number


def gigabytes(text):
    """A size above 0 in GB, from the command line."""
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {text}.")
    return number


def hours(text):
    """A time of at least a minute in hours, from the command line."""
    if not (number := float(text)) >= 1 / 60:
        raise argparse.ArgumentTypeError(f"must be at least 1/60. Received: {text}.")
    return number


def parse_command(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("study", choices=sorted(STUDIES), help="which study to run")
    add("--scale", choices=SCALES, required=True, help="two CPU cores, or a GPU a run")
    add("--cluster", choices=("local", "slurm", "debug"), default="local")
    add("--jobs", type=count, help="at a time; default: 1, or all with SLURM")
    add("--partition", help="of SLURM")
    add("--account", help="of SLURM, that the time is charged to")
    add("--qos", help="quality of service of SLURM")
    add("--constraint", help="features that SLURM's nodes must have, such as a100")
    add("--cpus", type=count, default=4, help="of a job of SLURM; default: 4")
    add("--memory", type=gigabytes, help="GB of a job of SLURM")
    setup = "a line of shell before each job of SLURM; may be given again for another"
    add("--setup", action="append", metavar="LINE", help=setup)
    add("--hours", type=hours, default=24, help="most time of a run; default: 24")
    add("--data-dir", help="folder of cifar-100-binary.tar.gz")
    add("--out", type=Path, help="default: results, or runs/rehearsal")
    add("--logs", type=Path, help="default: runs/sweeps")
    add("--dry-run", action="store_true", help="only say what would run")
    add("--rehearse", action="store_true", help="only 20 steps of each run")
    options = parser.parse_args(arguments)
    options.out = options.out or (REHEARSALS if options.rehearse else RESULTS)
    options.logs = options.logs or LOGS
    if options.jobs is None:
        options.jobs = sys.maxsize if options.cluster == "slurm" else 1
    return options


def show_plan(sweep, options):
    """Prints the state and the command of each run, and what each job would ask for."""
    for task in sweep.tasks:
        print(f"{sweep.state(task):8}python experiments/train.py", *task.arguments)
    print(sweep.describe())
    print(f"each job: {describe_job(options)}")


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


def start(sweep, options):
    """Does what the command line asks for: the plan alone, a rehearsal, or all runs."""
    if options.dry_run:
        failures = {task: task.failure() for task in sweep.tasks}
        sweep.failed = {task: why for task, why in failures.items() if why}
        show_plan(sweep, options)
        return
    if options.rehearse:  # of the code and the machine as they are now
        for task in sweep.tasks:
            task.path.unlink(missing_ok=True)
            clear(task.path)  # what a killed rehearsal has left
    run(sweep)
    if options.rehearse:
        show_forecast(sweep)


def show_forecast(sweep):
    """Prints how long the training of each rehearsed run would take as a whole."""
    for task in sweep.tasks:
        if sweep.state(task) == "done":
            rate = load_run(task.path).images_per_second
            minutes = task.images / rate / 60
            told = f"{rate:,.0f} images/s, so about {minutes:,.0f} min in all"
            print(f"{task.name}: {told}, validation not counted")


def main(arguments):
    """Runs the sweep.

    Returns:
        0; 1 when a run failed; 2 for bad input, or when the queue takes no job; 130
        (`STOPPED`) after Ctrl-C.
    """
    options = parse_command(arguments)
    try:
        require_slurm(options)
        changes = REHEARSAL if options.rehearse else None
        asked = options.study, options.scale, options.out, options.data_dir
        tasks = plan_tasks(*asked, changes)
        for path in (task.path for task in tasks if task.path.exists()):
            load_run(path)  # a damaged record is told before anything starts
        gpus = () if options.dry_run else choose_gpus(options)
        executor = None
        if not options.dry_run:
            require_writable(options.out / options.study, "--out")
            executor = make_executor(options)
    except (ValueError, OSError) as error:
        print(f"sweep.py: {error}", file=sys.stderr)
        return 2
    sweep, status = Sweep(tasks, executor, options.jobs, gpus), 0
    try:
        start(sweep, options)
    except (ValueError, OSError) as error:
        print(f"sweep.py: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        jobs = " What is in SLURM's queue stays there." * (options.cluster == "slurm")
        print(f"sweep.py: Stopped; the same command goes on.{jobs}", file=sys.stderr)
        return STOPPED
    for task, reason in sweep.failures().items():
        print(f"\n{task.name} failed: {reason}", file=sys.stderr)
    return status or int(bool(sweep.failures()))


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    sys.exit(main(sys.argv[1:]))
