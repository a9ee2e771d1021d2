"""The slides, opened from the disk: each fits, is whole, and is reached by keys."""

import pypdf
import pytest
from built import DECKS, SLIDES
from findings import hinder, visit

# A part of a slide that the slide cuts off; what is for screen readers has no place.
CUT_OFF = """() => [...document.querySelectorAll("section")].flatMap(slide => {
  const box = slide.getBoundingClientRect(), number = slide.querySelector(".number");
  const end = number.getBoundingClientRect().top + 1;
  return [...slide.querySelectorAll("*")]
    .filter(part => part !== number && !part.closest("mjx-assistive-mml, .notes"))
    .filter(part => {
      const { left, right, top, bottom } = part.getBoundingClientRect();
      return left < box.left || right > box.right + 1 || top < box.top || bottom > end
        || part.clientWidth && part.scrollWidth > part.clientWidth + 1;
    })
    .map(part => `slide ${slide.id} cuts off ${part.tagName.toLowerCase()}`);
})"""

SMALL = """() => [...document.querySelectorAll("section > *, li, figcaption, td, code")]
  .filter(part => part.className !== "number")
  .filter(part => parseFloat(getComputedStyle(part).fontSize) < 22)
  .map(part => `small letters: ${part.textContent.slice(0, 40)}`)"""

PICTURES = """() => [...document.images]
  .filter(image => !image.naturalWidth || image.clientHeight < 300)
  .map(image => `picture missing or small: ${image.alt.slice(0, 40)}`)"""

FORMULAS = """() => [...document.querySelectorAll("[data-mjx-error]")]
  .map(part => `formula not understood: ${part.textContent}`)
  .concat(document.body.innerText.match(/\\\\[([].*/g) ?? [])"""

# The slide that fills the window.
SHOWN = """() => [...document.querySelectorAll("section")]
  .filter(slide => Math.abs(slide.getBoundingClientRect().top) < 2)
  .map(slide => Number(slide.id))"""

each_deck = pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module", params=["light", "dark"])
def room(chromium, request):
    """A room with a projector, lit or dark."""
    size = {"width": 1280, "height": 720}
    with chromium.new_context(viewport=size, color_scheme=request.param) as context:
        yield context


def look_at(page):
    scripts = (CUT_OFF, SMALL, PICTURES, FORMULAS)
    return [finding for script in scripts for finding in page.evaluate(script)]


@each_deck
def test_every_slide_fits_and_hinders_nobody(room, axe, path):
    page, findings = visit(room, path, SLIDES)
    assert look_at(page) + hinder(page, axe) + findings == []
    page.close()


@each_deck
@pytest.mark.parametrize("size", [(1920, 1080), (1024, 768), (1280, 600)])
def test_every_slide_fits_another_screen(chromium, path, size):
    width, height = size
    with chromium.new_context(viewport={"width": width, "height": height}) as context:
        page, findings = visit(context, path, SLIDES)
        assert page.evaluate(CUT_OFF) + findings == []


@each_deck
def test_keys_lead_through_the_slides(reader, path):
    page, findings = visit(reader, path, SLIDES)
    last = page.locator("section").count()
    assert page.evaluate(SHOWN) == [1]
    for number in range(2, last + 1):
        page.keyboard.press("PageDown")
        assert page.evaluate(SHOWN) == [number]
    page.keyboard.press("PageDown")  # behind the last there is nothing
    assert page.evaluate(SHOWN) == [last]
    for key in ("PageDown", "ArrowDown", "ArrowRight", " "):
        page.keyboard.press("Home")
        assert page.evaluate(SHOWN) == [1]
        page.keyboard.press(key)
        assert page.evaluate(SHOWN) == [min(2, last)]
    for key in ("PageUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press("End")
        assert page.evaluate(SHOWN) == [last]
        page.keyboard.press(key)
        assert page.evaluate(SHOWN) == [max(last - 1, 1)]
    assert findings == []


def test_answers_wait_for_a_key(reader):
    page, findings = visit(reader, SLIDES / "debugging.html", SLIDES)
    number = page.evaluate(
        "() => [...document.querySelectorAll('section')]"
        ".find(slide => slide.querySelectorAll('.fragment').length === 2).id"
    )
    page.evaluate(f"location.hash = {number}")
    answers = page.locator(f"[id='{number}'] .fragment")
    seen = [False, False]
    keys = [(" ", 0), ("ArrowRight", 1), ("ArrowLeft", 1), ("ArrowRight", 1)]
    for key, change in keys:
        assert [answers.nth(n).is_visible() for n in (0, 1)] == seen
        page.keyboard.press(key)
        seen[change] = not seen[change]
    assert [answers.nth(n).is_visible() for n in (0, 1)] == [True, True]
    assert page.evaluate(SHOWN) == [int(number)]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(SHOWN) == [int(number) + 1] and findings == []


def test_the_speaker_has_a_window_with_notes(reader):
    page, findings = visit(reader, SLIDES / "positions.html", SLIDES)
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    for number in (1, 2, 3):
        slide = page.locator("section").nth(number - 1)
        assert speaker.inner_text("body").startswith(f"{number} / ")
        assert speaker.inner_text("h1") == slide.locator("h1, h2").inner_text()
        notes = slide.locator(".notes")
        words = notes.text_content().split()[:9] if notes.count() else []
        assert words == speaker.text_content("main").split()[:9]
        speaker.keyboard.press("PageDown")
        speaker.wait_for_function(
            f"document.body.innerText.startsWith('{number + 1} / ')"
        )
    speaker.close()
    assert words and findings == []


@each_deck
def test_each_slide_is_a_page_of_the_print(reader, tmp_path, path):
    page, findings = visit(reader, path, SLIDES)
    count = page.locator("section").count()
    page.emulate_media(media="print")
    findings += page.evaluate(CUT_OFF)
    page.pdf(path=tmp_path / "deck.pdf", prefer_css_page_size=True)
    page.close()
    pages = pypdf.PdfReader(tmp_path / "deck.pdf").pages
    assert {tuple(map(round, page.mediabox[2:])) for page in pages} == {(960, 540)}
    for number, sheet in enumerate(pages, start=1):
        assert f"{number} / {count}" in sheet.extract_text()
    assert len(pages) == count and findings == []


def test_every_link_of_the_index_opens_a_deck(room):
    page, findings = visit(room, SLIDES / "index.html", SLIDES)
    links = page.eval_on_selector_all("a", "all => all.map(part => part.href)")
    decks = {path.as_uri() for path in DECKS} - {(SLIDES / "index.html").as_uri()}
    assert set(links) == decks and findings == []


BROKEN = {
    "small letters: word": ("</h2>", "</h2><p>" + "word " * 400 + "</p>"),
    "cuts off p": ("</h2>", "</h2><p>" + "word " * 3000 + "</p>"),
    "cuts off pre": ("</h2>", "</h2><pre>" + "word " * 60 + "</pre>"),
    "small letters: fine": ("</h2>", '</h2><p style="font-size: 12px">fine print</p>'),
    "picture missing": ('src="data:image/png;base64,', 'src="data:image/png;base64,x'),
    "formula not understood": (r"\(", r"\(\left("),
    r"\(\frac{": (r"\(", r"\(\frac{"),
}


@pytest.mark.parametrize("finding", BROKEN)
def test_what_is_broken_is_found(room, tmp_path, finding):
    text = (SLIDES / "patches.html").read_text("utf-8")
    good, bad = BROKEN[finding]
    assert good in text
    (tmp_path / "patches.html").write_text(text.replace(good, bad, 1), "utf-8")
    page, _ = visit(room, tmp_path / "patches.html", tmp_path)
    found = look_at(page)
    page.close()
    assert any(finding in one for one in found), found
