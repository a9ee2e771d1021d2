"""Where the built book is, and the browser that opens it."""

import os
import shutil
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "_build"
BOOK = BUILD / "html"
PDF = BUILD / "book.pdf"
PAGES = sorted(p for p in BOOK.rglob("*.html") if "_static" not in p.parts)
NAMES = [str(path.relative_to(BOOK)) for path in PAGES]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
