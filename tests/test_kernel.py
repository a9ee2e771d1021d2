"""Notebooks run in the course's kernels, whatever the user has set."""

import ast
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import execute
import nbformat
import pytest
from kernel import course_kernels

ROOT = Path(__file__).resolve().parents[1]
CODE = """\
import sys

import matplotlib
import matplotlib.pyplot as plt

1
sys.executable, matplotlib.get_backend(), plt.rcParams["lines.linewidth"]\
"""


@pytest.fixture
def own_settings(tmp_path, monkeypatch):
    """A home where everything that reaches a kernel is set in another way."""
    files = {
        ".ipython/profile_default/ipython_config.py": (
            "c = get_config()\nc.InteractiveShell.ast_node_interactivity = 'all'\n"
        ),
        ".ipython/profile_default/startup/0.py": "raise SystemExit(1)\n",
        ".config/matplotlib/matplotlibrc": "backend: svg\nlines.linewidth: 9\n",
        ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["false"], "display_name": "mine", "language": "python"}
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for name in ("IPYTHONDIR", "JUPYTER_PATH", "MATPLOTLIBRC", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "none.py").write_text("plot = 1\n")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "none.py"))


@pytest.mark.usefixtures("own_settings")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_settings_of_the_user_do_not_reach_a_notebook(tmp_path):
    cell = nbformat.v4.new_code_cell(CODE)
    plot = nbformat.v4.new_code_cell("plt.plot([0, 1])\nplt.show()")
    source, target = tmp_path / "a.ipynb", tmp_path / "out/a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, plot]), source)
    assert execute.execute(source, target) is None
    shown, figure = nbformat.read(target, as_version=4).cells
    (result,) = shown.outputs  # of the last line alone
    python, backend, width = ast.literal_eval(result.data["text/plain"])
    assert (python, width) == (sys.executable, 1.5) and "inline" in backend
    assert "image/png" in figure.outputs[-1].data


def test_afterwards_the_environment_is_as_it_was():
    before = dict(os.environ)
    with course_kernels():
        assert os.environ["JUPYTER_PATH"] != before.get("JUPYTER_PATH")
    assert dict(os.environ) == before


def test_cells_keep_their_order_beside_other_plugins(pytestconfig):
    plugins = map(str.strip, pytestconfig.getoption("plugins"))
    assert {"no:asyncio", "no:randomly"} <= set(plugins)
    option = SimpleNamespace(numprocesses=2, dist="no", loadscopereorder=True)
    settings = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    settings.pytest_cmdline_main(SimpleNamespace(option=option))
    assert option.dist == "loadfile" and not option.loadscopereorder
