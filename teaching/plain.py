"""Turn the markup of the book into Markdown that every reader of notebooks shows.

The chapters are written in MyST, which Jupyter Book understands: `{term}`, `{cite:p}`,
`:::{exercise}`. JupyterLab shows those words as they stand. Here they become plain text
that says the same. `READER` makes HTML of it, with formulas for MathJax.
"""

import re
from html import escape
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pybtex.database import parse_file
from pybtex.richtext import Text

BOOK = Path(__file__).resolve().parents[1] / "book"
# The chapters, in their order: the notebooks of the first part of the book.
COURSE = yaml.safe_load((BOOK / "_toc.yml").read_text("utf-8"))["parts"][0]["chapters"]
CHAPTERS = tuple(
    Path(page["file"]).name for page in COURSE if page["file"].startswith("notebooks/")
)
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
TARGET = re.compile(r"\s*<[^<>]+>$")  # of a role: text <target>
LINK = re.compile(r"\[([^\]]*)\]\(#([\w-]+)\)")


def _formula(tex, how):
    """A formula as MathJax finds it in HTML."""
    return rf"\[{escape(tex)}\]" if how["display_mode"] else rf"\({escape(tex)}\)"


READER = MarkdownIt("commonmark", {"html": False}).enable("table")
READER.use(dollarmath_plugin, renderer=_formula)


def read_titles(folder=BOOK):
    """The titles of the book's pages by the names that links have for them."""
    paths = [*folder.glob("*.md"), *folder.glob("notebooks/*.py")]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return dict(pair for text in texts for pair in TITLE.findall(text))


def read_sources(path=BOOK / "references.bib"):
    """Authors and year of each source by its key."""
    sources = {}
    for key, entry in parse_file(path).entries.items():
        last = [" ".join(person.last_names) for person in entry.persons["author"]]
        last = [str(Text.from_latex(name)) for name in last]
        several = len(last) > 2 or last[-1] == "others"
        authors = f"{last[0]} et al." if several else " and ".join(last)
        sources[key] = (authors, entry.fields["year"])
    return sources


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
        self.sources = read_sources()
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
        return match[1] or f"*{self._find('ref', match[2])}*"

    def _role(self, match):
        return self._find(*match.groups())

    def _find(self, role, text):
        """The words for a role and what stands between its backticks."""
        if role == "term":
            return TARGET.sub("", text)
        if role in ("numref", "eq", "ref") and text in self.texts:
            return self.texts[text]
        keys = [key.strip() for key in text.split(",")]
        if role in ("cite:t", "cite:p") and set(keys) <= set(self.sources):
            return self._cite(role, [self.sources[key] for key in keys])
        raise ValueError(
            "A role in a chapter must be a term, a numref, eq or ref to a label of the "
            "book, or a cite:t or cite:p of book/references.bib. "
            f"Received: {{{role}}}`{text}`."
        )

    def _cite(self, role, sources):
        if role == "cite:t":
            return " and ".join(f"{names} ({year})" for names, year in sources)
        return f"({'; '.join(f'{names}, {year}' for names, year in sources)})"


def figure_of(cell):
    """Name and caption of the figure that a cell draws, or None."""
    return cell.metadata.get("mystnb", {}).get("figure")
