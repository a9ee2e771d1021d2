"""The built book: complete, without a dead link, readable without a network."""

import pkgutil
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from plain import CHAPTERS

import vitlib
from vitlib.studies import MODULES

ROOT = Path(__file__).resolve().parents[1]
# Attributes that make a browser fetch something when it opens a page.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
# Links in a page's head that only tell where something is.
TOLD = {"canonical", "next", "prev", "search", "index", "author", "copyright"}


class Page(HTMLParser):
    """The tags of a page, and the names that a link can point to."""

    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.feed(path.read_text("utf-8"))
        self.names = {
            attrs.get(key) for _, attrs in self.tags for key in ("id", "name")
        }

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def fetched(self):
        """Addresses that a browser loads without being asked."""
        for tag, attrs in self.tags:
            if tag == "link" and not set(attrs["rel"].split()) & TOLD:
                yield attrs["href"]
            elif attrs.get(FETCHED.get(tag)):
                yield attrs[FETCHED[tag]]

    def links(self):
        return [
            attrs["href"] for tag, attrs in self.tags if tag == "a" and "href" in attrs
        ]


def build(root, out):
    """Builds the book of a copy of the course; warnings are errors."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book"]
    command += ["-W", "-n", "--keep-going", "--path-output", str(out)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    out = tmp_path_factory.mktemp("book")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build/html"


@pytest.fixture(scope="module")
def pages(html):
    return read_pages(html)


def read_pages(html):
    return {path: Page(path) for path in sorted(html.rglob("*.html")) if is_page(path)}


def is_page(path):
    return "_static" not in path.parts


def chapters():
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text())
    parts = toc.get("parts", [toc])
    return [entry["file"] for part in parts for entry in part["chapters"]]


def is_outside(address):
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def test_every_notebook_is_a_chapter_and_every_chapter_has_a_file():
    names = {p.stem for p in (ROOT / "notebooks").glob("*.ipynb") if "." not in p.stem}
    listed = {Path(name).name for name in chapters() if name.startswith("notebooks/")}
    assert listed == names
    for name in chapters():
        found = [(ROOT / "book" / name).with_suffix(end) for end in (".md", ".ipynb")]
        assert any(path.is_file() for path in found), name


def test_the_reference_has_every_module_of_vitlib():
    page = (ROOT / "book/vitlib.md").read_text("utf-8")
    modules = {
        m.name: m.ispkg for m in pkgutil.walk_packages(vitlib.__path__, "vitlib.")
    }
    studies = {f"vitlib.studies.{m.__name__.split('.')[-1]}" for m in MODULES}
    parts = [*CHAPTERS, "softmax"]  # `checks` tells of them
    chapters = {f"vitlib.checks.{name}" for name in parts}
    names = {name for name, is_package in modules.items() if not is_package}
    names = names - studies - chapters | {"vitlib.checks"}
    assert set(re.findall(r"automodule:: (vitlib[\w.]+)", page)) == names


def test_the_book_reaches_the_notebooks_through_a_relative_symlink():
    link = ROOT / "book/notebooks"
    assert link.is_symlink()
    assert str(link.readlink()) == "../notebooks"


def test_every_chapter_becomes_a_page(html, pages):
    for name in ["index", *chapters()]:
        assert html / f"{name}.html" in pages


def test_the_front_page_presents_every_notebook():
    index = (ROOT / "book/index.md").read_text("utf-8")
    for path in (ROOT / "notebooks").glob("*.py"):
        label = re.search(r"^# \((sec-\S+)\)=$", path.read_text("utf-8"), re.MULTILINE)
        assert f"](#{label[1]})" in index, path.stem


def test_no_page_fetches_anything_from_outside(pages):
    for path, page in pages.items():
        assert not [a for a in page.fetched() if is_outside(a)], path.name


def test_everything_that_a_page_fetches_is_there(pages):
    for path, page in pages.items():
        for address in page.fetched():
            target = path.parent / unquote(urlsplit(address).path)
            assert target.is_file(), f"{path.name}: {address}"


def test_no_style_sheet_fetches_anything_from_outside(html):
    sheets = sorted(html.rglob("*.css"))
    assert sheets
    for path in sheets:
        text = path.read_text("utf-8")
        assert not re.search(r"""(url\(|@import)\s*['"]?(https?:)?//""", text), path


def test_formulas_are_set_by_files_of_the_book(html, pages):
    for path, page in pages.items():
        classes = [attrs.get("class") or "" for _, attrs in page.tags]
        if any("math" in value.split() for value in classes):
            scripts = [a for a in page.fetched() if "mathjax" in a]
            assert len(scripts) == 1, path.name
    fonts = html / "_static/mathjax/output/chtml/fonts/woff-v2"
    assert len(list(fonts.glob("*.woff"))) > 10


def links_within(pages):
    """Each link of a page that leads to a page of the book: path, page and link."""
    for path, page in pages.items():
        for link in page.links():
            if not is_outside(link):
                yield path, link


def dead_links(pages):
    found = []
    for path, link in links_within(pages):
        parts = urlsplit(link)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        is_named = not parts.fragment or target not in pages
        is_named = is_named or unquote(parts.fragment) in pages[target].names
        if not target.exists() or not is_named:
            found.append(f"{path.name}: {link}")
    return found


def test_every_link_within_the_book_leads_somewhere(pages):
    assert dead_links(pages) == []
    assert len(list(links_within(pages))) > 50


def undescribed_images(pages):
    found = []
    for path, page in pages.items():
        for tag, attrs in page.tags:
            alt = attrs.get("alt") or ""
            is_name = re.search(r"\.(png|svg|jpe?g)$", alt)
            if tag == "img" and (len(alt) <= 10 or is_name):
                found.append(f"{path.name}: {attrs['src']}")
    return found


def test_every_image_has_a_text_that_says_what_it_shows(pages):
    assert undescribed_images(pages) == []


DAMAGED = """<h2 id="sec-here">Here</h2>
<a href="#sec-here">a</a> <a href="other.html#there">a</a> <a href="https://a.org">a</a>
<a href="nowhere.html">a</a> <a href="#sec-nowhere">a</a> <a href="other.html#no">a</a>
<img src="a.png" alt="Two curves that cross."> <img src="b.png">
<img src="c.png" alt=""> <img src="d.png" alt="a curve">
<img src="e.png" alt="images/e.png">
"""


def test_dead_links_and_images_without_a_text_are_found(tmp_path):
    (tmp_path / "page.html").write_text(DAMAGED, "utf-8")
    (tmp_path / "other.html").write_text('<p id="there"></p>', "utf-8")
    pages = read_pages(tmp_path.resolve())
    links = ["nowhere.html", "#sec-nowhere", "other.html#no"]
    assert dead_links(pages) == [f"page.html: {link}" for link in links]
    images = ["b.png", "c.png", "d.png", "e.png"]
    assert undescribed_images(pages) == [f"page.html: {image}" for image in images]


def book_of_one_page(root, text):
    """Writes what is built as the whole book is, with one page."""
    for name in ("_config.yml", "book/references.bib"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in ("book/_extensions", "book/images", "book/_static"):
        shutil.copytree(ROOT / name, root / name)
    (root / "book/_toc.yml").write_text("format: jb-book\nroot: index\n")
    (root / "book/index.md").write_text(text)


def test_a_link_to_no_section_breaks_the_build_of_the_book(tmp_path):
    book_of_one_page(tmp_path, "# A page\n\n[](#sec-nowhere)\n")
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len(warnings) == 1, done.stderr
    assert re.search(r"index\.md:\d+: WARNING: .*sec-nowhere", warnings[0])


SOLVED = """# A page

:::{exercise} How much?
:label: ex-much

What is six times seven?
:::

[](#sec-solved)

(sec-solved)=
## Solutions

:::{solution-start} ex-much
:class: dropdown
:::

It is *forty-two*.

```python
print("forty-two")
```

:::{solution-end}
:::

## References

None at all.
"""


@pytest.mark.parametrize("solutions", ["yes", "no"])
def test_a_book_without_solutions_has_them_in_no_file(tmp_path, monkeypatch, solutions):
    monkeypatch.setenv("SOLUTIONS", solutions)
    book_of_one_page(tmp_path, SOLVED)
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    files = [p for p in (tmp_path / "out/_build/html").rglob("*") if p.is_file()]
    found = {
        path.name for path in files if re.search(b"fort[iy]-two", path.read_bytes())
    }
    shown = (tmp_path / "out/_build/html/index.html").read_text("utf-8")
    assert "six times seven" in shown and "None at all." in shown
    assert ("without the solutions" in shown) == (solutions == "no")
    assert found == (set() if solutions == "no" else {"index.html", "index.md"})
    assert dead_links(read_pages((tmp_path / "out/_build/html").resolve())) == []


def test_solutions_are_a_matter_of_yes_or_no(tmp_path, monkeypatch):
    monkeypatch.setenv("SOLUTIONS", "none")
    book_of_one_page(tmp_path, SOLVED)
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "SOLUTIONS must be yes or no. Received: 'none'." in said


def test_without_a_public_address_there_is_no_button_that_leads_to_one(pages):
    for path, page in pages.items():
        classes = " ".join(attrs.get("class") or "" for _, attrs in page.tags)
        assert "btn-source-repository-button" not in classes, path.name
        assert not [link for link in page.links() if "colab" in link], path.name


def test_one_line_of_the_config_turns_the_buttons_on():
    text = (ROOT / "_config.yml").read_text("utf-8")
    turned_on = text.replace("# html_theme_options:", "html_theme_options:")
    options = yaml.safe_load(turned_on)["sphinx"]["config"]["html_theme_options"]
    assert options["repository_url"] == "ADDRESS"
    assert options["use_repository_button"] and options["launch_buttons"]["colab_url"]
    assert len(set(text.splitlines()) ^ set(turned_on.splitlines())) == 2


def test_every_page_says_its_language(pages):
    for path, page in pages.items():
        languages = [attrs.get("lang") for tag, attrs in page.tags if tag == "html"]
        assert languages == ["en"], path.name


def test_every_solution_is_folded(html, pages):
    classes = [
        attrs.get("class") or "" for page in pages.values() for _, attrs in page.tags
    ]
    solutions = [value.split() for value in classes if "solution" in value.split()]
    assert len(solutions) >= 3
    assert all("dropdown" in value for value in solutions)
