"""The package as a whole: importing it changes nothing, and what it shows is there."""

import ast
import doctest
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

import vitlib

pytestmark = pytest.mark.backend

MODULES = [
    "vitlib",
    *(m.name for m in pkgutil.walk_packages(vitlib.__path__, "vitlib.")),
]

ROOT = Path(__file__).parents[1]

# Keras itself makes a settings file and loads what it finds of matplotlib, so the look
# at the process starts after it, and matplotlib is as if it were not installed.
PROBE = """
import importlib, json, os, pathlib, random, sys
sys.modules["matplotlib"] = None
import keras
import numpy as np

def state():
    files = [str(path) for path in pathlib.Path.home().rglob("*")]
    policy, backend = keras.config.dtype_policy().name, keras.config.backend()
    generator = [str(part) for part in np.random.get_state()]
    numbers = keras.config.epsilon(), keras.config.floatx()
    return {"random": str(random.getstate()), "numpy": generator, "files": files,
            "folder": os.listdir(), "policy": policy, "backend": backend,
            "numbers": numbers, "path": sys.path[:], "environment": dict(os.environ)}

events = []
def watch(event, arguments):
    kind = event.split(".")[0]
    if kind in ("socket", "urllib", "subprocess") or event == "os.system":
        events.append(event)

before = state()
sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
after = state()
sys.stdout.write(json.dumps({"before": before, "after": after, "events": events}))
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """What a fresh process is before and after it imports all of vitlib."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    names = ("HOME", "USERPROFILE", "KERAS_HOME", "XDG_CACHE_HOME")
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", PROBE, *MODULES],
        cwd=folder,
        env=os.environ | dict.fromkeys(names, str(home)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "thing",
    ["random", "numpy", "files", "folder", "policy", "backend"]
    + ["numbers", "path", "environment"],
)
def test_importing_changes_nothing_of(process, thing):
    assert process["after"][thing] == process["before"][thing]


def test_importing_uses_no_network_and_starts_no_program(process):
    assert process["events"] == []


def test_the_look_at_the_process_sees_what_it_should(process):
    seen = process["before"]
    assert seen["policy"] == "float32"
    assert seen["folder"] == []
    assert [re.split(r"[/\\]", path)[-1] for path in seen["files"]] == ["keras.json"]


def test_every_package_is_installed():
    found = pkgutil.walk_packages(vitlib.__path__, "vitlib.")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = ["vitlib", *(module.name for module in found if module.ispkg)]
    include = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(find_packages(ROOT, include=include)) == set(packages)


@pytest.mark.parametrize("name", vitlib.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    value = getattr(vitlib, name)
    if name.isupper():
        assert not callable(value)
        return
    text = inspect.getdoc(value)
    assert value.__name__ == name
    assert value.__module__.startswith("vitlib.")
    assert not text.startswith(f"{name}(")  # what a dataclass says of itself
    assert text.splitlines()[0].endswith((".", ":"))


def test_the_package_hands_on_what_is_in_its_list_and_nothing_else():
    names = {name for name in vars(vitlib) if not name.startswith("_")}
    names -= {name for name in names if inspect.ismodule(getattr(vitlib, name))}
    assert names <= set(vitlib.__all__) <= set(dir(vitlib))
    with pytest.raises(AttributeError, match="has no attribute 'build_cnn'"):
        vitlib.build_cnn  # noqa: B018


# Arrows run down only: a module imports from its own floor and from those below it.
FLOORS = (
    {"config", "folders"},
    {"data", "layers"},
    {"studies"},
    {"models", "records", "notebook"},
    {"training"},
    {"inspection"},
    {"checks"},
)
WITHOUT_KERAS = {"config", "folders", "data", "studies", "records", "notebook"}


def imports_of(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            deep = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from deep if node.module == "vitlib" else {node.module}
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(path):
    return path.relative_to(ROOT / "vitlib").with_suffix("").parts[0]


def upward(room, imports):
    """What a module of a room imports from the floors above it."""
    height = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    rooms = {name.split(".")[1] for name in imports if name.startswith("vitlib.")}
    return {name for name in rooms & set(height) if height[name] > height[room]}


def test_arrows_run_down_only():
    paths = [path for path in (ROOT / "vitlib").rglob("*.py") if path.parent != ROOT]
    paths = [path for path in paths if room_of(path) != "__init__"]
    assert {room_of(path) for path in paths} == set.union(*FLOORS)
    assert {p: upward(room_of(p), imports_of(p)) for p in paths} == {
        path: set() for path in paths
    }
    assert upward("layers", {"vitlib.models.vit"}) == {"models"}


@pytest.mark.parametrize("room", sorted(WITHOUT_KERAS))
def test_no_backend_is_needed_to_read(room):
    names = [m for m in MODULES if m.split(".")[1:2] == [room]]
    assert names
    code = f"import {', '.join(names)}, sys; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_record_and_the_presets_are_read_without_a_slow_start():
    path = next((ROOT / "results").glob("report/*.json"))
    code = f"import vitlib, sys; vitlib.PRESETS; vitlib.load_run({str(path)!r})"
    slow = "{'keras', 'tensorflow', 'jax', 'rfc3987_syntax'}"
    code += f"; sys.exit(len({slow} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [t for m in MODULES for t in finder.find(importlib.import_module(m))]
    assert sum(len(test.examples) for test in found) >= 3


def test_what_the_guide_for_contributors_names_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    names = set(re.findall(r"`vitlib((?:\.\w+){2,})[`(]", page))
    assert len(names) >= 15
    for name in names:
        *module, last = f"vitlib{name}".split(".")
        assert hasattr(importlib.import_module(".".join(module)), last), name
    table = page.split("| a new |")[1].split("\n\n")[0]
    for place in re.findall(r"`(\w+/(?:\w+\.py)?)`", table):
        assert (ROOT / "vitlib" / place).exists() or (ROOT / place).exists(), place
    for constant, place in re.findall(r"`([A-Z_]+)` in `(\w+/\w+\.py)`", table):
        assert f"\n{constant} = " in (ROOT / "vitlib" / place).read_text("utf-8")
