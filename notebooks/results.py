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
# cells that you see. A test runs the cells again, and compares.
#
# **How to read a table.** Accuracies are those of the {term}`test set`, which a run touches once,
# at its end, with the weights of the {term}`epoch` that was best on the {term}`validation set`. A
# column names this epoch for each seed. Where a training is short, one seed may be tested at its
# beginning and another at its end; then the mean is not that of one state of the model. Parameters
# and operations count the whole model; a {term}`multiply-add` counts as two operations. Where
# several {term}`seeds <seed>` were run, an accuracy is the mean ± the standard deviation over them.
# Minutes are the mean time of a run by the clock: a machine that had other work took longer. The
# last column has what a run changes, held against our reading of the report: `REPORT_TRAIN` (30
# epochs, `float32`, 32 images a step, a constant rate of 0.001 without warm-up, a decay of 0.0001
# of all weights, no clipping, no label smoothing) and `REPORT_VIT` or `REPORT_RESNET`. "In part" is
# a decay that spares biases, norms and positions. "Other model" is a network of other sizes or of
# another kind. The machine of each run is named at the end of the page.
#
# **How to fill a gap.** A row with 0 seeds is not recorded yet. Where a study has no run at all, its
# table lists the commands that record it: at laptop scale, on two processor cores, or at the
# report's sizes, on a GPU. [](#sec-how-to-record) has the commands of all studies, and says what to
# do after them.

# %%
import matplotlib.pyplot as plt
import numpy as np

import vitlib
from vitlib import Table
from vitlib.inspection import plotting
from vitlib.records.intervals import welch_interval
from vitlib.records.run import steps_at_epochs
from vitlib.records.summary import list_records, summarize_readings

plt.style.use("vitlib.course")

# %% [markdown]
# ## `report`: does the failure reproduce?
#
# The report's two models under the report's two recipes. The chapter
# [](#sec-training) says what to look for.

# %%
vitlib.show_study("../results", "report")

# %% [markdown]
# ## `diagnosis`: what stops the one model, and slows the other?
#
# The report's ViT with one change at a time. Names that begin with `first-steps` are short
# trainings of 200 steps (300 with warm-up), tested on few images; an epoch is 25 steps there.
# `bfloat16-steps` are the same in the shorter format, for what takes more images than that.
# `narrow-vit` is a narrow copy, trained for 30 whole epochs; `narrow-vit-high-rate` is the same copy
# at a higher rate. Names that begin with `first-pass` are the report's ResNet, which sees each
# training image once, in ten short epochs. See [](#sec-training).
#
# The short trainings are tested on 500 images, and most of their rows mix epochs: of
# `first-steps-clipped`, one seed is tested with the weights of its first 25 steps, the other with
# those of 175. The instruments below are read after the last step, and tell more.

# %%
vitlib.show_study("../results", "diagnosis")

# %% [markdown]
# What did the instruments read at the end? Of the two hidden layers of the head, the column of
# dead units shows the one that has more of them. {numref}`fig-results-dead` shows both, and the
# way there.

# %%
runs = vitlib.load_runs("../results", "diagnosis")
summarize_readings(runs)

# %% mystnb={"figure": {"caption": "Dead units in the two hidden layers of the head during the first steps of the report's ViT: the first, of 2,048 units (dashed), and the last, of 1,024 (solid). One panel for the report's recipe and one for each change to it; a pair of lines for each seed.", "name": "fig-results-dead"}, "image": {"alt": "Eight panels with the share of dead units from 0 to 1 against the step of the training, for the report's recipe and seven changes to it. Each has a dashed line for the first hidden layer and a solid line for the last. Only under mean pooling both stay at 0."}}
first = [run for run in runs if run.name.startswith("first-steps")]
names = sorted({run.name for run in first})
fig, axes = plt.subplots(2, 4, figsize=(7.2, 3.8), sharex=True, sharey=True)
for ax, name in zip(axes.flat, names, strict=True):
    for run in (run for run in first if run.name == name):
        dead = np.array(run.history["dead"])
        ax.plot(steps_at_epochs(run), dead[:, 0], "C0--")
        ax.plot(steps_at_epochs(run), dead[:, -1], "C1")
    ax.set_title(name.replace("first-steps", "")[1:] or "as in the report")
fig.supxlabel("step")
fig.supylabel("share of dead units")
plt.show()

# %% [markdown]
# ## `dead-units`: at which rate, for how many inputs, does a head die?
#
# A narrow copy of the report's ViT, for 200 steps at five rates. Its head gets from 4 to 256 tokens side
# by side, of 64 numbers each, or the mean of 64 tokens; else it stays as it is. The table has the
# share of dead units in the last hidden layer at the end, the mean of the seeds, by the number of
# inputs of the head (rows) and the rate (columns). [](#sec-training) draws both hidden layers.

# %%
runs = vitlib.load_runs("../results", "dead-units")
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
vitlib.show_study("../results", "repair")

# %% [markdown]
# And what did the instruments read of the exact models, under the report's recipes and the repaired
# one?

# %%
runs = [
    *vitlib.load_runs("../results", "report"),
    *vitlib.load_runs("../results", "repair"),
]
summarize_readings(runs)

# %% [markdown]
# ## `positions`: what does each positional variant add?
#
# The four variants under {term}`mean pooling`, at two sizes. See [](#sec-positions).

# %%
vitlib.show_study("../results", "positions")

# %% [markdown]
# ## `comparison`: ViT against ResNet, fairly
#
# Both families on the same images. At full scale each has a recipe of its own; at laptop scale a
# pair shares one: `small-resnet` that of `small-vit` above, `compact-resnet` that of `compact` below.
# See [](#sec-comparison).

# %%
vitlib.show_study("../results", "comparison")

# %% [markdown]
# ## `data-size`: is it the amount of data?
#
# Both families on fewer and fewer training images. See [](#sec-comparison).

# %%
vitlib.show_study("../results", "data-size")

# %% [markdown]
# ## `compact`: what can half an hour of two processor cores do, or 30 epochs of a GPU?
#
# A small ViT whose tokens come from convolutions {cite:p}`hassani2021`, on the images as
# they are, 32 x 32. It multiplies matrices in {term}`bfloat16`, which has fewer digits;
# [](#sec-speed) measures how much faster it is. The minutes below do not: `compact-decay`
# and `compact-half-hour` had the machine nearly to themselves, the others ran beside other work.
#
# `compact-float32` is the same training in `float32`: what it gains in accuracy, if
# anything, is what the faster format costs. `compact-decay` has a stronger
# {term}`weight decay`, and `compact-half-hour` more than twice the epochs on top.
# `pure-vit` has no convolutions: it is `small-vit` without dropout, in 28 epochs and otherwise under
# the recipe of `compact`. So beside the epochs its rate (twice as high), its label smoothing and its
# warm-up are not those of `small-vit`.
# The two `small-image` models are larger, and meant for a GPU and the report's 30 epochs.

# %%
vitlib.show_study("../results", "compact")

# %% [markdown]
# Does a difference say anything? Welch's interval holds the true one in nineteen cases of twenty; a
# difference counts when 0 lies outside. It knows how many seeds each side has. Where a run has one,
# the spread of `compact` over its three seeds takes the place of its own.

# %%
runs = [r for r in vitlib.load_runs("../results", "compact") if r.test]
points = {}
for run in runs:
    points.setdefault(run.name, []).append(100 * run.test["top1"])
others = sorted(points.keys() - {"compact"})
rows = []
for name in others:
    low, high = welch_interval(points[name], points["compact"])
    gain = f"{np.mean(points[name]) - np.mean(points['compact']):+.2f}"
    counts = "no" if low < 0 < high else "yes"
    seeds = len(points[name])
    rows.append((name, seeds, gain, f"{low:+.1f} to {high:+.1f}", counts))
columns = ("run", "seeds", "gain (points)", "interval", "counts")
Table(columns, tuple(rows))

# %% [markdown]
# So the faster format costs nothing that three seeds can show. The stronger decay is ahead by a
# point, and one seed cannot tell that from chance. With more epochs on top the gain counts; how
# much of it the decay has, nobody knows. By then the model knows its training images far better
# than others, as {numref}`fig-results-curves` shows. And patches alone stay far behind convolutions
# in front of the tokens, with half the parameters and more epochs. Where a row has one seed, its
# spread is borrowed, and the interval no better than that.

# %% [markdown]
# ## How did the trainings go?
#
# {numref}`fig-results-curves` draws the accuracy of every finished run, one panel a name. The short
# trainings that are tested on few images are left out: at chance there is no curve to see. A wide gap between the
# dashed and the solid line means that the model knows its training images better than others.

# %% mystnb={"figure": {"caption": "Top-1 accuracy in per cent against epochs: on the validation images (solid), and on the training images as they went by (dashed). One panel a name, with a pair of lines for each seed; a number below a name is that of the training images. Training images are augmented and seen with dropout, so the dashed line may run below the solid one.", "name": "fig-results-curves"}, "image": {"alt": "A small panel for each name that has finished runs, all from 0 to 100 per cent, with accuracy against epochs. Each run has a solid line for validation and a dashed line for training."}}
runs = [r for r in vitlib.load_runs("../results") if r.status == "finished"]
long = [run for run in runs if run.data["test"] == 10_000]
names = list(dict.fromkeys(run.name for run in long))
rows = -(-len(names) // 4)  # rounded up
fig, axes = plt.subplots(rows, 4, figsize=(7.2, 1.5 * rows), sharey=True)
for ax in axes.flat[len(names) :]:
    ax.axis("off")
for ax, name in zip(axes.flat, names, strict=False):
    for run in (run for run in long if run.name == name):
        plotting.plot_learning_curve(ax, run.history, color="C0")
    ax.set_title(name.replace("-train-images-", "\n"), fontsize=8)
    ax.set(xlabel="", ylabel="", xlim=(0, None), ylim=(0, 100))
fig.supxlabel("epoch")
fig.supylabel("top-1 accuracy (%)")
plt.show()

# %% [markdown]
# ## Where do the numbers come from?
#
# Each line below is one file. It holds more than the tables show: both configs in full,
# the fingerprint of the data, the history of every epoch, versions, memory and seconds.

# %%
list_records(vitlib.load_runs("../results"))
