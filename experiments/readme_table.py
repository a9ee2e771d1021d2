"""Bring the table of results in README.md up to the records in results/."""

import re
import sys
from pathlib import Path

from vitlib.records.runs import load_runs
from vitlib.records.summary import summarize
from vitlib.records.tables import Table

ROOT = Path(__file__).resolve().parents[1]
# What the README shows of the records: the words, and the name of the run.
ROWS = {
    "the report's ViT and recipe, two epochs": "report-vit-hour",
    "the same model, repaired recipe, two epochs": "repaired-vit-hour",
    "the report's ResNet101V2 and recipe, five epochs": "report-resnet-hour",
    "a narrow copy of the ViT, the report's recipe, 30 epochs": "narrow-vit",
    "the same at 4.5 times the learning rate": "narrow-vit-high-rate",
    "a small ViT, 2,500 images": "small-vit-train-images-2500",
    "a small ViT, 40,000 images, as many steps": "small-vit",
    "a small ResNet, trained as the small ViT": "small-resnet",
    "a pure ViT of 0.4 M parameters, 28 epochs": "pure-vit",
    "a ViT behind three convolutions, 45 epochs": "compact-half-hour",
}
SHOWN = ("parameters (M)", "minutes", "seeds", "test top-1 (%)")
BLOCK = re.compile(r"(<!-- results -->\n).*?(\n<!-- end of results -->)", re.DOTALL)


def with_table(text, runs):
    """The text of a README with the table of these runs between its two marks.

    It has a row for each of `ROWS` that is recorded.
    """
    if not BLOCK.search(text):
        raise ValueError(
            "README.md must hold '<!-- results -->' and '<!-- end of results -->', "
            "each on a line of its own. Received: a text without them."
        )
    summary = summarize(runs)
    found = [dict(zip(summary.columns, row, strict=True)) for row in summary.rows]
    by_name = {row["run"]: [row[column] for column in SHOWN] for row in found}
    rows = [(words, *by_name[n]) for words, n in ROWS.items() if n in by_name]
    table = Table(("what was trained on CIFAR-100", *SHOWN), rows).to_markdown()
    return BLOCK.sub(lambda marks: f"{marks[1]}\n{table}\n{marks[2]}", text)


def main():
    """Rewrites README.md in place."""
    readme = ROOT / "README.md"
    text = with_table(readme.read_text(encoding="utf-8"), load_runs(ROOT / "results"))
    readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
