"""A directive that shows what students can do after a chapter, from objectives.yml.

```{objectives} data
```
"""

from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

MAP = Path(__file__).resolve().parents[1] / "objectives.yml"
HEAD = """```{list-table}
:header-rows: 1
:widths: 46 34 20

* - students can
  - it is shown in
  - and asked in"""


class Objectives(SphinxDirective):
    """The table of one chapter's objectives, its sections and exercises."""

    required_arguments = 1

    def run(self):
        """Returns the table; called by Sphinx."""
        self.env.note_dependency(str(MAP))
        chapter = yaml.safe_load(MAP.read_text(encoding="utf-8"))[self.arguments[0]]
        text = "\n".join([HEAD, *map(_row, chapter), "```"])
        node = nodes.Element()
        self.state.nested_parse(text.splitlines(), self.content_offset, node)
        return node.children


def _row(objective):
    sections = " ".join(objective["sections"])
    exercises = ", ".join(f"{{ref}}`{label}`" for label in objective["exercises"])
    return f"* - {objective['can']}\n  - {sections}\n  - {exercises}"


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("objectives", Objectives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
