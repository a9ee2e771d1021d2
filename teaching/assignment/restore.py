"""What a student wrote, put back into the notebook that was handed out.

Editors and students copy cells, delete them, or drop the metadata by which nbgrader
knows them. Here a cell is known by its mark, or else by what stands in it.
"""

import re
from collections import Counter, defaultdict

import nbformat


def mark(cell):
    """What nbgrader notes of a cell; empty if it notes nothing."""
    found = cell.get("metadata", {}).get("nbgrader")
    return found if isinstance(found, dict) else {}


def restore(handed_in, release, source):
    """Puts the cells of a student into the notebook as it was handed out.

    Args:
        handed_in: Notebook of a student, as `nbformat` reads it.
        release: Notebook that was handed out.
        source: Notebook of the instructor, with the hidden tests.

    Returns:
        Tuple: a notebook without outputs, in which the cells that grade are those of
        the instructor, and a list of sentences on what had been changed.

    Raises:
        ValueError: If no cell of the assignment is in it.
    """
    names = _recognise(handed_in, release)
    if not any(names):
        raise ValueError("The notebook must have cells of the assignment.")
    written, name_above = {}, None
    earlier, added = defaultdict(list), defaultdict(list)
    for cell, name in zip(handed_in.cells, names, strict=True):
        if name:
            if name in written and mark(written[name]).get("solution"):
                # Of two, the last is what Python defines; the first may help it.
                earlier[name].append(_plain(written[name]))
            written[name] = cell
            name_above = name
        elif cell.source not in {known.source for known in release.cells}:
            added[name_above].append(_plain(cell))
    graders = {mark(cell).get("grade_id"): cell.source for cell in source.cells}
    cells = added[None]
    for cell in release.cells:
        cell, name = nbformat.from_dict(cell), mark(cell).get("grade_id")
        if mark(cell).get("locked"):
            cell.source = graders[name]
        elif name in written:
            cell.source = written[name].source
            cell.update({k: v for k, v in written[name].items() if k == "attachments"})
        cells += [*earlier[name], cell, *(added[name] if name else [])]
    restored = nbformat.v4.new_notebook(cells=cells, metadata=release.metadata)
    nbformat.validate(restored)
    return restored, _changes(handed_in, release, names)


def _recognise(handed_in, release):
    """The name of each cell that is one of the assignment; None for the others."""
    known = {mark(cell)["grade_id"] for cell in release.cells if mark(cell)}
    names = [mark(cell).get("grade_id") for cell in handed_in.cells]
    names = [name if name in known else None for name in names]
    for number, cell in enumerate(handed_in.cells):
        above = handed_in.cells[number - 1].source if number else ""
        if names[number] is None:
            guess = _guess(cell, above, release)
            names[number] = None if guess in names else guess
    return names


def _guess(cell, above, release):
    """The name of a cell without a mark, by its text, its function, or its question."""
    question = ""
    for known in release.cells:
        name = mark(known).get("grade_id")
        if name and mark(known).get("locked") and known.source == cell.source:
            return name
        if name and mark(known).get("solution"):
            is_code = known.cell_type == cell.cell_type == "code"
            if is_code and re.search(rf"^def {name}\(", cell.source, re.MULTILINE):
                return name
            if known.cell_type == cell.cell_type == "markdown" and question == above:
                return name
        question = known.source
    return None


def _plain(cell):
    """A cell as one that the student has added."""
    if cell.cell_type == "code":
        return nbformat.v4.new_code_cell(cell.source)
    return nbformat.v4.new_markdown_cell(cell.source)


def _changes(handed_in, release, names):
    """Sentences on the cells that were not as they had been handed out."""
    marks = [mark(cell).get("grade_id") for cell in handed_in.cells]
    known = [mark(cell)["grade_id"] for cell in release.cells if mark(cell)]
    found, marked = Counter(names), Counter(marks)
    groups = {
        "missing": [name for name in known if not found[name]],
        "there more than once, of which the last counts": [
            name for name in known if found[name] > 1
        ],
        "known by its text alone, for its mark is lost": [
            name for name in known if found[name] and not marked[name]
        ],
    }
    return [f"{_list(group)}: {what}." for what, group in groups.items() if group]


def _list(names):
    return ", ".join(names) if len(names) < 6 else f"{len(names)} cells"
