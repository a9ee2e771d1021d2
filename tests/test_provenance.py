"""Where a number comes from: the commit, the versions, the device, the memory."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata

import keras
import pytest

import vitlib
from vitlib.training import provenance

pytestmark = pytest.mark.backend

GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=0"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in which provenance believes to stand, in no repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "vitlib").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "vitlib" / "x.py"))
    return tmp_path


def git(folder, *arguments):
    done = subprocess.run(
        [*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(folder):
    (folder / "vitlib" / "x.py").write_text("x = 1\n")
    (folder / "README.md").write_text("words\n")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "Begin")
    return folder


def test_the_commit_is_the_one_that_is_checked_out(repository):
    commit = provenance.git_commit()
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["vitlib/x.py", "README.md"])
def test_a_changed_file_anywhere_makes_the_commit_dirty(repository, name):
    commit = provenance.git_commit()
    (repository / name).write_text("changed\n")
    assert provenance.git_commit() == f"{commit}-dirty"
    git(repository, "add", ".")
    assert provenance.git_commit() == f"{commit}-dirty"


def test_a_deleted_file_makes_the_commit_dirty(repository):
    (repository / "README.md").unlink()
    assert provenance.git_commit().endswith("-dirty")


def test_an_untracked_file_leaves_the_commit_clean(repository):
    (repository / "vitlib" / "notes.txt").write_text("new\n")
    assert provenance.git_commit() == git(repository, "rev-parse", "HEAD")


def test_a_second_commit_is_clean_again(repository):
    first = provenance.git_commit()
    (repository / "README.md").write_text("changed\n")
    git(repository, "commit", "-a", "-m", "Change")
    second = provenance.git_commit()
    assert re.fullmatch("[0-9a-f]{40}", second)
    assert second != first


def test_a_folder_outside_of_a_repository_has_no_commit(folder):
    assert provenance.git_commit() is None


def test_another_repository_that_the_package_lies_in_is_not_ours(repository):
    git(repository, "rm", "-r", "--cached", "vitlib")
    git(repository, "commit", "-m", "Another project")
    assert (repository / "vitlib").is_dir() and provenance.git_commit() is None


def test_a_repository_without_a_commit_has_none(folder):
    git(folder, "init")
    assert provenance.git_commit() is None


def test_a_machine_without_git_has_no_commit(repository, monkeypatch):
    assert provenance.git_commit() is not None
    monkeypatch.setenv("PATH", str(repository / "no-such-folder"))
    assert provenance.git_commit() is None


def test_asking_for_the_commit_changes_nothing(repository):
    def read():
        paths = [path for path in repository.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in paths if path.name != "index"}

    before = read()
    provenance.git_commit()
    assert read() == before


def test_the_versions_are_those_that_run():
    found = provenance.versions()
    assert found["python"] == platform.python_version()
    assert found["keras"] == keras.__version__
    assert {"numpy", "vitlib"} <= set(found)
    assert all(re.match(r"\d+\.\d+", version) for version in found.values())


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("keras", "no-such-package", "numpy"))
    assert list(provenance.versions()) == ["python", "vitlib", "keras", "numpy"]


def test_vitlib_tells_its_version_where_it_is_not_installed(monkeypatch):
    """But lies on the path of Python; what is installed may be another one."""

    def missing(package):
        if package == "vitlib":
            raise metadata.PackageNotFoundError
        return real(package)

    real = metadata.version
    monkeypatch.setattr(metadata, "version", missing)
    assert provenance.versions()["vitlib"] == vitlib.__version__


def test_the_device_is_the_one_that_keras_computes_on():
    device = provenance.device()
    assert list(device) == ["kind", "name", "cores"]
    assert device["kind"] in ("cpu", "gpu")
    assert device["name"] == device["name"].strip() != ""
    assert 1 <= device["cores"] <= os.cpu_count()


def pretend(monkeypatch, device, printed=None):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: [device, "cpu:0"])
    monkeypatch.setattr(provenance, "_output", lambda *command: printed)
    monkeypatch.setattr(provenance, "_processor_name", lambda: "a processor")


@pytest.mark.parametrize("printed", ["NVIDIA H100", "NVIDIA H100\nNVIDIA A100"])
def test_a_gpu_has_the_name_that_its_driver_says(monkeypatch, printed):
    pretend(monkeypatch, "gpu:0", printed)
    assert provenance.device()["kind"] == "gpu"
    assert provenance.device()["name"] == "NVIDIA H100"


@pytest.mark.parametrize("device", ["cpu:0", "gpu:0"])
def test_where_no_driver_answers_the_processor_is_named(monkeypatch, device):
    pretend(monkeypatch, device)
    assert provenance.device()["name"] == "a processor"
    assert provenance.device()["kind"] == device[:3]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins processes")
def test_only_the_cores_that_the_process_may_use_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7})
    assert provenance.device()["cores"] == 3


def test_a_machine_that_does_not_tell_its_processor_still_has_a_name(monkeypatch):
    monkeypatch.setattr(provenance.Path, "read_text", lambda path: "flags : fpu\n")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert provenance._processor_name() == "riscv64"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_peak_of_the_memory_is_that_of_a_process_with_keras():
    assert 50e6 < provenance.peak_memory_bytes() < 1e12


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_peak_of_the_memory_never_falls():
    before = provenance.peak_memory_bytes()
    assert before <= provenance.peak_memory_bytes() < before + 100e6


def test_windows_tells_no_peak_of_the_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as if it were not there
    assert provenance.peak_memory_bytes() is None


@pytest.mark.parametrize(
    ("began", "went_on", "joined"),
    [
        ("a1", "a1", "a1"),
        ("a1-dirty", "a1-dirty", "a1-dirty"),
        ("a1", "b2", "a1-dirty"),
        ("a1-dirty", "b2", "a1-dirty"),
        ("a1", "a1-dirty", "a1-dirty"),
        (None, "b2", None),
        ("a1", None, None),
    ],
)
def test_a_run_of_two_commits_is_of_neither(began, went_on, joined):
    assert provenance.join_commits(began, went_on) == joined
