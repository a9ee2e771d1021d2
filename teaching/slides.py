"""Make slides of the chapters, one HTML file each, which need no network to be shown.

    python teaching/slides.py

A deck takes from a chapter what a room needs: the objectives, the question and the
opening of each section, the numbered equations, the figures, the exercises without
their solutions, and the key points. `slides.html` fits the letters to each slide.
"""

import argparse
import sys
from html import escape
from importlib.metadata import distribution
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import NamedTuple

from editions import ROOT, SOLUTIONS, read_chapters, tags
from markdown_it.tree import SyntaxTreeNode
from plain import CHAPTERS, EXERCISE, READER, Plain, figure_of

TEMPLATE = Template(Path(__file__).with_name("slides.html").read_text("utf-8"))


class Slide(NamedTuple):
    """The heading and the body of a slide, in HTML."""

    heading: str
    body: str
    type: str = "slide"  # beside the types of the nodes of Markdown


def parse(text):
    """The blocks of Markdown: list of `SyntaxTreeNode`."""
    return SyntaxTreeNode(READER.parse(text)).children


def render(nodes):
    """The HTML of nodes."""
    tokens = [token for node in nodes for token in node.to_tokens()]
    return READER.renderer.render(tokens, READER.options, {})


def read_blocks(notebook, plain):
    """Reads what a chapter says and shows until its solutions.

    Args:
        notebook: The chapter, as `nbformat` reads it.
        plain: `Plain` of the chapter.

    Returns:
        List of nodes of Markdown, and of a `Slide` for each exercise and figure. The
        heading of a figure is yet to be set.
    """
    blocks = []
    for cell in notebook.cells:
        if "instructor" in tags(cell):
            continue
        if figure_of(cell):
            blocks.append(Slide("", show_figure(cell, plain)))
        if cell.cell_type != "markdown":
            continue
        text, *solutions = f"\n{cell.source}\n".split(SOLUTIONS)
        edges = [edge for match in EXERCISE.finditer(text) for edge in match.span()]
        for place, (start, end) in enumerate(pairwise([0, *edges, len(text)])):
            nodes = parse(plain.markdown(text[start:end]))
            is_exercise = place % 2
            if is_exercise:
                nodes = [Slide(render(nodes[0].children), render(nodes[1:]))]
            blocks += nodes
        if solutions:
            break
    return blocks


def show_figure(cell, plain):
    """The HTML of the figure that a cell has drawn."""
    (image,) = (o.data["image/png"] for o in cell.outputs if "image/png" in o.data)
    alt = escape(cell.metadata["mystnb"]["image"]["alt"])
    caption = READER.renderInline(plain.caption(figure_of(cell)))
    return (
        f'<figure><img src="data:image/png;base64,{"".join(image.split())}" '
        f'alt="{alt}"><figcaption>{caption}</figcaption></figure>'
    )


def opening(nodes):
    """The first block of a section, and what it leads to: a formula, or by a colon."""
    end = 1
    while end < len(nodes) and nodes[end - 1].type == "paragraph":
        leads = nodes[end - 1].children[0].content.endswith(":")
        if not leads and nodes[end].type != "math_block":
            break
        end += 1
    return nodes[:end]


def make_deck(blocks):
    """Makes the slides of a chapter from what `read_blocks` gives."""
    starts = [place for place, block in enumerate(blocks) if block.type == "heading"]
    slides = []
    for start, end in pairwise([*starts, len(blocks)]):
        heading, inside = render(blocks[start].children), blocks[start + 1 : end]
        if blocks[start].tag == "h1":
            (box,) = [block for block in inside if block.type == "blockquote"]
            last = [node.type for node in box.children].index("bullet_list")
            slides.append(Slide(heading, render(box.children[1 : last + 1])))
        else:
            slides += show_section(heading, inside)
    return slides


def show_section(heading, blocks):
    """Makes the slides of a section: its opening, and what has a name or a number."""
    shown = opening([block for block in blocks if block.type != "slide"])
    slides = [Slide(heading, render(shown))]
    for place, block in enumerate(blocks):
        if block.type == "slide":
            slides.append(block._replace(heading=block.heading or heading))
        elif block not in shown and r"\tag{" in block.content:
            slides.append(Slide(heading, render(blocks[place - 1 : place + 1])))
    return slides


def write(path, title, slides):
    """Writes a list of `Slide` as a page of HTML with a title."""
    body = "\n".join(
        f'<section id="{number}" tabindex="-1">\n'
        f"<{tag}>{slide.heading}</{tag}>\n{slide.body}\n"
        f'<p class="number">{number} / {len(slides)}</p>\n</section>'
        for number, slide in enumerate(slides, start=1)
        for tag in ("h1" if number == 1 else "h2",)
    )
    script = read_mathjax() if 'class="math' in body else ""
    text = TEMPLATE.substitute(title=escape(title), body=body, mathjax=script)
    path.write_text(text, encoding="utf-8")


def read_mathjax():
    """Reads MathJax, which draws the formulas, from the package that the book uses."""
    found = distribution("sphinx-mathjax-offline")
    file = found.locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    return Path(file).read_text("utf-8")


def main(argv=None):
    """Makes the slides of all chapters, and an index; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "editions/slides")
    out = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    chapters, links = read_chapters(), []
    for name in CHAPTERS:
        plain = Plain(name, chapters)
        title = plain.texts[f"sec-{name}"]
        slides = make_deck(read_blocks(chapters[name], plain))
        write(out / f"{name}.html", title, slides)
        link = f'<a href="{name}.html">{escape(title)}</a>, {len(slides)} slides'
        links.append(f"<li>{link}</li>")
    index = Slide("Slides", f"<ol>{''.join(links)}</ol>")
    write(out / "index.html", "Slides", [index])
    print(f"Open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
