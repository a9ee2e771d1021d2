"""Cut a chapter into slides: which parts of its notebook they show, and what fits.

A deck takes from the notebook what a room needs: the objectives, the question and the
opening of each section, the numbered equations, the figures, the exercises without
their solutions, and the key points.
"""

from dataclasses import dataclass
from html import escape

import markup
import nbformat

WIDTH, HEIGHT = 74, 12.5  # of the text on a slide: signs in a line, lines
GAP = 0.35  # below a paragraph, in lines
TABLE = 0.8  # the size of its letters


@dataclass(frozen=True)
class Part:
    """A piece of a slide that is never split.

    Args:
        html: String.
        lines: Number. Its height, in lines of text.
        container: String. The tag around it and around its neighbours with the same
            container, "ul" or "ol"; "" for what stands alone.
    """

    html: str
    lines: float
    container: str = ""


@dataclass(frozen=True)
class Slide:
    """What one screen shows.

    Args:
        kind: String: "title", "section", "equation", "figure" or "exercise".
        heading: String, HTML.
        parts: Tuple of `Part`.
        is_large: Whether there is room for larger letters.
    """

    kind: str
    heading: str
    parts: tuple
    is_large: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure of a notebook: its name, caption and alt text, and a PNG as base64."""

    name: str
    caption: str
    alt: str
    image: str
    type: str = "figure"  # beside the types of the nodes of Markdown


def read(path):
    """Reads what a chapter says and shows until its solutions.

    Args:
        path: Path of a notebook with its outputs.

    Returns:
        List of nodes of Markdown and of `Figure`.
    """
    blocks = []
    for cell in nbformat.read(path, as_version=4).cells:
        if "instructor" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            blocks += markup.parse(cell.source)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                shown = cell.metadata["mystnb"]
                texts = (shown["figure"]["name"], shown["figure"]["caption"])
                image = "".join(output.data["image/png"].split())
                blocks.append(Figure(*texts, shown["image"]["alt"], image))
    ends = [i for i, block in enumerate(blocks) if is_heading(block, "Solutions")]
    return blocks[: ends[0]] if ends else blocks


def is_heading(block, title=None):
    """Says whether a block is a heading: any, or the one with this title."""
    return block.type == "heading" and title in (None, block.children[0].content)


def measure(node, width=WIDTH):
    """Estimates the height of a node on a slide, in lines of text of so many signs."""
    if node.type == "table":
        rows = [row for part in node.children for row in part.children]
        signs = width / len(rows[0].children) / TABLE
        heights = [max(measure(cell, signs) for cell in row.children) for row in rows]
        return TABLE * sum(heights)
    if node.type.startswith("math_block"):
        return 3 + 2 * node.content.count(r"\\") + ("\\under" in node.content)
    tokens = [token for part in node.to_tokens() for token in part.children or [part]]
    signs = 0
    for token in tokens:  # a formula has fewer signs on a screen than in its source
        signs += len(token.content) * (0.5 if token.type == "math_inline" else 1)
    return GAP + max(-(-signs // width), 1.4 * node.content.count("\n"))


def split(node, names):
    """Cuts a node into a list of `Part`: a list into its items, anything else not."""
    if not node.type.endswith("_list"):
        return [Part(markup.render(node, names), measure(node))]
    parts, first = [], node.attrs.get("start", 1)
    for number, item in enumerate(node.children, start=first):
        html = "".join(markup.render(child, names) for child in item.children)
        value = f' value="{number}"' if node.tag == "ol" else ""
        parts.append(Part(f"<li{value}>{html}</li>", measure(item), node.tag))
    return parts


def pack(parts, room):
    """Deals parts out to slides of so many lines, in their order."""
    slides, left = [], 0
    for part in parts:
        if part.lines > left:
            slides.append([])
            left = room
        slides[-1].append(part)
        left -= part.lines
    return slides


def fill(kind, heading, nodes, names):
    """Fills a slide with nodes of Markdown, or more slides if one has no room for them.

    Raises:
        ValueError: If a paragraph alone has no room.
    """
    parts = [part for node in nodes for part in split(node, names)]
    wrapped = 1.65 * (len(heading) // 36) if kind == "title" else len(heading) // 50
    room = HEIGHT - wrapped  # of a heading, the first line is left out of HEIGHT
    for part in parts:
        if part.lines > room:
            raise ValueError(
                f"A paragraph, item or table must have at most {room} lines of {WIDTH} "
                f"signs to stand on a slide. Received: {part.html}"
            )
    count = len(pack(parts, room))
    # The least room that takes no more slides fills them evenly.
    dealt = (pack(parts, room * tenths / 10) for tenths in range(1, 11))
    slides = next(slides for slides in dealt if len(slides) == count)
    marks = [f" <small>{n} of {count}</small>" for n in range(1, count + 1)]
    pairs = zip(marks if count > 1 else [""], slides, strict=True)
    large = sum(part.lines for part in parts) <= HEIGHT / 2
    return [Slide(kind, heading + mark, tuple(p), large) for mark, p in pairs]


def opening(nodes):
    """The first block of a section, and what it leads to: a formula, or by a colon."""
    end = 1
    while end < len(nodes) and nodes[end - 1].type == "paragraph":
        leads = nodes[end - 1].children[0].content.endswith(":")
        if not leads and not nodes[end].type.startswith("math_block"):
            break
        end += 1
    return nodes[:end]


def show_figure(heading, figure, names):
    """Makes the slide of a `Figure`."""
    (caption,) = markup.parse(figure.caption)
    html = (
        f'<figure><img src="data:image/png;base64,{figure.image}" '
        f'alt="{escape(figure.alt)}"><figcaption>{names[figure.name]}. '
        f"{markup.render_inside(caption, names)}</figcaption></figure>"
    )
    return Slide("figure", heading, (Part(html, HEIGHT),))


def show_section(heading, blocks, names):
    """Makes the slides of a section: its opening, and what has a name or a number."""
    nodes = [block for block in blocks if block.type != "figure"]
    shown = opening(nodes)
    slides = fill("section", heading, shown, names)
    for place, block in enumerate(blocks):
        if block.type == "figure":
            slides.append(show_figure(heading, block, names))
        elif block.type == "math_block_label" and block not in shown:
            slides += fill("equation", heading, blocks[place - 1 : place + 1], names)
        elif block.type == "colon_fence" and block.info.startswith("{exercise}"):
            _, title, _, inside = markup.directive(block)
            slides += fill("exercise", f"Exercise: {escape(title)}", inside, names)
    return slides


def show_title(heading, blocks, names):
    """Makes the first slide of a chapter: its title, and what students will learn."""
    (start,) = [b for b in blocks if b.type == "colon_fence"]
    inside = markup.directive(start)[-1]
    lists = [place for place, node in enumerate(inside) if node.type == "bullet_list"]
    return fill("title", heading, inside[: lists[0] + 1], names)


def make_deck(blocks, names):
    """Makes all slides of a chapter from what `read` gives."""
    starts = [place for place, block in enumerate(blocks) if is_heading(block)]
    slides = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        heading = markup.render_inside(blocks[start], names)
        show = show_title if blocks[start].tag == "h1" else show_section
        slides += show(heading, blocks[start + 1 : end], names)
    return slides
