"""`teaching/slides.py`: decks that ask first, and show what they speak of."""

import re
from html.parser import HTMLParser
from pathlib import Path

import blocks
import nbformat
import pytest
import slides
from editions import PAGES, tags
from plain import CHAPTERS, READER

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
    """The tags of a page, and the text in each tag and class, formulas left out."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.open, self.classes = [], [], [], []
        text = path.read_text("utf-8").split("</main>")[0]
        self.slides = text.split("<section ")[1:]
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.classes.append(dict(attrs).get("class", ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.classes.pop()

    def handle_data(self, data):
        self.texts.append(((*self.classes, *self.open), data))

    def text(self, *inside, without=("script", "style", "title")):
        texts = [
            data
            for tags, data in self.texts
            if set(inside) <= {*tags} and not {*tags} & {*without}
        ]
        return FORMULA.sub("", "".join(texts))

    def values(self, tag, name):
        return [attrs[name] for kind, attrs in self.tags if kind == tag]


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    out = tmp_path_factory.mktemp("editions") / "slides"
    assert slides.main(["--out", str(out)]) == 0
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


def test_every_chapter_has_a_deck_and_the_index_links_it(decks):
    assert set(decks) == NAMES | {"index"}
    links = decks["index"].values("a", "href")
    assert links == [f"{name}.html" for name in CHAPTERS]


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
    shown = list(dict.fromkeys(decks[name].values("img", "src")))  # some come again
    assert shown == sources
    alts = list(dict.fromkeys(decks[name].values("img", "alt")))
    assert alts == [alt for _, alt, _ in expected]
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
    [
        ("Is $a. B$? **No. It is 1.5, of course.** So", 3),
        ("Li et al. (2020) say: No.", 2),
        ("**1-D.** It is `x. Y`. (That is *so*.) It is.", 3),
    ],
)
def test_a_text_is_cut_between_its_sentences(text, count):
    sentences = blocks.split_sentences(text)
    assert len(sentences) == count and " ".join(sentences) == text


@each_chapter
def test_every_exercise_is_there_with_its_text(decks, name):
    pattern = r"^:::\{exercise\} (.+)\n:label: \S+\n((?:.*\n)*?):::$"
    exercises = re.findall(pattern, prose(cells(name)[0]), re.MULTILINE)
    assert len(exercises) >= 3
    page = decks[name]
    titles, shown = letters(page.text("h2")), letters(page.text("section"))
    for number, (title, text) in enumerate(exercises, start=1):
        assert f"Exercise {number} {letters(title)}" in titles
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
def test_a_solution_waits_for_a_key(decks, name):
    before, solutions = cells(name)
    known, page = letters(prose(before)), decks[name]
    shown = letters(page.text("section", without=("fragment", "notes", "h2")))
    text = re.sub(r":::.*|:class:.*", "", prose(solutions))
    sentences = [letters(sentence) for sentence in re.split(r"(?<=[.?:])\s", text)]
    sentences = [s for s in sentences if len(s) > 20 and s not in known]
    code = [letters(c.source) for c in solutions if "solution" in tags(c)]
    assert len(sentences) >= 5 and len(code) >= 3
    assert [found for found in sentences + code if found in shown] == []
    answers = letters(page.text("fragment"))
    assert [program for program in code if program not in answers] == []
    for _, alt, _ in figures(solutions):
        assert alt not in page.values("img", "alt")


@each_chapter
def test_what_is_printed_waits_for_a_key(decks, name):
    page = decks[name]
    printed = letters(page.text("output"))
    assert len(printed) > 200 and printed == letters(page.text("output", "fragment"))
    asked = [html for html in page.slides if '<pre class="output">' in html]
    assert len(asked) >= 10
    programs = [html for html in page.slides if "<pre><code>" in html]
    assert len(programs) >= 15


@each_chapter
def test_notes_for_instructors_are_notes_of_the_speaker(decks, name):
    found = [cell.source for cell in cells(name)[0] if "instructor" in tags(cell)]
    assert len(found) >= 3
    notes = letters(decks[name].text("notes"))
    shown = letters(decks[name].text("section", without=("notes",)))
    for note in found:
        note = re.sub(r"^> ", "", note, flags=re.M).split("instructor.** ")[1]
        sentences = [part for part in parts(note) if len(part) > 20]
        assert sentences and [part for part in sentences if part not in notes] == []
        assert [part for part in sentences if part in shown] == []


def look_for(slide):
    """What a slide speaks of and does not show."""
    slide = re.sub(r"<aside.*?</aside>|<h2 class=.*?</h2>", "", slide, flags=re.DOTALL)
    captions = re.findall(r"<figcaption><em>(Figure \d+)", slide)
    said = re.sub(r"<(figure|pre)\b.*?</\1>", "", slide, flags=re.DOTALL)
    said = re.sub(r"<[^>]*>|\s+", " ", said)
    missing = set(re.findall(r"Figure \d+", said)) - set(captions)
    if re.search(r"tables? (above|below)|(next|last|folded) table", said):
        missing |= {"table"} - {*re.findall(r"<(table)", slide)}
    if re.search(r"Program \d|program above|this program", said):
        missing |= {"code"} - {*re.findall(r"<pre><(code)", slide)}
    return missing


@each_chapter
def test_a_slide_shows_what_it_speaks_of(decks, name):
    found = {n: look_for(slide) for n, slide in enumerate(decks[name].slides, 1)}
    assert {number: missing for number, missing in found.items() if missing} == {}


def test_what_is_spoken_of_and_not_shown_is_found():
    said = ("Figure 2", "Program 3", "last table")
    found = [look_for(f"<p>{words}</p>") for words in said]
    assert found == [{"Figure 2"}, {"code"}, {"table"}]


@each_chapter
def test_no_slide_is_too_full(decks, name):
    for number, slide in enumerate(decks[name].slides, start=1):
        slide = re.sub(r"<aside.*?</aside>", "", slide, flags=re.DOTALL)
        code = "\n".join(re.findall(r"<pre.*?</pre>", slide, re.DOTALL))
        rest = re.sub(r"<pre.*?</pre>|<[^>]*>", "", slide, flags=re.DOTALL)
        rows = slide.count("<tr>")
        lines = len(code.splitlines()) + len(FORMULA.sub("12345", rest)) / 90 + rows
        assert lines + 9 * slide.count("<figure") <= 20, number
        assert len(letters(rest)) <= 1050 and rows <= 11, number


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
    assert MARKUP.findall(page.text("main", without=("code", "output"))) == []
    code = page.text("main", "code", without=("pre",)).replace("$", "")
    assert MARKUP.findall(code) == []
    count = sum(tag == "section" for tag, _ in page.tags)
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
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


@each_chapter
def test_a_note_says_before_which_section_an_hour_is_over(decks, name):
    page = (ROOT / "book/instructors.md").read_text("utf-8")
    pattern = rf"\(#sec-{name}\): (\d+) minutes\*\*(.+?)\nFor home"
    length, table = re.search(pattern, page, re.DOTALL).groups()
    noted = [slide for slide in decks[name].slides if "In a slot of 60 " in slide]
    assert len(noted) == (int(length) > 60)
    for slide in noted:
        before, rest = table.split(f"\n| {re.search('<h2>(.+?)</h2>', slide)[1]}")
        over, more = (
            sum(map(int, re.findall(r"(?<=\| )\d+(?= \|)", part)))
            for part in (before, rest.splitlines()[0])
        )
        assert over <= 60 < over + more
        assert f"instructors {over} minutes are over" in slide


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("$a < b$", r'<span class="math inline">\(a &lt; b\)</span>'),
        ("`a < $b$`", "<code>a &lt; $b$</code>"),
        ("<b> & *c*", "&lt;b&gt; &amp; <em>c</em>"),
    ],
)
def test_html_shows_what_the_markdown_says(markdown, html):
    assert READER.renderInline(markdown) == html
