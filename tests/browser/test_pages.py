"""Every page, in both themes, at two widths: nothing missing, nothing in the way."""

import pytest
from built import BOOK, NAMES, PAGES
from findings import dead_links, look, names_and_links, visit, walk


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_a_page_is_whole(context, axe, theme, path):
    page, findings = visit(context, path, BOOK)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    found = look(page, axe)
    page.close()
    assert found + findings == []


def test_every_link_within_the_book_lands(reader):
    pages = {}
    for path in PAGES:
        page, _ = visit(reader, path, BOOK)
        pages[path.as_uri()] = names_and_links(page)
        page.close()
    assert dead_links(pages, BOOK) == []


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_the_tab_key_reaches_everything(reader, path):
    page, _ = visit(reader, path, BOOK)
    findings = walk(page)
    page.close()
    assert findings == []
