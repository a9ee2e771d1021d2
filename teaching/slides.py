"""Make slides of the chapters, one HTML file each, which need no network to be shown.

    python teaching/slides.py

A deck asks before it answers. A section begins with its question; then each slide has
one thing to look at, a program and what it prints, a figure, a table, a formula, with
the sentences before and behind it. What is printed, the conclusion, and the solution of
an exercise wait for a key. The notes for the speaker are those for instructors, and the
text that no slide shows. `slides.html` fits the letters to each slide.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from html import escape, unescape
from importlib.metadata import distribution
from pathlib import Path
from string import Template

from blocks import GAP, LINE, Part, paragraph, points_to, read_blocks
from editions import ROOT, read_chapters
from plain import CHAPTERS, Plain

from vitlib.folders import require_own

TEMPLATE = Template(Path(__file__).with_name("slides.html").read_text("utf-8"))
ROOM, TITLE_LETTERS = 600, 48  # pixels below the margin; letters on a line of a title
LEADS = re.compile(r"Now|Let|Next|Here|We |\*\*.*[^*]$")  # they begin something new
CLOSED = re.compile(r"\.\W*$")
ROW = re.compile(r"\| ([^|]+) \| *(\d+) \| *(\d*) \|")  # of a table of minutes
SLOT = 60  # minutes of the shortest lesson
HINT, PREFACE = "A first hint", "Before you start"


@dataclass
class Slide:
    """A heading, the parts below it, and the notes of the speaker, in HTML."""

    heading: str
    again: bool = False  # the heading stood on a slide before
    parts: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def room(self):
        """The pixels that are left."""
        lines = 1 + len(self.heading) // TITLE_LETTERS
        title = LINE + GAP if self.again else 52 * lines + GAP
        return ROOM - title - sum(part.height for part in self.parts)

    def may_say(self, sentence, *more):
        """Whether all that a sentence points to is shown, above it or by more parts."""
        shown = {part.shows for part in self.parts}
        shown |= {f"{name} above" for name in shown} | {part.shows for part in more}
        return points_to(sentence) <= shown

    def html(self):
        """What stands below the heading; a fragment waits for a key."""
        lines = [_wrap(part) for part in self.parts]
        if self.notes:
            lines.append(f'<aside class="notes">{"".join(self.notes)}</aside>')
        between_items = r'</(ul|ol)>\s*<\1(?: start="\d+")?>'
        return re.sub(between_items, "", "\n".join(lines))


def _wrap(part):
    return f'<div class="fragment">{part.html}</div>' if part.is_answer else part.html


def _beside(parts, shown):
    """The parts of a text, as many together as fit, beside what they point to."""
    groups, height = [], ROOM
    for part in parts:
        height += 2.4 * part.height  # on half of the width
        if part.shows or height > 0.8 * ROOM:
            groups.append([])
            height = 2.4 * part.height
        groups[-1].append(part)
    for group in groups:
        if group[0].shows:  # a program needs the whole width
            yield from group
            continue
        text = "".join(map(_wrap, group))
        html = f'<div class="beside"><div>{text}</div>{shown.html}</div>'
        yield Part(html, round(0.8 * ROOM), shown.shows)


class Deck:
    """The slides of a chapter, made of its blocks one after the other."""

    def __init__(self, blocks):
        self.slides, self.told, self.later = [], [], []
        self.heading, self.is_new = "", True
        self.may_conclude = False  # the next text says what one has just seen
        for block in blocks:
            getattr(self, f"_add_{block.kind}")(block)
        self._flush()

    def _flush(self):
        """Says what is left to say: key sentences on a slide, the rest in notes."""
        told = [self.later, *self.told] if self.later else self.told
        self.told, self.later = [], []
        for sentences in told:
            slide = self.slides[-1]
            if sentences[0].startswith("**") and slide.may_say(" ".join(sentences)):
                self._fill([paragraph(sentences)])
            else:
                slide.notes.append(paragraph(sentences).html)

    def _fill(self, parts, heading=None):
        """Puts parts below a heading, or the section's, on as few slides as can be."""
        again = not (heading or self.is_new)
        self.is_new, self.may_conclude = self.is_new and bool(heading), False
        for part in parts:
            if part is parts[0] or part.height > self.slides[-1].room():
                self.slides.append(Slide(heading or self.heading, again))
                again = True
            self.slides[-1].parts.append(part)

    def _add_heading(self, block):
        self._flush()
        self.heading, self.is_new = block.heading, True

    def _add_note(self, block):
        notes = self.slides[-1].notes
        notes[:0] = [part.html for part in block.parts]

    def _add_text(self, block):
        sentences = list(block.sentences)
        if self.is_new and not self.told:
            sentences = self._open(sentences)
        elif self.may_conclude:
            sentences = self._conclude(sentences)
        self.may_conclude = False
        if sentences:
            self.told.append(sentences)

    def _open(self, sentences):
        """Begins a section with the sentences that point to nothing."""
        pointing = [number for number, s in enumerate(sentences) if points_to(s)]
        end = pointing[0] if pointing else len(sentences)
        while end and not re.search(r"[.?!]\W*$", sentences[end - 1]):
            end -= 1  # it leads to what comes next
        if not end or points_to(self.heading):
            return sentences
        self._fill([paragraph(sentences[:end])])
        return sentences[end:]

    def _conclude(self, sentences):
        """Adds the first sentence to the slide before, if it fits and is no lead."""
        first, slide = sentences[0], self.slides[-1]
        part = paragraph([first], is_answer=True)
        fits = part.height <= slide.room() and slide.may_say(first)
        if not fits or LEADS.match(first) or not CLOSED.search(first):
            return sentences
        slide.parts.append(part)
        return sentences[1:]

    def _add_shown(self, block):
        if not block.parts or self._continue(block.parts):
            return
        sentences = self.later + (self.told.pop() if self.told else [])
        self.later = []
        self._flush()
        lead = self._choose_lead(sentences, block.parts)
        if not lead and block.is_step:
            self.later = sentences
            return
        self._fill([paragraph(lead), *block.parts] if lead else block.parts)
        self.may_conclude = True
        slide, left = self.slides[-1], [s for s in sentences if s not in lead]
        self.later = [sentence for sentence in left if not slide.may_say(sentence)]
        if said := [sentence for sentence in left if slide.may_say(sentence)]:
            slide.notes.append(paragraph(said).html)

    def _continue(self, parts):
        """Whether a program goes on below another, on the same slide."""
        if not (self.may_conclude and self.slides[-1].parts[-1].shows == "program"):
            return False
        slide, height = self.slides[-1], sum(part.height for part in parts)
        goes_on = parts[0].shows == "program" and height <= slide.room()
        if goes_on:
            slide.parts += parts
        return goes_on

    def _choose_lead(self, sentences, parts):
        """The longest run of sentences before what is shown that fits above it."""
        slide, count = Slide(self.heading, not self.is_new), len(sentences)
        runs = [(n, first) for n in range(count, 0, -1) for first in range(count)]
        for needed in (parts[:1],) if self.is_new else (parts, parts[:1]):
            room = slide.room() - sum(part.height for part in needed)
            for length, first in runs:
                lead = sentences[first : first + length]
                fits = len(lead) == length and paragraph(lead).height <= room
                if fits and slide.may_say(" ".join(lead), *needed):
                    return lead
        return []

    def _add_box(self, block):
        if block.heading == HINT:
            self.slides[-1].notes += [part.html for part in block.parts]
            return
        if block.heading == PREFACE:
            *objectives, time, needs = block.parts
            self._fill(objectives, block.heading)
            self.slides[-1].notes += [time.html, needs.html]
            return
        parts = [part._replace(is_answer=True) for part in block.parts]
        if self.is_new:
            self._add_shown(block._replace(parts=tuple(parts)))
        else:
            self._flush()
            self._fill(parts, block.heading)

    def _add_exercise(self, block):
        self._flush()
        named = points_to(" ".join(part.html for part in block.parts))
        shown = {part.shows: part for slide in self.slides for part in slide.parts}
        parts = block.parts
        for name in named:
            parts = [*_beside(parts, shown[name.removesuffix(" above")])]
        self._fill(parts, block.heading)

    _add_solution = _add_exercise


def end_of_slot(page, name):
    """Where a slot of 60 minutes must end in a chapter that takes more.

    Args:
        page: Text of `book/instructors.md`.
        name: Name of the chapter.

    Returns:
        The sections of the first row that goes on after the slot, and the minutes of
        the rows before it; or None where the slot has the whole chapter.
    """
    table = page.partition(f"**[](#sec-{name}): ")[2].partition("\nFor home:")[0]
    minutes = 0
    for sections, show, do in ROW.findall(table):
        if minutes + int(show) + int(do or 0) > SLOT:
            return sections, minutes
        minutes += int(show) + int(do or 0)
    return None


def mark_slot(slides, sections, minutes):
    """Tells the speaker at a section that a slot of 60 minutes ends before it."""
    begun = _letters(sections)
    first = next(each for each in slides if begun.startswith(_letters(each.heading)))
    words = f"In a slot of {SLOT} minutes, end before this section: by the page for "
    words += f"instructors {minutes} minutes are over."
    first.notes.insert(0, f"<p>{words}</p>")


def _letters(text):
    return re.sub(r"\W", "", unescape(re.sub("<.+?>", "", text)))


def _page(slide, number, count):
    title = f"<h1>{slide.heading}</h1>" if number == 1 else f"<h2>{slide.heading}</h2>"
    if slide.again:
        title = title.replace("<h2>", '<h2 class="again">')
    page = f'<p class="number">{number} / {count}</p>'
    body = f"{title}\n{slide.html()}\n{page}"
    return f'<section id="{number}" tabindex="-1">\n{body}\n</section>'


def write(path, title, slides):
    """Writes a list of `Slide` as a page of HTML with a title."""
    pages = [_page(slide, n, len(slides)) for n, slide in enumerate(slides, start=1)]
    body = "\n".join(pages)
    script = read_mathjax() if 'class="math' in body else ""
    text = TEMPLATE.substitute(title=escape(title), body=body, mathjax=script)
    path.write_text(text, encoding="utf-8")


def read_mathjax():
    """Reads MathJax, which draws the formulas, from the package that the book uses."""
    found = distribution("sphinx-mathjax-offline")
    file = found.locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
    return Path(file).read_text("utf-8")


def main(argv=None):
    """Makes the slides of all chapters, and an index; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "editions/slides")
    out = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    chapters, links = read_chapters(), []
    page = (ROOT / "book/instructors.md").read_text("utf-8")
    for name in CHAPTERS:
        plain = Plain(name, chapters)
        title = plain.texts[f"sec-{name}"]
        slides = Deck(read_blocks(chapters[name], plain)).slides
        if end := end_of_slot(page, name):
            mark_slot(slides, *end)
        write(out / f"{name}.html", title, slides)
        link = f'<a href="{name}.html">{escape(title)}</a>, {len(slides)} slides'
        links.append(f"<li>{link}</li>")
    index = Slide("Slides", parts=[Part(f"<ol>{''.join(links)}</ol>", 0)])
    write(out / "index.html", "Slides", [index])
    print(f"Open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    require_own(ROOT)
    sys.exit(main())
