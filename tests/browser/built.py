"""Where the built book and the slides are, and the browser that opens them."""

import os
import shutil
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "_build"
BOOK = BUILD / "html"
PDF = BUILD / "book.pdf"
PAGES = sorted(p for p in BOOK.rglob("*.html") if "_static" not in p.parts)
SLIDES = BUILD.with_name("editions") / "slides"
DECKS = sorted(SLIDES.glob("*.html"))
NAMES = [str(path.relative_to(BOOK)) for path in PAGES]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
