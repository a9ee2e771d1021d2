"""The rules of the house that a program can check, over the code and all files."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 30  # of a function, its docstring not counted
MOST_BYTES = 2**20  # of a file
FOLDERS = ("vitlib", "experiments", "benchmarks", "teaching")
ASSIGNMENT = ROOT / "teaching/assignment/vit.py"  # a notebook
MODULES = {path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py")}
MODULES = sorted(MODULES - {ASSIGNMENT})
FRAMEWORKS = {"tensorflow", "torch", "jax"}
# Where a module needs what Keras does not have, and which framework has it.
NOT_IN_KERAS = {
    "vitlib/training/optimizer.py": ["tensorflow"],  # Adam in one operation
    "vitlib/training/parallel.py": ["jax", "tensorflow"],  # several devices
}
# Code that a reader runs beside these modules: held to the rules of safety alone.
SCRIPTS = [*ROOT.glob("notebooks/*.py"), *ROOT.glob("notebooks/tools/*.py")]
SCRIPTS = sorted([*SCRIPTS, ASSIGNMENT, ROOT / "conftest.py"])
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"}

# Tests of more than one module, or of what is no module of vitlib.
OTHER_TESTS = {
    "benchmarks",
    "book",
    "dead_units",
    "mutations",
    "editions",
    "findings",
    "kills",
    "fuzz",
    "instructors",
    "make",
    "notebooks",
    "project",
    "questions",
    "readme",
    "record_fields",
    "results",
    "scaling",
    "slides",
    "style",
    "sweep_script",
    "train_script",
    "vitlib",
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


def list_files():
    """The files that git holds or would take; in a copy without git, there are none."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def nodes(tree, *kinds):
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def functions(tree):
    return nodes(tree, ast.FunctionDef, ast.AsyncFunctionDef)


def name_of(node):
    return getattr(node, "id", getattr(node, "attr", None))


def imported(tree):
    """The outermost packages that a module imports, wherever it does."""
    names = [alias.name for node in nodes(tree, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes(tree, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def called(tree):
    """The bare names that a module calls, and the attributes, with a dot before."""
    calls = [node.func for node in nodes(tree, ast.Call)]
    bare = {node.id for node in calls if isinstance(node, ast.Name)}
    return bare | {f".{node.attr}" for node in calls if isinstance(node, ast.Attribute)}


def long_functions(tree):
    found = []
    for function in functions(tree):
        body = function.body[ast.get_docstring(function) is not None :]
        lines = function.end_lineno - body[0].lineno + 1 if body else 0
        found += [f"{function.name}: {lines} lines"] if lines > MOST_LINES else []
    return found


def without_docstring(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [node for node in tree.body if isinstance(node, kinds)]
    public = [node for node in public if not node.name.startswith("_")]
    named = [(node.name, node) for node in public] + [("the module", tree)]
    return [name for name, node in named if not ast.get_docstring(node)]


def pickling(tree):
    keywords = {node.arg for node in nodes(tree, ast.keyword)}
    return sorted(imported(tree) & PICKLES) + sorted(keywords & {"allow_pickle"})


def running_text(tree):
    named = {name_of(node) for node in nodes(tree, ast.Name, ast.Attribute)}
    return sorted(called(tree) & {"eval", "exec"}) + sorted(named & {"builtins"})


def lambda_layers(tree):
    aliases = {a.name for node in nodes(tree, ast.ImportFrom) for a in node.names}
    named = {name_of(node) for node in nodes(tree, ast.Name, ast.Attribute)}
    return sorted((named | aliases) & {"Lambda"})


def keywords(tree, name):
    """The values that a module passes by a name; None for what is computed."""
    passed = [node for node in nodes(tree, ast.keyword) if node.arg == name]
    return [getattr(node.value, "value", None) for node in passed]


def unsafe_loading(tree):
    """Models that may bring code along, and YAML that may make any object."""
    named = {name_of(node) for node in nodes(tree, ast.Name, ast.Attribute)}
    named |= {a.name for node in nodes(tree, ast.ImportFrom) for a in node.names}
    found = named & {"enable_unsafe_deserialization", "unsafe_load", "full_load"}
    found |= {
        f"safe_mode={value}" for value in keywords(tree, "safe_mode") if not value
    }
    whole = [
        node.func for node in nodes(tree, ast.Call) if name_of(node.func) == "load"
    ]
    owners = {name_of(getattr(func, "value", None)) for func in whole}
    return sorted(found) + sorted(owners & {"yaml", "pickle", "marshal"})


def shells(tree):
    passed = [value for value in keywords(tree, "shell") if value is not False]
    banned = {".system", ".popen", "popen", ".getoutput", "getoutput"}
    return sorted(called(tree) & banned) + ["shell"] * len(passed)


def unpacking(tree):
    """Archives written to the disk by names that the archive chooses."""
    banned = {"extract", "extractall", "unpack_archive"}
    return sorted(called(tree) & (banned | {f".{name}" for name in banned}))


def unchecked_downloads(tree):
    """Addresses without encryption, and downloads without a checksum."""
    texts = [node.value for node in nodes(tree, ast.Constant)]
    found = [text for text in texts if isinstance(text, str) and "http://" in text]
    for node in nodes(tree, ast.Call):
        if name_of(node.func) == "get_file":
            passed = {keyword.arg for keyword in node.keywords}
            found += [] if {"file_hash", "hash_algorithm"} <= passed else ["get_file"]
    banned = {"urlopen", "urlretrieve"}
    found += called(tree) & (banned | {f".{name}" for name in banned})
    return found + sorted(imported(tree) & {"requests", "httpx", "aiohttp", "ftplib"})


def wall_clocks(tree):
    """Clocks that somebody may set back, where a span of time is measured."""
    return sorted(called(tree) & {".time", ".time_ns"})


def frameworks(tree):
    hidden = {"import_module", ".import_module", "__import__"}
    return sorted(imported(tree) & FRAMEWORKS) + sorted(called(tree) & hidden)


each_module = pytest.mark.parametrize("path", MODULES, ids=place)
FORM = [long_functions, without_docstring]
SAFETY = [pickling, running_text, lambda_layers, unsafe_loading, shells, unpacking]
SAFETY += [unchecked_downloads, wall_clocks]
each_rule = pytest.mark.parametrize("faults", FORM + SAFETY)

BROKEN = [
    (long_functions, "def f():\n" + "    x = 1\n" * 31),
    (long_functions, "class A:\n  async def f():\n" + "    x = 1\n" * 31),
    (long_functions, "def f():\n  '''Says.'''\n  x = 1\n" + "\n" * 30 + "  y = 2"),
    (without_docstring, "'''Module.'''\ndef f(): pass"),
    (without_docstring, "'''Module.'''\nclass A: pass"),
    (without_docstring, "'''Module.'''\nasync def f(): pass"),
    (without_docstring, "x = 1"),
    (pickling, "import pickle"),
    (pickling, "def f():\n  from joblib import load"),
    (pickling, "np.load(path, allow_pickle=True)"),
    (running_text, "eval('1')"),
    (running_text, "def f():\n  exec('x = 1')"),
    (lambda_layers, "layers.Lambda(f)"),
    (lambda_layers, "from keras.layers import Lambda as L"),
    (unsafe_loading, "keras.saving.load_model(path, safe_mode=False)"),
    (unsafe_loading, "load_model(path, safe_mode=unsafe)"),
    (unsafe_loading, "keras.config.enable_unsafe_deserialization()"),
    (unsafe_loading, "from keras.config import enable_unsafe_deserialization as e"),
    (unsafe_loading, "yaml.load(text, Loader=yaml.Loader)"),
    (unsafe_loading, "def f():\n  yaml.unsafe_load(text)"),
    (shells, "subprocess.run(command, shell=True)"),
    (shells, "subprocess.run(command, shell=option)"),
    (shells, "os.system('ls')"),
    (unpacking, "tarfile.open(path).extractall()"),
    (unpacking, "tar.extract(member, folder)"),
    (unpacking, "shutil.unpack_archive(path)"),
    (unchecked_downloads, "URL = 'http://example.org/x'"),
    (unchecked_downloads, "URL = f'http://{host}/x'"),
    (unchecked_downloads, "keras.utils.get_file('x', URL)"),
    (unchecked_downloads, "get_file('x', URL, file_hash=H)"),
    (unchecked_downloads, "urllib.request.urlopen(URL)"),
    (unchecked_downloads, "import requests"),
    (wall_clocks, "start = time.time()"),
    (wall_clocks, "time.time_ns()"),
    (frameworks, "import tensorflow as tf"),
    (frameworks, "def f():\n  import torch.nn"),
    (frameworks, "from jax import numpy"),
    (frameworks, "importlib.import_module('jax')"),
]

UNBROKEN = [
    (long_functions, "def f():\n  '''" + "Says.\n" * 40 + "'''\n" + "  x = 1\n" * 30),
    (without_docstring, "'''Module.'''\ndef _f(): pass\nclass A:\n  '''Is.'''"),
    (running_text, "model.compile()\nast.literal_eval(x)\nmodel.eval()"),
    (lambda_layers, "f = lambda x: x"),
    (unsafe_loading, "load_model(p, safe_mode=True)\nyaml.safe_load(t)\nnp.load(p)"),
    (shells, "subprocess.run(['ls'], shell=False)\nplatform.system"),
    (unpacking, "ops.image.extract_patches(x)\ntar.next()"),
    (unchecked_downloads, "get_file('x', 'https://a', file_hash=H, hash_algorithm=A)"),
    (wall_clocks, "time.perf_counter()\ntime.monotonic()\ntime.sleep(1)"),
    (frameworks, "import keras\nPACKAGES = ('tensorflow', 'jax')"),
]


@pytest.mark.parametrize(("faults", "text"), BROKEN)
def test_a_broken_rule_is_found(faults, text):
    assert faults(ast.parse(text)) != []


@pytest.mark.parametrize(("faults", "text"), UNBROKEN)
def test_what_only_looks_broken_is_let_be(faults, text):
    assert faults(ast.parse(text)) == []


def test_every_rule_is_seen_to_find_a_fault_and_to_let_be_what_is_none():
    assert {rule for rule, _ in BROKEN} == {*FORM, *SAFETY, frameworks}
    assert {rule for rule, _ in UNBROKEN} >= {*SAFETY, frameworks} - {pickling}


@pytest.mark.parametrize("faults", SAFETY)
@pytest.mark.parametrize("path", SCRIPTS, ids=place)
def test_a_notebook_and_its_tools_keep_the_rules_of_safety(path, faults):
    assert faults(ast.parse(path.read_text(encoding="utf-8"))) == []


@each_rule
@each_module
def test_a_module_keeps_the_rules(path, faults):
    assert faults(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("vitlib/**/*.py")), ids=place)
def test_vitlib_is_written_with_keras_alone(path):
    found = frameworks(ast.parse(path.read_text(encoding="utf-8")))
    assert found == NOT_IN_KERAS.get(place(path), [])


def test_the_modules_are_found():
    names = {place(path) for path in MODULES}
    assert {
        "vitlib/models/vit.py",
        "vitlib/checks/data.py",
        "experiments/train.py",
    } <= names
    scripts = {place(path) for path in SCRIPTS}
    assert {"notebooks/data.py", "notebooks/tools/execute.py"} <= scripts


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/test_*.py")), ids=place)
def test_a_test_file_mirrors_a_module_or_is_listed(path):
    paths = [p.relative_to(ROOT / "vitlib") for p in ROOT.glob("vitlib/**/*.py")]
    modules = {p.stem for p in paths} | {part for p in paths for part in p.parts[:-1]}
    modules |= {f"checks_{p.stem}" for p in paths}  # a check is called as its chapter
    assert path.stem.removeprefix("test_") in OTHER_TESTS | modules


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
    ["~/work/x", "docs/home/x", "https://a.org/work/x", "(/" + "home/|/" + "root/)"],
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
    assert [place(path) for path in files if is_weights_or_archive(path)] == []


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
