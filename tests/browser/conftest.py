"""Readers of the built book, each with a screen and a theme: `make test-browser`."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from built import CHROMIUM, DECKS, PAGES, PDF
from playwright.sync_api import sync_playwright


def pytest_sessionstart():
    if not CHROMIUM:
        pytest.exit(
            "The tests of the book need an installed Chromium, and find none. Install "
            "it (Debian: apt install chromium), or name it: make test-browser "
            "CHROMIUM=/path/to/chrome",
            returncode=2,
        )
    if not (PAGES and PDF.exists() and DECKS):
        message = "The book and the slides must be built before: make book pdf editions"
        pytest.exit(message, returncode=2)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    return Axe()


@pytest.fixture(scope="session", params=[390, 1280], ids="{} pixels".format)
def width(request):
    return request.param


@pytest.fixture(scope="session", params=["light", "dark"])
def theme(request):
    return request.param


@pytest.fixture(scope="session")
def context(chromium, width, theme):
    """A reader with a screen of that width who has chosen that theme."""
    with chromium.new_context(viewport={"width": width, "height": 800}) as context:
        context.add_init_script(
            f"localStorage.setItem('mode', '{theme}');"
            f"localStorage.setItem('theme', '{theme}');"
        )
        yield context


@pytest.fixture
def reader(chromium):
    """A reader at a desk who has chosen nothing yet."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        yield context
