"""Write the bank of questions in the two formats that Moodle imports.

GIFT and XML are those of Moodle, https://docs.moodle.org/en/Import_questions.
"""

import re
from html import escape as in_xml

from bank import by_chapter, inline, mixed, text_of, why

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def escape(text):
    """Escapes what GIFT reads as a sign: a backslash stands before it."""
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)


def question_in_gift(question):
    """One question: lines without an empty one between them, as GIFT wants it."""
    lines = [f"::{question['id']}::[html]{escape(inline(question['question']))} {{"]
    for choice in mixed(question):
        sign = "=" if "right" in choice else "~"
        text, reason = inline(text_of(choice)), inline(why(question, choice))
        lines.append(f"{sign}{escape(text)}#{escape(reason)}")
    return [*lines, "}", ""]


def gift(bank, chapters):
    """Writes the bank in Moodle's GIFT format, a category for each chapter."""
    lines = []
    for name, questions in by_chapter(bank).items():
        title = chapters[name].title.replace("/", "//")  # one / begins a category
        lines += [f"$CATEGORY: Vision Transformers/{title}", ""]
        lines += [line for question in questions for line in question_in_gift(question)]
    return "\n".join(lines)


def question_in_moodle(question):
    """One question: an element of Moodle's XML, with HTML in its texts."""

    def text(source):
        return f"<text>{in_xml(inline(source))}</text>"

    answers = "\n".join(
        f'<answer fraction="{100 * ("right" in choice)}" format="html">'
        f"{text(text_of(choice))}"
        f'<feedback format="html">{text(why(question, choice))}</feedback></answer>'
        for choice in mixed(question)
    )
    return f"""<question type="multichoice">
<name><text>{question["id"]}</text></name>
<questiontext format="html">{text(question["question"])}</questiontext>
<generalfeedback format="html">{text(question["explanation"])}</generalfeedback>
<defaultgrade>1</defaultgrade>
<hidden>0</hidden>
<idnumber>{question["id"]}</idnumber>
<single>true</single>
<shuffleanswers>true</shuffleanswers>
<answernumbering>ABCD</answernumbering>
{answers}
<tags><tag><text>{question["level"]}</text></tag></tags>
</question>
"""


def moodle_xml(bank, chapters):
    """Writes the bank in Moodle's XML, a category for each chapter."""
    parts = []
    for name, questions in by_chapter(bank).items():
        title = chapters[name].title.replace("/", "//")  # one / begins a category
        path = in_xml(f"$course$/top/Vision Transformers/{title}")
        parts.append(
            f'<question type="category"><category><text>{path}</text></category>'
            "</question>\n"
        )
        parts += map(question_in_moodle, questions)
    return f"{XML}<quiz>\n{''.join(parts)}</quiz>\n"
