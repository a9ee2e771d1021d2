# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (sec-results)=
# # Recorded results
#
# This page holds what long trainings gave. Each {term}`recorded run` is one small file in
# the folder `results/`; the tables and figures below are read from these files by the
# cells that you see. A test runs the cells again and compares.
#
# **Accuracies** are those of the {term}`test set`, which a run touches once, at its end, with the
# weights of the {term}`epoch` that was best on the {term}`validation set`. With several
# {term}`seeds <seed>` an accuracy is the mean ± the standard deviation over them. One column names
# the best epoch of each seed: where a training is short, one seed may be tested at its beginning
# and another at its end, and then the mean is not that of one state of the model.
#
# **Cost.** Parameters and operations count the whole model; a {term}`multiply-add` counts as two
# operations. Minutes are the mean time of a run by the clock, and a machine that had other work
# took longer. The machine of each run is named at the end of the page.
#
# **What changed** is held against our reading of the report: `REPORT_TRAIN` (30 epochs, `float32`,
# 32 images a step, a constant rate of 0.001 without warm-up, a decay of 0.0001 of all weights, no
# clipping, no label smoothing) and `REPORT_VIT` or `REPORT_RESNET`. "In part" is a decay that
# spares biases, norms and positions. "Other model" is a network of other sizes or of another kind.

# %% tags=["remove-cell"]
# On Colab or Kaggle, where vitlib is missing: get the course and install it.
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import check_call

if not find_spec("vitlib"):
    address = os.environ.get("VIT_COURSE", "ADDRESS")  # of the repository
    check_call(["git", "clone", "-q", "--depth=1", address, "vit-course"])
    has_backend = find_spec("tensorflow") or find_spec("jax")
    package = "./vit-course" if has_backend else "./vit-course[tensorflow]"
    check_call([sys.executable, "-m", "pip", "install", "-q", package])
if Path("vit-course").is_dir():
    os.chdir("vit-course/notebooks")

# %%
import matplotlib.pyplot as plt
import numpy as np

import vitlib
from vitlib import Table
from vitlib.records.intervals import welch_interval
from vitlib.records.summary import (
    list_open_runs,
    list_records,
    summarize_readings,
)

records = vitlib.find_folder("results")
plt.style.use("vitlib.course")

# %% [markdown]
# ## `report`: does the failure reproduce?
#
# The report's two models under the report's two recipes, cut short. The chapter
# [](#sec-training) says what to look for.

# %%
vitlib.show_study(records, "report")

# %% [markdown]
# ## `diagnosis`: what stops the one model, and slows the other?
#
# The report's ViT with one change at a time. Names that begin with `first-steps` are trainings of
# 200 steps (300 with warm-up); an epoch is 25 steps there. `bfloat16-steps` are the same in the
# shorter format, for what takes more images than that. `narrow-vit` is a narrow copy, trained for
# 30 whole epochs, and `narrow-vit-high-rate` the same copy at a higher rate. Names that begin with
# `first-pass` are the report's ResNet, which sees each training image once, in ten short epochs.
# See [](#sec-training).
#
# The short trainings are tested on 500 images, and most of their rows mix epochs: of
# `first-steps-clipped`, one seed is tested with the weights of its first 25 steps, the other with
# those of 175. The instruments below are read after the last step, and tell more.

# %%
vitlib.show_study(records, "diagnosis")

# %% [markdown]
# What did the instruments read at the end? Of the two hidden layers of the head, the column of
# dead units shows the one with the larger share of them. {numref}`fig-heads` shows both, and the
# way there.

# %%
summarize_readings(vitlib.load_runs(records, "diagnosis"))

# %% [markdown]
# ## `dead-units`: at which rate, for how many inputs, does a head die?
#
# A narrow copy of the report's ViT, for 200 steps at five rates. Its head gets from 4 to 256 tokens
# side by side, of 64 numbers each, or the mean of 64 tokens; nothing else changes. The table has
# the share of dead units in the last hidden layer at the end, the mean over the seeds, by the
# inputs of the head (rows) and the rate (columns). [](#sec-training) draws both hidden layers.

# %%
runs = vitlib.load_runs(records, "dead-units")
rates = sorted({run.training["learning_rate"] for run in runs})
shares = {}
for run in runs:
    inputs = vitlib.PRESETS[run.preset].model.head_inputs
    place = inputs, run.training["learning_rate"]
    shares.setdefault(place, []).append(100 * run.history["dead"][-1][-1])
print("seeds of each share:", *{len(values) for values in shares.values()})

# %%
rows = []
for inputs in sorted({inputs for inputs, _ in shares}):
    means = [np.mean(shares[inputs, rate]) for rate in rates]
    rows.append((f"{inputs:,}", *(f"{mean:.0f} %" for mean in means)))
columns = ("inputs of the head", *(f"rate {rate:g}" for rate in rates))
Table(columns, tuple(rows))

# %% [markdown]
# ## `repair`: what does the same architecture reach once it trains?
#
# The report's ViT, parameter for parameter, under a recipe with {term}`learning-rate
# warm-up`, clipping and decay. See [](#sec-training).

# %%
vitlib.show_study(records, "repair")

# %% [markdown]
# The instruments have read this of the exact models, under the report's recipes and the repaired
# one.

# %%
runs = [
    *vitlib.load_runs(records, "report"),
    *vitlib.load_runs(records, "repair"),
]
summarize_readings(runs)

# %% [markdown]
# ## `positions`: what does each positional variant add?
#
# The four variants under {term}`mean pooling`, at two sizes. See [](#sec-positions).

# %%
vitlib.show_study(records, "positions")

# %% [markdown]
# ## `comparison`: ViT against ResNet, fairly
#
# Both families on the same images. A pair shares its recipe: `small-resnet` that of `small-vit`
# above, `compact-resnet` that of `compact` below. See [](#sec-comparison).

# %%
vitlib.show_study(records, "comparison")

# %% [markdown]
# ## `data-size`: is it the amount of data?
#
# Both families on fewer and fewer training images. See [](#sec-comparison).

# %%
vitlib.show_study(records, "data-size")

# %% [markdown]
# ## `compact`: what can half an hour of two processor cores do?
#
# A small ViT whose tokens come from convolutions {cite:p}`hassani2021`, on the images as
# they are, 32 x 32. It multiplies matrices in {term}`bfloat16`, which has fewer digits;
# [](#sec-speed) measures how much faster that is. The minutes below cannot: `compact-decay`
# and `compact-half-hour` had the machine nearly to themselves, the others ran beside other work.
#
# `compact-float32` is the same training in `float32`, and shows what the faster format costs in
# accuracy. `compact-decay` has a stronger {term}`weight decay`, and `compact-half-hour` more than
# twice the epochs on top. `pure-vit` has no convolutions: it is `small-vit` without dropout, in 28
# epochs and otherwise under the recipe of `compact`. So its rate (twice as high), its label
# smoothing and its warm-up are not those of `small-vit` either.

# %%
vitlib.show_study(records, "compact")

# %% [markdown]
# Which of these differences count? Welch's interval holds the true difference in nineteen cases of
# twenty, and takes into account how many seeds each side has. A difference counts when 0 lies
# outside. Where a run has one seed, the spread of `compact` over its three takes the place of its
# own, and the interval is no better than that.

# %%
names = {
    "compact-float32": "float32",
    "compact-decay": "stronger decay",
    "compact-half-hour": "stronger decay, 45 epochs",
    "pure-vit": "patches, no convolutions",
}
runs = [r for r in vitlib.load_runs(records, "compact") if r.test]
points = {}
for run in runs:
    points.setdefault(run.name, []).append(100 * run.test["top1"])

# %%
rows = []
for name, words in names.items():
    low, high = welch_interval(points[name], points["compact"])
    gain = f"{(low + high) / 2:+.2f}", f"{low:+.1f} to {high:+.1f}"
    counts = "no" if low < 0 < high else "yes"
    rows.append((words, len(points[name]), *gain, counts))
columns = ("against compact", "seeds", "gain (points)", "interval", "counts")
Table(columns, tuple(rows))

# %% [markdown]
# The faster format costs nothing that three seeds can show. The stronger decay is ahead by a point,
# which one seed cannot tell from chance. With more epochs on top the gain counts, and nobody knows
# how much of it the decay has. Patches alone stay far behind convolutions in front of the tokens,
# with half the parameters and more epochs.

# %% [markdown]
# ## `ladder`: which changes lead to the best in half an hour?
#
# Rungs of a chapter's ladder: `ladder-muon` changes the optimiser of `compact-decay`,
# `ladder-sizes` adds smaller images in the first epochs, and `ladder-average` tests running means
# of its weights. Two of these trainings at a time shared the two cores, so that the minutes of the
# table compare with no other; [](#sec-comparison) has those of a quiet machine, and the scores with
# mirror images. The operations are those of whole images.

# %%
vitlib.show_study(records, "ladder")

# %% [markdown]
# ## `pretraining`: what does learning without labels add?
#
# `masked` fills in hidden patches of CIFAR-100 and never sees a label, so that it has no accuracy.
# The other runs train on 2,500 labelled images: one begins with the encoder of `masked`, one with
# random weights. See [](#sec-pretraining).

# %%
vitlib.show_study(records, "pretraining")

# %% [markdown]
# ## `dense`: can the encoder of a classifier say what is where?
#
# Drawn scenes of several things, and the encoder of `pure-vit`. `segment` names the class of each
# pixel, `segment-alone` does so without attention. `detect` draws boxes from cells, `detect-set` from
# queries. See [](#sec-dense).

# %%
vitlib.show_study(records, "dense")

# %% [markdown]
# ## `explorer`: what do the models inside the page score?
#
# The three small models of [](#sec-explorer), on the embedded images. With positions they name
# nearly all arrangements; without, they stop where [](#sec-positions) puts the ceiling of a set.

# %%
vitlib.show_study(records, "explorer")

# %% [markdown]
# ## `scaling`: does the loss of a large run follow from small ones?
#
# Small ViTs on drawn scenes of which none is seen twice. The number in a name is the length of a
# token; under one budget a longer token has fewer steps. The run of 424 steps an epoch was
# predicted before it was made, and `train-images` names the runs on a few repeated scenes. The
# scores are accuracies; [](#sec-scaling) fits the losses.

# %%
vitlib.show_study(records, "scaling")

# %% [markdown]
# ## How did the trainings go?
#
# {numref}`fig-results-curves` draws the accuracy of the whole trainings, one question a panel. The
# repaired recipe brings the report's ViT to 10 % in two epochs (one seed), where its own stays at a
# guess. A narrow copy comes back from its dead units at the report's rate, and stays dead at 4.5
# times that rate. Where a dashed line is far above the solid one, the model knows its training
# images better than others.

# %%
panels = {
    "the report's models": {
        "repaired-vit-hour": "ViT, repaired",
        "report-resnet-hour": "ResNet",
        "report-vit-hour": "ViT, not repaired",
    },
    "a narrow copy of the ViT": {
        "narrow-vit": "rate 0.001",
        "narrow-vit-high-rate": "rate 0.0045",
    },
}

# %%
panels["ViT or ResNet, long recipe"] = {
    "compact": "convolutions, ViT",
    "compact-resnet": "ResNet",
    "pure-vit": "ViT",
}
panels["kinds of position"] = {
    "small-vit-position-2d": "2-D",
    "small-vit": "1-D",
    "small-vit-position-relative": "relative",
    "small-vit-position-none": "none",
}

# %%
panels["2,500 images or 40,000"] = {
    "small-vit-train-images-2500": "ViT, 2,500",
    "small-resnet-train-images-2500": "ResNet, 2,500",
    "small-vit": "ViT, 40,000",
}
panels["more decay, more epochs"] = {
    "compact-half-hour": "45 epochs",
    "compact-decay": "20 epochs",
}


# %%
def draw(ax, run, color, label, with_training):
    """Draws the accuracy of a run after each epoch."""
    shares = 100 * np.array([run.history["val_top1"], run.history["top1"]])
    epochs = range(1, shares.shape[1] + 1)
    ax.plot(epochs, shares[0], color=color, label=label)
    if with_training:
        ax.plot(epochs, shares[1], "--", color=color)


# %% mystnb={"figure": {"caption": "Top-1 accuracy in per cent against epochs: on the validation images (solid), and in the last two panels on the training images as they went by (dashed). A line for each seed; the scales differ. Training images are augmented and seen with dropout, so that a dashed line may run below the solid one.", "name": "fig-results-curves"}, "image": {"alt": "Six panels with few lines each. Under the repaired recipe the report's ViT rises to 10 per cent, its ResNet to 4, and under the report's recipe the ViT stays at 1. A narrow copy reaches 34 per cent at one rate and stays at 1 at a higher one. A ViT behind convolutions is above a ResNet, and that above a plain ViT. Two kinds of position lie above two others. On 2,500 images the training accuracy leaves the validation accuracy far below. More epochs add a little."}}
runs = [r for r in vitlib.load_runs(records) if r.status == "finished"]
fig, axes = plt.subplots(3, 2, figsize=(5.6, 8))
for place, (title, lines) in enumerate(panels.items()):
    ax = axes.flat[place]
    for color, (name, words) in enumerate(lines.items()):
        for run in (run for run in runs if run.name == name):
            label = words if run.seed == 0 else None
            draw(ax, run, f"C{color}", label, with_training=place > 3)
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.set_title(title)
    ax.legend(fontsize=8)
fig.supxlabel("epoch")
fig.supylabel("top-1 accuracy (%)")
plt.show()

# %% [markdown]
# ## What is planned, and open?
#
# These runs belong to a study, and nobody has recorded them. At quick and laptop scale two processor
# cores are enough; at full scale a run takes a GPU, or hours to a day of two cores.
# [](#sec-how-to-record) has the commands, and says what to do after them.

# %%
list_open_runs(records)

# %% [markdown]
# ## Where do the numbers come from?
#
# Each line below is one file. It holds more than the tables show: both configs in full,
# the fingerprint of the data, the history of every epoch, versions, memory and seconds.

# %%
list_records(vitlib.load_runs(records))
