"""The rules of the house that a program can check, over the code and all files.

Most of them are ruff's, selected in pyproject.toml; each is seen to find a fault in
every module. What ruff cannot say is a function here.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import qti

import vitlib

ROOT = Path(__file__).parents[1]
MOST_LINES = 30  # of a function, its docstring not counted
MOST_BYTES = 2**20  # of a file
FOLDERS = ("vitlib", "experiments", "benchmarks", "teaching")
ASSIGNMENT = ROOT / "teaching/assignment/vit.py"  # a notebook
MODULES = {path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py")}
MODULES = sorted(MODULES - {ASSIGNMENT})
# Code that a reader runs beside these modules: held to the rules of safety alone.
SCRIPTS = [*ROOT.glob("notebooks/*.py"), *ROOT.glob("notebooks/tools/*.py")]
SCRIPTS = sorted([*SCRIPTS, ASSIGNMENT, ROOT / "conftest.py"])

# Tests of more than one module, or of what is no module of vitlib.
OTHER_TESTS = {
    "benchmarks",
    "book",
    "chapter_numbers",
    "dead_units",
    "mutations",
    "editions",
    "findings",
    "kernel",
    "kills",
    "fuzz",
    "installation",
    "instructors",
    "make",
    "metrics",
    "notebooks",
    "own",
    "plain_models",
    "project",
    "publishing",
    "questions",
    "readme",
    "record_fields",
    "results",
    "machines",
    "slides",
    "style",
    "sweep_script",
    "train_script",
    "vitlib",
}

# Tests that load Keras and do not say with a marker whether they run on each backend.
ON_ONE_BACKEND = {
    "benchmarks": "the profiler is TensorFlow's, and the contenders take minutes",
    "download": "fetches files; Keras' get_file has no part for a backend",
    "editions": "compares texts and verdicts",
    "instructors": "asks `checks` for its names alone",
    "kills": "operations on files, which `training` has on each backend",
    "notebooks": "the notebooks' outputs are those of TensorFlow",
    "own": "the program of the page trains for minutes",
    "questions": "the answers compute, and are the same on each backend",
    "results": "reads records; TASKS and READINGS are names and rules",
    "runs": "draw_order is NumPy's",
}

# A folder of somebody's machine, with a name in it: the rule itself may be written.
MACHINE_PATH = re.compile(
    r"(?<![\w.~}-])/(?:home|root|work|Users)/+\w|[A-Za-z]:\\+Users\\+\w"
)
ARCHIVES = {".gz", ".tgz", ".tar", ".zip", ".xz", ".bz2", ".bin"}
WEIGHTS = {".h5", ".hdf5", ".keras", ".npz", ".npy", ".pb", ".tflite", ".onnx"}
WEIGHTS |= {".pt", ".pth", ".ckpt", ".index", ".safetensors", ".pkl", ".pickle"}
# How HDF5, zip (and with it Keras, NumPy and PyTorch), gzip, xz and pickle files begin.
MAGIC = (b"\x89HDF", b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ", b"\x80\x03", b"\x80\x04")


def place(path):
    return path.relative_to(ROOT).as_posix()


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def list_files():
    """The files that git holds or would take; in a copy without git, there are none."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def ruff(folder, *arguments):
    """What ruff finds by a folder's pyproject.toml: {place: {row: {code: text}}}."""
    command = [Path(sys.executable).with_name("ruff"), "check", "--no-cache"]
    command += ["--output-format=json", *arguments, "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found = defaultdict(lambda: defaultdict(dict))
    for fault in json.loads(done.stdout):
        where = Path(fault["filename"]).relative_to(folder.resolve()).as_posix()
        found[where][fault["location"]["row"]][fault["code"]] = fault["message"]
    return found


def banned(text):
    """The name that ruff's message calls banned."""
    return text.split("`")[1]


# One line each, for one file: the code of the rule that must find it, and the line.
BROKEN = [
    ("D103", "def f(): pass"),
    ("D103", "async def f(): pass"),
    ("D101", "class A: pass"),
    ("S307", "eval('1')"),
    ("S307", "def _f(): eval('1')"),
    ("S102", "def _f(): exec('x = 1')"),
    ("TID251", "import builtins"),
    ("TID251", "from builtins import eval as run"),
    ("S602", "import subprocess; subprocess.run(command, shell=True)"),
    ("S604", "run(command, shell=True)"),
    ("S605", "import os; os.system('ls')"),
    ("S605", "from os import system as run; run('ls')"),
    ("S605", "import os; os.popen('ls')"),
    ("S605", "import subprocess; subprocess.getoutput('ls')"),
    ("S202", "import tarfile; tarfile.open(path).extractall()"),
    ("S301", "import pandas; pandas.read_pickle(path)"),
    ("S310", "import urllib.request; urllib.request.urlopen(URL)"),
    ("S506", "import yaml; yaml.load(text, Loader=yaml.Loader)"),
    ("S501", "import requests; requests.get(URL, verify=False)"),
    ("TID251", "import pickle"),
    ("TID251", "def _f(): from pickle import loads"),
    ("TID251", "import _pickle"),
    ("TID251", "import cPickle"),
    ("TID251", "import dill"),
    ("TID251", "import cloudpickle as safe"),
    ("TID251", "def _f(): from joblib import load"),
    ("TID251", "import shelve"),
    ("TID251", "from marshal import loads"),
    ("TID251", "import keras; keras.layers.Lambda(f)"),
    ("TID251", "from keras.layers import Lambda as L"),
    ("TID251", "from keras import layers; layers.Lambda(f)"),
    ("TID251", "import keras; keras.config.enable_unsafe_deserialization()"),
    ("TID251", "from keras.config import enable_unsafe_deserialization as e"),
    ("TID251", "import yaml; yaml.load(text, Loader=yaml.SafeLoader)"),
    ("TID251", "import yaml; yaml.load_all(text, Loader=yaml.Loader)"),
    ("TID251", "def _f(): import yaml; yaml.unsafe_load(text)"),
    ("TID251", "import yaml; yaml.unsafe_load_all(text)"),
    ("TID251", "from yaml import full_load"),
    ("TID251", "from yaml import full_load_all"),
    ("TID251", "import time; start = time.time()"),
    ("TID251", "from time import time"),
    ("TID251", "import time; time.time_ns()"),
    ("TID251", "import shutil; shutil.unpack_archive(path)"),
    ("TID251", "import urllib.request; urllib.request.urlopen(URL)"),
    ("TID251", "from urllib import request; request.urlretrieve(URL)"),
    ("TID251", "import requests"),
    ("TID251", "import httpx"),
    ("TID251", "import aiohttp"),
    ("TID251", "from ftplib import FTP"),
    ("TID251", "import tensorflow as tf"),
    ("TID251", "def _f(): import torch.nn"),
    ("TID251", "from jax import numpy"),
]
UNBROKEN = [
    "model.compile(); model.eval(); import ast; ast.literal_eval(x)",
    "f = lambda x: x",
    "import yaml; yaml.safe_load(text)",
    "import subprocess; subprocess.run([PROGRAM, path], shell=False)",
    "import platform; platform.system()",
    "import numpy as np; np.load(path)",
    "import tarfile; tarfile.open(path).next()",
    "import time; time.perf_counter(); time.monotonic(); time.sleep(1)",
    "import keras; keras.layers.Dense(1); PACKAGES = ('tensorflow', 'jax')",
    "def _f(): pass",
    "class A: '''Is.'''",
]
# What only Keras' backends and the peers of the benchmarks have, behind a `noqa`.
LET_BE = {
    "benchmarks/contenders.py": {"torch"},
    "benchmarks/profile_step.py": {"tensorflow"},
    "notebooks/training.py": {"jax", "tensorflow"},  # a gradient, written out
    "vitlib/training/optimizer.py": {"tensorflow"},  # Adam in one operation
    "vitlib/training/parallel.py": {"jax", "tensorflow"},  # several devices
}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """What ruff finds where each module holds the broken lines, then the unbroken."""
    folder = tmp_path_factory.mktemp("seeded")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path in MODULES + SCRIPTS:
        copy = folder / place(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join([line for _, line in BROKEN] + UNBROKEN) + "\n")
    return ruff(folder)


def test_ruff_finds_every_broken_rule_in_every_module(seeded):
    missed = [
        (place(path), code, line)
        for path in MODULES + SCRIPTS
        for row, (code, line) in enumerate(BROKEN, start=1)
        if code not in seeded[place(path)][row]
    ]
    assert missed == []
    undocumented = {
        name for name, rows in seeded.items() if {"D100", "D104"} & {*rows[1]}
    }
    assert undocumented >= {place(path) for path in MODULES}


def test_ruff_lets_be_what_only_looks_broken(seeded):
    rows = range(len(BROKEN) + 1, len(BROKEN) + len(UNBROKEN) + 1)
    kinds = re.compile(r"S\d|TID|D10")
    found = {code for faults in seeded.values() for row in rows for code in faults[row]}
    assert [code for code in found if kinds.match(code)] == []


def test_every_banned_name_is_seen_to_be_found(seeded):
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = config["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    rows = seeded["vitlib/__init__.py"].values()
    assert {banned(row["TID251"]) for row in rows if "TID251" in row} == {*names}


def test_no_module_breaks_a_rule_of_ruff_even_behind_a_noqa():
    found = ruff(ROOT, "--ignore-noqa", "--extend-select=RUF100")
    names = {place(path) for path in MODULES + SCRIPTS}
    faults = {name: rows.values() for name, rows in found.items() if name in names}
    codes = {code for rows in faults.values() for row in rows for code in row}
    assert [code for code in codes if re.match(r"S\d|D10", code)] == []
    let_be = {
        name: {banned(row["TID251"]) for row in rows if "TID251" in row}
        for name, rows in faults.items()
    }
    assert {name: banned for name, banned in let_be.items() if banned} == LET_BE


def long_functions(tree):
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            body = function.body[ast.get_docstring(function) is not None :]
            lines = function.end_lineno - body[0].lineno + 1 if body else 0
            found += [f"{function.name}: {lines} lines"] if lines > MOST_LINES else []
    return found


OUT_OF_MODULES = {"Lambda", "extract", "extractall", "unpack_archive"}  # wherever from
OUT_OF_MODULES |= {"import_module", "__import__", "enable_unsafe_deserialization"}


def unsafe(tree):
    """What ruff has no rule for, or does not see through an object or a variable."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="safe_mode", value=ast.Constant(value=True)):
                pass
            case ast.keyword(arg="shell", value=ast.Constant(value=False)):
                pass
            case ast.keyword(arg="safe_mode" | "shell" | "allow_pickle" as name):
                found.append(name)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found += {name} & OUT_OF_MODULES
            case ast.Constant(value=str(text)) if "http://" in text:
                found.append(text)
            case ast.Call(
                func=ast.Name(id="get_file") | ast.Attribute(attr="get_file")
            ):
                passed = {keyword.arg for keyword in node.keywords}
                checked = {"file_hash", "hash_algorithm"} <= passed
                found += [] if checked else ["get_file"]
    return found


@pytest.mark.parametrize(
    "text",
    [
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path, safe_mode=False)",
        "load_model(path, safe_mode=unsafe)",
        "subprocess.run(command, shell=option)",
        "run(command, shell=option)",
        "tar.extract(member, folder)",
        "tar.extractall(folder)",
        "the.layers.Lambda(f)",
        "from keras.src.layers import Lambda as L",
        "the.config.enable_unsafe_deserialization()",
        "importlib.import_module('jax')",
        "from importlib import import_module as load",
        "__import__('jax')",
        "URL = 'http://example.org/x'",
        "URL = f'http://{host}/x'",
        "keras.utils.get_file('x', URL)",
        "get_file('x', URL, file_hash=H)",
    ],
)
def test_what_is_unsafe_is_found(text):
    assert len(unsafe(ast.parse(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "load_model(path, safe_mode=True)\nnp.load(path)",
        "run(['ls'], shell=False)",
        "ops.image.extract_patches(x)\ntar.next()",
        "get_file('x', 'https://a', file_hash=H, hash_algorithm=A)",
        "f = lambda x: x",
    ],
)
def test_what_only_looks_unsafe_is_let_be(text):
    assert unsafe(ast.parse(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n" + "    x = 1\n" * 31,
        "class A:\n  async def f():\n" + "    x = 1\n" * 31,
        "def f():\n  '''Says.'''\n  x = 1\n" + "\n" * 30 + "  y = 2",
    ],
)
def test_a_long_function_is_found(text):
    assert len(long_functions(ast.parse(text))) == 1


def test_a_long_docstring_makes_no_long_function():
    text = "def f():\n  '''" + "Says.\n" * 40 + "'''\n" + "  x = 1\n" * 30
    assert long_functions(ast.parse(text)) == []


def test_no_function_of_a_module_is_long():
    found = {place(path): long_functions(parse(path)) for path in MODULES}
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_module_or_notebook_is_unsafe():
    found = {place(path): unsafe(parse(path)) for path in MODULES + SCRIPTS}
    found = {name: faults for name, faults in found.items() if faults}
    # Its own modules, when one of their names is asked for.
    assert found.pop("vitlib/__init__.py") == ["import_module"]
    # Names of the standard QTI, which look like addresses and which nobody fetches.
    assert found == {"teaching/qti.py": [qti.IMS, qti.XSI]}


def test_the_modules_are_found():
    names = {place(path) for path in MODULES}
    assert {"vitlib/models/vit.py", "vitlib/checks/data.py"} <= names
    assert "experiments/train.py" in names
    scripts = {place(path) for path in SCRIPTS}
    assert {"notebooks/data.py", "notebooks/tools/execute.py"} <= scripts


def test_a_test_file_mirrors_a_module_or_is_listed():
    paths = [p.relative_to(ROOT / "vitlib") for p in ROOT.glob("vitlib/**/*.py")]
    modules = {p.stem for p in paths} | {part for p in paths for part in p.parts[:-1]}
    modules |= {f"checks_{p.stem}" for p in paths}  # a check is called as its chapter
    tests = {path.stem.removeprefix("test_") for path in ROOT.glob("tests/test_*.py")}
    assert tests - OTHER_TESTS - modules == set()


def module_name(path):
    """What a file is imported as: of vitlib, or of the folder of the tests."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part not in ("tests", "__init__"))


def loads(nodes):
    """The modules that statements import, packages around them included."""
    found = set()
    for node in nodes:
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module="vitlib", names=names):
                homes = [vitlib._HOMES.get(alias.name, alias.name) for alias in names]
                found |= {f"vitlib.{home}" for home in homes}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {f"{module}.{alias.name}" for alias in names}
    return {name[: end.start()] for name in found for end in re.finditer(r"\.|$", name)}


@cache
def imports():
    """What each module of vitlib and of the tests imports when it is imported."""
    paths = [*ROOT.glob("vitlib/**/*.py"), *ROOT.glob("tests/*.py")]
    return {module_name(path): loads(parse(path).body) for path in paths}


def loading_keras(graph):
    """Those of some modules, each with what it imports, that load Keras in the end."""
    found, more = set(), {"keras"}
    while more:
        found |= more
        more = {name for name, imported in graph.items() if imported & found} - found
    return found


def unmarked(tests):
    """The tests that load Keras and do not say whether they run on each backend."""
    trees = {name: ast.parse(text) for name, text in tests.items()}
    graph = imports() | {name: loads(ast.walk(tree)) for name, tree in trees.items()}
    found = loading_keras(graph) & tests.keys()
    return {name for name in found if "pytest.mark.backend" not in tests[name]}


def test_tests_that_load_keras_run_on_each_backend_or_are_listed():
    tests = {
        path.stem: path.read_text("utf-8") for path in ROOT.glob("tests/test_*.py")
    }
    assert unmarked(tests) == {f"test_{name}" for name in ON_ONE_BACKEND}


@pytest.mark.parametrize(
    "text",
    [
        "import keras",
        "def test():\n  from keras import ops",
        "from vitlib import build_vit",
        "from vitlib import checks",
        "from vitlib.layers import patches",
        "import vitlib.training.loop as loop",
        "from train_micro import MODEL",
    ],
)
def test_tests_that_load_keras_without_a_marker_are_found(text):
    assert unmarked({"test_new": text}) == {"test_new"}
    assert unmarked({"test_new": f"{text}\npytestmark = pytest.mark.backend"}) == set()


@pytest.mark.parametrize("text", ["from vitlib import PRESETS", "import numpy as np"])
def test_tests_without_keras_need_no_marker(text):
    assert unmarked({"test_new": text}) == set()


@pytest.fixture(scope="module")
def files():
    found = list_files()
    if not found:
        pytest.skip("this copy is not a git repository")
    assert ROOT / "pyproject.toml" in found
    return found


def machine_paths(text):
    return [match.group() for match in MACHINE_PATH.finditer(text)]


@pytest.mark.parametrize("folder", ["home", "root", "work", "Users"])
@pytest.mark.parametrize("before", ["", " ", '"', "=", "(", "file://", "C:"])
def test_a_path_of_a_machine_is_found(before, folder):
    assert machine_paths(f"{before}/{folder}/ada/notes.txt")


def test_a_path_of_a_windows_machine_is_found():
    assert machine_paths("C:" + "\\Users\\ada")
    assert machine_paths('"C:' + '\\\\Users\\\\ada"')


@pytest.mark.parametrize(
    "text",
    [
        "~/" + "work/x",
        "docs/home/x",
        "https://a.org/" + "work/x",
        "(/" + "home/|/" + "root/)",
    ],
)
def test_an_address_or_a_relative_path_is_no_path_of_a_machine(text):
    assert machine_paths(text) == []


def test_no_file_names_a_place_on_a_machine(files):
    found = {}
    for path in files:
        text = path.read_bytes().decode("utf-8", errors="replace")
        found |= {place(path): hits} if (hits := machine_paths(text)) else {}
    assert found == {}


def large(paths):
    return [path.name for path in paths if path.stat().st_size > MOST_BYTES]


def test_no_file_is_large(files):
    assert large(files) == []


def test_a_large_file_is_found(tmp_path):
    for name, size in (("small", MOST_BYTES), ("large", MOST_BYTES + 1)):
        (tmp_path / name).write_bytes(bytes(size))
    assert large(tmp_path.iterdir()) == ["large"]


def is_weights_or_archive(path):
    suffix = path.suffix.lower()
    return suffix in WEIGHTS | ARCHIVES or path.read_bytes()[:8].startswith(MAGIC)


def test_no_file_holds_weights_or_the_archive_of_cifar100(files):
    found = {place(path) for path in files if is_weights_or_archive(path)}
    # The page of the explorer runs them: tests/test_explorer.py has their size.
    assert found == {
        f"book/explorer/{name}.safetensors" for name in ("1d", "2d", "none")
    }


@pytest.mark.parametrize("name", ["w.weights.h5", "vit.keras", "cifar-100.tar.gz"])
def test_weights_and_archives_are_known_by_their_name(tmp_path, name):
    (tmp_path / name).write_text("no such thing")
    assert is_weights_or_archive(tmp_path / name)


@pytest.mark.parametrize("magic", MAGIC)
def test_weights_and_archives_are_known_by_what_they_hold(tmp_path, magic):
    (tmp_path / "notes.md").write_bytes(magic + b"rest")
    assert is_weights_or_archive(tmp_path / "notes.md")


def test_a_page_is_neither_weights_nor_an_archive(tmp_path):
    (tmp_path / "notes.md").write_text("# PK")
    assert not is_weights_or_archive(tmp_path / "notes.md")
