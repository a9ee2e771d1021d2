"""The directive `{studies}`: the table of the studies, made from their modules."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from vitlib.studies import STUDIES

SCALES = ("laptop", "full")  # which a sweep is for
HEAD = """```{list-table} The studies, and how many runs each has
:name: tab-studies
:header-rows: 1

* - study
  - question
  - laptop
  - full"""


class Studies(SphinxDirective):
    """One row a study: its question, and its runs at each scale."""

    def run(self):
        """Returns the table; called by Sphinx."""
        lines = "\n".join([HEAD, *rows(), "```"]).splitlines()
        node = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, node)
        return node.children


def rows():
    """Writes the rows of the table in MyST."""
    for study in STUDIES.values():
        counts = [str(len(study.runs.get(scale, ())) or "–") for scale in SCALES]
        if set(counts) != {"–"}:
            cells = [f"`{study.name}`", study.question, *counts]
            yield "* - " + "\n  - ".join(cells)


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("studies", Studies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
