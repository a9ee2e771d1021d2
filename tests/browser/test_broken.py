"""The checks of a page can fail: each finds what was broken in a copy of the page."""

import re

import pytest
from built import BOOK
from findings import dead_links, look, names_and_links, visit, walk

END = "</article>"
BROKEN = {
    "a script": (
        END,
        f"<script>nothing.here()</script>{END}",
        "script: nothing is not",
    ),
    "a console": (END, f"<script>console.error('no')</script>{END}", "console: no"),
    "a request": (
        END,
        f'<img alt="a dot" src="https://example.org/dot.png">{END}',
        "request leaves the book: https://example.org/dot.png",
    ),
    "a picture": (r'(<figure.*?<img [^>]*src=")', r"\1not-", "picture not loaded: "),
    "an alt text": (r'(<figure.*?<img [^>]*alt=")[^"]*', r"\1", "picture without alt"),
    "a caption": (r"<figcaption.*?</figcaption>", "", "figure without caption: "),
    "a formula": (r"\\\(", r"\\(\\frac{", "formula not rendered: "),
    "a width": (END, f'<p style="width: 3000px">wide</p>{END}', "pixels wide, by p."),
    "a name": (
        END,
        '<div style="overflow-x: hidden; width: 9em"><code style="white-space: nowrap">'
        f"{'name_' * 9}</code></div>{END}",
        "cut off: <code",
    ),
    "a long formula": (r"\\\[", r"\\[\\hspace{90em}", "cut off: <mjx-container"),
    "a contrast": (
        END,
        f'<p style="color: #bbb; background: #fff">pale</p>{END}',
        "axe color-contrast",
    ),
    "a link": (END, f'<a href="#nowhere">to nowhere</a>{END}', "dead link to "),
    "the keyboard": (
        END,
        f'<button onfocus="this.blur()">never there</button>{END}',
        "not reached by Tab: <button onfocus",
    ),
}


@pytest.fixture
def broken(tmp_path):
    """A copy of the book with one page that is broken; the rest are links."""
    for entry in BOOK.iterdir():
        (tmp_path / entry.name).symlink_to(entry)

    def change(pattern, replacement):
        for name in ("index.html", "machines.html"):  # a figure; formulas
            text = (BOOK / name).read_text("utf-8")
            text, count = re.subn(pattern, replacement, text, count=1, flags=re.DOTALL)
            if count:
                (tmp_path / name).unlink()
                (tmp_path / name).write_text(text, "utf-8")
                return tmp_path / name
        raise AssertionError(f"No page has {pattern}.")

    return change


@pytest.mark.parametrize(
    ("pattern", "replacement", "finding"), BROKEN.values(), ids=BROKEN
)
def test_what_is_broken_is_found(broken, reader, axe, pattern, replacement, finding):
    path = broken(pattern, replacement)
    page, findings = visit(reader, path, path.parent)
    findings = findings + look(page, axe)
    pages = {path.as_uri(): names_and_links(page)}
    # Of this page alone: to the others, which nobody has visited, each link is dead.
    findings += [
        f for f in dead_links(pages, path.parent) if path.name in f.split()[-1]
    ]
    findings += walk(page)
    assert any(finding in found for found in findings), findings
