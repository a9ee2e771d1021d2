"""Directives for the page for instructors, each with the name of a chapter.

```{objectives} data
```

shows what students can do after it, from objectives.yml, and

```{seconds} data
```

says how long its cells ran, from the timed run in benchmarks/records/notebooks.json.
"""

import json
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

BOOK = Path(__file__).resolve().parents[1]
OBJECTIVES = BOOK / "objectives.yml"
TIMES = BOOK.parent / "benchmarks/records/notebooks.json"
SHOWN = 5  # seconds; shorter sections are not named
HEAD = """```{list-table}
:header-rows: 1
:widths: 46 34 20

* - students can
  - it is shown in
  - and asked in"""


class _Chapter(SphinxDirective):
    """Text about one chapter, made from a file."""

    required_arguments = 1

    def run(self):
        """Returns what the text says; called by Sphinx."""
        self.env.note_dependency(str(self.source))
        content = self.source.read_text(encoding="utf-8")
        lines = self.text(content, self.arguments[0]).splitlines()
        node = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, node)
        return node.children


class Objectives(_Chapter):
    """The table of a chapter's objectives, their sections and exercises."""

    source = OBJECTIVES

    @staticmethod
    def text(content, chapter):
        """Writes the table in MyST."""
        return "\n".join([HEAD, *map(_row, yaml.safe_load(content)[chapter]), "```"])


class Seconds(_Chapter):
    """A sentence on how long the cells of a chapter ran."""

    source = TIMES

    @staticmethod
    def text(content, chapter):
        """Writes the sentence in MyST."""
        record = json.loads(content)
        if chapter not in record["seconds"]:  # a new one
            return "Nobody has timed its cells yet."
        cores, name = record["device"]["cores"], record["device"]["name"]
        long = sorted(record["sections"][chapter].items(), key=lambda pair: -pair[1])
        parts = [f"*{title}* {time:.0f}" for title, time in long if time >= SHOWN]
        which = f", {', '.join(parts)} of them" if parts else ""
        return (
            f"Its cells ran for {record['seconds'][chapter]:.0f} seconds on {cores} "
            f"cores of the processor {name}{which}."
        )


def _row(objective):
    sections = " ".join(objective["sections"])
    exercises = ", ".join(f"{{ref}}`{label}`" for label in objective["exercises"])
    return f"* - {objective['can']}\n  - {sections}\n  - {exercises}"


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("objectives", Objectives)
    app.add_directive("seconds", Seconds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
