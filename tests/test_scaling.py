"""The study of scaling: its budgets, and the prediction that comes before the run."""

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sample_run import in_json, make_history, make_run

from vitlib import PRESETS, build_model, count_flops, save_run
from vitlib.records.scaling_law import ScalingLaw
from vitlib.studies.experiment import plan
from vitlib.studies.scaling import (
    BUDGETS,
    LARGEST,
    WIDTHS,
    forward_flops,
    of_budget,
    of_grid,
    scaled_train,
)

pytestmark = pytest.mark.backend

LAW = ScalingLaw(0.3, (40.0, 300.0), (0.5, 0.55))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_arithmetic_of_a_size_is_that_of_the_model(width):
    preset = PRESETS[f"scale-{width}"]
    model = build_model(preset.model, preset.train)
    assert count_flops(model) == forward_flops(width)


def test_the_runs_of_a_budget_cost_equally_much():
    for budget in (*BUDGETS, LARGEST[1]):
        for run in of_budget(WIDTHS, budget, 0):
            planned = plan(**run)
            width = planned.model.projection_dim
            work = 3e-12 * planned.images * forward_flops(width)
            assert work == pytest.approx(budget, rel=0.03)
            assert planned.training.epochs == scaled_train(width).epochs


def test_the_largest_run_costs_more_than_all_others_of_its_kind():
    assert LARGEST[1] >= 2 * max(BUDGETS) and LARGEST[0] in WIDTHS


@pytest.fixture
def script():
    path = Path(__file__).parents[1] / "experiments/predict_largest.py"
    spec = importlib.util.spec_from_file_location("predict_largest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(folder, run, rng):
    """Records a run as if it had been trained: its loss is what a law says of it."""
    planned = plan(**run)
    width, epochs = planned.model.projection_dim, planned.training.epochs
    size = 16 * width**2 + 200 * width
    loss = float(LAW(size, planned.images) * (1 + 0.01 * rng.normal()))
    history = make_history(epochs)
    history["val_loss"] = [2.0] * (epochs - 1) + [loss]
    made = make_run(
        **planned.about(),
        seed=planned.seed,
        training=in_json(asdict(planned.training)),
        history=history,
        best_epoch=epochs,
        parameters={"total": size, "trainable": size, "non_trainable": 0},
    )
    save_run(folder, made)
    return loss


def test_the_largest_run_is_predicted_from_the_others_and_only_before_it(
    script, tmp_path, monkeypatch, capsys
):
    folder, out, rng = tmp_path, tmp_path / "said.json", np.random.default_rng(0)
    monkeypatch.setattr(script, "find_folder", lambda name: folder)
    assert script.main(["--json", str(out)]) == 2 and not out.exists()
    assert "must be recorded before the largest" in capsys.readouterr().err
    for budget in BUDGETS:
        for run in of_grid(budget, [0, 1]):
            record(folder, run, rng)
    assert script.main(["--json", str(out)]) == 0
    said = json.loads(out.read_text())
    (run,) = of_budget([LARGEST[0]], LARGEST[1], 0)
    assert said["largest"]["images"] == plan(**run).images
    assert len(said["runs"]) == 2 * sum(map(len, BUDGETS.values()))
    loss = record(folder, run, rng)
    assert said["loss"]["low"] < loss < said["loss"]["high"] < 1.1 * loss
    assert script.main(["--json", str(out)]) == 2
    assert "before it is recorded" in capsys.readouterr().err
