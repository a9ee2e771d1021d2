"""The pages on a data set and on a language of one's own do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from test_book import book_of_one_page, build

import vitlib

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book/own-data.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
CLASSES, EACH = 10, 20


def draw_folders(folder):
    """Ten classes of PNG files, told by the colour of a bar, of many shapes."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
        color = np.array([label % 3, label // 3, label % 2]) * [100, 80, 200]
        for number in range(EACH):
            height, width = rng.integers(20, 60, 2)
            image = rng.integers(0, 55, (height, width, 3))
            image[height // 4 : -height // 4, width // 4 : -width // 4] += color
            image[..., :] = np.minimum(image, 255)
            path = folder / f"class {label}/{number:03}.png"
            keras.utils.save_img(path, image, scale=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What the program of the page prints and records, on the folders of a user."""
    folder = tmp_path_factory.mktemp("own")
    draw_folders(folder / "my-images")
    program = "\n\n".join(BLOCKS)
    assert program.count("epochs=12") == 1
    (folder / "own_data.py").write_text(program.replace("epochs=12", "epochs=4"))
    done = subprocess.run(
        [sys.executable, "own_data.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_the_program_of_the_page_trains_on_folders_and_records(trained):
    folder, said = trained
    assert "train: 140 images, 14 to 14 a class" in said
    assert "test: 30 images, 3 to 3 a class" in said
    runs = vitlib.load_runs(folder / "my-results")
    seeds = sorted((run.name, run.seed) for run in runs)
    assert seeds == [("resnet", 0), ("resnet", 1), ("vit", 0), ("vit", 1)]
    assert all(run.status == "finished" for run in runs)
    assert {(run.data["name"], run.data["test"]) for run in runs} == {("my-images", 30)}
    assert len({run.data["fingerprint"] for run in runs}) == 1
    assert min(run.test["top1"] for run in runs) > 2 / CLASSES
    rows = [line.split()[:2] for line in said.splitlines() if "own-data  " in line]
    assert rows == [["own-data", "resnet"], ["own-data", "vit"]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The functions of the page, up to where it reads the images."""
    folder = tmp_path_factory.mktemp("practice")
    (folder / "my-images").mkdir()  # so that it draws none
    before, space = Path.cwd(), {}
    os.chdir(folder)
    try:
        definitions = BLOCKS[2].split("\n\n\ndata = ")[0]
        exec("\n\n".join([*BLOCKS[:2], definitions]), space)
    finally:
        os.chdir(before)
    return space


def test_what_is_drawn_comes_back_pixel_by_pixel(page, tmp_path):
    page["draw_practice_images"](tmp_path, classes=2)
    images, labels, names = page["read_images"](tmp_path, side=32)
    drawn = vitlib.load_shapes(train=20_000)
    assert names == tuple(sorted(drawn.class_names[:2]))
    for label, name in enumerate(names):
        rows = drawn.train.labels == drawn.class_names.index(name)
        expected = drawn.train.images[rows][:200]
        assert len(expected) > 100
        np.testing.assert_array_equal(images[labels == label], expected)


def test_the_parts_are_whole_apart_and_have_their_share_of_each_class(page):
    labels = np.random.default_rng(1).integers(0, 3, 400)
    parts = page["divide"](labels)
    assert sorted(np.concatenate(parts)) == list(range(400))
    for part, share in zip(parts, (0.7, 0.15, 0.15), strict=True):
        for label in range(3):
            whole = np.sum(labels == label)
            assert abs(np.sum(labels[part] == label) - share * whole) <= 1
    again = page["divide"](labels)
    assert all(np.array_equal(*pair) for pair in zip(parts, again, strict=True))


def test_a_book_in_another_language_builds_and_brings_its_words(tmp_path):
    text = "# Seite\n\n:::{exercise}\n:label: ex-a\n\nWie viel?\n:::\n\n{ref}`ex-a`\n"
    book_of_one_page(tmp_path, text)
    config = tmp_path / "_config.yml"
    english = config.read_text("utf-8")
    assert english.count("language: en") == 1
    config.write_text(english.replace("language: en", "language: de"), "utf-8")
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    html = (tmp_path / "out/_build/html/index.html").read_text("utf-8")
    assert '<html lang="de"' in html and "Suche" in html


def test_the_files_that_the_page_on_a_language_names_are_there():
    page = (ROOT / "book/own-language.md").read_text("utf-8")
    named = set(re.findall(r"`([\w./*-]+/[\w.*-]+)`", page))
    named |= set(re.findall(r"`([\w-]+\.(?:md|yml|cff))`", page))
    assert len(named) >= 10
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []
