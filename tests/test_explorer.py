"""The file of the explorer page: what it holds, and which models it refuses."""

import hashlib
import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from explorer_file import model_of, read

from vitlib import (
    TINY_VIT,
    build_vit,
    export_explorer,
    load_run,
    load_runs,
    load_shapes,
)
from vitlib.studies import PRESETS, STUDIES

pytestmark = pytest.mark.backend

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book/explorer"
POSITIONS = STUDIES["explorer"].runs["quick"]
FILES = [FOLDER / f"{run['position']}.safetensors" for run in POSITIONS]
SMALL = replace(TINY_VIT, projection_dim=16, key_dim=4, mlp_units=(8, 16))
MOST_BYTES = 300_000


@pytest.mark.parametrize("position", ["none", "1d", "2d", "sincos"])
def test_a_model_comes_back_from_its_file(tmp_path, position):
    config = replace(SMALL, position=position, num_layers=2, patch_size=4)
    model = build_vit(config)
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3))
    next(iter(model.layers[1:])).adapt(images)
    path = tmp_path / "mine.safetensors"
    export_explorer(model, path)
    again = model_of(path)(images)
    np.testing.assert_allclose(model(images), again, atol=0.02)
    assert np.ptp(again) > 0.2


def test_the_file_says_what_it_holds(tmp_path):
    path = tmp_path / "mine.safetensors"
    export_explorer(build_vit(replace(SMALL, num_classes=3)), path, tuple("abc"))
    about, tensors = read(path)
    sizes = json.loads(about["model"])
    assert (sizes["num_heads"], sizes["key_dim"]) == (4, 4)
    assert sizes["class_names"] == ["a", "b", "c"]
    data = b"".join(tensor.tobytes() for tensor in tensors.values())
    assert about["sha256"] == hashlib.sha256(data).hexdigest()
    assert path.read_bytes().endswith(data)


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"position": "rope"}, "position='rope'"),
        ({"position": "relative"}, "position='relative'"),
        ({"pooling": "flatten"}, "Flatten that gives (256,)"),
        ({"head_units": (8,)}, "Dense that gives (8,)"),
        ({"patch_size": 2}, "256 patches"),
        ({"mlp_units": (8, 8, 16)}, "Dense that gives (16, 8)"),
        ({"image_size": 64}, "Augmentation that gives (64, 64, 3)"),
        ({"stem_filters": (8,), "patch_size": 4}, "Conv2D"),
    ],
)
def test_a_model_of_another_shape_is_refused(tmp_path, changes, received):
    model = build_vit(replace(SMALL, **changes))
    with pytest.raises(ValueError, match="The model must be a ViT of build_vit") as why:
        export_explorer(model, tmp_path / "mine.safetensors")
    assert received in str(why.value).partition("Received: ")[2]
    assert not list(tmp_path.iterdir())


def test_what_is_no_vit_and_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "mine.safetensors"
    with pytest.raises(ValueError, match="must be a ViT .* Received: The model must"):
        export_explorer(keras.Sequential([keras.Input((4,))]), path)
    with pytest.raises(ValueError, match="each of 100 classes. Received: 3"):
        export_explorer(build_vit(SMALL), path, tuple("abc"))
    with pytest.raises(ValueError, match="each of 10 classes. Received: 100"):
        export_explorer(build_vit(replace(SMALL, num_classes=10)), path)
    model = build_vit(SMALL)
    model.layers[-1].bias.assign([1e6] * 100)
    with pytest.raises(ValueError, match="float16 holds.*1000000.0 in logits.bias"):
        export_explorer(model, path)
    assert not path.exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_committed_file_is_the_model_of_its_record(path):
    runs = load_runs(ROOT / "results", "explorer")
    (run,) = [run for run in runs if run.model["position"] == path.stem]
    about, tensors = read(path)
    sizes, preset = json.loads(about["model"]), PRESETS["explorer"].model
    assert sizes["position"] == path.stem
    assert (sizes["num_layers"], sizes["projection_dim"]) == (
        preset.num_layers,
        preset.projection_dim,
    )
    test = load_shapes(train=1, validation=1).test
    answers = model_of(path).predict(test.images, verbose=0).argmax(axis=1)
    assert abs((answers == test.labels).mean() - run.test["top1"]) < 0.005


def test_the_committed_files_are_small():
    assert sum(path.stat().st_size for path in FILES) <= MOST_BYTES
    assert PRESETS["explorer"].model.projection_dim == 48
    total = sum(path.stat().st_size * 4 / 3 for path in FILES)
    total += sum(p.stat().st_size for p in FOLDER.iterdir() if p not in FILES)
    assert total < 1e6


def test_the_scripts_run_no_text_and_fetch_nothing():
    words = r"\beval\(|Function\(|fetch\(|XMLHttpRequest|innerHTML|import\(|https?://"
    for path in FOLDER.glob("*.js"):
        assert not re.findall(words, path.read_text("utf-8")), path.name


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    path = ROOT / "experiments/explorer.py"
    spec = importlib.util.spec_from_file_location("explorer_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("apart", "status"), [(0.0, 0), (0.015, 0), (0.025, 1)])
def test_a_training_that_ends_elsewhere_is_found(
    script, monkeypatch, capsys, apart, status
):
    def train_all(results):
        shutil.copytree(ROOT / "results/explorer", results / "explorer")
        return {run["position"]: script.path_of(run, results) for run in script.RUNS}

    def load_moved(path):
        run = load_run(path)
        if path.is_relative_to(ROOT) or run.model["position"] != "2d":
            return run
        return replace(run, test=run.test | {"top1": run.test["top1"] - apart})

    monkeypatch.setattr(script, "train_all", train_all)
    monkeypatch.setattr(script, "load_run", load_moved)
    assert script.main(["--compare"]) == status
    assert f"0.00, {100 * apart:.2f}, 0.00" in capsys.readouterr().out


def test_the_figure_is_drawn(script, tmp_path):
    script.draw(model_of(FILES[0]), tmp_path / "still.svg")
    assert len((tmp_path / "still.svg").read_text("utf-8")) > 10_000
