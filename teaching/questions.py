"""Check the bank of questions, and write it as a page and for Moodle.

    python teaching/questions.py

`teaching/questions.yml` says how a question is written. Two files come out:

* `editions/questions.html`: one page to read or print, with folded answers.
* `editions/questions.gift`: the same for Moodle, in its GIFT format.

The choices are mixed, in the same way each time and in both files.
"""

import argparse
import hashlib
import itertools
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from plain import CHAPTERS

from vitlib.records.files import replacing

ROOT = Path(__file__).resolve().parents[1]
BANK = ROOT / "teaching/questions.yml"
LEVELS = ("recall", "apply", "analyse")
FIELDS = {"id", "chapter", "level", "question", "choices", "explanation"}
OPTIONAL = {"section", "objective"}
KINDS = ({"right"}, {"wrong", "misconception"})  # of choices, by their keys
LETTERS = "ABCDE"  # one for each choice
# Writes a text in HTML: `code` and *emphasis* become elements, and nothing else.
inline = MarkdownIt("zero").enable(["backticks", "emphasis"]).renderInline

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


@dataclass(frozen=True)
class Chapter:
    """What a question may name of its chapter."""

    title: str
    sections: tuple
    objectives: tuple


def read_chapter(name, root=ROOT):
    """Reads the title, the headings and the objectives of a chapter, as `Chapter`."""
    text = (root / f"notebooks/{name}.py").read_text(encoding="utf-8")
    title, *sections = re.findall(r"^# #+ (.+)$", text, re.MULTILINE)
    mapped = yaml.safe_load((root / "book/objectives.yml").read_text(encoding="utf-8"))
    objectives = [objective["can"].replace("*", "") for objective in mapped[name]]
    return Chapter(title, tuple(sections), tuple(objectives))


def read_chapters(root=ROOT):
    """Reads what a question may name: dict of `Chapter` by its name."""
    return {name: read_chapter(name, root) for name in CHAPTERS}


def read_bank(path):
    """Reads the questions of a bank, unchecked.

    Raises:
        ValueError: When the file is not there, or no list in YAML.
    """
    try:
        bank = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"The bank must be a file that can be read. Received: {path}."
        ) from error
    except yaml.YAMLError as error:
        raise ValueError(
            f"The bank must be YAML. Received: {' '.join(str(error).split())}."
        ) from error
    if type(bank) is not list or not bank:
        raise ValueError(f"The bank must be a list of questions. Received: {bank!r}.")
    return bank


def is_text(value):
    """Whether a value is a text in which each ` and each * is closed."""
    if type(value) is not str or not value.strip() or value.count("`") % 2:
        return False
    return "".join(value.split("`")[::2]).count("*") % 2 == 0


def is_choices(value):
    """Whether a value is a list of 3 to 5 choices with their texts."""
    if type(value) is not list or not 3 <= len(value) <= len(LETTERS):
        return False
    whole = all(type(choice) is dict and set(choice) in KINDS for choice in value)
    return whole and all(is_text(text) for choice in value for text in choice.values())


def text_of(choice):
    """The words of a choice, right or wrong."""
    return choice["right"] if "right" in choice else choice["wrong"]


def _is_id(question, chapter):
    start, _, rest = str(question["id"]).partition("-")
    return start == question["chapter"] and re.fullmatch(
        r"[a-z0-9]+(-[a-z0-9]+)*", rest
    )


def _has_one_right(question, chapter):
    return sum("right" in choice for choice in question["choices"]) == 1


def _are_different(question, chapter):
    return len({*map(text_of, question["choices"])}) == len(question["choices"])


# What each field must be. The later rules want the earlier ones to hold.
RULES = (
    ("chapter", f"one of {CHAPTERS}", lambda q, _: q["chapter"] in CHAPTERS),
    ("level", f"one of {LEVELS}", lambda q, _: q["level"] in LEVELS),
    ("question", "a text with closed ` and *", lambda q, _: is_text(q["question"])),
    (
        "explanation",
        "a text with closed ` and *",
        lambda q, _: is_text(q["explanation"]),
    ),
    (
        "choices",
        "3 to 5 texts, each `right`, or `wrong` with its `misconception`",
        lambda q, _: is_choices(q["choices"]),
    ),
)
CLOSER_RULES = (
    ("id", "its chapter, a dash, and lower-case words with dashes", _is_id),
    (
        "section",
        "a heading of its chapter's notebook",
        lambda q, chapter: q.get("section") in chapter.sections,
    ),
    (
        "objective",
        "one of its chapter in book/objectives.yml, word for word",
        lambda q, chapter: q.get("objective") in (None, *chapter.objectives),
    ),
    ("choices", "texts of which exactly one is right", _has_one_right),
    ("choices", "different texts", _are_different),
)


def faults_of(question, chapters):
    """Says which rules a question breaks.

    Args:
        question: What stands in the bank in the place of a question.
        chapters: Dict of `Chapter` by its name.

    Returns:
        List of sentences: what is wrong, the rule, and what was received.
    """
    keys = set(question) if type(question) is dict else set()
    if not FIELDS <= keys <= FIELDS | OPTIONAL:
        return [
            f"A question must have the fields {sorted(FIELDS)}, and may have "
            f"{sorted(OPTIONAL)}. Received: {sorted(map(str, keys)) or question!r}."
        ]
    for rules in (RULES, CLOSER_RULES):
        chapter = chapters.get(str(question["chapter"]))
        broken = [rule for rule in rules if not rule[2](question, chapter)]
        if broken:
            break
    return [
        f"The {field} of {question['id']} must be {words}. "
        f"Received: {question.get(field)!r}."
        for field, words, _ in broken
    ]


def check(bank, chapters):
    """Checks all questions.

    Raises:
        ValueError: When a rule is broken, with one line for each.
    """
    faults = [fault for question in bank for fault in faults_of(question, chapters)]
    ids = Counter(str(q.get("id")) for q in bank if type(q) is dict)
    faults += [
        f"The id of a question must be its own. Received: {name}, {times} times."
        for name, times in ids.items()
        if times > 1
    ]
    if faults:
        raise ValueError("\n".join(faults))


def mixed(question):
    """The choices in an order that looks random, and is the same each time."""

    def place(choice):
        return hashlib.sha256(f"{question['id']} {text_of(choice)}".encode()).digest()

    return sorted(question["choices"], key=place)


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


def by_chapter(bank):
    """The questions of each chapter, in the order of the chapters."""
    parts = {name: [q for q in bank if q["chapter"] == name] for name in CHAPTERS}
    return {name: questions for name, questions in parts.items() if questions}


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


def escape(text):
    """Escapes what GIFT reads as a sign: a backslash stands before it."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)


def question_in_gift(question):
    """One question: lines without an empty one between them, as GIFT wants it."""
    lines = [f"::{question['id']}::[html]{escape(inline(question['question']))} {{"]
    for choice in mixed(question):
        sign = "=" if "right" in choice else "~"
        why = choice.get("misconception", question["explanation"])
        text = inline(text_of(choice))
        lines.append(f"{sign}{escape(text)}#{escape(inline(why))}")
    return [*lines, "}", ""]


def gift(bank, chapters):
    """Writes the bank in Moodle's GIFT format, a category for each chapter."""
    lines = []
    for name, questions in by_chapter(bank).items():
        title = chapters[name].title.replace("/", "//")  # one / begins a category
        lines += [f"$CATEGORY: Vision Transformers/{title}", ""]
        lines += [line for question in questions for line in question_in_gift(question)]
    return "\n".join(lines)


def main(argv=None):
    """Checks the bank and writes both files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--out", type=Path, default=ROOT / "editions")
    options = parser.parse_args(argv)
    chapters = read_chapters()
    try:
        bank = read_bank(options.bank)
        check(bank, chapters)
        for ending, write in (("html", page), ("gift", gift)):
            with replacing(options.out / f"questions.{ending}") as file:
                file.write(write(bank, chapters).encode())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Wrote {len(bank)} questions as a page and for Moodle to {options.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
