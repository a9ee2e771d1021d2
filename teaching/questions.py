"""Check the bank of questions, and write it as a page and for learning platforms.

    python teaching/questions.py

Four files come out:

* `editions/questions.html`: one page to read or print, with folded answers.
* `editions/questions.gift`, `editions/questions.xml`: for Moodle, as GIFT or as XML.
* `editions/questions.zip`: a package of QTI 2.1, for other platforms.

The choices are mixed, in the same way each time and in all files.
"""

import argparse
import itertools
import sys
from pathlib import Path

from bank import (
    LETTERS,
    ROOT,
    by_chapter,
    check,
    inline,
    mixed,
    read_bank,
    read_chapters,
    text_of,
)
from moodle import gift, moodle_xml
from qti import qti

from vitlib.folders import require_own
from vitlib.records.files import replacing

BANK = ROOT / "teaching/questions.yml"

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Questions on Vision Transformers</title>
<style>
:root { --text: #1c1c1c; --faint: #555; --line: #bbb; --page: #fff; --link: #0550ae; }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --faint: #b4b4b4; --line: #666; --page: #16181b;
    --link: #8ab8ff; }
}
html { color-scheme: light dark; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5;
  font-family: system-ui, sans-serif; color: var(--text); background: var(--page); }
a { color: var(--link); }
article { border-top: 1px solid var(--line); break-inside: avoid; }
h3 { font-size: 1rem; margin: 1rem 0 0; }
ol { list-style: upper-alpha; }
code { overflow-wrap: anywhere; }
summary { cursor: pointer; }
details { margin-bottom: 1rem; }
.about { color: var(--faint); }
@media print { nav, button { display: none; } }
</style>
</head>
<body>
<main>
<h1>Questions on Vision Transformers</h1>
<p>One choice of each question is right. The answers are folded, and say which
misconception leads to each wrong choice. What is folded is not printed.</p>
<button type="button">Unfold all answers</button>
"""
FOOT = """</main>
<script>
const button = document.querySelector("button");
button.addEventListener("click", () => {
  const open = button.textContent.startsWith("Unfold");
  document.querySelectorAll("details").forEach(part => { part.open = open; });
  button.textContent = open ? "Fold all answers" : "Unfold all answers";
});
</script>
</body>
</html>
"""


def answer_in_html(question, number):
    """The folded part of a question: why one choice is right and the others wrong."""
    wrong = []
    for letter, choice in zip(LETTERS, mixed(question), strict=False):
        if "right" in choice:
            right = letter
        else:
            wrong.append(f"<li>{letter}: {inline(choice['misconception'])}</li>")
    about = [f"Level: {question['level']}."]
    if "section" in question:
        about.append(f"Section: {inline(question['section'])}")
    if "objective" in question:
        about.append(f"Students can {inline(question['objective'])}.")
    return [
        "<details>",
        f"<summary>Answer to question {number}</summary>",
        f"<p><strong>{right} is right.</strong> {inline(question['explanation'])}</p>",
        "<ul>",
        *wrong,
        "</ul>",
        f'<p class="about">{" ".join(about)}</p>',
        "</details>",
    ]


def question_in_html(question, number):
    """One question: list of lines."""
    choices = [f"<li>{inline(text_of(choice))}</li>" for choice in mixed(question)]
    return [
        f'<article id="{question["id"]}">',
        f"<h3>Question {number}</h3>",
        f"<p>{inline(question['question'])}</p>",
        "<ol>",
        *choices,
        "</ol>",
        *answer_in_html(question, number),
        "</article>",
    ]


def page(bank, chapters):
    """Writes the bank as one page of HTML that needs no other file."""
    lines, numbers = ['<nav aria-label="Chapters">', "<ul>"], itertools.count(1)
    parts = by_chapter(bank)
    for name, questions in parts.items():
        link = f'<a href="#{name}">{inline(chapters[name].title)}</a>'
        lines.append(f"<li>{link}, {len(questions)} questions</li>")
    lines += ["</ul>", "</nav>"]
    for name, questions in parts.items():
        lines.append(f'<h2 id="{name}">{inline(chapters[name].title)}</h2>')
        for question in questions:
            lines += question_in_html(question, next(numbers))
    return HEAD + "\n".join(lines) + "\n" + FOOT


WRITERS = {"html": page, "gift": gift, "xml": moodle_xml, "zip": qti}  # by the ending


def main(argv=None):
    """Checks the bank and writes all files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--out", type=Path, default=ROOT / "editions")
    options = parser.parse_args(argv)
    chapters = read_chapters()
    try:
        bank = read_bank(options.bank)
        check(bank, chapters)
        for ending, write in WRITERS.items():
            written = write(bank, chapters)
            with replacing(options.out / f"questions.{ending}") as file:
                file.write(written if type(written) is bytes else written.encode())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {len(bank)} questions to {options.out}, as {', '.join(WRITERS)}.")
    return 0


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    sys.exit(main())
