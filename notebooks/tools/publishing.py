"""What a version publishes: `course.py release` makes it, and gathers it here."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("student", "solutions", "instructor", "slides", "questions")
# What names the address of the repository, and what stands there before it has one.
PLACES = ("CITATION.cff", "_config.yml", "book/how-to.md")
NOTEBOOKS = ("notebooks/*.py", "notebooks/*.ipynb")
PLACEHOLDER = re.compile(r"\bADDRESS\b|example\.org")


def read(name):
    """The text of a file of the course."""
    return (ROOT / name).read_text("utf-8")


def version():
    """The number of the package, which need not be imported for it."""
    line = r'^__version__ = "(.+)"$'
    return re.search(line, read("vitlib/__init__.py"), re.M)[1]


def without_address():
    """The files in which the address of the repository is still missing."""
    found = [path for pattern in NOTEBOOKS for path in ROOT.glob(pattern)]
    names = (*PLACES, *sorted(str(path.relative_to(ROOT)) for path in found))
    return [name for name in names if PLACEHOLDER.search(read(name))]


def check_tag(tag):
    """Stops where a tag is of another version, or what it publishes has no address.

    Without a tag nobody publishes, and all can be tried.
    """
    if tag is None:
        return
    if tag != f"v{version()}":
        raise SystemExit(
            "TAG must be a v and the version in vitlib/__init__.py, "
            f"v{version()}. Received: {tag!r}."
        )
    if names := without_address():
        raise SystemExit(
            "What a tag publishes must name the address of the repository; "
            "CONTRIBUTING.md lists the places. Received: a placeholder in "
            f"{', '.join(names)}."
        )


def gather(build):
    """Gathers what was built in `build/release`.

    `pages/` is for a web server, `files/` to be downloaded, and `notes.md` says what
    the version changed.
    """
    target, name = build / "release", f"vit-course-{version()}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(build / "html", target / "pages")
    files, editions = target / "files", build / "editions"
    files.mkdir()
    shutil.copy(build / "book.pdf", files / f"{name}.pdf")
    (editions / "questions").mkdir()
    for path in editions.glob("questions.*"):
        path.rename(editions / "questions" / path.name)
    for part in PARTS:
        shutil.make_archive(files / f"{name}-{part}", "zip", editions, part)
    (target / "notes.md").write_text(notes(version()), "utf-8")


def notes(number):
    """What `CHANGELOG.md` says of a version."""
    _, _, rest = read("CHANGELOG.md").partition(f"\n## {number}, ")
    return rest.split("\n## ")[0].partition("\n")[2].strip() + "\n"
