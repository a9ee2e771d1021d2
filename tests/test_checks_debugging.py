"""The programs of the chapter on defects themselves, before and after the repair."""

import ast
from pathlib import Path

import pytest

from vitlib import checks

pytestmark = pytest.mark.backend

SCRIPT = Path(__file__).parents[1] / "notebooks/debugging.py"
PROGRAMS = {  # the defective program of each exercise
    "deviation": "deviation",
    "variant": "variant",
    "patches": "make_patches",
    "block": "block",
    "attention": "attention",
    "weights": "first_weights",
    "mix": "mix",
    "path": "path",
    "loss": "loss",
    "accuracy": "accuracy",
}


@pytest.fixture(scope="module")
def chapter():
    """The functions of the chapter, which is not run otherwise."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    tree = ast.parse(SCRIPT.read_text("utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, kinds)]
    names = {}
    exec(compile(tree, str(SCRIPT), "exec"), names)
    return names


def test_every_check_of_the_chapter_has_its_program():
    names = {name for name in checks.__all__ if name.startswith("check_repaired_")}
    assert names == {f"check_repaired_{name}" for name in PROGRAMS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_handed_in_as_it_was_is_recognised(chapter, name):
    check = getattr(checks, f"check_repaired_{name}")
    assert check(chapter[PROGRAMS[name]]).sentence.startswith("Not yet: this still ")


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_repair_of_the_chapter_is_right(chapter, name):
    assert getattr(checks, f"check_repaired_{name}")(chapter[f"repaired_{name}"])
