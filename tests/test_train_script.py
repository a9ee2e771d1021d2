"""The command line of experiments/train.py: what it takes, refuses and repeats."""

import errno
import fcntl
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sample_run import in_json, make_history, make_run

from vitlib.config.models import POSITIONS
from vitlib.data.sets import load_data_set
from vitlib.models.weights import weights_path
from vitlib.records.runs import load_run, load_runs, save_run
from vitlib.studies import PRESETS, STUDIES
from vitlib.studies.recipes import REPORT_RESNET, REPORT_VIT

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parents[1] / "experiments" / "train.py"
FAILED = make_run(status="failed", error="It broke.", test=None, best_epoch=None)


@pytest.fixture
def script():
    """The script as a module of its own, so that a patch stays in one test."""
    spec = importlib.util.spec_from_file_location("train_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def executed(script, monkeypatch):
    """The calls that would have trained, each `(experiment, options, path)`."""
    calls = []

    def execute(*call):
        calls.append(call)
        return make_run()

    monkeypatch.setattr(script, "execute", execute)
    monkeypatch.setattr(script, "train", None)  # whoever trains all the same, breaks
    return calls


def refuse(script, capsys, *arguments):
    """What the script says on the error stream when it refuses in one sentence."""
    assert script.main([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("train.py: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    return err


def complain(script, capsys, *arguments):
    """What argparse says before it exits."""
    with pytest.raises(SystemExit) as caught:
        script.main([*arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_an_unknown_preset_is_answered_with_the_known_ones(script, executed, capsys):
    said = complain(script, capsys, "report-cnn")
    assert "report-cnn" in said
    assert all(preset in said for preset in PRESETS)
    assert executed == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "preset"),
        (("report-vit", "--position", "3d"), "3d"),
        (("report-vit", "--epochs", "many"), "many"),
        (("report-vit", "--epochs", "1.5"), "1.5"),
        (("report-vit", "--seed", "x"), "x"),
        (("compact", "--train-images", "few"), "few"),
        (("report-vit", "compact"), "compact"),
        (("report-vit", "--depth", "3"), "--depth"),
    ],
)
def test_what_the_command_line_cannot_mean_is_named(
    script, executed, capsys, arguments, word
):
    assert word in complain(script, capsys, *arguments).splitlines()[-1]
    assert executed == []


@pytest.mark.parametrize(
    ("preset", "family"),
    [("report-resnet", "resnet"), ("tiny-resnet", "small-resnet")],
)
def test_a_position_goes_with_a_vit_alone(script, executed, capsys, preset, family):
    for position in POSITIONS:
        said = refuse(script, capsys, preset, "--position", position)
        rule = "position must go with a ViT."
        assert said == f"train.py: {rule} Received: {preset}, a {family}.\n"
    assert executed == []


def test_a_share_of_hidden_patches_goes_with_a_masked_autoencoder(
    script, executed, capsys
):
    said = refuse(script, capsys, "pure-vit", "--mask-ratio", "0.5")
    rule = "mask_ratio must go with a masked autoencoder."
    assert said == f"train.py: {rule} Received: pure-vit, a vit.\n"
    said = refuse(script, capsys, "masked", "--mask-ratio", "1")
    assert "mask_ratio must be a number that hides at least 1 of 64" in said
    assert executed == []
    options = script.parse_arguments(["masked", "--mask-ratio", "0.9"])
    experiment = script.asked(options)
    assert experiment.model.num_hidden == 58
    assert experiment.name == "masked-mask-ratio-0.9"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("report-vit", "--epochs", "0"), "TrainConfig.epochs must be .* Received: 0."),
        (
            ("report-vit", "--epochs", "-3"),
            "TrainConfig.epochs must be .*Received: -3.",
        ),
        (("tiny", "--steps-per-epoch", "0"), "steps_per_epoch must be .* Received: 0."),
        (("repaired-vit", "--epochs", "1"), "warmup_epochs must be .* Received: 2."),
        (("report-vit", "--seed", "-1"), "TrainConfig.seed must be .* Received: -1."),
        (
            ("report-vit", "--seed", str(2**32)),
            "TrainConfig.seed must be .* 4294967296.",
        ),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_in_one_sentence(
    script, executed, capsys, arguments, sentence
):
    assert re.search(sentence, refuse(script, capsys, *arguments))
    assert executed == []


@pytest.mark.parametrize("error", [ValueError("Bad data."), OSError("No disk.")])
def test_an_error_on_the_way_is_one_sentence_too(script, monkeypatch, capsys, error):
    def execute(*_):
        raise error

    monkeypatch.setattr(script, "execute", execute)
    assert (
        refuse(script, capsys, "report-vit", "--epochs", "7") == f"train.py: {error}\n"
    )


def test_help_lists_every_option(script, capsys):
    with pytest.raises(SystemExit) as caught:
        script.main(["--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    options = ("--seed", "--position", "--epochs", "--steps-per-epoch")
    options += ("--train-images",)
    options += ("--devices", "--data-dir", "--out", "--force", "--keep-weights")
    assert all(option in said for option in options)


@pytest.mark.parametrize("preset", PRESETS)
def test_without_options_a_run_is_the_preset(script, tmp_path, executed, preset):
    assert script.main([preset, f"--out={tmp_path}"]) == 0
    ((experiment, _, path),) = executed
    made = PRESETS[preset]
    assert path.name == f"{preset}-seed0.json"
    assert preset in STUDIES[path.parent.name].presets
    assert (experiment.model, experiment.training) == (made.model, made.train)
    assert experiment.overrides == {}


def test_records_go_to_the_results_of_the_project_by_default(script, executed):
    script.main(["report-vit", "--seed", "987654321"])
    ((*_, path),) = executed
    results = SCRIPT.parents[1] / "results"
    assert path == results / "report" / "report-vit-seed987654321.json"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--seed", "3"), "report-vit-seed3"),
        (("--position", "2d"), "report-vit-position-2d-seed0"),
        (("--position", "none"), "report-vit-position-none-seed0"),
        (("--position", "1d", "--epochs", "30"), "report-vit-seed0"),  # as they are
        (("--epochs", "2"), "report-vit-epochs-2-seed0"),
        (
            ("--epochs", "2", "--steps-per-epoch", "10"),
            "report-vit-epochs-2-steps-per-epoch-10-seed0",
        ),
        (
            ("--epochs", "2", "--seed", "1", "--position", "relative"),
            "report-vit-position-relative-epochs-2-seed1",
        ),
    ],
)
def test_the_name_of_a_record_tells_what_differs_from_the_preset(
    script, tmp_path, executed, arguments, name
):
    script.main(["report-vit", *arguments, f"--out={tmp_path}"])
    ((*_, path),) = executed
    assert path == tmp_path / "report" / f"{name}.json"


def test_the_changes_reach_the_configs(script):
    arguments = ["report-vit", "--position=2d", "--epochs=2", "--steps-per-epoch=10"]
    arguments += ["--seed=3"]
    experiment = script.asked(script.parse_arguments(arguments))
    assert experiment.model == replace(REPORT_VIT, position="2d")
    changes = {"epochs": 2, "steps_per_epoch": 10}
    training = replace(PRESETS["report-vit"].train, seed=3, **changes)
    assert experiment.training == training
    assert experiment.overrides == {"position": "2d", **changes}


@pytest.mark.parametrize(
    ("preset", "all_of_them"), [("compact", 40000), ("tiny", 20000)]
)
def test_all_training_images_are_no_change(script, preset, all_of_them):
    options = script.parse_arguments([preset, f"--train-images={all_of_them}"])
    assert script.asked(options).overrides == {}


def test_a_resnet_takes_the_other_changes(script):
    options = script.parse_arguments(["report-resnet", "--epochs=2", "--seed=3"])
    experiment = script.asked(options)
    assert experiment.model == REPORT_RESNET
    assert (experiment.training.epochs, experiment.training.seed) == (2, 3)
    assert experiment.overrides == {"epochs": 2}


def test_a_recorded_run_is_not_repeated_and_says_so(script, tmp_path, executed, capsys):
    path = save_run(tmp_path, make_run())
    assert script.main(["report-vit", f"--out={tmp_path}"]) == 0
    assert executed == []
    note, result = capsys.readouterr().out.splitlines()
    assert note == "This run is recorded already; --force repeats it."
    assert (
        result == f"{path}: test top-1 37.50 %, top-5 75.00 %, loss 2.5000, 0.8 minutes"
    )


@pytest.mark.parametrize("argument", ["--force", "--seed=1", "--epochs=2"])
def test_force_repeats_a_run_and_another_run_is_not_a_repetition(
    script, tmp_path, executed, capsys, argument
):
    save_run(tmp_path, make_run())
    assert script.main(["report-vit", argument, f"--out={tmp_path}"]) == 0
    ((_, options, _),) = executed
    assert options.force == (argument == "--force")
    assert "recorded already" not in capsys.readouterr().out


def test_a_run_that_had_failed_is_told_with_its_error(
    script, tmp_path, executed, capsys
):
    save_run(tmp_path, FAILED)
    assert script.main(["report-vit", f"--out={tmp_path}"]) == 1
    assert executed == []
    assert capsys.readouterr().out.endswith(": failed: It broke.\n")


def test_a_run_that_fails_now_returns_one(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "execute", lambda *_: FAILED)
    assert script.main(["report-vit", f"--out={tmp_path}"]) == 1
    assert "failed: It broke." in capsys.readouterr().out


def test_a_broken_record_is_refused_and_left_as_it_is(
    script, tmp_path, executed, capsys
):
    path = save_run(tmp_path, make_run())
    path.write_text("no run")
    assert str(path) in refuse(script, capsys, "report-vit", f"--out={tmp_path}")
    assert executed == []
    assert path.read_text() == "no run"


@pytest.fixture
def trained(script, monkeypatch):
    """The calls of `train`, which is played by the sample run; nothing is built."""
    calls = []

    def train(model, data, config, checkpoint, watch, save_minutes, task, about):
        assert task.name == "classification"
        calls.append((model, data, config, checkpoint, watch))
        checkpoint.mkdir(parents=True, exist_ok=True)
        training = in_json(asdict(config))
        return make_run(**about, seed=config.seed, training=training)

    def draft(model, data, config, task, about):
        nothing = {"test": None, "best_epoch": None, "history": make_history(0)}
        failed = {"status": "failed", "error": "It has not begun.", "seconds": 0}
        return make_run(**about, **nothing, **failed, seed=config.seed)

    monkeypatch.setattr(script, "train", train)
    monkeypatch.setattr(script, "draft", draft)
    monkeypatch.setattr(script, "build_model", lambda *configs: configs)
    monkeypatch.setattr(script, "load_data_set", lambda name, folder: (name, folder))
    return calls


def test_a_record_tells_which_experiment_it_is(script, tmp_path, trained):
    changes = ["--position=relative", "--seed=3"]
    assert script.main(["repaired-vit", *changes, f"--out={tmp_path}"]) == 0
    (run,) = load_runs(tmp_path)
    assert (run.study, run.preset, run.scale) == ("repair", "repaired-vit", "full")
    assert run.name == "repaired-vit-position-relative"
    assert run.overrides == {"position": "relative"}
    model = asdict(replace(REPORT_VIT, position="relative"))
    assert run.model == in_json({"family": "vit", **model})
    assert run.training["seed"] == run.seed == 3


def test_the_command_of_a_record_can_be_typed_again(
    script, tmp_path, trained, monkeypatch
):
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    arguments = ["report-resnet", "--seed=2", "--epochs=3"]
    script.main(arguments)
    (run,) = load_runs(tmp_path)
    assert shlex.split(run.command) == ["python", "experiments/train.py", *arguments]
    assert run.model["family"] == "resnet"


@pytest.mark.parametrize("option", ["--data-dir={}", "--data-dir {}", "--out {}"])
def test_the_command_of_a_record_names_no_folder_of_the_reader(
    script, tmp_path, trained, monkeypatch, option
):
    monkeypatch.setattr(script, "RESULTS", tmp_path)
    script.main(["report-vit", *option.format(tmp_path).split()])
    (run,) = load_runs(tmp_path)
    assert str(tmp_path) not in run.command


@pytest.mark.parametrize(
    ("preset", "data"),
    [("compact", ("cifar100", "here")), ("tiny", ("shapes", "here"))],
)
def test_the_data_set_of_the_preset_is_used(script, tmp_path, trained, preset, data):
    script.main([preset, "--data-dir=here", f"--out={tmp_path}"])
    ((model, used, config, *_),) = trained
    assert used == data
    assert model == (PRESETS[preset].model, PRESETS[preset].train)
    assert config == PRESETS[preset].train


def test_a_run_trains_on_as_many_images_as_the_command_says(
    script, tmp_path, trained, monkeypatch
):
    monkeypatch.setattr(script, "limit_train", lambda *call: ("limited", *call))
    arguments = ["small-vit", "--seed=0", "--train-images=5000"]
    script.main([*arguments, f"--out={tmp_path}"])
    ((_, data, *_),) = trained
    assert data == ("limited", ("cifar100", None), 5000)
    (run,) = load_runs(tmp_path)
    assert run.name == "small-vit-train-images-5000"
    assert run.overrides == {"train_images": 5000}
    assert shlex.split(run.command)[2:] == arguments


def test_all_training_images_are_not_cut(script, tmp_path, trained, monkeypatch):
    monkeypatch.setattr(
        script, "limit_train", None
    )  # whoever cuts all the same, breaks
    script.main(["small-vit", "--train-images=40000", f"--out={tmp_path}"])
    ((_, data, *_),) = trained
    assert data == ("cifar100", None)


def test_a_preset_may_be_measured_on_fewer_images(
    script, tmp_path, trained, monkeypatch
):
    monkeypatch.setattr(script, "limit_evaluation", lambda *call: ("few", *call))
    script.main(["first-steps", f"--out={tmp_path}"])
    ((_, data, *_),) = trained
    assert data == ("few", ("cifar100", None), 500)


@pytest.mark.parametrize(
    ("preset", "watched"),
    [("report-vit", True), ("narrow-vit", True), ("repaired-vit", True)]
    + [("report-resnet", True), ("compact", False), ("small-vit", False)],
)
def test_the_studies_of_a_failure_read_the_instruments(
    script, tmp_path, trained, preset, watched
):
    script.main([preset, f"--out={tmp_path}"])
    assert trained[0][-1] is watched


@pytest.mark.parametrize("images", [0, -100, 150, 20_100])
def test_a_number_of_images_that_breaks_the_rule_is_refused_in_one_sentence(
    script, tmp_path, trained, monkeypatch, capsys, images
):
    monkeypatch.setattr(script, "load_data_set", load_data_set)
    arguments = [f"--train-images={images}", f"--out={tmp_path}"]
    said = refuse(script, capsys, "tiny", *arguments)
    assert "must be a multiple of 100 from 100 to 20,000, equally many" in said
    assert f"Received: {images}." in said
    assert trained == []


def test_a_checkpoint_stands_beside_its_record_and_goes_when_it_is_written(
    script, tmp_path, trained
):
    script.main(["report-vit", f"--out={tmp_path}"])
    ((*_, checkpoint, _),) = trained
    assert checkpoint == tmp_path / "report" / "report-vit-seed0.checkpoint"
    assert [path.name for path in checkpoint.parent.iterdir()] == [
        "report-vit-seed0.json"
    ]


@pytest.mark.parametrize(("arguments", "kept"), [([], True), (["--force"], False)])
def test_a_training_goes_on_from_its_checkpoint_unless_forced(
    script, tmp_path, trained, monkeypatch, arguments, kept
):
    progress = tmp_path / "report" / "report-vit-seed0.checkpoint" / "progress.json"
    progress.parent.mkdir(parents=True)
    progress.write_text("{}")
    found, train = [], script.train

    def look(*call, **options):
        found.append(progress.exists())
        return train(*call, **options)

    monkeypatch.setattr(script, "train", look)
    script.main(["report-vit", *arguments, f"--out={tmp_path}"])
    assert found == [kept]


def test_a_checkpoint_that_a_kill_left_beside_its_record_goes(
    script, tmp_path, executed
):
    path = save_run(tmp_path, make_run())
    left = path.with_suffix(".checkpoint")
    left.mkdir()
    (left / "progress.json").write_text("{}")
    with script.claim(left):  # as long as a process repeats the run
        script.main(["report-vit", f"--out={tmp_path}"])
    assert left.exists()
    script.main(["report-vit", f"--out={tmp_path}"])
    assert not left.exists()
    assert executed == []


@pytest.mark.parametrize(
    ("owner", "call"),
    [(Path, "mkdir"), (Path, "is_dir"), (Path, "open"), (fcntl, "flock")],
)
@pytest.mark.parametrize("is_taken", [False, True])
@pytest.mark.parametrize("with_study", [False, True])
def test_a_claim_holds_when_the_folder_is_deleted_while_it_is_made(
    script, tmp_path, monkeypatch, owner, call, is_taken, with_study
):
    """By its last holder, after whom it may be taken by a third process.

    A holder who was refused deletes the folder of the study, too.
    """
    folder, real = tmp_path / "report/run.checkpoint", getattr(owner, call)
    folder.mkdir(parents=True)
    with ExitStack() as third:

        def delete_first(*arguments, **options):
            monkeypatch.setattr(owner, call, real)
            shutil.rmtree(folder.parent if with_study else folder)
            if is_taken:
                third.enter_context(script.claim(folder))
            return real(*arguments, **options)

        monkeypatch.setattr(owner, call, delete_first)
        if not is_taken:
            third.enter_context(script.claim(folder))
        with pytest.raises(BlockingIOError, match="by one process"):
            third.enter_context(script.claim(folder))


def test_results_in_a_folder_that_is_deleted_are_refused_in_one_sentence(
    script, tmp_path, trained, monkeypatch, capsys
):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    said = refuse(script, capsys, "report-vit", "--out=.")
    assert "--out must be a folder that can be written to. Received: . (No" in said
    assert trained == []


def test_a_folder_that_takes_no_results_is_refused_in_one_sentence(
    script, tmp_path, trained, capsys
):
    (tmp_path / "file").write_text("no folder")
    out = tmp_path / "file" / "results"
    assert refuse(script, capsys, "report-vit", f"--out={out}") == (
        "train.py: --out must be a folder that can be written to. "
        f"Received: {out} (Not a directory).\n"
    )
    assert trained == []


def spoil(script, monkeypatch, name, **changes):
    """Lets what a function of the script returns have other fields."""
    real = getattr(script, name)
    changed = lambda *call, **options: replace(real(*call, **options), **changes)  # noqa: E731
    monkeypatch.setattr(script, name, changed)


@pytest.mark.parametrize(
    ("changes", "place"),
    [({"versions": {"python": "3"}}, "$.versions"), ({"git_commit": "1"}, "$.git_c")],
)
def test_what_would_refuse_the_record_is_found_before_the_first_step(
    script, tmp_path, trained, monkeypatch, capsys, changes, place
):
    spoil(script, monkeypatch, "draft", **changes)
    assert place in refuse(script, capsys, "report-vit", f"--out={tmp_path}")
    assert trained == []


def test_a_folder_in_the_place_of_the_record_is_found_before_the_first_step(
    script, tmp_path, trained, capsys
):
    (tmp_path / "report/report-vit-seed0.json").mkdir(parents=True)
    said = refuse(script, capsys, "report-vit", "--force", f"--out={tmp_path}")
    assert "report-vit-seed0.json must be a file, or not there yet." in said
    assert trained == []


REFUSED = {"test": {"loss": float("inf"), "top1": 0.5, "top5": 0.5}}
NO_SPACE = OSError("x could not be written. Received from the system: No space left.")


def fill_the_disk(script, monkeypatch):
    def fail(*_):
        raise NO_SPACE

    monkeypatch.setattr(script, "save_run", fail)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("force", [False, True])
def test_a_run_that_cannot_be_recorded_is_kept_until_it_is(
    script, tmp_path, trained, monkeypatch, capsys, full, force
):
    """Refused by the schema or by the disk; a record that is repeated stays."""
    command = ["report-vit", f"--out={tmp_path}"] + ["--force"] * force
    old = save_run(tmp_path, make_run(command="old")) if force else None
    with monkeypatch.context() as patch:
        if full:
            fill_the_disk(script, patch)
        else:
            spoil(script, patch, "train", **REFUSED)
        said = refuse(script, capsys, *command)
    ((*_, checkpoint, _),) = trained
    kept = json.loads((checkpoint / "refused.json").read_text())
    assert f"Nothing is lost: the run is kept in {checkpoint / 'refused.json'}" in said
    assert said.startswith(f"train.py: {kept.pop('refused')} ")
    assert kept["preset"] == "report-vit"
    assert full or kept["test"] == REFUSED["test"]
    assert [run.command for run in load_runs(tmp_path)] == ["old"] * force
    (checkpoint / "progress.json").write_text("{}")
    if force:
        script.clear(old)  # as a look at the old record does
    found, train = [], script.train

    def look(*call, **options):
        found.append((checkpoint / "progress.json").exists())
        return train(*call, **options)

    monkeypatch.setattr(script, "train", look)
    assert script.main(command) == 0
    assert found == [True]  # the training goes on from its end
    assert not checkpoint.exists()
    assert [run.command != "old" for run in load_runs(tmp_path)] == [True]


def test_a_run_whose_checkpoint_is_gone_is_kept_in_the_temporary_folder(
    script, tmp_path, trained, monkeypatch, capsys
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    out, train = tmp_path / "out", script.train

    def lose(*call, **options):
        run = train(*call, **options)
        shutil.rmtree(out)
        out.write_text("no folder")
        return run

    monkeypatch.setattr(script, "train", lose)
    said = refuse(script, capsys, "report-vit", f"--out={out}")
    (kept,) = (tmp_path / "temporary").iterdir()
    assert f"the run is kept in {kept}, and" in said
    assert json.loads(kept.read_text())["preset"] == "report-vit"


@pytest.fixture
def kept(script, monkeypatch):
    """Which models had their weights kept, by the names of their records."""
    found = {}

    def keep_weights(model, record):
        found[record.name] = model
        record.parent.mkdir(parents=True, exist_ok=True)
        weights_path(record).write_text("weights")
        return 64 * "a"

    monkeypatch.setattr(script, "keep_weights", keep_weights)
    return found


def test_weights_are_kept_where_they_are_asked_for(script, tmp_path, trained, kept):
    script.main(["report-vit", "--seed=1", f"--out={tmp_path}"])
    script.main(["report-vit", "--keep-weights", f"--out={tmp_path}"])
    assert kept == {"report-vit-seed0.json": trained[1][0]}
    assert [run.weights for run in load_runs(tmp_path)] == [64 * "a", None]
    assert "weights" not in load_runs(tmp_path)[0].command


def test_a_run_that_failed_keeps_no_weights(
    script, tmp_path, trained, kept, monkeypatch
):
    changes = {"status": "failed", "error": "x", "test": None, "best_epoch": None}
    spoil(script, monkeypatch, "train", **changes)
    assert script.main(["report-vit", "--keep-weights", f"--out={tmp_path}"]) == 1
    assert kept == {} and load_runs(tmp_path)[0].weights is None


def test_the_weights_of_a_replaced_record_go_with_it(script, tmp_path, trained, kept):
    command = ["report-vit", f"--out={tmp_path}"]
    script.main([*command, "--keep-weights"])
    path = tmp_path / "report/report-vit-seed0.json"
    assert weights_path(path).exists()
    script.main([*command, "--force"])
    assert [run.weights for run in load_runs(tmp_path)] == [None]
    assert list(path.parent.iterdir()) == [path]


def test_a_recorded_run_without_its_weights_says_so(script, tmp_path, executed, capsys):
    save_run(tmp_path, make_run())
    save_run(tmp_path, make_run(seed=1, weights=64 * "a"))
    for seed in ("0", "1"):
        command = ["report-vit", f"--seed={seed}", "--keep-weights"]
        assert script.main([*command, f"--out={tmp_path}"]) == 0
    said = capsys.readouterr().out.splitlines()[::2]
    assert said == [
        "This run is recorded already, without its weights; --force repeats it.",
        "This run is recorded already; --force repeats it.",
    ]
    assert executed == []


def test_a_run_whose_weights_the_disk_does_not_take_is_kept_until_it_is(
    script, tmp_path, trained, kept, monkeypatch, capsys
):
    command = ["report-vit", "--keep-weights", f"--out={tmp_path}"]
    with monkeypatch.context() as patch:

        def fail(*_):
            raise NO_SPACE

        patch.setattr(script, "keep_weights", fail)
        assert "Nothing is lost" in refuse(script, capsys, *command)
    assert load_runs(tmp_path) == []
    assert script.main(command) == 0
    assert [run.weights for run in load_runs(tmp_path)] == [64 * "a"]


def test_a_forced_run_takes_the_place_of_the_old_record(script, tmp_path, trained):
    path = save_run(tmp_path, make_run(command="python old.py"))
    script.main(["report-vit", "--force", f"--out={tmp_path}"])
    assert load_run(path).command != "python old.py"


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_compiled_steps_are_kept_in_the_checkout_unless_told_otherwise(folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMP")}
    if folder is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = folder
    code = "import os, train; print(os.environ['JAX_COMPILATION_CACHE_DIR'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SCRIPT.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (folder or str(SCRIPT.parents[1] / "runs/compiled"))


def test_a_stopped_run_is_one_sentence(script, tmp_path, trained, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "train", stop)
    assert script.main(["report-vit", f"--out={tmp_path}"]) == 130
    assert capsys.readouterr().err == (
        "train.py: Stopped; the same command goes on from what was saved last.\n"
    )


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    script, tmp_path, trained, monkeypatch, capsys, reason
):
    def refuse_lock(*_):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(fcntl, "flock", refuse_lock)
    said = refuse(script, capsys, "report-vit", f"--out={tmp_path}")
    assert said.startswith("train.py: --out must be on a file system with locks")
    assert said.endswith(f"Received: {tmp_path} ({os.strerror(reason)}).\n")
    assert trained == []


def test_a_run_may_be_measured_on_fewer_images_than_its_preset(
    script, tmp_path, trained, monkeypatch
):
    monkeypatch.setattr(script, "limit_evaluation", lambda *call: ("few", *call))
    script.main(["first-steps", "--evaluation-images=100", f"--out={tmp_path}"])
    ((_, data, *_),) = trained
    assert data == ("few", ("cifar100", None), 100)
    (run,) = load_runs(tmp_path)
    assert run.overrides == {"evaluation_images": 100}
