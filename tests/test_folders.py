"""The folder of the course is found from anywhere, and no other one's code runs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vitlib import check_parameters, folders

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def course(tmp_path):
    """A folder that looks like a clone."""
    for name in (folders.MARK, "results", "runs/deep"):
        (tmp_path / "clone" / name).mkdir(parents=True)
    return tmp_path / "clone"


def test_a_folder_is_found_from_any_depth_of_a_clone(course, monkeypatch):
    for name in (".", "notebooks", "runs/deep"):
        monkeypatch.chdir(course / name)
        assert folders.find_folder("results") == course / "results"


def test_elsewhere_the_clone_that_vitlib_came_from_has_it(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()  # of something else
    monkeypatch.chdir(tmp_path)
    assert folders.find_folder("results") == ROOT / "results"


def test_without_any_clone_the_sentence_says_what_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "SOURCES", tmp_path)  # a library of wheels
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        folders.find_folder("results")
    assert f"a wheel of vitlib has not. Received: {tmp_path}." in str(error.value)


@pytest.mark.parametrize(
    "program",
    [
        path.relative_to(ROOT).as_posix()
        for folder in ("experiments", "benchmarks", "teaching", "notebooks/tools")
        for path in sorted((ROOT / folder).glob("*.py"))
        if 'if __name__ == "__main__"' in path.read_text("utf-8")
        and path.stem not in ("contenders", "gpu_check")  # others start them
    ],
)
def test_a_copied_folder_does_not_run_the_vitlib_of_the_first(tmp_path, program):
    source = ROOT / program
    shutil.copytree(source.parent, tmp_path / program.rpartition("/")[0])
    shutil.copy(ROOT / "Makefile", tmp_path)
    if source.parent.name == "teaching":
        shutil.copytree(ROOT / "book", tmp_path / "book", symlinks=True)
    arguments = {"train": "tiny", "sweep": "compact", "course": "lint"}
    done = subprocess.run(
        [sys.executable, tmp_path / program, arguments.get(source.stem, "--in-place")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},  # as if installed from there
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"vitlib must be that of {tmp_path}" in done.stderr
    assert f"whose vitlib is that of {ROOT}." in done.stderr


def test_a_notebook_of_a_copied_folder_stops(course, monkeypatch):
    monkeypatch.chdir(course / "notebooks")
    with pytest.raises(SystemExit, match=f"vitlib must be that of {course}, where"):
        check_parameters({})


def test_a_vitlib_from_a_wheel_may_run_in_any_folder(tmp_path, monkeypatch):
    folders.require_own(ROOT)
    monkeypatch.setattr(folders, "SOURCES", tmp_path)
    folders.require_own(ROOT)


def test_a_wheel_has_every_file_of_the_package(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    package = shutil.copytree(ROOT / "vitlib", tmp_path / "vitlib", ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", "wheels", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    packed = {
        name for name in zipfile.ZipFile(wheel).namelist() if ".dist-" not in name
    }
    files = {path for path in package.rglob("*") if path.is_file()}
    assert packed == {path.relative_to(tmp_path).as_posix() for path in files}
