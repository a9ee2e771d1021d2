"""What is wrong with a page that a browser shows: each function lists its findings."""

from urllib.parse import unquote, urldefrag

SERIOUS = {"serious", "critical"}

FORMULAS = """() => [...document.querySelectorAll(".math")]
  .filter(math => {
    const shown = math.querySelector("mjx-container");
    return !shown || shown.querySelector("mjx-merror") || !shown.clientWidth;
  })
  .map(math => `formula not rendered: ${math.textContent.trim().slice(0, 60)}`)"""

PICTURES = """() => [...document.querySelectorAll("main img")]
  .flatMap(image => [
    image.naturalWidth ? [] : `picture not loaded: ${image.src}`,
    image.alt.trim() ? [] : `picture without alt text: ${image.src}`,
  ].flat())"""

CAPTIONS = """() => [...document.querySelectorAll("main figure")]
  .filter(figure => !figure.querySelector("figcaption")?.textContent.trim())
  .map(figure => `figure without caption: ${figure.id}`)"""

WIDTH = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= window.innerWidth) return [];
  const wide = [...document.querySelectorAll("main *")]
    .filter(part => part.checkVisibility({visibilityProperty: true})
      && part.getBoundingClientRect().right > window.innerWidth + 1)
    .map(part => `${part.tagName.toLowerCase()}.${part.className}`);
  return [`${page.scrollWidth} pixels wide, by ${wide.slice(-3).join(", ")}`];
}"""

# Where a reader can neither see the end of a line nor scroll to it. Formulas may scroll
# on a telephone, which has no room for them, but not on a wide window.
CUT = """() => {
  const flow = part => getComputedStyle(part).overflowX;
  const shown = part => part.getBoundingClientRect().width > 1
    && !part.closest("mjx-assistive-mml");
  const over = (part, box) =>
    part.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
  const scrolls = (part, box) => part !== box
    && (["auto", "scroll"].includes(flow(part)) || scrolls(part.parentElement, box));
  const boxes = [...document.querySelectorAll("article *")]
    .filter(part => ["hidden", "clip"].includes(flow(part)) && shown(part));
  const cut = boxes.flatMap(box => [...box.querySelectorAll("*")]
    .filter(part => shown(part) && over(part, box) && !scrolls(part, box)));
  const wide = window.innerWidth < 1000 ? []
    : [...document.querySelectorAll("mjx-container[display=true]")]
      .filter(formula => over(formula.firstElementChild, formula));
  return [...cut, ...wide].map(part => `cut off: ${part.outerHTML.slice(0, 90)}`);
}"""

# What can be reached by the Tab key must be, and nothing may keep the focus. Of a group
# of radio buttons the Tab key reaches the one that is on, and arrow keys the others.
REACHABLE = """() => [...document.querySelectorAll(
    "a[href], button, input, summary, select, textarea, [tabindex='0']")]
  .filter(part => part.checkVisibility({visibilityProperty: true})
    && !part.disabled && part.tabIndex >= 0 && !part.dataset.reached
    && !(part.type === "radio" && !part.checked)
    && !part.closest("[inert]"))
  .map(part => `not reached by Tab: ${part.outerHTML.slice(0, 90)}`)"""

TAKE_NOTE = """() => {
  const part = document.activeElement;
  const known = part === document.body || part.dataset.reached;
  part.dataset.reached = "yes";
  return Boolean(known);
}"""


def visit(context, path, folder):
    """Opens a page and waits until its formulas are set.

    Args:
        context: Playwright's `BrowserContext`.
        path: Path of the page.
        folder: Path that no request may leave.

    Returns:
        The page, and a list of findings that grows with what it reports: errors, and
        requests that leave the folder.
    """
    page, findings = context.new_page(), []

    def hear(message):
        if message.type == "error":
            findings.append(f"console: {message.text}")

    def watch(request):
        if not request.url.startswith((f"{folder.as_uri()}/", "data:", "blob:")):
            findings.append(f"request leaves the book: {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: findings.append(f"script: {error}"))
    page.on("request", watch)
    page.goto(path.as_uri())
    page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
    return page, findings


def look(page, axe):
    """Lists what a page shows wrongly at its width and in its theme."""
    scripts = (FORMULAS, PICTURES, CAPTIONS, WIDTH, CUT)
    return [f for script in scripts for f in page.evaluate(script)] + hinder(page, axe)


def hinder(page, axe):
    """Lists what axe-core finds to be a serious hindrance."""
    # "preload" asks for the style sheets once more, which no page on a disk may.
    found = axe.run(page, options={"resultTypes": ["violations"], "preload": False})
    return [
        f"axe {violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found.response["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def names_and_links(page):
    """The names on a page that a link can point to, and the addresses of its links."""
    names = page.evaluate(
        "() => [...document.querySelectorAll('[id], a[name]')].map(p => p.id || p.name)"
    )
    links = page.evaluate(
        "() => [...document.querySelectorAll('a[href]')].map(part => part.href)"
    )
    return set(names), links


def dead_links(pages, folder):
    """Lists the links that do not land.

    Args:
        pages: Dict from the address of a page to what `names_and_links` found there.
        folder: Path of the book.
    """
    findings = []
    for source, (_, links) in pages.items():
        for link in links:
            target, name = urldefrag(link)
            if not target.startswith(folder.as_uri()) or target.endswith((".js", "#")):
                continue
            known = pages.get(target, (None, None))[0]
            if known is None and not target.endswith(".html"):
                continue  # a notebook to download, looked for by `tests/test_book.py`
            if known is None or (name and unquote(name) not in known):
                findings.append(f"{source}: dead link to {link}")
    return findings


def walk(page, most=3000):
    """Presses Tab through a page. Lists what is not reached, or holds the focus."""
    page.evaluate("document.body.focus()")
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(TAKE_NOTE):
            return page.evaluate(REACHABLE)
    return [f"Tab did not come round in {most} steps"]
