"""Read the bank of questions, check it, and mix the choices.

`teaching/questions.yml` says how a question is written.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from plain import CHAPTERS

ROOT = Path(__file__).resolve().parents[1]
LEVELS = ("recall", "apply", "analyse")
FIELDS = {"id", "chapter", "level", "question", "choices", "explanation"}
OPTIONAL = {"section", "objective"}
KINDS = ({"right"}, {"wrong", "misconception"})  # of choices, by their keys
LETTERS = "ABCDE"  # one for each choice
# Writes a text in HTML: `code` and *emphasis* become elements, and nothing else.
inline = MarkdownIt("zero").enable(["backticks", "emphasis"]).renderInline


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


def why(question, choice):
    """What somebody reads who has taken a choice."""
    return choice.get("misconception", question["explanation"])


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


def by_chapter(bank):
    """The questions of each chapter, in the order of the chapters."""
    parts = {name: [q for q in bank if q["chapter"] == name] for name in CHAPTERS}
    return {name: questions for name, questions in parts.items() if questions}
