"""Records of runs: whole or not at all, right or refused, and the same when read."""

import json
import os
import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from sample_run import (
    as_first_version,
    as_fourth_version,
    in_json,
    make_history,
    make_run,
)

from vitlib.config.training import TrainConfig
from vitlib.records.files import digest
from vitlib.records.run import Run, images_at_epochs, steps_at_epochs
from vitlib.records.runs import load_run, load_runs, record_path, save_run
from vitlib.records.schema import SCHEMA_PATH
from vitlib.studies import PRESETS
from vitlib.studies.experiment import plan
from vitlib.training.draws import draw_order

FAILED = {"status": "failed", "error": "It broke.", "test": None, "best_epoch": None}


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def write(folder, text):
    path = folder / "report" / "broken-seed0.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


def sample(part, **changes):
    """A dict of the sample run with changes inside it."""
    return {part: getattr(make_run(), part) | changes}


def break_off(*_):
    """Stands for a process that is killed before the new file takes its place."""
    raise KeyboardInterrupt


def fail(*_, **__):
    raise OSError("no space left")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        FAILED,
        {**FAILED, "history": make_history(0), "seconds": 0, "images_per_second": None},
        {"peak_memory_bytes": None, "git_commit": None},
        {"git_commit": "0" * 40 + "-dirty", "overrides": {"position": "2d"}},
        {"seed": 2**32 - 1, "name": "compact-stem-0.5", "test": {"loss": 0.1 + 0.2}},
    ],
)
def test_a_run_comes_back_from_its_file_as_it_was(tmp_path, changes):
    if len(changes.get("test") or {}) == 1:
        changes = changes | sample("test", **changes["test"])
    run = make_run(**changes)
    path = save_run(tmp_path, run)
    assert path == tmp_path / run.study / f"{run.name}-seed{run.seed}.json"
    assert load_run(path) == run
    assert load_run(str(path)) == run


SCORES = {
    "segmentation": {"loss": 0.5, "accuracy": 0.75, "miou": 0.25},
    "detection": {"loss": 0.5, "ap50": 0.75, "ap": 0.25},
}


@pytest.mark.parametrize("task", SCORES)
def test_a_run_of_a_dense_task_has_its_scores_and_no_others(tmp_path, task):
    scores = SCORES[task]
    names = {"loss", "accuracy"} & {*scores} | {f"val_{name}" for name in scores}
    history = {name: [0.5] for name in {*names, "learning_rate", "seconds"}}
    run = make_run(task=task, history=history, best_epoch=1, test=scores)
    assert load_run(save_run(tmp_path, run)) == run
    for part, score in (("test", "top1"), ("history", "val_top1")):
        more = {part: getattr(run, part) | {score: 0.5 if part == "test" else [0.5]}}
        with pytest.raises(ValueError, match=f"Received: .*{score}"):
            save_run(tmp_path, replace(run, **more))
    for name in scores.keys() - {"loss"}:
        less = {key: value for key, value in scores.items() if key != name}
        with pytest.raises(ValueError, match=f"'{name}' is a required property"):
            save_run(tmp_path, replace(run, test=less))
        with pytest.raises(ValueError, match=r"Received: \$\.test"):
            save_run(tmp_path, make_run(**sample("test", **{name: 0.5})))


def test_tuples_are_written_as_lists(tmp_path):
    path = save_run(tmp_path, make_run(**sample("model", mlp_units=(256, 128))))
    assert load_run(path).model["mlp_units"] == [256, 128]


def test_the_folder_of_a_record_is_made_and_holds_the_record_alone(tmp_path):
    save_run(tmp_path / "new" / "results", make_run())
    assert files(tmp_path) == ["report-vit-seed0.json"]


def test_a_record_ends_with_a_line_break_and_is_readable_line_by_line(tmp_path):
    text = save_run(tmp_path, make_run()).read_bytes().decode("ascii")
    assert text.endswith("\n}\n")
    assert "\r" not in text
    record = json.loads(text)
    assert re.fullmatch("[0-9a-f]{64}", record.pop("digest"))
    assert record == asdict(make_run())


def test_a_record_of_the_same_name_is_replaced(tmp_path):
    save_run(tmp_path, make_run())
    path = save_run(tmp_path, make_run(command="python again.py"))
    assert load_run(path).command == "python again.py"
    assert len(files(tmp_path)) == 1


def test_a_record_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    old = make_run()
    save_run(tmp_path, old)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="could not be written.*no space left"):
            save_run(tmp_path, make_run(command="python new.py"))
    assert load_runs(tmp_path) == [old]
    new = make_run(command="python new.py")
    save_run(tmp_path, new)
    assert load_runs(tmp_path) == [new]
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("saved_before", [True, False])
def test_a_kill_while_writing_leaves_what_was_there(
    tmp_path, monkeypatch, saved_before
):
    old = [make_run()] if saved_before else []
    for run in old:
        save_run(tmp_path, run)
    monkeypatch.setattr(Path, "replace", break_off)
    with pytest.raises(KeyboardInterrupt):
        save_run(tmp_path, make_run(command="python new.py"))
    assert load_runs(tmp_path) == old
    assert any(name.endswith(".partial") for name in files(tmp_path))


INVALID = {
    "a finished run without a test": {"test": None},
    "a finished run without a best epoch": {"best_epoch": None},
    "a finished run with an error": {"error": "It broke."},
    "a failed run without an error": {**FAILED, "error": None},
    "a failed run with an empty error": {**FAILED, "error": ""},
    "a failed run with a test": {**FAILED, "test": make_run().test},
    "a failed run with weights": {**FAILED, "weights": "0" * 64},
    "an unknown status": {"status": "stopped"},
    "a study outside of the folder": {"study": "../elsewhere"},
    "one instrument without the others": {
        "history": {
            name: values
            for name, values in make_history(30).items()
            if name != "answers"
        }
    },
}


@pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID)
def test_nothing_is_written_of_a_run_that_is(tmp_path, changes):
    with pytest.raises(ValueError):
        save_run(tmp_path, make_run(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_refused_leaves_the_record_that_stands_there(tmp_path):
    path = save_run(tmp_path, make_run())
    with pytest.raises(ValueError):
        save_run(tmp_path, make_run(test=None))
    assert load_run(path) == make_run()


def test_the_message_names_the_file_the_schema_and_the_place_of_the_fault(tmp_path):
    run = make_run(**sample("test", top1=47.93))
    with pytest.raises(ValueError) as caught:
        save_run(tmp_path, run)
    message = str(caught.value)
    assert message.startswith(str(record_path(tmp_path, "report", "report-vit", 0)))
    assert SCHEMA_PATH.name in message
    assert "Received: $.test.top1: 47.93 is" in message


WHOLE = json.dumps(asdict(make_run()))


@pytest.mark.parametrize(
    "text",
    ["", "\n", "no JSON", WHOLE[:-1], WHOLE[: len(WHOLE) // 2], WHOLE + "}", "\x00"]
    + [
        "[]",
        "{}",
        "null",
        "3",
        '"a run"',
        "[1, 2]",
        '{"study": "report"}',
        f"[{WHOLE}]",
    ],
)
def test_a_file_that_holds_no_run_is_named_in_one_error(tmp_path, text):
    path = write(tmp_path, text)
    for load in (lambda: load_run(path), lambda: load_runs(tmp_path)):
        with pytest.raises(ValueError) as caught:
            load()
        message = str(caught.value)
        assert message.startswith(f"{path} must ")
        assert "Received: " in message
        assert message.endswith((".", ".)"))
        assert "\n" not in message


@pytest.mark.parametrize("name", [["cifar100"], {}, None, 3])
def test_an_older_record_whose_data_set_has_no_name_is_refused(tmp_path, name):
    old = SECOND | TWIN | {"data": TWIN["data"] | {"name": name}}
    with pytest.raises(ValueError, match=r"\.data\.name"):
        load_run(write(tmp_path, json.dumps(old | {"digest": digest(old)})))


def test_a_file_that_is_no_text_is_named_too(tmp_path):
    path = write(tmp_path, "")
    path.write_bytes(b"\x80\x04\xff")
    with pytest.raises(ValueError, match="broken-seed0.json must be a JSON file"):
        load_run(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_file_with_a_number_that_is_no_json_is_refused(tmp_path, number):
    text = WHOLE.replace('"loss": 2.5', f'"loss": {number}')
    assert number in text
    with pytest.raises(
        ValueError, match=r"Received: \$\.test\.loss: (nan|-?inf) is not"
    ):
        load_run(write(tmp_path, text))


def test_a_field_that_stands_twice_is_refused(tmp_path):
    text = WHOLE.replace('"seed": 0', '"seed": 0, "seed": 0', 1)
    with pytest.raises(ValueError, match="must be a JSON file.*a field stands twice"):
        load_run(write(tmp_path, text))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000])
def test_what_python_cannot_hold_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="must be a JSON file"):
        load_run(write(tmp_path, text))


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-seed0.json"):
        load_run(tmp_path / "nothing-seed0.json")


def test_runs_are_sorted_by_study_name_and_seed(tmp_path):
    keys = [
        ("a", "x", 2),
        ("a", "x", 10),
        ("a", "x-y", 0),
        ("a-b", "a", 0),
        ("b", "a", 1),
    ]
    runs = [make_run(study=study, name=name, seed=seed) for study, name, seed in keys]
    for run in reversed(runs):
        save_run(tmp_path, run)
    assert load_runs(tmp_path) == runs
    assert load_runs(str(tmp_path)) == runs


def test_a_number_in_a_name_counts_as_a_number(tmp_path):
    names = ("vit", "vit-images-2500", "vit-images-10000", "vit-position-2d")
    for name in reversed(names):
        save_run(tmp_path, make_run(name=name))
    assert tuple(run.name for run in load_runs(tmp_path)) == names


def test_the_runs_of_one_study_are_read_alone(tmp_path):
    for study in ("a", "a-b", "b"):
        save_run(tmp_path, make_run(study=study))
    write(tmp_path, "not read")
    assert load_runs(tmp_path, "a") == [make_run(study="a")]


def test_there_are_no_runs_where_nothing_is_recorded(tmp_path):
    save_run(tmp_path, make_run())
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/missing, where no folder"):
        load_runs(tmp_path / "missing")
    with pytest.raises(ValueError, match=r"study must be .* Received: 'missing'"):
        load_runs(tmp_path, "missing")
    (tmp_path / "empty").mkdir()
    assert load_runs(tmp_path / "empty") == load_runs(tmp_path, "empty") == []


def test_a_record_that_is_not_there_is_told_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rule = f"path must be that of a record, .* Received: {tmp_path}/x.json, where no"
    with pytest.raises(FileNotFoundError, match=rule):
        load_run("x.json")


def test_other_files_beside_the_records_are_no_runs(tmp_path):
    path = save_run(tmp_path, make_run())
    for name in (
        "README.md",
        "x-seed0.json.partial",
        "x-seed0.checkpoint/progress.json",
    ):
        other = path.parent / name
        other.parent.mkdir(exist_ok=True)
        other.write_text("no run")
    (tmp_path / "x-seed0.json").write_text("no run")
    assert load_runs(tmp_path) == [make_run()]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_record_gives_back_the_configs_of_its_run(tmp_path, preset):
    planned = plan(preset, seed=3)
    training = in_json(asdict(planned.training))
    run = make_run(model=planned.about()["model"], training=training)
    again = load_run(save_run(tmp_path, run))
    assert again.model_config == planned.model
    assert again.train_config == planned.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {}}, "family of a run's model must be one of .* Received: None."),
        (sample("model", depth=3), "field of ViTConfig, .* differs in depth."),
        (sample("model", dropout=2), "ViTConfig.dropout must be .* Received: 2."),
        ({"training": {"epochs": 1}}, "field of TrainConfig, .* batch_size, clip_n"),
    ],
)
def test_settings_that_make_no_config_are_told(changes, message):
    run = make_run(**changes)
    with pytest.raises(ValueError, match=message):
        run.model_config  # noqa: B018
        run.train_config  # noqa: B018


def test_a_run_cannot_be_changed_and_is_made_anew_by_replace():
    run = make_run()
    with pytest.raises(AttributeError, match="cannot assign"):
        run.seed = 1
    assert replace(run, seed=1).seed == 1


def test_the_schema_and_the_record_have_the_same_fields():
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    names = {field.name for field in fields(Run)}
    assert set(schema["properties"]) == names | {"digest"}
    assert set(schema["required"]) == names
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({}, 1250), ({"batch_size": 128}, 312), ({"steps_per_epoch": 25}, 25)],
)
def test_an_epoch_of_a_record_is_what_the_training_takes(changes, steps):
    config = TrainConfig(**changes)
    run = make_run(training=in_json(asdict(config)))
    fewer = replace(run, data=run.data | {"train": 500, "repeated_to": 40_000})
    for record in (run, fewer):
        expected = [steps * epoch for epoch in range(1, 31)]
        assert steps_at_epochs(record) == expected
        images = images_at_epochs(record)
        assert images == [config.batch_size * number for number in expected]
        assert images[0] == len(draw_order(config, 0, 40_000))


def edit(path, change):
    """What a hand does: the numbers change, and the file stays a valid record."""
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["test"].update(top1=0.376),
        lambda record: record["history"]["val_loss"].__setitem__(3, 1.0),
        lambda record: record.update(seed=1),
        lambda record: record.update(digest="0" * 64),
        lambda record: record.pop("digest"),
    ],
    ids=["test", "history", "seed", "digest", "no-digest"],
)
def test_a_record_edited_by_hand_is_refused(tmp_path, change):
    path = save_run(tmp_path, make_run())
    edit(path, change)
    rule = f"{path} must be as the run wrote it. Received: a file that was changed"
    with pytest.raises(ValueError, match=re.escape(rule)):
        load_run(path)


def test_another_layout_of_the_same_record_is_no_edit(tmp_path):
    path = save_run(tmp_path, make_run())
    edit(path, lambda record: None)
    assert load_run(path) == make_run()


RUN = make_run()
FIRST = as_first_version(RUN)
SECOND = FIRST | {"schema_version": 2, "training": RUN.training, "model": RUN.model}
FOURTH = as_fourth_version(RUN)
THIRD = FOURTH | {"schema_version": 3}
del THIRD["weights"]
TWIN = {"preset": "data-size-vit", "name": "data-size-vit-train-images-2500"}
TWIN |= {"command": "python experiments/train.py data-size-vit --train-images=2500"}
TWIN |= {"overrides": {"train_images": 2500}, "data": RUN.data | {"train": 2500}}
NOW = {"preset": "small-vit", "name": "small-vit-train-images-2500"}
NOW |= {"command": "python experiments/train.py small-vit --train-images=2500"}
NOW |= {"overrides": TWIN["overrides"]}
NOW |= {"data": TWIN["data"] | {"repeated_to": 40_000}}


@pytest.mark.parametrize(
    ("record", "run"),
    [
        (FIRST, RUN),  # the first records may have no digest
        (FIRST | {"digest": digest(FIRST)}, RUN),
        (SECOND | {"digest": digest(SECOND)}, RUN),
        (THIRD | {"digest": digest(THIRD)}, RUN),
        (FOURTH | {"digest": digest(FOURTH)}, RUN),
        (SECOND | TWIN | {"digest": digest(SECOND | TWIN)}, replace(RUN, **NOW)),
    ],
    ids=["first", "first-with-digest", "second", "third", "fourth", "renamed"],
)
def test_an_older_record_is_read_as_one_of_today(tmp_path, record, run):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(record))
    assert asdict(load_run(path)) == in_json(asdict(run))


@pytest.mark.parametrize(
    "record",
    [
        SECOND,
        SECOND | {"digest": "0" * 64},
        FIRST | {"digest": "0" * 64},
        asdict(RUN) | {"schema_version": 1},
        FIRST | {"schema_version": 3},
        THIRD,
        FOURTH | {"training": [], "digest": digest(FOURTH)},
        FIRST | {"schema_version": True},
        FIRST | {"training": [], "model": 3},
        SECOND | TWIN | {"name": None, "digest": "0" * 64},
        [FIRST],
    ],
)
def test_an_older_record_is_not_read_without_its_rules(tmp_path, record):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="must (hold a run|be as the run wrote it)"):
        load_run(path)


HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("initial", "is_right"),
    [
        ({"record": "pretraining/small-vit-seed0.json", "digest": HEX}, True),
        ({"package": "weights 1.2", "digest": HEX}, True),
        ({"digest": HEX}, False),
        ({"package": "weights 1.2"}, False),
        ({"package": "w", "record": "a/b.json", "digest": HEX}, False),
        ({"record": "../secret.json", "digest": HEX}, False),
        ({"record": "a/b.json", "digest": "x"}, False),
        ("pretraining/small-vit-seed0.json", False),
    ],
)
def test_a_run_says_with_which_weights_it_began(tmp_path, initial, is_right):
    run = make_run(initial=initial)
    if is_right:
        assert load_run(save_run(tmp_path, run)) == run
        return
    with pytest.raises(ValueError, match=r"\$.initial"):
        save_run(tmp_path, run)
