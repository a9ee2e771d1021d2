"""The Markdown of the notebooks as HTML that stands alone: nothing points away."""

import re
from html import escape

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from pybtex.database import parse_file
from pybtex.richtext import Text

OPTION = re.compile(r"^:[a-z]+:.*\n?", re.MULTILINE)  # of a directive
TARGET = re.compile(r"\s*<[^<>]+>$")  # of a role: text <target>


def name_of(role, content, names):
    """Returns the plain words for a role of MyST.

    Args:
        role: String, such as "term".
        content: String: what stands between its backticks.
        names: Dict from a label, or the key of a source, to its name.

    Raises:
        ValueError: If the role or its target has no name.
    """
    if role == "term":
        return TARGET.sub("", content)
    if role in ("numref", "ref", "eq") and content in names:
        return names[content]
    keys = [key.strip() for key in content.split(",")]
    if role in ("cite:p", "cite:t") and all(key in names for key in keys):
        pairs = [names[key] for key in keys]
        if role == "cite:t":
            return "; ".join(f"{authors} ({year})" for authors, year in pairs)
        return f"({'; '.join(', '.join(pair) for pair in pairs)})"
    raise ValueError(
        "A role in a chapter must be a term, a numref, ref or eq to a label of the "
        "chapters, or a citation of book/references.bib. "
        f"Received: {{{role}}}`{content}`."
    )


def _role(tokens, index, _, names):
    token = tokens[index]
    return escape(name_of(token.meta["name"], token.content, names))


def _link(tokens, index, _, names):
    """A link becomes its text, or the title of its target."""
    if tokens[index + 1].type != "link_close":
        return ""
    return escape(name_of("ref", tokens[index].attrs["href"].lstrip("#"), names))


def _formula(tokens, index, _, names):
    token = tokens[index]
    if token.type == "math_inline":
        return rf"\({escape(token.content)}\)"
    tag = rf" \tag{{{names[token.info].strip('()')}}}" if token.info else ""
    return f'<div class="formula">\\[{escape(token.content)}{tag}\\]</div>'


def make_reader():
    """Makes a parser of MyST whose renderer knows the roles and the formulas."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.use(dollarmath_plugin, allow_labels=True).use(colon_fence_plugin)
    reader.use(myst_role_plugin).use(myst_block_plugin)
    for kind in ("math_inline", "math_block", "math_block_label"):
        reader.renderer.rules[kind] = _formula
    reader.renderer.rules |= {"myst_role": _role, "link_open": _link}
    reader.renderer.rules["link_close"] = lambda *_: ""
    return reader


READER = make_reader()


def parse(text):
    """Parses Markdown into a list of `SyntaxTreeNode`, one a block."""
    return SyntaxTreeNode(READER.parse(OPTION.sub("", text))).children


def render(node, names):
    """Returns the HTML of a node; see `name_of` for the names."""
    return READER.renderer.render(node.to_tokens(), READER.options, names)


def render_inside(node, names):
    """Returns the HTML inside a heading or a paragraph, without its own tags."""
    (inline,) = node.children
    return render(inline, names)


def directive(node):
    """Returns the name of a directive, its title, its label and its blocks."""
    name, title = re.fullmatch(r"\{([\w-]+)\}\s*(.*)", node.info).groups()
    label = re.search(r"^:label: (\S+)$", node.content, re.MULTILINE)
    return name, title, label and label[1], parse(node.content)


def name_sources(path):
    """Returns a dict from a key of a BibTeX file to its authors and its year."""
    names = {}
    for key, entry in parse_file(path).entries.items():
        last = [" ".join(person.last_names) for person in entry.persons["author"]]
        last = [str(Text.from_latex(name)) for name in last]
        several = len(last) > 2 or last[-1] == "others"
        authors = f"{last[0]} et al." if several else " and ".join(last)
        names[key] = (authors, entry.fields["year"])
    return names


def name_targets(blocks):
    """Returns a dict from each label in a notebook to its name.

    Sections and exercises have titles; figures and equations are counted.

    Args:
        blocks: List of what `parse` gives, and of figures: objects with a name and the
            type "figure".
    """
    found, equations, figures = {}, 0, 0
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.type == "figure":
            figures += 1
            found[block.name] = f"Figure {figures}"
        elif block.type == "math_block_label":
            equations += 1
            found[block.info] = f"({equations})"
        elif block.type == "myst_target":
            found[block.content] = f"“{following.children[0].content}”"
        elif block.type == "colon_fence":
            _, title, label, _ = directive(block)
            found |= {label: f"“{title}”"} if label else {}
    return found
