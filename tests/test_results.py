"""Every committed record is right, stands in its place and is what its preset says."""

import json
import math
import re
import shlex
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from sample_run import in_json, make_history, make_run

from vitlib.records.runs import load_run, record_path
from vitlib.studies import PRESETS
from vitlib.studies.experiment import OPTIONS, plan
from vitlib.training.instruments import READINGS
from vitlib.training.tasks import TASKS

RESULTS = Path(__file__).parents[1] / "results"
RECORDS = sorted(RESULTS.glob("*/*.json"))
CIFAR100_SIZES = {"train": 40_000, "validation": 10_000, "test": 10_000}
ABSOLUTE = re.compile(
    r"(?:^|=)(?:~|/|\\|[A-Za-z]:[\\/])"
)  # an argument with such a path

every_record = pytest.mark.parametrize(
    "path", RECORDS, ids=lambda path: str(path.relative_to(RESULTS))
)


def override(config, overrides):
    """A config with those overrides that are its fields; lists become tuples."""
    names = {field.name for field in fields(config)} & set(overrides)
    values = {name: overrides[name] for name in names}
    lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return replace(config, **(values | lists))


def has_known_overrides(run):
    preset = PRESETS[run.preset]
    known = {*asdict(preset.model), *asdict(preset.train)}
    known |= {"train_images", "evaluation_images", "initial"}
    return set(run.overrides) <= known


def has_the_model_of_its_preset(run):
    model = override(PRESETS[run.preset].model, run.overrides)
    return run.model == in_json({"family": model.family, **asdict(model)})


def has_the_training_of_its_preset(run):
    training = override(PRESETS[run.preset].train, run.overrides)
    return run.training == in_json(asdict(replace(training, seed=run.seed)))


def planned(run):
    """The experiment that has the changes of a run, as far as they are options."""
    options = {k: v for k, v in run.overrides.items() if k in OPTIONS}
    return plan(run.preset, run.seed, **options)


def has_the_place_and_the_data_set_of_its_preset(run):
    home = planned(run)
    expected = home.study.name, home.scale, home.data
    return (run.study, run.scale, run.data["name"]) == expected


def has_the_sizes_of_its_data_set(run):
    sizes = {name: run.data[name] for name in CIFAR100_SIZES}
    few = planned(run).evaluation_images
    expected = CIFAR100_SIZES | ({"validation": few, "test": few} if few else {})
    expected |= {"train": run.overrides.get("train_images", CIFAR100_SIZES["train"])}
    return run.data["name"] != "cifar100" or sizes == expected


def has_every_epoch(run):
    """As many as planned in a finished run, fewer in a failed one."""
    counts, planned = set(map(len, run.history.values())), run.training["epochs"]
    if run.status == "finished":
        return counts == {planned}
    return len(counts) == 1 and max(counts) < planned


def has_the_instruments_of_its_study(run):
    watched = planned(run).watch and run.history["loss"]
    return not watched or set(READINGS) <= set(run.history)


def has_its_best_epoch(run):
    """The first of those with the best validation score, of those its task goes by."""
    task = TASKS[run.task]
    scores = run.history[f"val_{task.monitor}"]
    best = {"max": max, "min": min}[task.mode]
    return run.best_epoch == (scores.index(best(scores)) + 1 if scores else None)


def begins_as_its_overrides_say(run):
    """Without the weights of another run, or with those of the run that is named."""
    record = run.initial and run.initial["record"].rpartition("/")[2]
    name = run.overrides.get("initial")
    return record == (name and f"{name}-seed{run.seed}.json")


def has_the_seconds_of_its_epochs(run):
    return math.isclose(run.seconds, math.fsum(run.history["seconds"]), rel_tol=1e-9)


def has_parameters_that_add_up(run):
    counts = run.parameters
    return counts["total"] == counts["trainable"] + counts["non_trainable"]


def has_accuracies_in_order(run):
    """The label among the first five wherever it is the first."""
    if "top1" not in TASKS[run.task].scores:
        return True
    pairs = [("top1", "top5"), ("val_top1", "val_top5")]
    columns = [(run.history[one], run.history[five]) for one, five in pairs]
    columns += [([run.test["top1"]], [run.test["top5"]])] if run.test else []
    return all(a <= b for one, five in columns for a, b in zip(one, five, strict=True))


def has_a_command_without_a_place_on_a_machine(run):
    return not any(map(ABSOLUTE.search, shlex.split(run.command)))


def has_a_commit(run):
    return run.git_commit is not None


CHECKS = (
    has_known_overrides,
    has_the_model_of_its_preset,
    has_the_training_of_its_preset,
    has_the_place_and_the_data_set_of_its_preset,
    has_the_sizes_of_its_data_set,
    has_every_epoch,
    has_the_instruments_of_its_study,
    has_its_best_epoch,
    begins_as_its_overrides_say,
    has_the_seconds_of_its_epochs,
    has_parameters_that_add_up,
    has_accuracies_in_order,
    has_a_command_without_a_place_on_a_machine,
    has_a_commit,
)


def faults(run):
    """What a run has not."""
    if run.preset not in PRESETS:
        return [f"{run.preset} is no preset"]
    return [check.__name__ for check in CHECKS if not check(run)]


def changed(part, **changes):
    """A dict of the sample run with changes inside it."""
    return {part: getattr(make_run(), part) | changes}


@every_record
def test_a_committed_record_is_valid_and_stands_where_it_says(path):
    run = load_run(path)
    assert path == record_path(RESULTS, run.study, run.name, run.seed)


@every_record
def test_a_committed_record_is_what_its_preset_says(path):
    assert faults(load_run(path)) == []


@every_record
def test_a_committed_record_is_written_as_save_run_writes(path):
    text = path.read_text("utf-8")
    assert text == f"{json.dumps(json.loads(text), indent=1)}\n"


def test_nothing_but_records_and_words_stands_in_the_results():
    others = [path for path in RESULTS.rglob("*") if path.is_file()]
    others = [path for path in others if ".checkpoint" not in str(path)]  # in training
    assert {path.suffix for path in others} <= {".json", ".md"}
    assert {path for path in others if path.suffix == ".json"} == set(RECORDS)


@pytest.mark.parametrize(
    "path", ["/x", "~/x", "~", "--out=/x", "C:\\x", "d:/x", "\\\\x"]
)
def test_a_path_of_a_machine_is_seen_in_a_command(path):
    command = shlex.join(["python", "experiments/train.py", "compact", path])
    run = make_run(command=command)
    assert faults(run) == ["has_a_command_without_a_place_on_a_machine"]


@pytest.mark.parametrize("argument", ["data", "../data", "--out=results", "a/b", "--x"])
def test_a_relative_path_may_stand_in_a_command(argument):
    run = make_run(command=f"python experiments/train.py compact {argument}")
    assert faults(run) == []


def failed_after(epochs):
    return {
        "status": "failed",
        "error": "It broke.",
        "test": None,
        "best_epoch": epochs or None,
        "history": make_history(epochs),
        "seconds": 1.5 * epochs,
    }


OVERRIDDEN = changed("model", position="2d") | {"overrides": {"position": "2d"}}
UNITS = changed("model", head_units=[512]) | {"overrides": {"head_units": [512]}}
FEWER = changed("data", train=2_500) | {"overrides": {"train_images": 2_500}}
BEGUN = {
    "overrides": {"initial": "masked"},
    "initial": {"record": "pretraining/masked-seed0.json", "digest": "0" * 64},
}
SHORTER = {
    "overrides": {"epochs": 3},
    "history": make_history(3),
    "best_epoch": 3,
    "seconds": 4.5,
    **changed("training", epochs=3),
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        OVERRIDDEN,
        UNITS,
        FEWER,
        BEGUN,
        SHORTER,
        failed_after(0),
        failed_after(29),
        changed("training", seed=3) | {"seed": 3},
        changed("history", val_top1=[0.01] * 30) | {"best_epoch": 1},
    ],
)
def test_a_right_record_has_no_fault(changes):
    assert faults(make_run(**changes)) == []


UNWATCHED = {k: v for k, v in make_history(30).items() if k not in READINGS}
TAMPERED = [
    (has_the_model_of_its_preset, changed("model", dropout=0.2)),
    (has_the_model_of_its_preset, changed("model", mlp_units=[256, 129])),
    (has_the_model_of_its_preset, changed("model", family="resnet")),
    (has_the_model_of_its_preset, changed("model", extra=1)),
    (has_the_model_of_its_preset, OVERRIDDEN | {"overrides": {}}),
    (has_the_model_of_its_preset, {"overrides": {"position": "2d"}}),
    (has_the_training_of_its_preset, changed("training", learning_rate=2e-3)),
    (has_the_training_of_its_preset, changed("training", weight_decay=1.1e-4)),
    (has_the_training_of_its_preset, changed("training", seed=1)),
    (has_the_training_of_its_preset, {"seed": 1}),
    (has_known_overrides, {"overrides": {"depth": 3}}),
    (has_the_place_and_the_data_set_of_its_preset, {"scale": "laptop"}),
    (has_the_place_and_the_data_set_of_its_preset, {"study": "repair"}),
    (has_the_place_and_the_data_set_of_its_preset, changed("data", name="shapes")),
    (has_the_sizes_of_its_data_set, changed("data", train=40_001)),
    (has_the_sizes_of_its_data_set, changed("data", test=2_000)),
    (has_the_sizes_of_its_data_set, FEWER | {"overrides": {}}),
    (has_the_sizes_of_its_data_set, {"overrides": {"train_images": 2_500}}),
    (has_every_epoch, {"history": make_history(29), "best_epoch": 29}),
    (has_every_epoch, changed("history", loss=[4.6])),
    (has_every_epoch, failed_after(30)),
    (has_the_instruments_of_its_study, {"history": UNWATCHED}),
    (has_its_best_epoch, {"best_epoch": 29}),
    (has_its_best_epoch, changed("history", val_top1=[0.01] * 30)),
    (has_its_best_epoch, {"task": "reconstruction", "best_epoch": 1}),
    (begins_as_its_overrides_say, BEGUN | {"overrides": {}}),
    (begins_as_its_overrides_say, BEGUN | {"overrides": {"initial": "old-classes"}}),
    (begins_as_its_overrides_say, BEGUN | {"initial": None}),
    (has_the_seconds_of_its_epochs, {"seconds": 45.1}),
    (has_parameters_that_add_up, changed("parameters", trainable=45_923_301)),
    (has_accuracies_in_order, changed("test", top1=0.76)),
    (has_accuracies_in_order, changed("history", top5=[0.0] * 30)),
    (has_a_commit, {"git_commit": None}),
    (has_a_command_without_a_place_on_a_machine, {"command": "python /x/train.py"}),
]


@pytest.mark.parametrize(("check", "changes"), TAMPERED)
def test_a_record_in_which_one_thing_differs_is_found(check, changes):
    assert check.__name__ in faults(make_run(**changes))


def test_every_check_is_used_and_finds_something():
    named = ("has_", "begins_")
    checks = {value for name, value in globals().items() if name.startswith(named)}
    assert checks == set(CHECKS) == {check for check, _ in TAMPERED}


def test_a_record_of_an_unknown_preset_is_found():
    assert faults(make_run(preset="report-cnn")) == ["report-cnn is no preset"]
