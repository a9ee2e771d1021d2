"""Where the jobs of a sweep run: processes of this machine, or the queue of SLURM."""

import io
import os
import re
import signal
import subprocess
from contextlib import contextmanager, redirect_stderr
from functools import partial
from itertools import takewhile

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

HEED_CTRL_C = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
# What only SLURM understands, by the words in which a plan tells it.
SLURM = {
    "partition": "partition {}",
    "account": "account {}",
    "qos": "QOS {}",
    "constraint": "only nodes with {}",
    "memory": "{:g} GB",
    "setup": "after {}",
}
GPU = re.compile("[0-9]+|(GPU|MIG)-[0-9a-zA-Z/-]+")  # a name of CUDA's


def visible_gpus():
    """Names of the NVIDIA GPUs that a run on this machine may get, as CUDA has them.

    Of those that `CUDA_VISIBLE_DEVICES` lists, CUDA takes the ones before the first
    that is no name of a GPU, such as -1.
    """
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return list(takewhile(GPU.fullmatch, map(str.strip, named.split(","))))
    try:
        command = ["nvidia-smi", "--list-gpus"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    lines = [line for line in said.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


def choose_gpus(options):
    """The GPUs that the jobs share; none where each finds its own.

    Raises:
        ValueError: When there are fewer of them than jobs at a time.
    """
    if options.scale != "full" or options.cluster != "local":
        return []
    gpus = visible_gpus()
    if len(gpus) < options.jobs:
        raise ValueError(
            "--scale full must have an NVIDIA GPU for each job at a time "
            f"(--jobs {options.jobs}). Received: a machine that shows {len(gpus)}."
        )
    return gpus[: options.jobs]


def make_executor(options):
    """The executor that the command line asks for.

    Raises:
        ValueError: When there is no such cluster on this machine.
        OSError: When the logs cannot be written.
    """
    folder = options.logs / options.study
    require_writable(folder, "--logs")
    try:
        executor = submitit.AutoExecutor(folder / "%j", cluster=options.cluster)
    except RuntimeError as error:
        raise ValueError(
            "--cluster slurm needs SLURM's commands on this machine. "
            "Received: one without srun."
        ) from error
    executor.update_parameters(
        name=f"vitlib-{options.study}",
        timeout_min=round(60 * options.hours),
        gpus_per_node=int(options.scale == "full") or None,
        stderr_to_stdout=True,
        slurm_cpus_per_task=options.cpus,
        slurm_partition=options.partition,
        slurm_account=options.account,
        slurm_qos=options.qos,
        slurm_constraint=options.constraint,
        slurm_mem_gb=options.memory,
        slurm_setup=options.setup,
    )
    return executor


def require_writable(folder, option):
    """Makes a folder for logs or records, which an option names.

    Raises:
        OSError: When it cannot be written to.
    """
    reason = "it is read-only"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return
    except OSError as error:
        reason = error.strerror
    raise OSError(
        f"{option} must be a folder that can be written to, which every machine of a "
        f"cluster sees. Received: {folder} ({reason})."
    )


def submit(executor, command):
    """Hands a command to an executor of `make_executor`. Returns the job.

    Raises:
        ValueError: When the queue does not take it; with what it said.
    """
    try:
        with ignoring_ctrl_c(), redirect_stderr(io.StringIO()):  # it is in the error
            return executor.submit(subprocess.call, command, preexec_fn=HEED_CTRL_C)
    except (FailedJobError, FailedSubmissionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


@contextmanager
def ignoring_ctrl_c():
    """Has what is started meanwhile ignore Ctrl-C, which a terminal sends to all.

    Of submitit, which would write tracebacks, not of the training: see `HEED_CTRL_C`.
    """
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def require_slurm(options):
    """Refuses what only SLURM understands where the runs do not go there.

    Raises:
        ValueError: When there is such an option.
    """
    given = [f"--{name}" for name in SLURM if getattr(options, name) is not None]
    if given and options.cluster != "slurm":
        raise ValueError(
            f"{', '.join(given)} must go with --cluster slurm. "
            f"Received: --cluster {options.cluster}."
        )


def describe_job(options):
    """What each job would ask for, in a few words."""
    asked = [options.cluster, f"{options.hours:g} hours at most"]
    if options.cluster == "slurm":
        asked.append(f"{options.cpus} CPUs")
    if options.scale == "full":
        asked.append("1 GPU")
    given = {name: getattr(options, name) for name in SLURM}
    if given["setup"]:
        given["setup"] = "; ".join(given["setup"])
    asked += [SLURM[name].format(v) for name, v in given.items() if v is not None]
    return ", ".join(asked)
