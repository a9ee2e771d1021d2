"""What a reader does with the book: search, unfold, copy, change the theme."""

import pytest
from built import BOOK
from findings import visit

CHAPTERS = sorted((BOOK / "notebooks").glob("*.html"))
SOLUTIONS = ".solution.dropdown"


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("rollout", "notebooks/attention.html"),
        ("shear", "notebooks/data.html"),
        ("all-reduce", "machines.html"),
    ],
)
def test_the_search_finds_a_word(reader, words, page):
    tab, findings = visit(reader, BOOK / "index.html", BOOK)
    tab.keyboard.press("Control+k")
    tab.keyboard.type(words)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results li a")
    tab.wait_for_function(
        "() => document.querySelector('.search-summary')?.textContent.includes('found')"
    )
    links = tab.eval_on_selector_all(
        "#search-results li a", "all => all.map(a => a.href)"
    )
    assert any(link.startswith((BOOK / page).as_uri()) for link in links), links
    assert findings == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("by", ["click", "key"])
def test_every_solution_unfolds_and_folds(reader, path, by):
    page, findings = visit(reader, path, BOOK)
    for solution in page.query_selector_all(SOLUTIONS):
        button = solution.query_selector("button.toggle-button")
        text = solution.query_selector("section")
        for shown in (False, True, False):
            assert text.is_visible() == shown
            if by == "click":
                button.click()
            else:
                button.press("Enter")
    page.close()
    assert findings == []


def test_the_button_beside_a_cell_copies_it(reader):
    page, findings = visit(reader, BOOK / "notebooks/patches.html", BOOK)
    cell = page.locator("div.highlight", has_text="def cut(").first
    cell.hover()
    cell.locator("button.copybtn").click()
    page.evaluate("document.body.prepend(document.createElement('textarea'))")
    page.focus("textarea")
    page.keyboard.press("Control+v")
    assert page.input_value("textarea").strip() == cell.inner_text().strip()
    assert findings == []


def test_a_theme_holds_on_the_next_page(reader):
    seen = []
    page, findings = visit(reader, BOOK / "index.html", BOOK)
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        mode = page.evaluate("document.documentElement.dataset.mode")
        page.goto((BOOK / "glossary.html").as_uri())
        assert page.evaluate("document.documentElement.dataset.mode") == mode
        seen.append(mode)
    assert set(seen) == {"light", "dark", "auto"}
    assert findings == []
