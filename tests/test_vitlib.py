"""The package as a whole: importing it changes nothing, and what it shows is there."""

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

import vitlib

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
    assert settings["tool"]["setuptools"]["packages"] == packages


def test_the_public_names_are_sorted_as_python_sorts_and_each_stands_once():
    assert len(set(vitlib.__all__)) == len(vitlib.__all__)
    kinds = [
        sorted(n for n in vitlib.__all__ if n.isupper()),
        sorted(n for n in vitlib.__all__ if n[0].isupper() and not n.isupper()),
        sorted(n for n in vitlib.__all__ if n.islower()),
    ]
    assert vitlib.__all__ == sum(kinds, [])


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


def test_every_public_name_that_the_package_hands_on_is_in_its_list():
    names = {name for name in vars(vitlib) if not name.startswith("_")}
    names -= {name for name in names if inspect.ismodule(getattr(vitlib, name))}
    assert names == set(vitlib.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [t for m in MODULES for t in finder.find(importlib.import_module(m))]
    assert sum(len(test.examples) for test in found) >= 3
