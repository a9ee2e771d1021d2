"""`teaching/slides.py`: decks that hold a chapter, but no solution and no link."""

import importlib
import re
from html.parser import HTMLParser
from pathlib import Path

import deck
import markup
import nbformat
import pytest
from editions import PAGES

ROOT = Path(__file__).resolve().parents[1]
NAMES = {path.stem for path in (ROOT / "notebooks").glob("*.py")} - PAGES
each_chapter = pytest.mark.parametrize("name", sorted(NAMES))
# What MyST and Markdown would leave on a slide if they were not turned into words.
MARKUP = re.compile(r"\{[\w:-]+\}|:::|\$|\]\(|\*\*|``|^#|:label:|\^fig-", re.MULTILINE)
VOID = {"meta", "img", "link", "br", "hr"}
# What Markdown holds and a slide shows in other words.
OTHER = r"\$\$.*?\$\$|\$.*?\$|\{[\w:]+\}`[^`]*`|\[[^\]]*\]\([^)]*\)"
FORMULA = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)


class Page(HTMLParser):
    """The tags of a page, and the text in each kind of tag, formulas left out."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def text(self, *inside, without=("script", "style", "title", "small")):
        texts = [
            data
            for tags, data in self.texts
            if set(inside) <= {*tags} and not {*tags} & {*without}
        ]
        return FORMULA.sub("", "".join(texts))

    def values(self, tag, name):
        return [attrs[name] for kind, attrs in self.tags if kind == tag]


@pytest.fixture(scope="module")
def script():
    return importlib.import_module("slides")


@pytest.fixture(scope="module")
def decks(script, tmp_path_factory):
    out = tmp_path_factory.mktemp("editions") / "slides"
    assert script.main(["--out", str(out)]) == 0
    return {path.stem: Page(path) for path in out.glob("*.html")}


def cells(name):
    """The cells of a chapter before its solutions, and those of the solutions."""
    found = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4).cells
    (place,) = [i for i, c in enumerate(found) if "\n## Solutions\n" in f"\n{c.source}"]
    before, solutions = re.split(r"^## Solutions$", found[place].source, flags=re.M)
    last = nbformat.v4.new_markdown_cell(before)
    return [*found[:place], last], [
        nbformat.v4.new_markdown_cell(solutions),
        *found[place + 1 : -1],
    ]


def prose(found):
    return "\n\n".join(cell.source for cell in found if cell.cell_type == "markdown")


def figures(found):
    """The captions, alt texts and pictures of the figures in some cells."""
    for cell in found:
        for output in cell.get("outputs", []):
            if image := output.get("data", {}).get("image/png"):
                texts = cell.metadata.mystnb
                yield texts.figure.caption, texts.image.alt, "".join(image.split())


def letters(text):
    """What is left of a text, however it is marked up: its letters and digits."""
    return re.sub(r"[\W_]+", " ", re.sub(OTHER, " ", text, flags=re.DOTALL)).strip()


def parts(text):
    """The letters of a text between what a slide shows in other words."""
    pieces = re.split(OTHER, text, flags=re.DOTALL)
    return [letters(piece) for piece in pieces if letters(piece)]


def test_every_chapter_has_a_deck_and_the_index_links_it(script, decks):
    assert set(decks) == NAMES | {"index"}
    links = decks["index"].values("a", "href")
    assert links == [f"{name}.html" for name in script.CHAPTERS]


@each_chapter
def test_every_section_has_a_slide_with_its_heading(decks, name):
    text = prose(cells(name)[0])
    headings = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    assert len(headings) > 6
    shown = letters(decks[name].text("h1") + " . " + decks[name].text("h2"))
    assert [title for title in headings if letters(title) not in shown] == []


@each_chapter
def test_every_figure_is_there_with_its_caption_and_alt_text(decks, name):
    expected = list(figures(cells(name)[0]))
    assert len(expected) >= 2
    sources = [f"data:image/png;base64,{image}" for _, _, image in expected]
    assert decks[name].values("img", "src") == sources
    assert decks[name].values("img", "alt") == [alt for _, alt, _ in expected]
    shown = letters(decks[name].text("figcaption"))
    for number, (caption, _, _) in enumerate(expected, start=1):
        assert f"Figure {number} {parts(caption)[0]}" in shown
        assert [part for part in parts(caption) if part not in shown] == []


@each_chapter
def test_every_numbered_equation_is_there_once(decks, name):
    numbered = re.findall(r"^\$\$ \(eq-\S+\)$", prose(cells(name)[0]), re.MULTILINE)
    shown = "".join(data for tags, data in decks[name].texts if "div" in tags)
    tags = re.findall(r"\\tag\{(\d+)\}", shown)
    assert tags == [str(n) for n in range(1, len(numbered) + 1)]


@pytest.mark.parametrize(
    ("text", "count"),
    [("A claim.\n\nMore.", 1), ("It holds:\n\n* a\n\nMore.", 2), ("It is\n\n$$a$$", 2)],
)
def test_a_section_opens_with_a_paragraph_and_what_it_leads_to(text, count):
    assert len(deck.opening(markup.parse(text))) == count


@each_chapter
def test_every_exercise_is_there_with_its_text(decks, name):
    pattern = r"^:::\{exercise\} (.+)\n:label: \S+\n((?:.*\n)*?):::$"
    exercises = re.findall(pattern, prose(cells(name)[0]), re.MULTILINE)
    assert len(exercises) >= 3
    page = decks[name]
    titles, shown = letters(page.text("h2")), letters(page.text("section"))
    for title, text in exercises:
        assert f"Exercise {letters(title)}" in titles
        text = re.sub(r"^\d\. |\n\n", "$$ $$", text, flags=re.MULTILINE)
        assert [part for part in parts(text) if part not in shown] == []


@each_chapter
@pytest.mark.parametrize(
    "start", ["**You will learn to**", "## What this chapter does not", "## Key points"]
)
def test_every_point_of_the_lists_that_frame_a_chapter_is_there(decks, name, start):
    text = prose(cells(name)[0]).split(start)[1]
    points = re.search(r"(^\* (?:.+\n?)+\n?)+", text, re.MULTILINE).group()
    points = re.split(r"^\* ", points, flags=re.MULTILINE)[1:]
    assert len(points) >= 3
    shown = letters(decks[name].text("li"))
    for point in points:
        assert [part for part in parts(point) if part not in shown] == []


@each_chapter
def test_no_solution_is_on_a_slide(decks, name):
    before, solutions = cells(name)
    shown, known = letters(decks[name].text("main")), letters(prose(before))
    text = re.sub(r":::.*|:class:.*", "", prose(solutions))
    sentences = [letters(sentence) for sentence in re.split(r"(?<=[.?:])\s", text)]
    sentences = [s for s in sentences if len(s) > 20 and s not in known]
    code = [c.source for c in solutions if c.cell_type == "code"]
    lines = [letters(line) for line in "\n".join(code).splitlines()]
    lines = [line for line in lines if len(line) > 10 and line not in known]
    assert len(sentences) >= 5 and len(lines) >= 5
    assert [found for found in sentences + lines if found in shown] == []
    for _, alt, _ in figures(solutions):
        assert alt not in decks[name].values("img", "alt")


def test_a_page_fetches_nothing(decks):
    for page in decks.values():
        kinds = {"img", "script", "link", "iframe", "source", "video", "object"}
        fetched = [
            value
            for tag, attrs in page.tags
            for key, value in attrs.items()
            if tag in kinds and key in ("src", "href", "data", "srcset")
        ]
        assert [f for f in fetched if not f.startswith("data:image/png;base64,")] == []
        assert not re.search(r"url\(|@import", page.text("style", without=()))


@pytest.mark.parametrize("name", sorted(NAMES | {"index"}))
def test_no_markup_and_no_empty_slide_is_left(decks, name):
    page = decks[name]
    assert MARKUP.findall(page.text("main", without=("code",))) == []
    assert MARKUP.findall(page.text("main", "code").replace("$", "")) == []
    count = sum(tag == "section" for tag, _ in page.tags)
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2")]
    assert headings == ["h1"] + ["h2"] * (count - 1)
    numbers = [re.fullmatch(r"(\d+) / (\d+)", data) for _, data in page.texts]
    numbers = [found.group() for found in numbers if found]
    assert numbers == [f"{n} / {count}" for n in range(1, count + 1)]


def test_mathjax_is_only_in_a_deck_with_formulas(decks):
    with_mathjax = {
        name
        for name, page in decks.items()
        if any(
            tags[-1:] == ("script",) and len(data) > 1e6 for tags, data in page.texts
        )
    }
    assert with_mathjax == NAMES


NAMED = {"fig-a": "Figure 3", "eq-a": "(2)", "sec-a": "“A title”"}
NAMED |= {"a2020": ("Ada et al.", "2020"), "b2021": ("Bo and Cy", "2021")}


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("{term}`token`", "token"),
        ("{term}`tokens <token>`", "tokens"),
        ("{numref}`fig-a`", "Figure 3"),
        ("{eq}`eq-a`", "(2)"),
        ("{ref}`sec-a`", "“A title”"),
        ("[](#sec-a)", "“A title”"),
        ("[the chapter](#sec-a)", "the chapter"),
        ("[a page](https://example.org)", "a page"),
        ("{cite:t}`a2020`", "Ada et al. (2020)"),
        ("{cite:p}`a2020,b2021`", "(Ada et al., 2020; Bo and Cy, 2021)"),
        ("$a < b$", r"\(a &lt; b\)"),
        ("`a < $b$`", "<code>a &lt; $b$</code>"),
        ("<b>", "&lt;b&gt;"),
    ],
)
def test_what_points_away_becomes_words(markdown, html):
    (node,) = markup.parse(markdown)
    assert markup.render_inside(node, NAMED) == html


@pytest.mark.parametrize(
    "markdown", ["{doc}`x`", "{eq}`eq-b`", "{cite:p}`c2022`", "[](#sec-b)"]
)
def test_what_has_no_name_is_refused_in_one_sentence(markdown):
    (node,) = markup.parse(markdown)
    with pytest.raises(
        ValueError, match="A role in a chapter must be .* Received: "
    ) as e:
        markup.render_inside(node, NAMED)
    assert "\n" not in str(e.value)


def fill(script, text):
    return deck.fill("section", "A heading", markup.parse(text), {})


def test_a_list_that_does_not_fit_goes_on_on_the_next_slide(script):
    items = [f"the point of number {number} " + "word " * 30 for number in range(9)]
    slides = fill(script, "".join(f"{n + 1}. {item}\n" for n, item in enumerate(items)))
    assert [slide.heading for slide in slides] == [
        f"A heading <small>{n} of 3</small>" for n in (1, 2, 3)
    ]
    assert [len(slide.parts) for slide in slides] == [3, 3, 3]
    html = "".join(part.html for slide in slides for part in slide.parts)
    assert re.findall(r'value="(\d)"', html) == [str(n) for n in range(1, 10)]
    assert all(item.strip() in html for item in items)


def test_what_fits_stays_on_one_slide(script):
    (slide,) = fill(script, "A short paragraph.\n\n* a point\n* another")
    assert slide.heading == "A heading"
    assert [part.container for part in slide.parts] == ["", "ul", "ul"]


def test_a_paragraph_that_fits_no_slide_is_refused_in_one_sentence(script):
    with pytest.raises(ValueError, match="must have at most 12.5 lines .* Received: "):
        fill(script, "word " * 250)
