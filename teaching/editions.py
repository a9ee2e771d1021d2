"""Make the chapters as students, as their tutors and as instructors want them.

    python teaching/editions.py

One source gives three editions, by the tags of its cells:

* `editions/student/`: without solutions, outputs, and the cells tagged `answers`. Each
  exercise has an empty function, made from the cells tagged `solution`, and below it
  the cell tagged `check`.
* `editions/solutions/`: with solutions and outputs.
* `editions/instructor/`: the same, with the notes in the cells tagged `instructor`.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

import nbformat
from plain import EXERCISE, Plain, figure_of

from vitlib.folders import require_own
from vitlib.records.files import digest, replacing

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"findings", "results", "speed"}  # they show records and teach nothing
EDITIONS = ("student", "solutions", "instructor")
SOLUTIONS = "\n## Solutions\n"
START, END = ":::{solution-start} ", ":::{solution-end}"


def read_chapters(folder=ROOT / "notebooks"):
    """Reads the notebooks of all chapters.

    Returns:
        Dict: name of a chapter, notebook.
    """
    paths = sorted(path.with_suffix(".ipynb") for path in folder.glob("*.py"))
    return {
        path.stem: nbformat.read(path, as_version=4)
        for path in paths
        if path.stem not in PAGES
    }


def tags(cell):
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def read_solutions(notebook):
    """The cells between the start and the end of each solution, by its exercise."""
    solutions, label = {}, None
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and START in cell.source:
            label = re.search(re.escape(START) + r"(\S+)", cell.source)[1]
            solutions[label] = []
        if label:
            solutions[label].append(cell)
        if cell.cell_type == "markdown" and END in cell.source:
            label = None
    return solutions


def stub(source):
    """Empties the functions of a solution.

    Args:
        source: String. Code that defines functions, each with a docstring.

    Returns:
        The same code with a signature and a docstring for each, and nothing else.
    """
    lines = source.splitlines()
    functions = [node for node in ast.parse(source).body]
    return "\n\n\n".join(
        "\n".join(lines[node.lineno - 1 : node.body[0].end_lineno])
        + "\n    raise NotImplementedError"
        for node in functions
    )


def exercise_cells(label, solution):
    """The cells that stand below an exercise: what to fill in, and the check."""
    cells = []
    for kind, change in (("solution", stub), ("check", str)):
        for cell in solution:
            if kind in tags(cell):
                cells.append(nbformat.v4.new_code_cell(change(cell.source)))
    for number, cell in enumerate(cells):
        cell.id = f"{label}-{number}"
    return cells


def split_at_exercises(cell, solutions):
    """A cell of text, cut below each exercise, and the cells that belong there."""
    cells, start = [], 0
    for match in EXERCISE.finditer(cell.source):
        cells.append(_text(cell, cell.source[start : match.end()], len(cells)))
        cells += exercise_cells(match["label"], solutions[match["label"]])
        start = match.end()
    rest = cell.source[start:]
    return [*cells, _text(cell, rest, len(cells))] if rest.strip() else cells


def _text(cell, source, number):
    text = nbformat.v4.new_markdown_cell(source)
    text.id = f"{cell.id}-{number}" if number else cell.id
    return text


def student_cells(notebook):
    """The cells of a chapter for those who have not solved it."""
    solutions = read_solutions(notebook)
    hidden = {cell.id for cells in solutions.values() for cell in cells}
    cells = []
    for cell in notebook.cells:
        if cell.id in hidden or tags(cell) & {"answers", "instructor"}:
            continue
        if cell.cell_type == "markdown":
            cell.source = cell.source.split(SOLUTIONS)[0]
            cells += split_at_exercises(cell, solutions)
        else:
            cell.outputs, cell.execution_count = [], None
            cells.append(cell)
    return cells


def edition(notebook, kind, plain):
    """Makes one edition of a chapter.

    Args:
        notebook: The chapter, as `nbformat` reads it.
        kind: `"student"`, `"solutions"` or `"instructor"`.
        plain: `Plain` of the chapter.

    Returns:
        A new notebook.
    """
    made = nbformat.from_dict(notebook)
    kept = ("kernelspec", "language_info")
    made.metadata = {key: notebook.metadata[key] for key in kept}
    if kind == "student":
        made.cells = student_cells(made)
    elif kind == "solutions":
        made.cells = [cell for cell in made.cells if "instructor" not in tags(cell)]
    made.cells = [shown for cell in made.cells for shown in _shown(cell, plain)]
    made.metadata["course"] = {"edition": kind, "digest": digest(_sources(made))}
    nbformat.validate(made)
    return made


def _shown(cell, plain):
    """A cell as JupyterLab shows it, and the caption below a figure."""
    figure = figure_of(cell)
    kept = tags(cell) & {"parameters", "instructor"}
    cell.metadata = nbformat.from_dict({"tags": sorted(kept)} if kept else {})
    if cell.cell_type == "markdown":
        cell.source = plain.markdown(cell.source)
        return [cell] if cell.source else []
    cell.source = cell.source.replace('"../', '"../../')  # one folder deeper
    if not figure:
        return [cell]
    caption = nbformat.v4.new_markdown_cell(plain.caption(figure))
    caption.id = figure["name"]
    return [cell, caption]


def _sources(notebook):
    return [cell.source for cell in notebook.cells]


def is_edited(path):
    """Whether a notebook was changed since this program wrote it."""
    if not path.exists():
        return False
    notebook = nbformat.read(path, as_version=4)
    written = notebook.metadata.get("course", {}).get("digest")
    return digest(_sources(notebook)) != written


def main(argv=None):
    """Writes all editions; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "editions")
    out = parser.parse_args(argv).out
    chapters = read_chapters()
    targets = [out / kind / f"{name}.ipynb" for kind in EDITIONS for name in chapters]
    edited = [path for path in targets if is_edited(path)]
    for path in edited:
        print(f"Kept {path}: somebody worked in it. To renew it, move it away first.")
    for path in (path for path in targets if path not in edited):
        plain = Plain(path.stem, chapters)
        made = edition(chapters[path.stem], path.parent.name, plain)
        with replacing(path) as file:
            file.write(f"{nbformat.writes(made)}\n".encode())
    count = len(targets) - len(edited)
    print(f"Wrote {count} notebooks, {', '.join(EDITIONS)}, to {out}.")
    return 0


if __name__ == "__main__":
    require_own(ROOT)
    sys.exit(main())
