"""A small table that notebooks show: HTML for readers, plain text for tests."""

from dataclasses import dataclass
from html import escape
from numbers import Integral, Real


@dataclass(frozen=True)
class Table:
    """Rows of numbers and words under their column names.

    Integers are shown with thousands separated, floats with three significant digits.
    The first column is set to the left, the others to the right.

    Args:
        columns: Tuple of column names.
        rows: Sequence of tuples, one value a column.
    """

    columns: tuple
    rows: tuple

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Each row needs {len(self.columns)} values. Received: {row!r}."
                )

    def _lines(self):
        return [self.columns, *(tuple(map(_show, row)) for row in self.rows)]

    def __repr__(self):
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(_join(line, widths) for line in lines)

    def to_markdown(self):
        """The table for a README: one line of Markdown a row."""
        head, *rows = [f"| {' | '.join(line)} |" for line in self._lines()]
        sides = ["---", *["---:"] * (len(self.columns) - 1)]
        return "\n".join([head, f"| {' | '.join(sides)} |", *rows])

    def _repr_html_(self):
        head, *others = ["".join(map(_cell, enumerate(line))) for line in self._lines()]
        head = head.replace("<td", '<th scope="col"').replace("</td", "</th")
        rows = "".join(f"<tr>{row}</tr>" for row in others)
        body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        return f'<table class="dataframe">{body}</table>'  # as themes know it


def _show(value):
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        return f"{value:,}"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


def _join(line, widths):
    first, *others = (w.rjust(n) for w, n in zip(line, widths, strict=True))
    return "  ".join([first.strip().ljust(widths[0]), *others])


def _cell(place_and_text):
    place, text = place_and_text
    side = "right" if place else "left"
    return f'<td style="text-align: {side}">{escape(text)}</td>'
