"""The Makefile as a newcomer meets it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs make in a folder that has the files of a fresh clone, but no .venv."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs us
        monkeypatch.delenv(name, raising=False)
    sets = ROOT.glob("requirements*.txt")
    for name in ("Makefile", "constraints.txt", "pyproject.toml", *sets):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book/notebooks").symlink_to("../notebooks")

    def run(*arguments):
        command = ["make", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_plain_make_lists_every_target_with_a_line(make):
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = make().stdout.splitlines()
    listed = [line.split()[1] for line in lines if len(line.split()) > 3]
    assert sorted(listed) == sorted(phony[1].split())


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_a_missing_or_unsupported_python_gets_one_clear_sentence(make, python):
    done = make("setup", f"PYTHON={python}")
    assert done.returncode != 0
    assert "The course needs Python 3.11, 3.12 or 3.13" in done.stdout


def test_a_clone_without_symlinks_is_told_the_remedy(make, tmp_path):
    (tmp_path / "book/notebooks").unlink()
    (tmp_path / "book/notebooks").write_text("../notebooks")
    done = make("setup")
    assert done.returncode != 0
    assert "core.symlinks=true" in done.stdout
    assert not (tmp_path / ".venv").exists()


def dry(make, *arguments):
    """What make would run, and what it would hand on."""
    return make("--dry-run", *arguments).stdout


def set_up(folder, requirements, age=0):
    """As if make had set up an environment, so many seconds ago."""
    stamp = folder / f".venv/installed-{requirements}"
    stamp.parent.mkdir(exist_ok=True)
    stamp.touch()
    now = stamp.stat().st_mtime - age
    os.utime(stamp, (now, now))


def test_make_takes_the_set_of_packages_that_was_named_last(make, tmp_path):
    for path in tmp_path.iterdir():  # older than what is set up
        os.utime(path, (0, 0))
    assert "-r requirements.txt" in dry(make, "book")
    set_up(tmp_path, "requirements.txt", age=20)
    set_up(tmp_path, "requirements-jax.txt", age=10)
    assert "pip install" not in dry(make, "book")
    assert "--nbval" not in dry(make, "test")
    assert "KERAS_BACKEND=tensorflow" not in dry(make, "test")
    make("setup", "REQUIREMENTS=requirements.txt")
    assert "pip install" not in dry(make, "book")
    assert "KERAS_BACKEND=tensorflow" in dry(make, "test")


@pytest.mark.parametrize(
    ("requirements", "chosen"),
    [("requirements.txt", ""), ("requirements-jax.txt", "jax")]
    + [("requirements-jax-gpu.txt", "jax"), ("requirements-gpu.txt", "")],
)
@pytest.mark.parametrize("named", ["", "torch"])
def test_keras_gets_the_backend_that_is_installed(
    make, tmp_path, monkeypatch, requirements, chosen, named
):
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    set_up(tmp_path, requirements)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if named:
        monkeypatch.setenv("KERAS_BACKEND", named)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "backend: $KERAS_BACKEND."\n')
    python.chmod(0o755)
    assert f"backend: {named or chosen}." in make("gpu-check").stdout


def names(path):
    """The packages that a file of requirements asks for, and the files it includes."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    included = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    rest = [line for line in lines if line and not line.startswith("-r ")]
    return {re.match(r"[\w.-]+", line)[0].lower() for line in rest}, included


SETS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


@pytest.mark.parametrize("name", [n for n in SETS if n != "requirements-bench.txt"])
def test_every_package_of_a_set_is_pinned(name):
    pinned, _ = names(ROOT / "constraints.txt")
    packages, included = names(ROOT / name)
    assert packages <= pinned
    assert set(included) <= set(SETS)


def test_no_package_is_in_two_sets_but_for_its_extras():
    lines = [line for n in SETS for line in (ROOT / n).read_text().splitlines()]
    asked = [line.split()[0] for line in lines if line and line[0].isalpha()]
    plain = [re.match(r"[\w.-]+", word)[0] for word in asked if "[" not in word]
    assert len(plain) == len(set(plain))


@pytest.mark.parametrize("absent, name", [("tensorflow", "jax"), ("jax", "tensorflow")])
def test_a_set_for_one_backend_is_without_the_other(absent, name):
    def everything(file):
        packages, included = names(ROOT / file)
        return packages.union(*map(everything, included))

    found = everything(f"requirements-{name}.txt")
    assert name in found and absent not in found
    assert everything("requirements.txt") == found | {absent}


def test_a_machine_without_chromium_is_told_what_prints_the_pdf(make, tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/installed-requirements.txt").touch()  # as if it were set up
    done = make("pdf", "CHROMIUM=")
    assert done.returncode != 0
    assert "make pdf prints with Chromium, and finds none" in done.stdout
