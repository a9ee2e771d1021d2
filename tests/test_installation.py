"""Ways to the course without `make`: a hosted notebook, an image, conda."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
NOT_IN_IMAGE = {
    "Dockerfile",
    "binder",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
}


def first_cell(path):
    cells = nbformat.read(path.with_suffix(".ipynb"), as_version=4).cells
    return next(cell for cell in cells if cell.cell_type == "code")


def test_each_notebook_begins_with_the_same_installation_and_the_book_hides_it():
    cells = [first_cell(path) for path in NOTEBOOKS]
    assert len({cell.source for cell in cells}) == 1
    assert all(cell.metadata.tags == ["remove-cell"] for cell in cells)
    assert all(cell.outputs == [] for cell in cells)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What the first cell starts; git clones, and pip is only written down."""
    git(tmp_path, "init", "--quiet", "course")
    for name in ("notebooks/profiles", "results"):
        (tmp_path / "course" / name).mkdir(parents=True)
        (tmp_path / "course" / name / "file").touch()
    git(tmp_path / "course", "add", ".")
    git(tmp_path / "course", "commit", "--quiet", "--message=Begin")
    commands, check_call = [], subprocess.check_call

    def start(command):
        commands.append(command)
        return check_call(command) if command[0] == "git" else 0

    monkeypatch.setattr(subprocess, "check_call", start)
    monkeypatch.setenv("VIT_COURSE", (tmp_path / "course").as_uri())
    monkeypatch.chdir(tmp_path)
    return commands


def git(folder, *arguments):
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True)


def run_first_cell(monkeypatch, *absent):
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda n: None if n in absent else find(n))
    exec(first_cell(NOTEBOOKS[0]).source, {})


def test_where_vitlib_is_installed_the_first_cell_does_nothing(started, monkeypatch):
    before = Path.cwd()
    run_first_cell(monkeypatch)
    assert (started, Path.cwd()) == ([], before)


@pytest.mark.parametrize(
    ("absent", "package"),
    [(["vitlib"], "./vit-course")]
    + [(["vitlib", "jax", "tensorflow"], "./vit-course[tensorflow]")],
)
def test_elsewhere_it_installs_a_clone_and_goes_into_it(
    started, monkeypatch, absent, package
):
    before = Path.cwd()
    before = Path.cwd()
    run_first_cell(monkeypatch, *absent)
    assert started[1] == [sys.executable, "-m", "pip", "install", "-q", package]
    assert Path("../results/file").exists()
    monkeypatch.undo()
    monkeypatch.chdir(before)  # as after a restart of the kernel
    run_first_cell(monkeypatch)
    assert Path("../results/file").exists()
    monkeypatch.undo()
    monkeypatch.chdir(before)  # as after a restart of the kernel
    run_first_cell(monkeypatch)
    assert Path("../results/file").exists()


def test_the_backend_of_the_first_cell_is_that_of_the_course():
    (backend,) = PROJECT["optional-dependencies"]["tensorflow"]
    assert backend in (ROOT / "requirements-tensorflow.txt").read_text("utf-8").split()


def steps(word):
    """The arguments of each such instruction of the Dockerfile."""
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)


def copied():
    """What the Dockerfile copies, and where to."""
    for line in steps("COPY"):
        *sources, target = line.split()
        for source in sources:
            for path in sorted(ROOT.glob(source)):
                yield path, Path(target)


def test_the_image_has_every_file_of_the_course_but_what_is_for_authors():
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    top = {line.split("/")[0] for line in files.stdout.splitlines()}
    top = {name for name in top if not name.startswith(".")}
    assert {path.name for path, _ in copied()} == top - NOT_IN_IMAGE


def test_the_image_installs_what_make_installs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    packages, own = [line for line in steps("RUN") if line.startswith("pip ")]
    assert packages.endswith(" -r $REQUIREMENTS jupyterlab -c constraints.txt")
    assert "$(PIP) -r $(REQUIREMENTS)\n" in makefile
    assert "-m pip install -c constraints.txt\n" in makefile
    command = own.replace("pip install --no-cache-dir", "$(BIN)/python -m pip install")
    assert f"\t{command}\n" in makefile


def test_a_notebook_runs_in_the_folders_that_the_dockerfile_makes(tmp_path):
    course, home = tmp_path / "course", tmp_path / "student"
    course.mkdir()
    home.mkdir(parents=True)
    for path, target in copied():
        made = course / target / path.name if target == Path() else course / target
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, made, **({"symlinks": True} if path.is_dir() else {}))
    (line,) = [line for line in steps("RUN") if line.startswith("cp ")]
    command = [word.replace("/student", str(home)) for word in line.split()]
    subprocess.run(command, cwd=course, check=True)
    execute = course / "notebooks/tools/execute.py"
    notebook = home / "notebooks/speed.ipynb"
    before = {path: path.stat().st_mtime_ns for path in course.rglob("*")}
    subprocess.run(
        [sys.executable, "-B", execute, "--out", home / "out", notebook],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(course), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
    )
    assert (home / "out/speed.ipynb").exists()
    assert {path: path.stat().st_mtime_ns for path in course.rglob("*")} == before


def test_the_editor_builds_the_image_for_a_processor_unless_told():
    text = (ROOT / ".devcontainer/devcontainer.json").read_text("utf-8")
    settings = json.loads(text)
    build = settings["build"]
    folder = ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    (default,) = steps("ARG")
    name, value = default.split("=")
    assert build["args"] == {name: f"${{localEnv:{name}:{value}}}"}
    assert f"--home-dir /student --uid 1000 {settings['remoteUser']}" in DOCKERFILE


def test_conda_and_binder_install_what_make_installs():
    text = (ROOT / "binder/environment.yml").read_text("utf-8")
    dependencies = yaml.safe_load(text)["dependencies"]
    python, pip = dependencies[0], dependencies[-1]["pip"]
    assert python.removeprefix("python=") in DOCKERFILE
    assert pip == [
        "-c ../constraints.txt",
        "-r ../requirements.txt",
        "jupyterlab",
        "--editable ..",
    ]
