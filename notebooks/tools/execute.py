"""Run notebooks with papermill, and keep what comes out free of noise.

    execute.py --out runs/quick
    execute.py --out runs/full --profile notebooks/profiles/full.yml
    execute.py --in-place notebooks/patches.ipynb

Each result goes to OUT/NAME.ipynb. A notebook that fails is kept as
OUT/NAME.failed.ipynb, so that it never takes the place of a good one; its first line
says what failed, and the exit status is 1. Without names all notebooks run.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from kernel import course_kernels

from vitlib.folders import require_own

NOTEBOOKS = Path(__file__).resolve().parents[1]
GPU_CHECK = Path(__file__).with_name("gpu_check.py")
CELL_TIMEOUT = (
    7200  # seconds; a training on a GPU may take hours, a hang may not
)
UNFINISHED = "This run has not come to its end: it goes on, or it was killed."
# No banner of the C++ part in the outputs.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
# The same digits on every x86 processor; slower, so the larger profiles do without.
EXACT = {"TF_ENABLE_ONEDNN_OPTS": "0"}
KEPT_METADATA = {"kernelspec", "jupytext", "language_info"}
KEPT_CELL_METADATA = {"tags", "mystnb"}


def normalise(notebook):
    """Drops from a run notebook what differs between two runs or machines.

    Kernel, language and pairing stay, and each cell's tags, captions, outputs and
    execution count. Timings, versions and stderr go.
    """
    metadata = notebook.metadata
    for key in set(metadata) - KEPT_METADATA:
        del metadata[key]
    metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        for key in set(cell.metadata) - KEPT_CELL_METADATA:
            del cell.metadata[key]
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell.outputs = [
                o for o in cell.outputs if o.get("name") != "stderr"
            ]
    return notebook


def execute(source, target, profile=None):
    """Runs `source` into `target`, whole or not at all.

    Args:
        source: Path of the notebook.
        target: Path of the result; may be `source` itself.
        profile: Path of a YAML file with parameters, or None for the defaults.

    Returns:
        None, or the path of the failed notebook.
    """
    import nbformat
    import papermill

    target.parent.mkdir(parents=True, exist_ok=True)
    failed = target.with_suffix(".failed.ipynb")
    marked = nbformat.read(source, as_version=4)
    first = nbformat.v4.new_markdown_cell(UNFINISHED)
    marked.cells.insert(0, first)
    try:
        with course_kernels():
            notebook = papermill.execute_notebook(
                marked,
                str(failed),
                parameters=_parameters(source, profile),
                kernel_name="python3",
                cwd=str(source.parent),
                execution_timeout=CELL_TIMEOUT,
                coalesce_streams=True,  # a busy kernel sends text in pieces
            )
    except (papermill.PapermillException, RuntimeError, TimeoutError) as error:
        lines = str(error).strip().splitlines()
        # A time limit is told first, an error after the code that raised it.
        reason = lines[0 if isinstance(error, TimeoutError) else -1]
        sys.stderr.write(f"{source.name} failed, see {failed}: {reason}\n")
        _mark(failed, first.id, f"This run failed: {reason}")
        return failed
    notebook.cells = [cell for cell in notebook.cells if cell.id != first.id]
    nbformat.write(normalise(notebook), failed)
    failed.replace(target)
    return None


def _mark(path, cell_id, text):
    """Lets a failed notebook begin with the reason."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    rest = [cell for cell in notebook.cells if cell.id != cell_id]
    notebook.cells = [nbformat.v4.new_markdown_cell(text), *rest]
    nbformat.write(notebook, path)


def _parameters(source, profile):
    """Returns the profile without the parameters that only other notebooks have."""
    if profile is None:
        return {}
    import papermill

    from vitlib.notebook import PARAMETERS

    values = _read(profile)
    own = papermill.inspect_notebook(str(source))
    return {k: v for k, v in values.items() if k in own or k not in PARAMETERS}


def _read(profile):
    """Returns what a profile sets, or says that the file is no profile."""
    import yaml

    fault = ""
    try:
        values = yaml.safe_load(profile.read_text("utf-8")) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        values, fault = None, f" ({' '.join(str(error).split())})"
    if type(values) is not dict or not all(map(_is_name, values)):
        raise ValueError(
            f"{profile} must hold parameters, one `name: value` a line. "
            f"Received: something else{fault}."
        )
    return values


def _has_its_gpu(profile):
    """Whether the machine has the GPU that the full profile needs, or says it.

    In a process of its own, for TensorFlow takes all memory of a GPU it looks at.
    """
    if profile is None or _read(profile).get("profile") != "full":
        return True
    return subprocess.call([sys.executable, GPU_CHECK]) == 0


def _is_name(key):
    return type(key) is str and key.isidentifier()


def main(arguments=None):
    """Runs the notebooks that the command line names.

    Returns:
        0; 1 when a notebook failed; 2 when the profile needs a GPU and there is none.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="folder of the results")
    where.add_argument(
        "--in-place", action="store_true", help="replace the outputs"
    )
    parser.add_argument(
        "--profile", type=Path, help="a file of notebooks/profiles/"
    )
    options = parser.parse_args(arguments)
    require_own(NOTEBOOKS.parent)
    os.environ.update(QUIET)
    if importlib.util.find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # for the kernels
    if not _has_its_gpu(options.profile):
        return 2
    if options.profile is None:
        os.environ.update(EXACT)
    sources = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    sources = [
        path for path in sources if not path.name.endswith(".failed.ipynb")
    ]
    failed = []
    for source in sources:
        target = source if options.in_place else options.out / source.name
        print(f"{source.name} -> {target}", flush=True)
        failed.append(execute(source, target, options.profile))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
