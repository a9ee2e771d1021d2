"""Turn the markup of the book into Markdown that every reader of notebooks shows.

The chapters are written in MyST, which Jupyter Book understands: `{term}`, `{cite:p}`,
`:::{exercise}`. JupyterLab shows those words as they stand. Here they become plain text
that says the same.
"""

import re
from pathlib import Path

from markup import name_sources

BOOK = Path(__file__).resolve().parents[1] / "book"
TITLE = re.compile(r"^(?:# )?\((sec-[\w-]+)\)=\n(?:# )?#+ (.+)", re.MULTILINE)
EXERCISE = re.compile(
    r":::\{exercise\} (?P<title>.+)\n:label: (?P<label>\S+)\n\n(?P<text>(?s:.+?))\n:::"
)
SOLUTION = re.compile(r":::\{solution-start\} (\S+)\n:class: dropdown\n:::")
ADMONITION = re.compile(
    r":::\{admonition\} (?P<title>.+)\n(?::class: .+\n)?(?P<text>(?s:.+?))\n:::"
)
EQUATION = re.compile(r"\n\$\$ \((eq-[\w-]+)\)")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
LINK = re.compile(r"\[([^\]]*)\]\(#([\w-]+)\)")


def read_titles(folder=BOOK):
    """The titles of the book's pages by the names that links have for them."""
    paths = [*folder.glob("*.md"), *folder.glob("notebooks/*.py")]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return dict(pair for text in texts for pair in TITLE.findall(text))


def read_names(notebook):
    """What a text says for each figure, equation and exercise of a chapter."""
    text = "\n\n".join(cell.source for cell in notebook.cells)
    figures = [figure_of(cell) for cell in notebook.cells]
    names = [figure["name"] for figure in figures if figure]
    exercises = enumerate(EXERCISE.finditer(text), 1)
    return {
        **{name: f"Figure {n}" for n, name in enumerate(names, 1)},
        **{name: f"({n})" for n, name in enumerate(EQUATION.findall(text), 1)},
        **{m["label"]: f"Exercise {n}: {m['title']}" for n, m in exercises},
    }


class Plain:
    """Writes the Markdown of one chapter.

    Args:
        name: String, the chapter's, such as `"data"`.
        chapters: Dict: name of a chapter, notebook. A text may point to all of them.
    """

    def __init__(self, name, chapters):
        self.authors = name_sources(BOOK / "references.bib")
        self.texts = read_titles()
        for other, notebook in chapters.items():
            place = "" if other == name else f" of *{self.texts[f'sec-{other}']}*"
            names = read_names(notebook).items()
            self.texts |= {key: f"{text}{place}" for key, text in names}

    def markdown(self, source):
        """Returns a cell's text without the markup of the book."""
        source = re.sub(r"^\(sec-[\w-]+\)=\n", "", source, flags=re.MULTILINE)
        source = EXERCISE.sub(self._exercise, source)
        source = SOLUTION.sub(lambda m: f"### {self.texts[m[1]]}, solution", source)
        source = re.sub(r":::\{solution-end\}\n:::\n*", "", source)
        source = ADMONITION.sub(self._box, source)
        source = EQUATION.sub(lambda m: f"\n\\tag{self._tag(m[1])}\n$$", source)
        source = LINK.sub(self._link, source)
        return ROLE.sub(self._role, source).strip()

    def caption(self, figure):
        """Returns the line below a figure."""
        caption = ROLE.sub(self._role, figure["caption"])
        return f"*{self.texts[figure['name']]}.* {caption}"

    def _tag(self, name):
        return "{" + self.texts[name].strip("()") + "}"

    def _exercise(self, match):
        return f"### {self.texts[match['label']]}\n\n{match['text'].strip()}"

    def _box(self, match):
        lines = [f"**{match['title']}**", "", *match["text"].strip().splitlines()]
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def _link(self, match):
        return match[1] or f"*{self.texts[match[2]]}*"

    def _role(self, match):
        role, text = match.groups()
        if role == "term":
            return re.sub(r" <.+>$", "", text)
        if role == "class":
            return f"`{text.split('.')[-1]}`"
        if role in ("numref", "eq", "ref"):
            return self.texts[text]
        if role in ("cite:t", "cite:p"):
            return self._cite(role, text.split(","))
        raise ValueError(
            "A role in a chapter must be one of term, class, numref, eq, ref, cite:t "
            f"and cite:p, which have plain words. Received: {match[0]!r}."
        )

    def _cite(self, role, keys):
        sources = [self.authors[key.strip()] for key in keys]
        if role == "cite:t":
            return " and ".join(f"{names} ({year})" for names, year in sources)
        return f"({'; '.join(f'{names}, {year}' for names, year in sources)})"


def figure_of(cell):
    """Name and caption of the figure that a cell draws, or None."""
    return cell.metadata.get("mystnb", {}).get("figure")
