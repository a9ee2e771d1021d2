"""One run as one JSON file: written whole, read whole, and as it was written."""

import json
import re
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from vitlib.records.files import digest, replacing
from vitlib.records.run import Run
from vitlib.records.schema import check
from vitlib.records.upgrade import upgrade
from vitlib.studies import STUDIES
from vitlib.studies.experiment import file_name, runs_of

PROGRESS = "progress.json"  # in the checkpoint of a run: how far it has got
REFUSED = "refused.json"  # in the checkpoint of a run that could not be recorded


def record_path(folder, study, name, seed):
    """Path of the record of a run: `folder/study/name-seed<k>.json`."""
    return Path(folder, f"{study}", f"{file_name(name, seed)}.json")


def save_run(folder, run):
    """Writes a run under a folder, in one piece: a reader sees the whole file or none.

    Args:
        folder: Path of the folder of all records, usually `results`.
        run: `Run`.

    Returns:
        Path of the file, `folder/study/name-seed<k>.json`.

    Raises:
        ValueError: When the run breaks the schema; nothing is written.
        OSError: When the disk does not take it; an old record is still there.
    """
    path = record_path(folder, run.study, run.name, run.seed)
    content = _content(run, path)
    with replacing(path) as file:
        file.write(content)
    return path


def try_save(folder, run):
    """Tries whether `save_run` takes a run; nothing of the trial stays.

    Tried on what is known before a training (`vitlib.training.recording.draft`), so
    that hours later the record is not refused.

    Args:
        folder: Path of the folder of all records, usually `results`.
        run: `Run`.

    Raises:
        ValueError: When the run breaks the schema.
        OSError: When the disk does not take it.
    """
    path = record_path(folder, run.study, run.name, run.seed)
    content = _content(run, path)
    if path.is_dir():
        raise OSError(f"{path} must be a file, or not there yet. Received: a folder.")
    trial = path.with_name(f"{path.name}.trial")
    with replacing(trial) as file:
        file.write(content)
    trial.unlink()


def _content(run, path):
    """The bytes of the record of a run that keeps the schema."""
    record = asdict(run)
    check(record, path)
    record["digest"] = digest(record)
    return f"{json.dumps(record, indent=1)}\n".encode()


def keep_refused(folder, run, reason):
    """Writes a run that `save_run` refused, with the reason, so that it is not lost.

    Args:
        folder: Path, of the checkpoint of the run. Where the disk does not take the
            file there, the folder of the system for temporary files gets it.
        run: `Run`.
        reason: The error that `save_run` raised.

    Returns:
        Path of the file, which is no record.

    Raises:
        OSError: When neither folder takes it.
    """
    refused = {"refused": str(reason), **asdict(run)}
    content = json.dumps(refused, indent=1, default=repr).encode()
    with suppress(OSError):
        with replacing(Path(folder, REFUSED)) as file:
            file.write(content)
        return Path(folder, REFUSED)
    with tempfile.NamedTemporaryFile(suffix=f"-{REFUSED}", delete=False) as file:
        file.write(content)
    return Path(file.name)


def _refuse_repeats(pairs):
    """Makes a dict of the fields of a JSON object, of which each may stand once."""
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def load_run(path):
    """Reads one run.

    Args:
        path: Path of a file that `save_run` wrote.

    Returns:
        `Run`.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When the file is not JSON, breaks the schema, or was changed after
            the run wrote it.
    """
    if not (path := Path(path)).is_file():
        raise FileNotFoundError(
            "path must be that of a record, a JSON file. "
            f"Received: {path.resolve()}, where no file is."
        )
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text, object_pairs_hook=_refuse_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} must be a JSON file. Received: a file that breaks off or is "
            f"something else ({error})."
        ) from error
    is_first = type(record) is dict and record.get("schema_version") == 1
    whole = is_first and "digest" not in record  # the oldest ones have none
    if type(record) is dict and "digest" in record:
        written = record.pop("digest")
        whole = written == digest(record)
    record = upgrade(record)
    check(record, path)
    if not whole:
        raise ValueError(
            f"{path} must be as the run wrote it. Received: a file that was changed "
            "since, for its digest does not fit."
        )
    return Run(**record)


def load_runs(folder, study=None):
    """Reads all runs of a study, or of all studies.

    Args:
        folder: Path of the folder of all records, usually `results`.
        study: String or None for all. A run that several studies ask for lies in the
            folder of the first and belongs to each.

    Returns:
        List of `Run`, sorted by study, name and seed; a number in a name counts as one,
        so that 2500 images come before 10000. Empty when nothing is recorded.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When the study is none of `STUDIES` and has no folder, or as
            `load_run` says.
    """
    if not (folder := Path(folder)).is_dir():
        raise FileNotFoundError(
            "folder must be the one of all records, usually results of the course. "
            f"Received: {folder.resolve()}, where no folder is."
        )
    if study is not None and study not in STUDIES and not (folder / study).is_dir():
        raise ValueError(
            f"study must be one of {sorted(STUDIES)}, or a folder of records in "
            f"{folder}. Received: {study!r}."
        )
    wanted = runs_of(STUDIES[study]) if study in STUDIES else ()
    runs = [
        load_run(path)
        for path in folder.glob("*/*.json")
        if study in (None, path.parent.name) or path.stem in wanted
    ]

    def key(run):
        return study or run.study, _parts(run.name), run.seed

    return sorted(runs, key=key)


def _parts(name):
    """The text and the numbers of a name in turn."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if n % 2 else part for n, part in enumerate(parts)]
