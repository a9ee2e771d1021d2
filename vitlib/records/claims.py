"""Keep a run for the one process that trains it, by a lock in its checkpoint."""

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress

from vitlib.records.runs import REFUSED

BUSY = 3  # the exit status when another process is training the run
STOPPED = 130  # the exit status after Ctrl-C


def checkpoint_of(path, number=0):
    """Folder of the checkpoint of a record; each process of a run has its own.

    Args:
        path: `Path` of the record.
        number: Integer, which of the processes.
    """
    return path.with_suffix(f".checkpoint-{number}" if number else ".checkpoint")


@contextmanager
def claim(checkpoint):
    """Keeps a run for this process; the system frees it however the process ends.

    Args:
        checkpoint: `Path` from `checkpoint_of`. The folder is made if need be, with
            those above it. What was made goes again when nothing was saved there.

    Raises:
        BlockingIOError: When another process holds it.
        OSError: When its folder cannot be written to, or its file system has no locks.
    """
    above = [folder for folder in checkpoint.parents[:2] if not folder.exists()]
    is_held = False
    while not is_held:  # again, when its last holder has just deleted it
        with _open_lock(checkpoint) as lock:
            _lock(lock, checkpoint)
            if is_held := _is_at(lock, checkpoint / "lock"):
                try:
                    yield
                finally:
                    _delete_empty(checkpoint, above)


def _delete_empty(checkpoint, above):
    """Deletes a checkpoint that holds its lock alone, and the folders made for it."""
    with suppress(OSError):
        if [path.name for path in checkpoint.iterdir()] == ["lock"]:
            shutil.rmtree(checkpoint)
        for folder in above:
            folder.rmdir()  # or stays, when something else is in it


def _open_lock(checkpoint, tries=9):
    try:
        checkpoint.mkdir(parents=True, exist_ok=True)
        return (checkpoint / "lock").open("w")
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError | FileExistsError)
        gone = checkpoint if checkpoint.parent.is_dir() else checkpoint.parent
        has_place = gone.parent.is_dir() and not os.path.lexists(gone)
        if tries and is_missing and has_place:  # deleted since it was found or made
            return _open_lock(checkpoint, tries - 1)
        raise OSError(
            "--out must be a folder that can be written to. Received: "
            f"{checkpoint.parents[1]} ({error.strerror})."
        ) from error


def _lock(file, checkpoint):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(
            "A run must be trained by one process at a time. Received: "
            f"{checkpoint.stem}, which another process is training."
        ) from error
    except OSError as error:  # so do Lustre and NFS, where they are mounted without
        raise OSError(
            "--out must be on a file system with locks (flock); name a folder on "
            "another one, such as your home or a local disk, and copy the records "
            f"later. Received: {checkpoint.parents[1]} ({error.strerror})."
        ) from error


def _is_at(file, path):
    """Whether an open file still stands at its path: a deleted one keeps its lock."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def clear(path):
    """Deletes the checkpoints that a kill has left of a recorded run.

    Those of a process that repeats the run at this moment stay, and one that keeps a
    repetition that could not be recorded.

    Args:
        path: `Path` of the record.

    Raises:
        OSError: As `claim` does.
    """
    for checkpoint in path.parent.glob(f"{path.stem}.checkpoint*"):
        if (checkpoint / REFUSED).exists():
            continue
        with suppress(BlockingIOError), claim(checkpoint):
            shutil.rmtree(checkpoint, ignore_errors=True)
