from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sample_run import in_json, make_run

from vitlib.records.runs import load_runs, save_run
from vitlib.records.summary import (
    COLUMNS,
    READING_COLUMNS,
    list_open_runs,
    list_records,
    show_study,
    summarize,
    summarize_readings,
)
from vitlib.studies import STUDIES
from vitlib.studies.experiment import runs_of
from vitlib.studies.recipes import REPORT_RESNET

RESULTS = Path(__file__).parents[1] / "results"


def cells(runs):
    return [dict(zip(COLUMNS, row, strict=True)) for row in summarize(runs).rows]


def test_one_seed_has_no_spread():
    (row,) = cells([make_run()])
    assert (row["seeds"], row["test top-1 (%)"]) == (1, "37.50")


def test_several_seeds_have_mean_and_standard_deviation():
    tests = [{"loss": 1.0, "top1": top1, "top5": 0.9} for top1 in (0.1, 0.2, 0.3)]
    runs = [replace(make_run(), seed=k, test=test) for k, test in enumerate(tests)]
    (row,) = cells(runs)
    assert (row["seeds"], row["test top-1 (%)"]) == (3, "20.00 ± 10.00")
    assert row["test top-5 (%)"] == "90.00 ± 0.00"


def test_a_failed_seed_is_told_and_not_averaged():
    failed = make_run(seed=1, status="failed", error="It broke.", test=None)
    (row,) = cells([make_run(), failed])
    assert (row["seeds"], row["test top-1 (%)"]) == ("2, 1 failed", "37.50")
    (row,) = cells([failed])
    assert row["test top-1 (%)"] == "-"


def test_each_experiment_has_its_row():
    runs = [make_run(), replace(make_run(), name="other")]
    assert [row["run"] for row in cells(runs)] == [runs[0].name, "other"]


def test_a_processor_is_told_with_its_cores():
    run = make_run()
    device = {"kind": "cpu", "name": "Abacus", "cores": 2}
    (row,) = cells([replace(run, device=device)])
    assert row["device"] == "2 CPU cores, Abacus"
    (row,) = cells([replace(run, device={**device, "kind": "gpu"})])
    assert row["device"] == "Abacus"


def test_seconds_are_told_in_minutes():
    (row,) = cells([replace(make_run(), seconds=90.0)])
    assert row["minutes"] == pytest.approx(1.5)


def changed(part, **changes):
    """What a row says of the sample run with changes in one part."""
    run = make_run()
    (row,) = cells([replace(run, **{part: getattr(run, part) | changes})])
    return row["what changed"]


def test_a_row_tells_the_scale_and_what_of_the_recipe_is_not_the_report_s():
    run = make_run()
    (row,) = cells([run])
    assert (row["scale"], row["what changed"]) == (run.scale, "-")
    changes = {
        "epochs": 20,
        "steps_per_epoch": 25,
        "precision": "mixed_bfloat16",
        "batch_size": 128,
        "learning_rate": 4.5e-3,
        "weight_decay": 0.06,
        "decay_exclude": ["bias"],
        "schedule": "cosine",
        "warmup_epochs": 2,
        "clip_norm": 1.0,
        "label_smoothing": 0.1,
        "optimizer": "muon",
        "ema_momentum": 0.99,
        "mixup": 0.2,
        "cutmix": 0.4,
        "first_size": 24,
        "first_epochs": 9,
        "test_flip": True,
    }
    assert changed("training", **changes) == (
        "20 epochs, of 25 steps, bfloat16, batch 128, rate 0.0045, decay 0.06, "
        "in part, cosine, warm-up 2, clipped at 1, smoothing 0.1, muon, "
        "mean of weights 0.99, mixup 0.2, cutmix 0.4, first at 24 pixels, for 9 "
        "epochs, tested mirrored, too"
    )


def test_a_row_tells_a_data_set_of_one_s_own():
    run = make_run()
    own = {"name": "mine", "train": 20, "test": 20}
    (row,) = cells([replace(run, data=run.data | own)])
    assert row["what changed"] == "data set mine"


def another(value):
    """A value that is not this one."""
    if isinstance(value, str):
        return f"other {value}"
    if isinstance(value, list):
        return [*value, 1]
    return 7 if value is None else value / 2 + 7


@pytest.mark.parametrize("part", ["model", "training"])
def test_a_row_hides_no_entry_that_is_not_the_report_s(part):
    config = getattr(make_run(), part)
    hidden = {
        name for name in config if changed(part, **{name: another(config[name])}) == "-"
    }
    assert hidden == {"seed"} & config.keys()  # the seeds have a column


def test_recorded_trainings_that_differ_have_rows_that_differ():
    told = {}
    for run in load_runs(RESULTS):
        (row,) = cells([run])
        sizes = row["parameters (M)"], row["MFLOP an image"]
        entries = run.training | {"seed": 0, "images": run.data["train"]}
        told.setdefault((row["what changed"], *sizes), {})[run.name] = entries
    for trainings in told.values():
        first, *others = trainings.values()
        assert all(other == first for other in others), trainings.keys()


def test_a_row_tells_what_of_the_head_and_of_the_images_is_not_the_report_s():
    assert changed("model", pooling="mean") == "mean pooling"
    assert changed("model", head_dropout=0.0) == "head dropout 0"
    assert changed("model", head_init_scale=0.1) == "head starts at 0.1 times"
    assert changed("model", position="none") == "position none"
    assert changed("model", augmentation="none") == "augmentation none"
    assert changed("model", num_layers=1) == "other model"
    both = changed("model", num_layers=1, augmentation="shift_flip", pooling="mean")
    assert both == "other model, augmentation shift_flip"


def test_a_row_tells_that_a_report_s_resnet_is_its_own():
    resnet = in_json({"family": "resnet", **asdict(REPORT_RESNET)})
    run = replace(make_run(), model=resnet)
    (row,) = cells([run])
    assert row["what changed"] == "-"
    (row,) = cells([replace(run, model=resnet | {"normalize": True})])
    assert row["what changed"] == "normalised"


def test_a_row_tells_that_few_images_trained_or_tested_a_model():
    assert changed("data", test=500) == "500 test images"
    assert changed("data", train=2_500) == "2,500 training images"


def test_a_row_tells_which_epoch_s_weights_each_seed_was_tested_with():
    failed = make_run(seed=2, status="failed", error="It broke.", test=None)
    runs = [make_run(best_epoch=7), make_run(seed=1, best_epoch=1), failed]
    assert cells(runs)[0]["weights of epoch"] == "7, 1"
    assert cells([failed])[0]["weights of epoch"] == "-"


def test_a_recorded_study_is_shown_as_its_table(tmp_path):
    run = replace(make_run(), study="repair")
    save_run(tmp_path, run)
    table, shown = summarize([run]), show_study(tmp_path, "repair")
    others = {"test mean IoU (%)", "test AP50 (%)", "test AP (%)"}
    assert {*table.columns} - {*shown.columns} == {"study", "device", *others}
    (full,), (row,) = table.rows, shown.rows
    assert row == tuple(full[table.columns.index(name)] for name in shown.columns)
    assert show_study(tmp_path, "positions").rows == ()


def test_runs_of_every_task_are_shown_with_its_own_scores(tmp_path):
    plain = ("loss", "val_loss", "learning_rate", "seconds")
    kept = {name: make_run().history[name] for name in plain}
    seen = {
        "segmentation": "accuracy val_accuracy val_miou",
        "detection": "val_ap50 val_ap",
    }
    tests = {
        "segmentation": {"miou": 0.5, "accuracy": 0.9},
        "detection": {"ap50": 0.8, "ap": 0.4},
    }
    for task, scores in tests.items():
        history = kept | {
            name: make_run().history["top1"] for name in seen[task].split()
        }
        parts = {"task": task, "history": history, "test": {"loss": 1.0, **scores}}
        save_run(tmp_path, replace(make_run(), study="dense", name=task, **parts))
    table = show_study(tmp_path, "dense")
    boxes, pixels = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert not {"test top-1 (%)", "test top-5 (%)"} & {*table.columns}
    assert (boxes["test AP50 (%)"], boxes["test AP (%)"]) == ("80.00", "40.00")
    assert pixels["test mean IoU (%)"] == "50.00"
    assert boxes["test mean IoU (%)"] == pixels["test AP (%)"] == "-"


def test_the_page_of_the_records_shows_every_recorded_study():
    page = (RESULTS.parent / "notebooks/results.py").read_text(encoding="utf-8")
    for folder in RESULTS.iterdir():
        if folder.is_dir():
            assert f'load_runs(records, "{folder.name}")' in page or (
                f'show_study(records, "{folder.name}")' in page
            ), f"results.py shows nothing of {folder.name}"


def test_a_run_is_open_until_it_is_recorded_where_it_belongs(tmp_path):
    open_runs = list_open_runs(tmp_path).rows
    place = "repair", "full", "repaired-vit"
    assert (*place, 3, 3) in open_runs
    repaired = {"study": "repair", "name": "repaired-vit", "preset": "repaired-vit"}
    save_run(tmp_path, replace(make_run(), **repaired))
    elsewhere = repaired | {"study": "report", "seed": 1}
    save_run(tmp_path, replace(make_run(), **elsewhere))
    fewer = list_open_runs(tmp_path).rows
    assert {*fewer} ^ {*open_runs} == {(*place, 3, 3), (*place, 3, 2)}
    for seed in (1, 2):
        save_run(tmp_path, replace(make_run(), **repaired | {"seed": seed}))
    last = list_open_runs(tmp_path).rows
    assert {*open_runs} - {*last} == {(*place, 3, 3)} and len(last) < len(open_runs)


def test_where_nothing_is_recorded_every_planned_run_is_open_once(tmp_path):
    planned = sum(len({*runs_of(study)}) for study in STUDIES.values())
    different = {name for study in STUDIES.values() for name in runs_of(study)}
    rows = list_open_runs(tmp_path).rows
    assert sum(row[-1] for row in rows) == len(different) < planned


def test_an_unknown_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="study must be one of .*'repair'.*'repare'"):
        show_study(tmp_path, "repare")


def readings(runs):
    rows = summarize_readings(runs).rows
    return [dict(zip(READING_COLUMNS, row, strict=True)) for row in rows]


def test_the_last_readings_of_a_run_are_shown():
    (row,) = readings([make_run()])
    assert (row["run"], row["seeds"], row["steps"]) == ("report-vit", 1, 37_500)
    assert row["dead units (%)"] == "100.00"  # of the second of two hidden layers
    assert row["spread of the tokens"] == "0.25"
    assert row["spread of the logits"] == "0.12"
    assert row["distinct answers"] == "1.00"
    assert row["gradient norm"] == "0.50"
    assert row["validation loss"] == "4.20"


def test_readings_of_several_seeds_have_mean_and_standard_deviation():
    other = make_run(seed=1)
    other.history["dead"][-1] = [0.5, 0.0]
    (row,) = readings([make_run(), other])
    assert (row["seeds"], row["dead units (%)"]) == (2, "75.00 ± 35.36")


def test_a_head_without_hidden_layers_has_no_dead_units():
    run = make_run()
    run.history["dead"] = [[] for _ in run.history["dead"]]
    (row,) = readings([run])
    assert row["dead units (%)"] == "-"


def test_a_run_without_instruments_has_no_readings():
    run = make_run()
    assert readings([replace(run, history=run.history | {"dead": []})]) == []
    del run.history["dead"]
    assert readings([run]) == []


def test_every_record_is_listed_with_what_made_it():
    run = replace(make_run(), git_commit="0123456789ab", backend="keras")
    (row,) = list_records([run]).rows
    file, status, commit, utc, device, packages, command = row
    assert file == f"{run.study}/{run.name}-seed{run.seed}.json"
    assert (status, commit, utc, command) == (
        "finished",
        "0123456",
        run.utc,
        run.command,
    )
    assert packages.startswith(f"keras {run.versions['keras']}")
    assert device == "2 CPU cores, a processor"


def test_a_record_from_outside_a_repository_says_so():
    (row,) = list_records([replace(make_run(), git_commit=None)]).rows
    assert row[2] == "unknown"
