"""One experiment as one JSON file: what was run, on what, and what came of it."""

import json
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from vitlib.config.rules import is_number
from vitlib.config.training import TrainConfig
from vitlib.data.sets import DATA_SETS
from vitlib.records.files import digest, replacing
from vitlib.records.upgrade import SCHEMA_VERSION, upgrade
from vitlib.studies import STUDIES
from vitlib.studies.experiment import file_name, runs_of

SCHEMA_PATH = Path(__file__).with_name("run.schema.json")
REFUSED = "refused.json"  # in the checkpoint of a run that could not be recorded
MOST_CHARACTERS = 300  # of what a message quotes from a record


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that is known of one experiment. `run.schema.json` says the rules.

    `vitlib.training.recording` makes it, once. The first fields say which experiment it
    is: those that a training cannot know come from `Experiment.about`, and are empty
    for a training that is not to be recorded.
    """

    study: str = ""
    name: str = ""
    preset: str = ""
    overrides: dict = field(default_factory=dict)  # what differs from the preset
    scale: str = ""  # "quick", "laptop" or "full": the machine that it is meant for
    model: dict = field(default_factory=dict)  # family, and the config of the model
    command: str = ""
    # The weights that it began with: `record`, the file of the run that made them, or
    # `package`, where they were published, and their `digest`; None for random ones.
    initial: dict | None = None
    task: str  # the name of what was predicted
    seed: int
    status: str  # "finished" or "failed"
    error: str | None  # one sentence, for a failed run
    training: dict  # the TrainConfig
    data: dict  # name, fingerprint, and the sizes of the three splits
    # One list a quantity, one value a finished epoch: the scores of the task for the
    # training images as they went by, and with "val_" for the validation images after
    # the epoch; learning_rate after its last step; seconds, validation included; of a
    # watched run also what `vitlib.training.instruments.read` returns. The scores of a
    # classification: loss, top1, top5. Accuracies are fractions of 1.
    history: dict
    best_epoch: int | None  # counted from 1: the best validation score, first of equals
    test: dict | None  # the scores of the weights of best_epoch
    seconds: float  # of all epochs, those before a restart included
    images_per_second: float | None  # training images, validation time excluded
    peak_memory_bytes: int | None  # of the process, on the host
    parameters: dict  # total, trainable, non_trainable
    flops_per_image: int  # forward, a multiply-add counted as two
    device: dict  # kind, name, cores
    backend: str
    versions: dict
    git_commit: str | None
    utc: str  # when the run ended
    schema_version: int = SCHEMA_VERSION


def _import_jsonschema():
    """Jsonschema without a package that takes a second to start.

    It loads whatever it finds for the formats of strings. No rule here is a format.
    """
    slow = "rfc3987_syntax"
    if is_left_out := slow not in sys.modules:
        sys.modules[slow] = None
    import jsonschema

    if is_left_out:
        del sys.modules[slow]
    return jsonschema


@cache
def _validator():
    """The schema, with the types that Python tells apart: 1.0 is no integer.

    A tuple is an array, as it is one in the file; NaN and infinity are no numbers.
    """
    jsonschema = _import_jsonschema()
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "array": lambda _, value: type(value) in (list, tuple),
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: is_number(value),
        }
    )
    kind = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, type_checker=checker
    )
    return kind(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def _check(record, path):
    best_match = _import_jsonschema().exceptions.best_match
    error = best_match(_validator().iter_errors(record))
    if error is not None:
        raise ValueError(
            f"{path} must hold a run as {SCHEMA_PATH.name} describes it. Received: "
            f"{error.json_path}: {error.message:.{MOST_CHARACTERS}}."
        )


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
        raise OSError(f"{path} must be the place of a file. Received: a folder.")
    trial = path.with_name(f"{path.name}.trial")
    with replacing(trial) as file:
        file.write(content)
    trial.unlink()


def _content(run, path):
    """The bytes of the record of a run that keeps the schema."""
    record = asdict(run)
    _check(record, path)
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
    try:
        text = Path(path).read_text(encoding="utf-8")
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
    _check(record, path)
    if not whole:
        raise ValueError(
            f"{path} must be as the run wrote it. Received: a file that was changed "
            "since, for its digest does not fit."
        )
    return Run(**record)


def steps_at_epochs(run):
    """Lists after how many steps of training each finished epoch of a run ended."""
    names = ("steps_per_epoch", "batch_size")
    config = TrainConfig(**{name: run.training[name] for name in names})
    steps = config.count_steps(DATA_SETS[run.data["name"]].train)
    return [steps * (epoch + 1) for epoch in range(len(run.history["loss"]))]


def images_at_epochs(run):
    """Lists how many images had gone by when each finished epoch of a run ended."""
    return [run.training["batch_size"] * steps for steps in steps_at_epochs(run)]


def load_runs(folder, study=None):
    """Reads all runs of a study, or of all studies.

    Args:
        folder: Path of the folder of all records, usually `results`.
        study: String or None for all. A run that several studies ask for lies in the
            folder of the first and belongs to each.

    Returns:
        List of `Run`, sorted by study, name and seed; a number in a name counts as one,
        so that 2500 images come before 10000. Empty when nothing is recorded.
    """
    wanted = runs_of(STUDIES[study]) if study in STUDIES else ()
    runs = [
        load_run(path)
        for path in Path(folder).glob("*/*.json")
        if study in (None, path.parent.name) or path.stem in wanted
    ]

    def key(run):
        return study or run.study, _parts(run.name), run.seed

    return sorted(runs, key=key)


def _parts(name):
    """The text and the numbers of a name in turn."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if n % 2 else part for n, part in enumerate(parts)]
