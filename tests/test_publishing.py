"""What a tag publishes, and the workflow that does it, step by step without GitHub."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import course
import publishing
import pytest
import yaml

import vitlib

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github/workflows"
JOBS = yaml.safe_load((FOLDER / "publish.yml").read_text("utf-8"))["jobs"]
TAG = f"v{vitlib.__version__}"
NAME = f"vit-course-{vitlib.__version__}"


def steps(job, kind):
    """What the steps of a job run or use."""
    return [step[kind] for step in JOBS[job]["steps"] if kind in step]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def release(tmp_path):
    """What is gathered of a small build."""
    made = ["html/index.html", "html/_static/a.css", "book.pdf"]
    for part in ("student", "solutions", "instructor"):
        made.append(f"editions/{part}/patches.ipynb")
    made += ["editions/slides/index.html", "editions/questions.html"]
    made += ["editions/questions.zip", "release/files/old.pdf"]
    for name in made:
        write(tmp_path / name, name)
    publishing.gather(tmp_path)
    return tmp_path / "release"


def test_all_that_a_version_publishes_is_gathered_under_its_number(release):
    assert (release / "pages/_static/a.css").read_text() == "html/_static/a.css"
    parts = "student solutions instructor slides questions".split()
    archives = {part: release / f"files/{NAME}-{part}.zip" for part in parts}
    files = {*archives.values(), release / f"files/{NAME}.pdf"}
    assert set((release / "files").iterdir()) == files
    inside = {}
    for part, path in archives.items():
        with zipfile.ZipFile(path) as archive:
            inside[part] = {n for n in archive.namelist() if not n.endswith("/")}
    assert inside["student"] == {"student/patches.ipynb"}
    assert inside["slides"] == {"slides/index.html"}
    both = {"questions/questions.html", "questions/questions.zip"}
    assert inside["questions"] == both


def test_the_notes_are_those_of_the_version_alone(monkeypatch):
    text = "# Changes\n\n## 0.2.0, 2027-01-01\n\n* B.\n\n## 0.1.0, 2026-01-01\n\n* A.\n"
    monkeypatch.setattr(publishing, "read", lambda name: text)
    assert publishing.notes("0.2.0") == "* B.\n"
    assert publishing.notes("0.1.0") == "* A.\n"


def test_the_number_is_that_of_the_package_and_its_notes_are_written(release):
    assert publishing.version() == vitlib.__version__
    assert len((release / "notes.md").read_text("utf-8")) > 100


def test_a_tag_of_another_version_or_without_an_address_is_refused(monkeypatch):
    monkeypatch.setenv("TAG", "v9.9")
    with pytest.raises(SystemExit, match=f"must be a v .* {TAG}. Received: 'v9.9'"):
        course.main(["release", "--dry-run"])
    monkeypatch.setattr(publishing, "without_address", lambda: ["_config.yml"])
    with pytest.raises(SystemExit, match=r"CONTRIBUTING.md .* in _config.yml\."):
        publishing.check_tag(TAG)
    monkeypatch.setattr(publishing, "without_address", list)
    assert publishing.check_tag(TAG) is None


def test_each_place_without_an_address_is_found_and_listed():
    """A placeholder anywhere else would be published."""
    command = ["git", "grep", "-lE", r"\bADDRESS\b|example\.org", "--", "."]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    tools = ("tests/", "notebooks/tools/", "CONTRIBUTING.md")
    places = {p for p in found.stdout.split() if not p.startswith(tools)}
    assert places == set(publishing.without_address())
    advice = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    advice = advice.split("**Before the first tag**")[1]
    for name in {re.sub(r"notebooks/\w+", "notebooks/*", place) for place in places}:
        assert f"`{name}`" in advice


def test_a_release_builds_editions_of_its_own(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("TAG", raising=False)
    monkeypatch.delenv("SOLUTIONS", raising=False)
    monkeypatch.setenv("CHROMIUM", "chromium")
    course.main(["release", "--dry-run", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    programs = [line.split("teaching/")[1] for line in lines if "teaching/" in line]
    out = f"--out {tmp_path}/_build/editions"
    assert programs == [
        f"editions.py {out}",
        f"slides.py {out}/slides",
        f"questions.py {out}",
    ]
    assert lines[-1] == f"Publish {tmp_path}/_build/release"


def test_the_workflow_builds_by_make_alone_and_uploads_what_is_there(release):
    words = [command.split("#")[0].split() for command in steps("build", "run")]
    assert words == [["make", "setup", "PYTHON=python"], ["make", "release"]]
    assert "release" in course.COMMANDS
    uploads = [s["with"]["path"] for s in JOBS["build"]["steps"] if "upload" in str(s)]
    for path in " ".join(uploads).split():
        assert (release / Path(path).relative_to("_build/release")).exists()


def test_the_release_gets_all_files_and_the_notes(release, tmp_path):
    (command,) = steps("release", "run")
    fake = '#!/bin/sh\nfor word; do echo "$word"; done\ntest -s notes.md\n'
    write(tmp_path / "bin/gh", fake)
    (tmp_path / "bin/gh").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shutil.which("bash"), "-e", "-c", command],
        cwd=release,
        env=os.environ | {"PATH": path, "TAG": TAG},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    said = done.stdout.split("\n")
    assert said[:3] == ["release", "create", TAG]
    files = {f"files/{p.name}" for p in (release / "files").iterdir()}
    assert files == {word for word in said if word.startswith("files/")}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda p: p.stem)
def test_a_workflow_may_no_more_than_it_must(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    granted = {n: j.get("permissions", {}) for n, j in workflow["jobs"].items()}
    may_write = {n: p for n, p in granted.items() if p}
    pages = {"pages": "write", "id-token": "write"}
    expected = {"pages": pages, "release": {"contents": "write"}}
    assert may_write == (expected if path.stem == "publish" else {})
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            assert "${{" not in step.get("run", ""), name  # only in the environment
    for name in may_write:  # what may write runs nothing of the course
        assert "actions/checkout" not in str(workflow["jobs"][name])
