"""The book as one PDF: it opens, holds every chapter, and lacks no letter."""

import subprocess

import pypdf
import pytest
from built import BOOK, CHROMIUM, PDF
from findings import visit
from pypdf.generic import ContentStream

# Operators that set a font and that show text with it.
SHOW = {b"Tj", b"TJ", b"'", b'"'}


def glyphs(page):
    """The numbers of the glyphs that a page shows, font by font of two-byte codes."""
    fonts = page["/Resources"].get("/Font", {})
    wide = False
    for operands, operator in ContentStream(page.get_contents(), page.pdf).operations:
        if operator == b"Tf":
            wide = fonts[operands[0]].get("/Encoding") == "/Identity-H"
        elif operator in SHOW and wide:
            parts = operands[-1] if operator == b"TJ" else operands[-1:]
            for text in (part for part in parts if not isinstance(part, float | int)):
                codes = getattr(text, "original_bytes", text)
                yield from zip(codes[::2], codes[1::2], strict=True)


def missing_letters(document):
    """Lists the pages with a glyph of number 0, which stands for a missing letter."""
    return [
        f"page {number}: {page.extract_text()[:60]!r}"
        for number, page in enumerate(document.pages, start=1)
        if (0, 0) in set(glyphs(page))
    ]


@pytest.fixture(scope="module")
def document():
    return pypdf.PdfReader(PDF)


def titles(outline):
    for entry in outline:
        yield from titles(entry) if isinstance(entry, list) else [entry.title]


def test_every_page_of_the_book_is_a_chapter_of_the_pdf(document, reader):
    # Chromium drops the space where a heading goes on in another line.
    known = {"".join(title.split()) for title in titles(document.outline)}
    index, _ = visit(reader, BOOK / "index.html", BOOK)
    pages = index.eval_on_selector_all(
        ".bd-links a.internal", "all => all.map(a => a.textContent.trim())"
    )
    assert len(pages) > 10
    assert [page for page in pages if "".join(page.split()) not in known] == []
    halves = {title[: len(title) // 2] for title in known}
    assert [half for half in halves if half * 2 in known] == []


def test_no_letter_is_missing(document):
    assert missing_letters(document) == []
    assert sum(len(set(glyphs(page))) > 20 for page in document.pages) > 50


def test_a_letter_that_no_font_has_is_found(tmp_path):
    (tmp_path / "page.html").write_text("<meta charset=utf-8><p>word \U0010fffd word")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={tmp_path / 'user'}"]
    command += [f"--print-to-pdf={tmp_path / 'page.pdf'}"]
    command += [(tmp_path / "page.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    assert len(missing_letters(pypdf.PdfReader(tmp_path / "page.pdf"))) == 1
