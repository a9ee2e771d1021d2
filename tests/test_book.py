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

import vitlib
from vitlib.studies import MODULES

ROOT = Path(__file__).resolve().parents[1]
# Attributes that make a browser fetch something when it opens a page.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
# Links in a page's head that only tell where something is.
TOLD = {"canonical", "next", "prev", "search", "index", "author", "copyright"}

CHAPTERS = ["data", "patches", "positions", "training", "comparison", "attention"]
CHAPTERS += ["debugging"]


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


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    out = tmp_path_factory.mktemp("book")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book"]
    command += ["-W", "-n", "--keep-going", "--path-output", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build/html"


@pytest.fixture(scope="module")
def pages(html):
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


def test_the_chapters_stand_in_the_order_in_which_they_are_read():
    listed = [Path(name).name for name in chapters() if name.startswith("notebooks/")]
    assert listed == [*CHAPTERS, "findings", "results", "speed"]


def test_the_reference_has_every_module_of_vitlib():
    page = (ROOT / "book/vitlib.md").read_text("utf-8")
    modules = {
        m.name: m.ispkg for m in pkgutil.walk_packages(vitlib.__path__, "vitlib.")
    }
    studies = {f"vitlib.studies.{m.__name__.split('.')[-1]}" for m in MODULES}
    chapters = {f"vitlib.checks.{name}" for name in CHAPTERS}  # `checks` tells of them
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


def test_every_link_within_the_book_leads_somewhere(pages):
    checked = 0
    for path, page in pages.items():
        for link in filter(lambda link: not is_outside(link), page.links()):
            parts = urlsplit(link)
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            assert target.exists(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                names = pages[target].names
                assert unquote(parts.fragment) in names, f"{path.name}: {link}"
            checked += 1
    assert checked > 50


def test_every_image_has_a_text_that_says_what_it_shows(pages):
    for path, page in pages.items():
        for tag, attrs in page.tags:
            if tag == "img":
                alt = attrs.get("alt") or ""
                assert len(alt) > 10, f"{path.name}: {attrs['src']}"
                assert not re.search(r"\.(png|svg|jpe?g)$", alt), f"{path.name}: {alt}"


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


@pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    reason="printing needs an installed Chromium or Chrome",
)
def test_the_pdf_has_every_chapter_in_its_outline():
    done = subprocess.run(["make", "pdf"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    pdf = (ROOT / "_build/book.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF")
    for name in CHAPTERS:
        source = (ROOT / f"notebooks/{name}.py").read_text("utf-8")
        # Chromium drops the space where it breaks a line of a long title.
        start = re.search(r"^# # ((?:\S+ ){2}\S+)", source, re.MULTILINE)[1]
        assert f"/Title ({start}".encode() in pdf, start
