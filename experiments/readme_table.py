"""Bring the table and the figure of README.md up to the records in results/."""

import re
import sys
from itertools import accumulate
from pathlib import Path

import matplotlib.pyplot as plt

from vitlib.folders import require_own
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
# What the figure shows of them: the words beside a line, its colour, and the height of
# the words, in %, so that none covers another.
LINES = {
    "compact-half-hour": ("a ViT behind three convolutions", "C0", 65.5),
    "pure-vit": ("a pure ViT of 0.4 M parameters", "C2", 51),
    "repaired-vit-hour": ("the report's ViT, repaired recipe", "C3", 10.5),
    "report-resnet-hour": ("the report's ResNet and recipe", "C5", 5.5),
    "report-vit-hour": ("the report's ViT and recipe", "C1", 0.5),
}
FIGURE = ROOT / "book/images/half-hour.svg"
REPORTED = 47.93  # %, what the report says of its ResNet, after 30 epochs
MINUTES = 40  # the longest of these runs
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


def draw(runs, path):
    """Draws the accuracies of `LINES` against the minutes of training, as an SVG.

    A line is a run: its share of the validation images after each epoch. The words
    beside it end in the accuracy on the test images, the mean where there are seeds.
    The same runs make the same file.
    """
    fixed = {"svg.hashsalt": FIGURE.name, "svg.fonttype": "none", "font.size": 9}
    with plt.style.context(["vitlib.course", fixed]):
        fig, ax = plt.subplots(figsize=(7.6, 3.6))
        ax.plot((0, MINUTES), (REPORTED, REPORTED), "k:", linewidth=1.5)
        words = f"what the report says of its ResNet: {REPORTED} %"
        say(ax, words, (MINUTES, REPORTED), 46.5, "black")
        for name, (words, color, height) in LINES.items():
            group = [run for run in runs if run.name == name]
            ends = [draw_line(ax, run, color) for run in group]
            if group:
                mean = 100 * sum(run.test["top1"] for run in group) / len(group)
                say(ax, f"{words}: {mean:.2f} %", max(ends), height, color)
        ax.set(xlabel="minutes of training on two CPU cores", xlim=(0, MINUTES))
        ax.set(ylabel="validation accuracy (%)", ylim=(0, 70))
        fig.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(fig)


def draw_line(ax, run, color):
    """Draws one run; gives where its line ends."""
    minutes = [seconds / 60 for seconds in accumulate(run.history["seconds"])]
    shares = [100 * share for share in run.history["val_top1"]]
    style = {"color": color, "markersize": 3, "linewidth": 1.5}
    ax.plot(minutes, shares, "o-", clip_on=False, **style)
    return minutes[-1], shares[-1]


def say(ax, words, end, height, color):
    """Writes words to the right of the axes, tied to the end of their line."""
    tie = {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkB": 3}
    place = {"xytext": (1.03 * MINUTES, height), "va": "center"}
    ax.annotate(words, end, arrowprops=tie, annotation_clip=False, **place)


def main():
    """Rewrites README.md and its figure in place."""
    readme, runs = ROOT / "README.md", load_runs(ROOT / "results")
    text = with_table(readme.read_text(encoding="utf-8"), runs)
    readme.write_text(text, encoding="utf-8")
    draw(runs, FIGURE)
    return 0


if __name__ == "__main__":
    require_own(ROOT)
    sys.exit(main())
