"""The Makefile as a newcomer meets it, and the program that it calls."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import course
import pytest

ROOT = Path(__file__).resolve().parents[1]
SETS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
WANTED = (*SETS, "constraints.txt", "pyproject.toml")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Runs make in a folder that has the files of a fresh clone, but no .venv."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs us
        monkeypatch.delenv(name, raising=False)
    for name in ("Makefile", *WANTED):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "book").mkdir()
    (tmp_path / "book/notebooks").symlink_to("../notebooks")

    def run(*arguments):
        command = ["make", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_plain_make_lists_every_target_in_aligned_columns(make):
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = re.findall(r"^make (\S+ +)(\S.{9,})$", make().stdout, re.MULTILINE)
    assert sorted(name.strip() for name, _ in rows) == sorted(phony[1].split())
    assert len({len(name) for name, _ in rows}) == 1


def test_each_target_but_those_around_an_environment_is_a_command_of_the_program():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(phony[1].split()) - {"help", "setup", "clean"} == set(course.COMMANDS)


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


@pytest.fixture
def without_ensurepip(tmp_path):
    """A Python as Debian has it before `apt install python3-venv`."""
    python = tmp_path / "bare-python"
    refuse = 'case "$2" in *ensurepip*) exit 1;; esac'
    python.write_text(f'#!/bin/sh\n{refuse}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_a_python_that_cannot_make_an_environment_is_told_the_package(
    make, tmp_path, without_ensurepip
):
    done = make("setup", f"PYTHON={without_ensurepip}")
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stdout
    assert not (tmp_path / ".venv").exists()


def set_up(folder, requirements="requirements.txt", age=0):
    """As if make had set up an environment, so many seconds ago."""
    stamp = folder / f".venv/installed-{requirements}"
    (stamp.parent / "bin").mkdir(parents=True, exist_ok=True)
    stamp.write_bytes(b"".join((folder / name).read_bytes() for name in WANTED))
    now = stamp.stat().st_mtime - age
    os.utime(stamp, (now, now))
    python = folder / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho "python $@"\n')
    python.chmod(0o755)


def test_make_takes_the_set_of_packages_that_was_named_last(make, tmp_path):
    assert "-r requirements.txt" in make("--dry-run", "setup").stdout
    set_up(tmp_path, "requirements.txt", age=20)
    set_up(tmp_path, "requirements-jax.txt", age=10)
    assert make("book").stdout.strip() == "python notebooks/tools/course.py book"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(constraints.read_text() + "\n")
    assert "-r requirements-jax.txt" in make("--dry-run", "setup").stdout
    set_up(tmp_path, "requirements.txt", age=20)
    make("setup", "REQUIREMENTS=requirements.txt")
    assert "pip install" not in make("--dry-run", "setup").stdout


def test_make_hands_the_name_of_a_notebook_on(make, tmp_path):
    set_up(tmp_path)
    line = "python notebooks/tools/course.py notebooks patches"
    assert make("notebooks", "NAME=patches").stdout.strip() == line


def test_a_new_clone_takes_a_linked_environment_as_it_is(make, tmp_path):
    set_up(tmp_path)
    (tmp_path / ".venv").rename(tmp_path / "shared")
    (tmp_path / ".venv").symlink_to("shared")
    for name in WANTED:  # a clone is newer than what it finds
        (tmp_path / name).touch()
    assert make("lint").stdout.strip() == "python notebooks/tools/course.py lint"


def shown(capsys, *arguments):
    """The commands that the program would run."""
    course.main([*arguments, "--dry-run"])
    return capsys.readouterr().out.splitlines()


HAS = course.has


def only(monkeypatch, *backends):
    """As if these backends of Keras were installed, and no other."""
    others = {"jax", "tensorflow"} - set(backends)
    monkeypatch.setattr(course, "has", lambda name: name not in others and HAS(name))


def test_where_a_backend_is_alone_its_tests_run_and_keras_gets_it(monkeypatch, capsys):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert [line.split()[0] for line in shown(capsys, "test")] == [
        "KERAS_BACKEND=jax",
        "KERAS_BACKEND=tensorflow",
    ]
    with pytest.raises(SystemExit, match="which has both"):
        course.main(["test-alone"])
    only(monkeypatch, "tensorflow")
    assert len(shown(capsys, "test")) == 1 and "KERAS_BACKEND" not in os.environ
    only(monkeypatch, "jax")
    jax, rest = shown(capsys, "test")
    assert "-m backend" in jax and rest.startswith("The other tests compare")
    assert os.environ["KERAS_BACKEND"] == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    course.main(["lint", "--dry-run"])
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_what_is_made_goes_where_it_is_asked_to(capsys, tmp_path):
    execute, build, told = shown(capsys, "run", "data", "-o", str(tmp_path))
    assert f"--out {tmp_path}/runs/quick notebooks/data.ipynb" in execute
    assert build.endswith(f"--path-output {tmp_path}")
    assert told == f"Open {tmp_path}/_build/html/index.html"


def test_an_unknown_notebook_and_a_bare_python_get_a_sentence(monkeypatch):
    with pytest.raises(SystemExit, match="one of .*'patches'.* Received: 'patch'"):
        course.main(["notebooks", "patch"])
    only(monkeypatch)
    with pytest.raises(SystemExit, match="a Python without tensorflow or jax"):
        course.main(["lint"])


def test_the_first_command_that_fails_ends_the_program(monkeypatch):
    failing = subprocess.CompletedProcess([], 3)
    calls = []
    monkeypatch.setattr(
        course.subprocess, "run", lambda *a, **k: calls.append(a) or failing
    )
    with pytest.raises(SystemExit) as stopped:
        course.main(["lint"])
    assert stopped.value.code == 3 and len(calls) == 1


def test_a_gpu_check_that_fails_shows_why(monkeypatch, tmp_path, capfd):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "level $TF_CPP_MIN_LOG_LEVEL" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(course, "check_environment", lambda: None)
    monkeypatch.setattr(course.sys, "executable", str(python))
    with pytest.raises(SystemExit, match="1"):
        course.main(["gpu-check", f"--out={tmp_path}"])
    assert capfd.readouterr().err == "level 0\n"


def test_a_keras_that_does_not_start_is_told_in_a_sentence(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('libcudart is\\nmissing')")
    tool = ROOT / "notebooks/tools/gpu_check.py"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "KERAS_BACKEND": "jax"}
    command = [sys.executable, tool]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    reason = "(ImportError: libcudart is missing)"
    assert done.stdout.startswith(f"Keras on jax does not start {reason}. On a machine")
    assert done.stdout.count("\n") == 1


def test_the_outline_of_the_pdf_names_each_heading_once():
    pdf = b"/Title (License\\(s\\)License\\(s\\))\n/Title (Tokens) >>\n%%EOF"
    once = b"/Title (License\\(s\\))" + b" " * 12 + b"\n/Title (Tokens) >>\n%%EOF"
    assert course.name_once(pdf) == once and len(once) == len(pdf)


def names(path):
    """The packages that a file of requirements asks for, and the files it includes."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    included = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    rest = [line for line in lines if line and not line.startswith("-r ")]
    return {re.match(r"[\w.-]+", line)[0].lower() for line in rest}, included


# The peers come as they are, and the weights pin themselves by their hash.
FREE = {"requirements-bench.txt", "requirements-weights.txt"}


@pytest.mark.parametrize("name", [n for n in SETS if n not in FREE])
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


def test_a_machine_without_chromium_is_told_what_prints_the_pdf(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "")
    with pytest.raises(SystemExit, match="prints with Chromium, and finds none"):
        course.main(["pdf"])
