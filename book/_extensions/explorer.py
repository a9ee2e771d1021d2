"""The directives of the page on which a Vision Transformer runs.

`{explorer}` is the page, `{explorer-records}` the table of how its models were trained.
The parts lie in book/explorer. A page on a disk may not fetch a file, so the weights
come as a script, which is written here from the committed files with each build.
"""

import base64
import json
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from vitlib.records.runs import load_runs

HEAD = """```{list-table}
:header-rows: 1

* - positions
  - weights
  - test images named correctly
  - minutes, on"""
FOLDER = Path(__file__).resolve().parents[1] / "explorer"
RECORDS = FOLDER.parents[1] / "results/explorer"
PLACE = "_static/explorer"  # in the built book
# The words of the page itself: POSITIONS in page.js.
POSITIONS = {
    "1d": "one position per patch (1-D)",
    "2d": "one per row and one per column (2-D)",
    "none": "no positions",
}
# In this order.
SCRIPTS = ("scene", "file", "forward", "weights", "view", "page", "tour")


class Explorer(SphinxDirective):
    """The markup of the explorer, hidden until its scripts run."""

    def run(self):
        """Returns the markup; called by Sphinx."""
        source = FOLDER / "page.html"
        self.env.note_dependency(str(source))
        lines = [f'<link rel="stylesheet" href="{PLACE}/page.css">']
        lines += [source.read_text("utf-8")]
        lines += [
            f'<script defer src="{PLACE}/{name}.js"></script>' for name in SCRIPTS
        ]
        return [nodes.raw("", "\n".join(lines), format="html")]


class ExplorerRecords(SphinxDirective):
    """One row a model: its positions, its size, and what its training gave."""

    def run(self):
        """Returns the table; called by Sphinx."""
        for path in RECORDS.glob("*.json"):
            self.env.note_dependency(str(path))
        runs = load_runs(RECORDS.parent, "explorer")
        head = f"{HEAD} {runs[0].device['cores']} CPU cores"
        lines = "\n".join([head, *map(_row, runs), "```"])
        node = nodes.Element()
        self.state.nested_parse(lines.splitlines(), self.content_offset, node)
        return node.children


def _row(run):
    cells = (
        POSITIONS[run.model["position"]],
        f"{run.parameters['trainable']:,}",
        f"{100 * run.test['top1']:.1f} % of {run.data['test']:,}",
        f"{run.seconds / 60:.1f}",
    )
    return "* - " + "\n  - ".join(cells)


def write_weights():
    """Writes the script that holds the files of weights, each as base64."""
    files = {path.stem: path.read_bytes() for path in FOLDER.glob("*.safetensors")}
    words = {name: base64.b64encode(data).decode() for name, data in files.items()}
    return f"const EXPLORER_WEIGHTS = {json.dumps(words, sort_keys=True)};\n"


def copy_parts(app, error):
    """Puts scripts, style and weights into the built book."""
    if error or app.builder.name not in ("html", "singlehtml"):
        return
    target = Path(app.outdir, PLACE)
    target.mkdir(parents=True, exist_ok=True)
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.css")]:
        shutil.copyfile(path, target / path.name)
    (target / "weights.js").write_text(write_weights(), "utf-8")


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.add_directive("explorer", Explorer)
    app.add_directive("explorer-records", ExplorerRecords)
    app.connect("build-finished", copy_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
