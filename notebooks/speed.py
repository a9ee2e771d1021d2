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
# (sec-speed)=
# # How fast is it, and why?
#
# This page holds timings. Each was written to a file by one command of the folder
# `benchmarks/`, on the machine that the file names, and the cells below read the files.
# Your machine has other numbers. The *ratios* between two programs, timed side by side in
# one run, change less.

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
import json

import matplotlib.pyplot as plt
import numpy as np

from vitlib.folders import find_folder
from vitlib.records.tables import Table

plt.style.use("vitlib.course")
records = find_folder("benchmarks/records")


def read(name):
    """One record of a benchmark."""
    return json.loads((records / f"{name}.json").read_text("utf-8"))


# %% [markdown]
# ## How fast does the report's ViT train?
#
# `python benchmarks/training_speed.py` builds the same architecture several times: as this
# course has it, from the layers of Keras alone, and with other libraries. They take turns,
# a few steps each, so that a busy moment of the machine meets all of them. The table has
# the median; the range from the slowest to the fastest shows how calm the machine was.
#
# **GFLOP/s** counts what the model needs, from its shapes: three forward passes a step. **Share
# of matrix rate** divides that by what large matrix products alone reached on this machine, in
# the same number format. It says how much is left to gain.
#
# The peers are not all the same model. transformers splits a token among the heads, and so
# computes a fifth as much for an image; vit-pytorch has a class token and one dense layer
# in place of the large head. The PyTorch models get images of the final size and
# augment nothing. GFLOP/s allows for the sizes, images/s does not.

# %%
shown = (  # heading, entry of the record, and what to multiply it with
    ("images/s", "images_per_second", 1),
    ("slowest", "slowest", 1),
    ("fastest", "fastest", 1),
    ("GFLOP/s", "flops_per_second", 1e-9),
    ("share of matrix rate (%)", "share_of_matrix_rate", 100),
    ("memory (GiB)", "peak_memory_bytes", 2**-30),
)


# %%
def show_speeds(name):
    """The contenders of one run of the benchmark, fastest first."""
    rows = [
        (found["contender"], *(found[key] * unit for _, key, unit in shown))
        for found in read(name)["results"]
    ]
    headings = ("contender", *(heading for heading, *_ in shown))
    return Table(headings, tuple(sorted(rows, key=lambda row: -row[1])))


# %%
show_speeds("report")


# %% [markdown]
# Each row of the next table is a peer, and each column one of this course's models: how many times
# as many images a second does it train on? Compare within one number format, and remember that
# transformers computes a fifth.

# %%
def show_ratios(name):
    """Images a second of vitlib, divided by those of each peer."""
    speed = {
        found["contender"]: found["images_per_second"]
        for found in read(name)["results"]
    }
    ours = [key for key in speed if key.startswith("vitlib")]
    rows = [
        (peer, *(speed[our] / speed[peer] for our in ours))
        for peer in speed
        if peer not in ours
    ]
    return Table(("peer", *ours), tuple(rows))


# %%
show_ratios("report")

# %% [markdown]
# The preset `compact` is a small ViT whose tokens come from convolutions. Both contenders run the
# same code for the convolutions.

# %%
show_ratios("compact")

# %% [markdown]
# The last is the report's ResNet101V2. On a 32 x 32 image its maps are tiny, so that a step is
# hundreds of small operations. Only Adam and the augmentation are this course's own.

# %%
show_ratios("resnet")


# %% [markdown]
# ## Where does the time of a step go?
#
# `python benchmarks/profile_step.py` lets TensorFlow's profiler watch one step on a CPU,
# and adds up the time of each kind of operation over all calls and both threads. The first
# table has the layers of Keras in `float32`, the second those of this course in `bfloat16`.

# %%
def show_profile(name, top=10):
    """The operations that took most time, and all together."""
    *rows, whole = read(name)["rows"]
    columns = ("operation", "milliseconds", "calls")
    return Table(columns, (*map(tuple, rows[:top]), tuple(whole)))


# %%
show_profile("profile-keras")

# %%
show_profile("profile-vitlib")


# %% [markdown]
# Between these two profiles two things change at once, the layers and the number format. The timings
# of whole steps at the top of this page changed one at a time, and tell them apart:

# %%
def show_changes(name):
    """How many times as fast a step is as with Keras in float32."""
    speed = {
        found["contender"]: found["images_per_second"]
        for found in read(name)["results"]
    }
    changes = {
        "the layers alone": "vitlib, float32",
        "the format alone": "Keras layers, bfloat16",
        "both": "vitlib, bfloat16",
    }
    slow = speed["Keras layers, float32"]
    rows = [(what, speed[fast] / slow) for what, fast in changes.items()]
    return Table(("changed", "times as fast"), tuple(rows))


# %%
show_changes("report")

# %% [markdown]
# The format contributes more than the layers, so a shorter time in the second profile is not the
# merit of the layers alone. In both, products of matrices (`MatMul`, `BatchMatMul`) are the work
# itself. The rest is what this course tries to save:
#
# * **Attention.** `keras.layers.MultiHeadAttention` writes its products as `einsum`.
#   {class}`vitlib.layers.attention.SelfAttention` makes one product of two matrices of each
#   projection.
# * **Adam.** Keras writes the update as a dozen operations, and each goes through the
#   memory of all weights. {class}`vitlib.training.optimizer.AdamW` uses TensorFlow's one operation.
# * **Dropout.** Most of its cost is drawing random bits. {class}`vitlib.layers.dropout.Dropout` draws 16
#   for a number where Keras draws 32.
# * **Normalisation.** {class}`vitlib.layers.normalize.Normalization` computes on rows of pixels,
#   not on three channels at a time.
# * **bfloat16.** A number of 16 bits halves the memory traffic, and some processors
#   multiply it faster. Weights and the last layer stay in `float32`. The study `compact` of
#   [](#sec-results) says what the format costs in accuracy: three trainings have it, three do
#   not.
#
# Each is the same function as what it replaces, up to rounding. Tests compare outputs and
# gradients, or, for dropout, the share that is dropped.
#
# ## How does the cost grow?
#
# `python benchmarks/cost_curves.py` changes one thing at a time: the number of tokens, the
# width of a token, the number of blocks, the {term}`batch`. {numref}`fig-speed-curves`
# draws seconds and memory on double logarithmic axes. There a line as steep as the dotted one
# means "twice as much costs twice as much".

# %%
curves = read("cost_curves")["curves"]
axes_of = {
    "tokens": ("patch_size", "tokens"),
    "width": ("projection_dim", "projection_dim"),
    "blocks": ("num_layers", "num_layers"),
    "batch": ("batch", "batch"),
}


def median_seconds(points):
    """Seconds of a step at each point."""
    return np.array([np.median(point["seconds"]) for point in points])


# %% mystnb={"figure": {"caption": "What a training step costs: seconds (left) and memory above that of the built model (right), against tokens, width, blocks and batch. Dotted: growth in proportion, drawn through the last point. All axes are logarithmic.", "name": "fig-speed-curves"}, "image": {"alt": "Eight small plots, two for each of tokens, width, blocks and batch. Seconds are on the left, memory on the right. Most curves start flatter than their dotted line of growth in proportion and follow it at the end. Those of tokens are steeper at the end, and so are the seconds of width."}}
fig, axes = plt.subplots(4, 2, figsize=(5.6, 8), sharey="col")
for row, (label, (name, key)) in zip(axes, axes_of.items(), strict=True):
    x = np.array([point[key] for point in curves[name]])
    memory = [point["memory_bytes"] / 2**20 for point in curves[name]]
    for ax, y in zip(row, (median_seconds(curves[name]), memory), strict=True):
        ax.loglog(x, y, "o-")
        ax.loglog(x, x * y[-1] / x[-1], ":", color="gray")
        ax.set_xticks(x[::2], x[::2])
        ax.tick_params(
            axis="x", which="minor", bottom=False, labelbottom=False
        )
        ax.set_xlabel(label)
axes[0, 0].set_title("seconds a step")
axes[0, 1].set_title("memory (MiB)")
plt.show()

# %% [markdown]
# The last two points of each curve say how it grows where the model is large:

# %%
rows = []
for label, (name, key) in axes_of.items():
    last = curves[name][-2:]
    sizes = [point[key] for point in last]
    memory = [point["memory_bytes"] for point in last]
    growths = sizes, median_seconds(last), memory
    times = (f"{after / before:.1f}" for before, after in growths)
    rows.append((label, *sizes, *times))
columns = ("changed", "from", "to", "times as large")
Table((*columns, "times the seconds", "times the memory"), tuple(rows))

# %% [markdown]
# Tokens cost more than in proportion, in seconds and in memory: attention compares each of them with
# each other, and that part of a block grows with their square ({ref}`sec-patches` counts it). Twice
# the width takes more than twice the seconds, because the matrices of a block grow in both
# directions. Blocks and batch grow about in proportion or slower. These are medians of one run on one
# machine, and a single point can be off.
#
# ## What this page does not show
#
# * One machine each, named below. Another processor has other rates, and another library
#   may win there.
# * Noise in place of images. The time of a step does not depend on what is in an image;
#   the accuracy does, and it has its own page ([](#sec-results)).
# * A GPU. The records below come from processors; the commands are the same on a GPU.

# %%
names = sorted(path.stem for path in records.glob("*.json"))
rows = []
for name in names:
    record = read(name)
    device, commit = record["device"], record["git_commit"][:7]
    rows.append((name, device["name"], device["cores"], commit))
Table(("record", "machine", "cores", "commit"), tuple(rows))
