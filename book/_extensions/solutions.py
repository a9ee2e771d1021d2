"""Build the book with its solutions or, where SOLUTIONS=no is set, without them.

`hide_solutions` of sphinx-exercise cannot do it: it drops the start of a solution that
spans cells, and trips over the end. Here the whole section goes, and so do the sources
of the pages, which the theme offers for download.
"""

import os

from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.transforms import SphinxTransform

TITLE = "Solutions"
INSTEAD = "This edition of the book is without the solutions."


class DropSolutions(SphinxTransform):
    """Leaves one sentence of the section on solutions, before they are put together."""

    default_priority = 5

    def apply(self):
        """Called by Sphinx for each page."""
        if self.config.solutions == "yes":
            return
        for title in list(self.document.findall(nodes.title)):
            if title.astext() == TITLE:
                title.parent[1:] = [nodes.paragraph(text=INSTEAD)]


def hide_sources(app, config):
    """Refuses an unknown value, and keeps the sources of the pages at home."""
    if config.solutions not in ("yes", "no"):
        raise ConfigError(
            f"SOLUTIONS must be yes or no. Received: {config.solutions!r}."
        )
    if config.solutions == "no":
        config.html_copy_source = config.html_show_sourcelink = False
        config.html_theme_options["use_download_button"] = False


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_config_value("solutions", os.environ.get("SOLUTIONS", "yes"), "env")
    app.connect("config-inited", hide_sources)
    app.add_transform(DropSolutions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
