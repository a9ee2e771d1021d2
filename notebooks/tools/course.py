"""What `make` does, with the Python that runs this file: of conda, uv, an image or a hub.

python notebooks/tools/course.py run
python notebooks/tools/course.py notebooks patches
python notebooks/tools/course.py book --out ~/my-course
python notebooks/tools/course.py test --dry-run
"""

import argparse
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import publishing

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXECUTE = "notebooks/tools/execute.py"
JUPYTER_BOOK = ("-c", "from jupyter_book.cli.main import main; main()")
BOOK = (*JUPYTER_BOOK, "build", "book", "-W", "-n", "--keep-going")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Of the tests that compute on the backend, those for one backend alone.
COMPUTING = (
    "dropout normalize patches provenance train_script training".split()
)
# The programs of teaching/, and where in the editions each writes.
EDITIONS = {"editions": "", "slides": "slides", "questions": ""}
NEEDED = "jupyter_book jupytext keras papermill pytest ruff xdist yaml".split()


def has(module):
    """Whether this Python has a module."""
    return importlib.util.find_spec(module) is not None


def python(options, *arguments, log=None, folder=ROOT, **environment):
    """Runs Python in a folder of the course; the first that fails ends it all.

    What it says as an error goes to the file `log`, if there is one, and is shown if it
    fails.
    """
    words = [f"{k}={v}" for k, v in environment.items()] + [sys.executable]
    print(shlex.join([*words, *map(str, arguments)]), flush=True)
    if options.dry_run:
        return
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext() if log is None else log.open("w") as errors:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env=os.environ | environment,
            stderr=errors,
        )
    if done.returncode:
        sys.stderr.write("" if log is None else log.read_text())
        raise SystemExit(done.returncode)


def paths(options, suffix):
    """The notebooks that were named, or all."""
    found = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
    for name in options.names:
        if name not in found:
            raise SystemExit(
                f"A notebook must be one of {found}. Received: {name!r}."
            )
    return [f"notebooks/{name}{suffix}" for name in options.names or found]


def run(options):
    """Runs notebooks on the embedded images, then builds the book."""
    out = options.out / "runs/quick"
    python(options, EXECUTE, "--out", out, *paths(options, ".ipynb"))
    book(options)


def place(options):
    """Where the book is built: without solutions in a folder with nothing of them."""
    is_whole = os.environ.get("SOLUTIONS", "yes") == "yes"
    return (
        options.out if is_whole else options.out / "_build/without-solutions"
    )


def book(options):
    """Builds the pages of the committed notebooks; warnings are errors."""
    out = place(options)
    python(options, *BOOK, "--all", "--path-output", out)
    print(f"Open {out / '_build/html/index.html'}")


def pdf(options):
    """Prints the book with a browser."""
    browser = chromium()
    if not browser:
        raise SystemExit(
            "make pdf prints with Chromium, and finds none. Install it (Debian: apt "
            "install chromium), or name it: make pdf CHROMIUM=/path/to/chrome"
        )
    build = place(options) / "_build"
    target = build / "book.pdf"
    single = ("--builder", "singlehtml", "--path-output", build.parent)
    python(options, *BOOK, *single)
    page = f"file://{build / 'singlehtml/index.html'}"
    flags = "--headless --no-sandbox --disable-gpu --no-first-run"
    flags += " --no-pdf-header-footer --generate-pdf-document-outline"
    flags += " --virtual-time-budget=60000"
    files = [
        f"--user-data-dir={build / 'chromium'}",
        f"--print-to-pdf={target}",
    ]
    command = [browser, *flags.split(), *files, page]
    if not options.dry_run:
        target.unlink(missing_ok=True)  # the browser may fail without a word
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        target.write_bytes(name_once(target.read_bytes()))
    print(f"Open {target}")


def name_once(pdf):
    """Halves the titles that the outline of a PDF of Chromium holds twice in a row.

    It names a heading twice where it has laid out its page anew. Spaces take the place
    of what goes, for the file lists where everything in it stands.
    """
    return re.sub(
        rb"/Title \((.+)\1\)",
        lambda title: b"/Title (" + title[1] + b")" + b" " * len(title[1]),
        pdf,
    )


def chromium():
    """The browser that is named, or one that is installed."""
    found = (shutil.which(name) for name in BROWSERS)
    return os.environ.get("CHROMIUM", next(filter(None, found), ""))


def editions(options):
    """Writes the chapters for students, tutors and instructors."""
    for program in EDITIONS:
        python(options, f"teaching/{program}.py")


def release(options):
    """Makes all that a version publishes, and gathers it in one folder."""
    publishing.check_tag(os.environ.get("TAG"))
    build = place(options) / "_build"
    fresh = build / "editions"  # those in editions/ may be somebody's work
    if not options.dry_run:
        shutil.rmtree(fresh, ignore_errors=True)
    book(options)
    pdf(options)
    for program, part in EDITIONS.items():
        python(options, f"teaching/{program}.py", "--out", fresh / part)
    if not options.dry_run:
        publishing.gather(build)
    print(f"Publish {build / 'release'}")


def assignment(options):
    """Makes the students' version of the graded assignment."""
    source = ROOT / "editions/grading/source/vit/vit.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    jupytext = ("jupytext", "--quiet", "--to", "ipynb", "--output", source)
    python(options, "-m", *jupytext, "teaching/assignment/vit.py")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    nbgrader = ("-m", "nbgrader", "generate_assignment", "vit", "--force")
    python(
        options, *nbgrader, folder=ROOT / "teaching/assignment", PATH=programs
    )
    print(f"Hand out {ROOT / 'editions/grading/release/vit/vit.ipynb'}")


def grade(options):
    """Grades what students handed in, each one's code in a process of its own."""
    names = os.environ.get("STUDENTS", "").split()
    words = [word for name in names for word in ("--student", name)]
    if os.environ.get("UNSEALED"):
        words.append("--with-my-rights")
    python(options, "teaching/assignment/grade.py", *words)


def workers():
    """As many tests side by side as cores, or as the variable says."""
    return ("-n", os.environ.get("PYTEST_WORKERS", "auto"))


def compiled(options):
    """The tests train the same small models; JAX compiles each once, and quickly."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(options.out / "runs/compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # What runs for a moment need not be fast: 2/3 of the processor time.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }


def test(options):
    """Runs what computes on JAX, then all tests and notebooks on TensorFlow."""
    cache = f"cache_dir={options.out / '.pytest_cache'}"
    pytest = ("-m", "pytest", *workers(), "-o", cache)
    if has("jax"):
        settings = {"KERAS_BACKEND": "jax", **compiled(options)}
        python(options, *pytest, "tests", "-m", "backend", **settings)
    if has("tensorflow"):
        settings = {
            "KERAS_BACKEND": "tensorflow",
            "TF_ENABLE_ONEDNN_OPTS": "0",
        }
        python(options, *pytest, "--nbval", **settings)
    else:
        print("The other tests compare with outputs of TensorFlow.")


def test_alone(options):
    """Trains, runs a notebook and tests where one backend is installed alone."""
    if has("jax") and has("tensorflow"):
        raise SystemExit(
            "test-alone needs an environment with one backend. Received: "
            f"{sys.prefix}, which has both JAX and TensorFlow; delete it, or use a "
            "fresh one."
        )
    os.environ.pop("KERAS_BACKEND", None)  # the programs choose by themselves
    out = options.out / "runs/alone"
    few = ("--epochs=2", "--steps-per-epoch=10", "--force", f"--out={out}")
    python(options, "experiments/train.py", "tiny", *few)
    python(options, EXECUTE, "--out", out, "notebooks/data.ipynb")
    tests = [f"tests/test_{name}.py" for name in COMPUTING]
    python(options, "-m", "pytest", *workers(), *tests, **compiled(options))


def test_browser(options):
    """Opens the book and the slides in a browser."""
    options.out = ROOT  # where they look
    for make in (book, pdf, editions):
        make(options)
    settings = {"CHROMIUM": chromium()}
    python(options, "-m", "pytest", *workers(), "tests/browser", **settings)


def test_grading(options):
    """Grades the assignment of made-up students."""
    python(options, "-m", "pytest", "tests/grading")


def lint(options):
    """Checks style and format."""
    python(options, "-m", "ruff", "check", ".")
    python(options, "-m", "ruff", "format", "--check", ".")


def gpu_check(options):
    """Says whether Keras sees a GPU, and if not, why."""
    log = options.out / "runs/gpu-check.log"
    check = "notebooks/tools/gpu_check.py"
    # Where it sees none, the lines of the backend tell why.
    python(options, check, log=log, TF_CPP_MIN_LOG_LEVEL="0")


def full(options):
    """Runs notebooks at the report's sizes on a GPU."""
    gpu_check(options)
    out = options.out / "runs/full"
    profile = ("--profile", "notebooks/profiles/full.yml")
    python(options, EXECUTE, "--out", out, *profile, *paths(options, ".ipynb"))


def notebooks(options):
    """Brings each .ipynb up to its .py, formats both, runs it, strips the noise."""
    scripts, pairs = paths(options, ".py"), paths(options, ".ipynb")
    jupytext = ("-m", "jupytext", "--quiet", "--to")
    python(options, *jupytext, "ipynb", "--update", *scripts)
    python(options, "-m", "ruff", "format", "--quiet", *pairs)
    # As JupyterLab would write it, which refuses to open a pair that differs.
    python(options, *jupytext, "py:percent", *pairs)
    python(options, EXECUTE, "--in-place", *pairs)


PROGRAMS = (run, book, pdf, editions, release, assignment, grade, test)
PROGRAMS += (test_alone, test_browser, test_grading, lint, gpu_check, full)
PROGRAMS += (notebooks,)
COMMANDS = {make.__name__.replace("_", "-"): make for make in PROGRAMS}


def check_environment():
    """Stops where this Python lacks what the course needs, or runs another one's."""
    missing = [module for module in ("vitlib", *NEEDED) if not has(module)]
    if not has("tensorflow") and not has("jax"):
        missing.append("tensorflow or jax")
    if missing:
        raise SystemExit(
            f"{sys.executable} must have what the course needs; in {ROOT}, type "
            "`make setup` (where the folder was renamed, delete .venv first), or for "
            "any other environment `python -m pip install -r requirements.txt -c "
            "constraints.txt` and `python -m pip install --no-deps --editable .`. "
            f"Received: a Python without {', '.join(missing)}."
        )
    from vitlib.folders import require_own

    require_own(ROOT)


def main(arguments=None):
    """Does what the command line says."""
    lines = re.findall(
        r"^(\S+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.M
    )
    told = [f"  {name:14}{line}" for name, line in lines if name in COMMANDS]
    parser = argparse.ArgumentParser(
        description="\n".join([__doc__, *told]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command")
    parser.add_argument("names", nargs="*", help="notebooks, such as patches")
    parser.add_argument(
        *("--out", "-o"),
        type=lambda text: Path(text).expanduser().resolve(),
        default=ROOT,
        help="write _build and runs into this folder, and not into the course",
    )
    parser.add_argument("--dry-run", action="store_true", help="only show it")
    options = parser.parse_args(arguments)
    takes_names = run, full, notebooks
    if options.names and COMMANDS[options.command] not in takes_names:
        parser.error(f"{options.command} takes no names of notebooks")
    check_environment()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no banner in the outputs
    if not has("tensorflow"):
        os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras takes the other
    COMMANDS[options.command](options)


if __name__ == "__main__":
    main()
