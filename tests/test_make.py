"""The Makefile as a newcomer meets it."""

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
    for name in ("Makefile", "requirements.txt", "constraints.txt", "pyproject.toml"):
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


def test_a_machine_without_chromium_is_told_what_prints_the_pdf(make, tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/installed-requirements.txt").touch()  # as if it were set up
    done = make("pdf", "CHROMIUM=")
    assert done.returncode != 0
    assert "make pdf prints with Chromium, and finds none" in done.stdout
