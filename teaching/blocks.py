"""Read what a chapter says and shows, block by block, for its slides.

A block has the parts that a slide can hold, each with the room that it needs, and with
what a text may point to: a figure by its number, a table, a program.
"""

import re
from html import escape, unescape
from itertools import pairwise
from math import ceil
from operator import truediv
from typing import NamedTuple

from editions import SOLUTIONS, read_solutions, tags
from markdown_it.tree import SyntaxTreeNode
from plain import EXERCISE, READER, figure_of
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

LINE, LETTERS = 34, 92  # the pixels of a line of text, and how many letters it has
CODE_LINE, GAP, FIGURE = 28, 14, 360  # pixels
CODE_LETTERS = 79  # on a line of what is printed; what is longer is broken
LONGEST_CODE = 12  # lines; a function may be longer, as the text speaks of it
INK = re.compile(r"<[^>]*>|\\[a-zA-Z]+|[\\{}^_]")  # takes no room on a slide
SENTENCE_END = re.compile(r"(?<=[.?!:])(?<!\bal\.)(?:\*\*|\)|\")?\s+(?=[^a-z\s])")
LABEL = re.compile(r"\*\*.{,20}\*\*")  # of the sentence behind it, such as **1-D.**
POINTER = re.compile(
    r"Figures? (?P<figure>\d+(?: of)?)"
    r"|(?P<above>table|program|cell)s? above"
    r"|(?P<program>Programs? \d|this program|(?:program|cell)s? below)"
    r"|(?P<table>tables? (?:below|of suspects)|The table\b|(?:next|last|folded) table)"
)


class Part(NamedTuple):
    """HTML of a slide, the pixels that it needs, and what it shows."""

    html: str
    height: int
    shows: str = ""  # "table", "program" or, for example, "Figure 3"
    is_answer: bool = False


class Block(NamedTuple):
    """What a chapter says or shows at one place.

    `kind` is `"heading"`, `"text"`, `"shown"`, `"box"`, `"exercise"`, `"solution"` or
    `"note"`. A text has sentences, in Markdown; a box, an exercise and a solution have
    a heading of their own.
    """

    kind: str
    parts: tuple = ()
    sentences: tuple = ()
    heading: str = ""
    is_step: bool = False  # a program that defines and prints nothing


def parse(text):
    """The blocks of Markdown: list of `SyntaxTreeNode`."""
    return SyntaxTreeNode(READER.parse(text)).children


def render(nodes):
    """The HTML of nodes."""
    tokens = [token for node in nodes for token in node.to_tokens()]
    return READER.renderer.render(tokens, READER.options, {})


def split_sentences(text):
    """Splits a paragraph behind each sentence, but in no formula or bold text."""
    sentences, start = [], 0
    for match in SENTENCE_END.finditer(text):
        sentence = text[start : match.end()].strip()
        is_whole = all(sentence.count(mark) % 2 == 0 for mark in ("$", "`", "**"))
        if is_whole and not LABEL.fullmatch(sentence):
            sentences.append(sentence)
            start = match.end()
    return (*sentences, text[start:].strip())


def points_to(text):
    """What a text says that one sees: what `Part.shows` may be, or has shown above."""
    found = set()
    for match in POINTER.finditer(text):
        kind, word = match.lastgroup, match[match.lastgroup]
        names = {"figure": f"Figure {word}", "above": f"{word} above"}
        found.add(names.get(kind, kind))
    return found


def text_height(text):
    """The pixels that a text needs, of Markdown or HTML."""
    return LINE * ceil(len(INK.sub("", unescape(text))) / LETTERS) + GAP


def paragraph(sentences, is_answer=False):
    """The part that some sentences make."""
    text = " ".join(sentences)
    html = f"<p>{READER.renderInline(text)}</p>"
    return Part(html, text_height(text), is_answer=is_answer)


def row_heights(rows):
    """The pixels that the rows of a table need, if wide columns get more room."""
    cells = [re.findall(r"<t[dh].*?(?=</t)", row, re.DOTALL) for row in rows]
    letters = [[1 + len(INK.sub("", unescape(c))) for c in row] for row in cells]
    widest = [max(column) for column in zip(*letters, strict=True)]
    share = [LETTERS * width / sum(widest) for width in widest]
    lines = [max(map(ceil, map(truediv, row, share))) for row in letters]
    return [LINE * count + GAP // 2 for count in lines]


def table_parts(html, most=400):
    """The parts of a table, which is cut below a row when it is high."""
    head, *rows = re.findall(r"<tr>.*?</tr>", html, re.DOTALL)
    heights = row_heights([head, *rows])[1:]
    count = ceil(sum(heights) / most)
    size = ceil(len(rows) / count)
    for first in range(0, len(rows), size):
        body = "".join(rows[first : first + size])
        shown = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        height = LINE + GAP + sum(heights[first : first + size])
        yield Part(shown, height, "table")


def node_parts(node):
    """The parts of a node of Markdown that is no paragraph."""
    html = render([node])
    if node.type == "table":
        yield from table_parts(html)
    elif node.type in ("bullet_list", "ordered_list"):
        for number, item in enumerate(node.children, start=1):
            start = f' start="{number}"' if node.tag == "ol" else ""
            inside = f"<{node.tag}{start}>{render([item])}</{node.tag}>"
            yield Part(inside, text_height(inside), is_answer=node.tag == "ol")
    else:
        rows = node.content.count(r"\\") + node.content.count(r"\frac") + 1
        yield Part(html, 45 * rows + 2 * GAP)


def read_nodes(nodes):
    """The blocks of nodes of Markdown."""
    for node in nodes:
        if node.type == "heading":
            yield Block("heading", heading=render(node.children), sentences=(node.tag,))
        elif node.type == "paragraph":
            yield Block("text", sentences=split_sentences(node.children[0].content))
        elif node.type == "blockquote":
            title, *inside = node.children
            inside = tuple(read_nodes(inside))
            heading = re.sub("</?(p|strong)>", "", render([title])).strip()
            yield Block("box", tuple(parts_of(inside)), heading=heading)
        else:
            yield Block("shown", tuple(node_parts(node)))


def parts_of(blocks):
    """The parts of some blocks, texts with all their sentences."""
    for block in blocks:
        if block.kind == "text":
            yield paragraph(block.sentences)
        yield from block.parts


def show_output(output):
    """The parts of one output of a cell: its table, or what it has printed."""
    html = output.get("data", {}).get("text/html")
    if html:
        tables = table_parts(html.replace("&#x27;", "'"))
        return [part._replace(is_answer=True) for part in tables]
    text = output.get("text") or output["data"]["text/plain"]
    lines = sum(
        ceil(len(line) / CODE_LETTERS) or 1 for line in text.rstrip().splitlines()
    )
    html = f'<pre class="output">{escape(text.rstrip())}</pre>'
    return [Part(html, CODE_LINE * lines + GAP, is_answer=True)]


def show_cell(cell):
    """The block of a cell of code: the program if it is short, and what it prints."""
    source = cell.source.replace("\n\n\n", "\n\n")
    lines = source.splitlines()
    is_function = source.startswith("def ")
    parts = [part for output in cell.outputs for part in show_output(output)]
    is_step = not (parts or is_function)
    is_tool = re.match("def draw|from |import ", source)
    if not is_tool and (is_function or len(lines) <= LONGEST_CODE):
        html = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip()
        height = CODE_LINE * len(lines) + GAP
        parts.insert(0, Part(f"<pre><code>{html}</code></pre>", height, "program"))
    return Block("shown", tuple(parts), is_step=is_step)


def show_figure(cell, plain):
    """The part that holds the figure which a cell has drawn."""
    (image,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.data)
    alt = escape(cell.metadata["mystnb"]["image"]["alt"])
    caption = plain.caption(figure_of(cell))
    html = (
        f'<figure><img src="data:image/png;base64,{"".join(image.split())}" '
        f'alt="{alt}"><figcaption>{READER.renderInline(caption)}</figcaption></figure>'
    )
    shows = plain.texts[figure_of(cell)["name"]]
    return Part(html, FIGURE + text_height(caption), shows)


def read_exercise(text, solution, plain):
    """The blocks of an exercise and of its solution."""
    heading, *nodes = parse(plain.markdown(text))
    title = render(heading.children)
    parts = [p._replace(is_answer=False) for p in parts_of(read_nodes(nodes))]
    yield Block("exercise", tuple(parts), heading=title)
    first, *cells = solution
    _, *nodes = parse(plain.markdown(first.source))  # below its heading
    parts = [*parts_of(read_nodes(nodes))]
    for cell in cells:
        if "solution" in tags(cell):
            parts += show_cell(cell).parts
    answers = tuple(part._replace(is_answer=True) for part in parts)
    yield Block("solution", answers, heading=f"Solution of {title}")
    texts = [c.source for c in cells if c.cell_type == "markdown"]
    told = parts_of(read_nodes(parse(plain.markdown("\n\n".join(texts)))))
    yield Block("note", tuple(told))


def read_markdown(text, solutions, plain):
    """The blocks of a cell of Markdown."""
    edges = [edge for match in EXERCISE.finditer(text) for edge in match.span()]
    for place, (start, end) in enumerate(pairwise([0, *edges, len(text)])):
        inside = text[start:end]
        if place % 2:
            label = EXERCISE.match(inside)["label"]
            yield from read_exercise(inside, solutions[label], plain)
        else:
            yield from read_nodes(parse(plain.markdown(inside)))


def read_blocks(notebook, plain):
    """Reads what a chapter says and shows until its solutions.

    Args:
        notebook: The chapter, as `nbformat` reads it.
        plain: `Plain` of the chapter.

    Yields:
        `Block`s. The solution of an exercise stands behind it.
    """
    solutions = read_solutions(notebook)
    for cell in notebook.cells:
        if "instructor" in tags(cell):
            (quote,) = parse(plain.markdown(cell.source))
            html = render(quote.children).replace("For the instructor.", "", 1)
            yield Block("note", (Part(html.replace("<strong></strong> ", ""), 0),))
        elif figure_of(cell):
            yield Block("shown", (show_figure(cell, plain),))
        elif cell.cell_type == "code":
            if not tags(cell) & {"remove-cell", "parameters"}:
                yield show_cell(cell)
        else:
            text, *rest = f"\n{cell.source}\n".split(SOLUTIONS)
            yield from read_markdown(text, solutions, plain)
            if rest:
                return
