"""Put recorded runs side by side: one row an experiment, mean and spread over seeds."""

import statistics
from collections import Counter
from itertools import compress, groupby

from vitlib.records.changes import what_changed
from vitlib.records.run import steps_at_epochs
from vitlib.records.runs import load_runs, record_path
from vitlib.records.tables import Table
from vitlib.studies import STUDIES
from vitlib.studies.experiment import plan

SHORT_HASH = 7  # letters of a commit, as git shortens it
# The columns of what a run is tested by: those of one task are empty for another.
SCORES = {
    "top1": "test top-1 (%)",
    "top5": "test top-5 (%)",
    "miou": "test mean IoU (%)",
    "ap50": "test AP50 (%)",
    "ap": "test AP (%)",
}
NOTHING = "-"
COLUMNS = (
    "study",
    "run",
    "scale",
    "parameters (M)",
    "MFLOP an image",
    "seeds",
    *SCORES.values(),
    "weights of epoch",
    "minutes",
    "device",
    "what changed",
)
READING_COLUMNS = (
    "run",
    "seeds",
    "steps",
    "dead units (%)",
    "spread of the tokens",
    "spread of the logits",
    "distinct answers",
    "gradient norm",
    "validation loss",
)


def summarize(runs):
    """Makes the table of recorded results.

    Args:
        runs: List of `Run`, sorted as `load_runs` gives them.

    Returns:
        `Table` with a row for each study and name. With several seeds scores are
        mean ± standard deviation. Failed runs count as seeds that failed. Each seed is
        tested with the weights of its best epoch, which one column names. The last
        column says by `what_changed` what is not the report's.
    """
    groups = groupby(runs, key=lambda run: (run.study, run.name))
    return Table(COLUMNS, tuple(_row(*key, list(group)) for key, group in groups))


def summarize_readings(runs):
    """Makes the table of what the instruments read after the last epoch.

    Args:
        runs: List of `Run`, sorted as `load_runs` gives them. Those of which no reading
            is recorded are left out.

    Returns:
        `Table` with a row for each study and name. Of dead units the hidden layer with
        the largest share is shown: one dead layer is enough to make a model constant.
        With several seeds a value is mean ± standard deviation.
    """
    watched = [run for run in runs if run.history.get("dead")]
    groups = groupby(watched, key=lambda run: (run.study, run.name))
    rows = (_reading_row(name, list(group)) for (_, name), group in groups)
    return Table(READING_COLUMNS, tuple(rows))


def _reading_row(name, runs):
    last = [{key: values[-1] for key, values in run.history.items()} for run in runs]
    dead = [100 * max(row["dead"]) for row in last if row["dead"]]
    names = ("token_spread", "logit_spread", "answers", "gradient_norm", "val_loss")
    values = [_spread([row[key] for row in last]) for key in names]
    steps = steps_at_epochs(runs[0])[-1]
    return (name, len(runs), steps, _spread(dead), *values)


def list_records(runs):
    """Makes the table of where recorded results come from, one row a run.

    Args:
        runs: List of `Run`.

    Returns:
        `Table`: the file, how the run ended, the commit of the code, the end in UTC,
        the device, versions, and the command that repeats it.
    """
    columns = ("file", "status", "commit", "ended (UTC)", "device", "backend")
    return Table((*columns, "command"), tuple(map(_record_row, runs)))


def _record_row(run):
    commit = "unknown" if run.git_commit is None else run.git_commit[:SHORT_HASH]
    packages = " ".join(
        f"{name} {run.versions[name]}"
        for name in ("keras", run.backend)
        if name in run.versions
    )
    file = record_path("", run.study, run.name, run.seed).as_posix()
    return (file, run.status, commit, run.utc, _device(run), packages, run.command)


def show_study(folder, study):
    """Shows what is recorded of a study.

    Args:
        folder: Path of the folder of all records, usually `results`.
        study: String, the name of the study.

    Returns:
        `Table`: that of `summarize` without the columns of the study and the device,
        and without the scores that no run of the study has, so that it fits a page.

    Raises:
        ValueError: When there is no such study.
    """
    if study not in STUDIES:
        raise ValueError(
            f"study must be one of {sorted(STUDIES)}. Received: {study!r}."
        )
    table = summarize(load_runs(folder, study))
    left_out = {"study", "device"}
    for name, *values in zip(table.columns, *table.rows, strict=True):
        if name in SCORES.values() and set(values) <= {NOTHING}:
            left_out.add(name)
    kept = [name not in left_out for name in table.columns]
    columns, *rows = (
        tuple(compress(line, kept)) for line in (table.columns, *table.rows)
    )
    return Table(columns, tuple(rows))


def list_open_runs(folder):
    """Makes the table of the runs that the studies plan and nobody has recorded.

    Args:
        folder: Path of the folder of all records, usually `results`.

    Returns:
        `Table` with a row for each study, scale and preset that lacks runs: how many
        are planned, and how many of them are open. A run of several studies counts in
        the first; a run that failed is recorded.
    """
    recorded = {(run.study, run.name, run.seed) for run in load_runs(folder)}
    planned, left, homes = Counter(), Counter(), {}
    for study in STUDIES.values():
        for scale, runs in study.runs.items():
            for run in (plan(**options) for options in runs):
                if homes.setdefault(run.name, study) is study:
                    place = study.name, scale, run.preset
                    planned[place] += 1
                    left[place] += (study.name, run.name, run.seed) not in recorded
    rows = [(*place, planned[place], left[place]) for place in planned if left[place]]
    return Table(("study", "scale", "preset", "planned runs", "open"), tuple(rows))


def _row(study, name, runs):
    finished = [run for run in runs if run.status == "finished"]
    failed = len(runs) - len(finished)
    return (
        study,
        name,
        runs[0].scale,
        runs[0].parameters["total"] / 1e6,
        runs[0].flops_per_image / 1e6,
        f"{len(runs)}, {failed} failed" if failed else len(runs),
        *(
            _spread([100 * run.test[name] for run in finished if name in run.test])
            for name in SCORES
        ),
        ", ".join(str(run.best_epoch) for run in finished) or NOTHING,
        statistics.mean(run.seconds / 60 for run in runs),
        ", ".join(sorted({_device(run) for run in runs})),
        what_changed(runs[0]),
    )


def _spread(values):
    if not values:
        return NOTHING
    mean = f"{statistics.mean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def _device(run):
    if run.device["kind"] == "cpu":
        return f"{run.device['cores']} CPU cores, {run.device['name']}"
    return run.device["name"]
