"""Make slides of the chapters, one HTML file each, which need no network to be shown.

Example:
    python teaching/slides.py
"""

import argparse
import sys
from html import escape
from importlib.metadata import distribution
from itertools import groupby
from pathlib import Path
from string import Template

import markup
from deck import Part, Slide, make_deck, read

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = Template(Path(__file__).with_name("slides.html").read_text("utf-8"))
CHAPTERS = ("data", "patches", "positions", "training")
CHAPTERS += ("comparison", "attention", "debugging")


def write(path, title, slides):
    """Writes slides as one page of HTML.

    Args:
        path: Path of the file.
        title: String.
        slides: List of `Slide`.
    """
    body = "\n".join(
        page(slide, number, len(slides)) for number, slide in enumerate(slides, start=1)
    )
    script = read_mathjax() if r"\(" in body or r"\[" in body else ""
    text = TEMPLATE.substitute(title=escape(title), body=body, mathjax=script)
    path.write_text(text, encoding="utf-8")


def page(slide, number, count):
    """Returns the HTML of a slide."""
    tag = "h1" if number == 1 else "h2"
    size = " large" if slide.is_large else ""
    html = ""
    for container, parts in groupby(slide.parts, key=lambda part: part.container):
        inside = "\n".join(part.html for part in parts)
        html += f"<{container}>\n{inside}\n</{container}>\n" if container else inside
    return (
        f'<section id="{number}" class="{slide.kind}{size}" tabindex="-1">\n'
        f"<{tag}>{slide.heading}</{tag}>\n{html}\n"
        f"<p class='number'>{number} / {count}</p>\n</section>"
    )


def read_mathjax():
    """Reads MathJax, which draws the formulas, from the package that the book uses."""
    found = distribution("sphinx-mathjax-offline")
    file = found.locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    return Path(file).read_text("utf-8")


def make_decks(notebooks, out):
    """Writes a deck for each chapter, and an index.

    Args:
        notebooks: Path of the folder with the notebooks.
        out: Path of the folder to write to. It is made if it is missing.

    Returns:
        Path of the index.
    """
    paths = sorted(notebooks.glob("*.ipynb"))
    found = {p.stem: read(p) for p in paths if not p.name.endswith(".failed.ipynb")}
    names = markup.name_sources(ROOT / "book/references.bib")
    for blocks in found.values():
        names |= markup.name_targets(blocks)
    out.mkdir(parents=True, exist_ok=True)
    links = []
    for chapter in CHAPTERS:
        slides = make_deck(found[chapter], names)
        title = markup.name_targets(found[chapter])[f"sec-{chapter}"].strip("“”")
        write(out / f"{chapter}.html", title, slides)
        link = f'<a href="{chapter}.html">{escape(title)}</a>, {len(slides)} slides'
        links.append(Part(f"<li>{link}</li>", 1, "ol"))
    write(out / "index.html", "Slides", [Slide("title", "Slides", tuple(links))])
    return out / "index.html"


def main(arguments=None):
    """Makes the slides of all chapters."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "editions/slides")
    options = parser.parse_args(arguments)
    print(f"Open {make_decks(ROOT / 'notebooks', options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
