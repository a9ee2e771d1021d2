"""Bring the table of results in README.md up to the records in results/."""

import re
import sys
from pathlib import Path

from vitlib.records.runs import load_runs
from vitlib.records.summary import summarize

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ("dead-units",)  # studies of many short runs: the book draws them instead
BLOCK = re.compile(r"(<!-- results -->\n).*?(\n<!-- end of results -->)", re.DOTALL)


def with_table(text, runs):
    """The text of a README with the table of these runs between its two marks.

    Runs of the studies in `FIGURES` are left out.
    """
    if not BLOCK.search(text):
        raise ValueError(
            "README.md must hold '<!-- results -->' and '<!-- end of results -->', "
            "each on a line of its own. Received: a text without them."
        )
    told = [run for run in runs if run.study not in FIGURES]
    table = summarize(told).to_markdown()
    return BLOCK.sub(lambda marks: f"{marks[1]}\n{table}\n{marks[2]}", text)


def main():
    """Rewrites README.md in place."""
    readme = ROOT / "README.md"
    text = with_table(readme.read_text(encoding="utf-8"), load_runs(ROOT / "results"))
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
