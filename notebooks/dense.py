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
# (sec-dense)=
# # Where is it?
#
# A classifier says *what* is in an image. The report ends with a wish for more: segmentation,
# which says for every pixel what it belongs to, and detection, which draws a box around every
# thing. Both are called {term}`dense prediction`. For a Vision Transformer (ViT) they are not far
# away, because its tokens stand on a grid, and they still do after the last block. In this chapter
# you turn the classifier into a segmenter and into a detector, and measure both with scores that
# you can write down yourself.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * read masks and boxes, and move them together with their image;
# * say how good an answer can be on a grid of patches, before you train anything;
# * turn an encoder into a segmenter, and score it by the mean IoU;
# * show what attention adds to a token that sees its own patch alone;
# * turn the same encoder into a detector, and read boxes off its cells;
# * score a detector by its average precision.
#
# **Time:** about 40 minutes to read and run, 88 for all exercises; the cells run in about two
# minutes.
#
# **You need:** patches and the block from [](#sec-patches), how a training runs from
# [](#sec-training), and attention maps from [](#sec-attention).
# :::

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

# %% tags=["parameters"]
profile: str = "quick"  # "quick", "laptop" or "full"
seed: int = 0  # of everything random

# %%
from dataclasses import replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import vitlib
from vitlib import Table, check_parameters, checks
from vitlib.inspection import pictures
from vitlib.training.tasks import TASKS

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## What is where in a scene?
#
# The images of this chapter are drawn, too, but they are larger and hold more. A scene has 64 x 64
# pixels and one to four things of five kinds; the small dots belong to the background. A thing is
# 10 to 20 pixels wide, whatever its kind, and has any colour that no background has, so neither
# size nor colour gives its kind away. Things may cover each other, but at least half of each can
# be seen. Because the scenes are drawn by a program, it knows for each thing which pixels can be
# seen of it, and what the smallest box around these pixels is.

# %%
data = vitlib.load_data_set("scenes")
kinds = data.class_names
train = data.train
print("images, height, width, channels:", train.images.shape)
print("masks, a plane for each thing:  ", train.masks.shape)
print("boxes: top, left, bottom, right:", train.boxes.shape)
print("kinds:", *(f"{n} {name}" for n, name in enumerate(kinds)))
there = train.kinds >= 0
print("things in an image:", *np.unique(there.sum(axis=1)))

# %% [markdown]
# The number of things varies, but an array has rows of equal length. So there is room for four;
# where an image has fewer, the kind is -1, the box is all zeros and the mask is empty.
#
# Two forms of the same knowledge matter to us. The boxes are one. The other is a *class map*, with
# a class for each pixel: 0 for the background, and 1 plus the kind for a pixel of a thing.

# %%
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle

from vitlib.data.class_maps import class_map

maps = class_map(train)  # (images, height, width)
palette = ListedColormap(["0.93", "C0", "C1", "C2", "C3", "C4"])


def show_classes(ax, classes):
    """Draws a class map, each class in a colour of its own."""
    ax.imshow(classes, cmap=palette, vmin=0, vmax=5, interpolation="nearest")
    ax.set(xticks=[], yticks=[])


# %%
def draw_boxes(ax, boxes, colors, style="-"):
    """Draws boxes, each in its colour."""
    for (top, left, bottom, right), color in zip(boxes, colors, strict=True):
        corner, sides = (left - 0.5, top - 0.5), (right - left, bottom - top)
        look = {"fill": False, "ec": color, "lw": 1.6, "ls": style}
        ax.add_patch(Rectangle(corner, *sides, **look))


# %% mystnb={"figure": {"caption": "Four scenes. Above: each thing with the smallest box around what can be seen of it, in the colour of its kind. Below: the class map, which has a class for every pixel.", "name": "fig-dense-scenes"}, "image": {"alt": "Four images of coloured shapes on a light ground, with a thin box around each shape. Below each image the same shapes stand in flat colours, one colour for each kind of shape, on grey."}}
fig, axes = plt.subplots(2, 4, figsize=(6.6, 4.1))
for n, (above, below) in enumerate(axes.T):
    pictures.show_image(above, train.images[n])
    colors = [f"C{kind}" for kind in train.kinds[n][there[n]]]
    draw_boxes(above, train.boxes[n][there[n]], colors)
    show_classes(below, maps[n])
entries = [Patch(color=f"C{n}", label=name) for n, name in enumerate(kinds)]
fig.legend(handles=entries, ncols=5, loc="outside lower center")
plt.show()

# %% [markdown]
# Most pixels show no thing at all. Count them before you believe any score:

# %%
shares = np.bincount(maps.ravel(), minlength=6) / maps.size
for name, share in zip(("background", *kinds), shares, strict=True):
    print(f"{name:>10}: {share:.3f} of the pixels")

# %% tags=["remove-cell"]
# What the text says of it.
assert 0.9 < shares[0] < 0.93 and shares[1:].max() < 0.04

# %% [markdown]
# A model that answers "background" everywhere is right on more than nine pixels out of ten, and
# has found nothing. Like the ViT of the report it gives one answer to everything; but here that
# scores high.
#
# Masks and boxes change something else, too. When a classifier is trained on photographs, an image
# may be flipped and moved, and its label stays what it is. (With *left of* in the label it does
# not: see [](#sec-data).) A mask never stays: each random change of its image has to be made to
# the mask as well. For masks that is easy, as they are images themselves. With boxes it goes wrong
# easily, and without an error message.
#
# :::{exercise} A box in the mirror
# :label: ex-dense-mirror
#
# ★ · 8 minutes
#
# An image that is `width` pixels wide is flipped from left to right. Write
# `flip_boxes(boxes, width)`, which does the same with its boxes. They have the shape `(n, 4)`, and
# a row is top, left, bottom, right. Top and left are the first row and column that a thing
# touches; bottom and right are the first ones beyond it.
#
# What is the width of a box, right minus left, after the flip? Use this to test your answer before
# `checks.check_flip_boxes(flip_boxes)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Draw a strip of six pixels, and colour the first two. Which number is left, which is right? Now
# hold the paper against the light, look at it from behind, and read the two numbers again.
# :::
#
# ## How good can a grid of patches be?
#
# A token stands for a patch. The simplest segmenter therefore names *one* class for each patch,
# and all pixels of the patch get it. Where a patch holds an edge of a thing, some of its pixels
# must be wrong. How many there are at least does not depend on any training: they can be counted
# beforehand.

# %%
sizes = (16, 8, 4, 2, 1)


def vote_of_patches(classes, size):
    """Gives all pixels of a patch the class of most of them."""
    side = classes.shape[0] // size
    cut = classes.reshape(side, size, side, size).swapaxes(1, 2)
    cut = cut.reshape(side, side, -1)
    counts = (cut[..., None] == np.arange(6)).sum(axis=2)
    return counts.argmax(axis=-1).repeat(size, 0).repeat(size, 1)


# %% mystnb={"figure": {"caption": "The third scene as patches of four sizes can tell it: each patch has the class of most of its pixels. Right: all pixels.", "name": "fig-dense-grid"}, "image": {"alt": "Five maps of the same scene. With the largest patches nothing is left but the background. With the next ones the triangle is one block, the square two, and the ring is missing. From there on the shapes become finer, and the last map has all three as they are."}}
fig, axes = plt.subplots(1, 5, figsize=(6.8, 1.7))
for ax, size in zip(axes, sizes, strict=True):
    show_classes(ax, vote_of_patches(maps[2], size))
    ax.set_title("all pixels" if size == 1 else f"{size} x {size}")
plt.show()

# %% [markdown]
# :::{exercise} The ceiling of a grid
# :label: ex-dense-ceiling
#
# ★★ · 12 minutes
#
# Write `grid_ceiling(maps, patch_size)`: the largest share of all pixels that can be right when
# each patch gets one class. The class maps have the shape `(n, H, W)`; `patch_size` divides both
# sides.
#
# Which class should a patch be given? How large is the ceiling for the scenes of this chapter with
# patches of 16, 8 and 4 pixels, and why is the share so high even for 16?
# `checks.check_grid_ceiling(grid_ceiling)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Take one patch with the classes 0, 0, 2, 2, 2, 1. How many of its six pixels are right if you
# call it 0, how many if you call it 2? Then ask how [](#sec-patches) cuts an image into patches,
# and use the same lines on a class map.
# :::
#
# ## How is a class map scored?
#
# The share of right pixels is a poor score here, as we have seen. The usual one looks at each
# class by itself. Of all pixels that are of class $c$, in the truth ($T_c$) or in the answer
# ($A_c$), what share is in both? This is the {term}`intersection over union`,
#
# $$
# \text{IoU}_c = \frac{|T_c \cap A_c|}{|T_c \cup A_c|} ,
# $$ (eq-dense-iou)
#
# and the {term}`mean IoU` is its average over the classes. Pixels of all images are counted
# together before the division. We leave the background out of the average, so that a model that
# answers "background" everywhere gets 0; some benchmarks count it as one more class.

# %%
from vitlib.training import confusion

truth = class_map(data.test)
matrix = confusion.confusion_matrix(truth, np.zeros_like(truth), 6)
rows = [("background everywhere", confusion.mean_iou(matrix), "-")]
for size in sizes[:4]:
    reached = confusion.majority_iou(truth, size)
    # Its ceiling is that of the mean IoU, not of the share of right pixels.
    most = f"{confusion.grid_ceiling(truth, size):.2f}"
    rows.append((f"majority, {size} x {size}", reached, most))
columns = "answer", "mean IoU", "bound of the grid"
printed = [(words, f"{iou:.2f}", most) for words, iou, most in rows]
Table(columns, tuple(printed))

# %% tags=["remove-cell"]
# What the text says of it.
assert rows[0][1] == 0
bound = float(rows[2][2])  # of patches of 8 x 8 pixels
assert rows[2][1] < 0.5 and rows[2][1] < bound < 0.65

# %% [markdown]
# The answer that is right on more than nine pixels out of ten has a mean IoU of 0. The other rows
# give each patch the class of most of its pixels, the *majority*, and show what the size of a
# patch costs. With 8 x 8 pixels, the majority reaches less than half of the best mean IoU, 1. The
# majority is the best answer for the share of right pixels, but not for the IoU: a thin shape
# gains if its class claims patches that it fills less than half. So the last column gives a bound
# for any answer of one class per patch: for each class by itself, the IoU with the best set of
# patches, and then the mean. It is a ceiling, too, but of another score than that of
# [](#ex-dense-ceiling), which is the share of right pixels.
#
# :::{exercise} The score, from the logits
# :label: ex-dense-miou
#
# ★★★ · 18 minutes
#
# Write `mean_iou(truth, logits)`. The class maps `truth` have the shape `(n, H, W)`, and 0 is the
# background. A segmenter has given `logits` of the shape `(n, H, W, C)`. The pixels of all images
# are counted together; the mean goes over the classes from 1 that occur in the truth.
#
# Why must your function return 0 for the answer "background everywhere"? And what would change if
# a class that occurs in no image counted as 0, or as 1? `checks.check_mean_iou(mean_iou)` tells
# you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# First turn the logits into a class map of the same shape as the truth. For one class, both maps
# then become arrays of booleans; intersection and union are two operators of NumPy and a sum.
# :::
#
# ## How does a classifier become a segmenter?
#
# By leaving something out. A classifier pools its tokens to one vector and reads the class from
# it. A segmenter does not pool. It reads from each token, with the same linear layer for all of
# them, what is in its patch {cite:p}`strudel2021`. If this layer has an output for each pixel of
# the patch and each class, every pixel gets logits of its own, and the ceiling of the grid is
# gone:

# %%
names = {"quick": "segment-tiny", "laptop": "segment", "full": "segment"}
preset = vitlib.PRESETS[names[profile]]
config = preset.model
print("patches:", config.num_patches, "of side", config.patch_size)
print("blocks:", config.num_layers, "of tokens", config.projection_dim, "long")


# %%
def segmenter(config):
    """Puts logits for each pixel on the tokens of an encoder."""
    encoder = vitlib.build_encoder(config)
    outputs = config.patch_size**2 * config.num_classes
    logits = layers.Dense(outputs)(encoder.output)  # (batch, tokens, outputs)
    logits = vitlib.join_patches(logits, config.input_shape[:2])
    return keras.Model(encoder.input, logits)


built = vitlib.build_model(config, preset.train)
for words, model in (("built here", segmenter(config)), ("vitlib", built)):
    shape = model.output.shape[1:]
    print(f"{words}: {shape}, {model.count_params():,} parameters")

# %% tags=["remove-cell"]
assert segmenter(config).count_params() == built.count_params()


# %% [markdown]
# `join_patches` is the way back from [](#sec-patches): it puts the values of each patch where its
# pixels are. Nothing else is new. The loss is the cross-entropy of each pixel, averaged over all,
# and the training is `vitlib.train` with another task.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Before you run the training, let them write down which pixels will be
# > wrong longest. Most say those of the smallest things; look for thin arms and for edges.

# %% tags=["remove-output"]
def train_on_scenes(config, recipe):
    """Trains a model from random weights. Returns it, and its run."""
    recipe = replace(recipe, seed=seed)
    model = vitlib.build_model(config, recipe)
    task = TASKS[config.task].of(config)
    quiet = {"task": task, "report": lambda line: None}
    run = vitlib.train(model, data, recipe, **quiet)
    return model, run


segmenting, run = train_on_scenes(config, preset.train)

# %% tags=["nbval-ignore-output"]
print("mean IoU on validation images after each epoch:")
print(*(f"{value:.1f}" for value in run.history["val_miou"]))
print(f"right pixels of the test images: {run.test['accuracy']:.2f}")
print(f"their mean IoU: {run.test['miou']:.2f}")

# %% tags=["remove-cell"]
# What the text says of it, with room to spare.
if profile == "quick":
    assert run.test["miou"] > max(0.6, bound)

# %% [markdown]
# Within a minute most pixels of the things are found. That the layer sees whole patches is no
# obstacle: the mean IoU is above the bound for one class per patch.
#
# ## What does attention add?
#
# What a patch shows is often ambiguous: a level edge may belong to a square or to the foot of a
# triangle. A token has to ask others, and attention is how it asks. So we take the attention out
# of every block and keep the rest: MLPs, head, recipe, images. To make up for the weights of the
# attention, the MLPs become twice as wide; otherwise the model could be worse just because it is
# smaller. Each token then knows its own patch and its place, and nothing besides.

# %% tags=["remove-output"]
width, tokens = config.mlp_units
alone = replace(config, attention=False, mlp_units=(2 * width, tokens))
guessing, run_alone = train_on_scenes(alone, preset.train)

# %% tags=["nbval-ignore-output"]
for words, each in (("with attention", run), ("without", run_alone)):
    print(f"{words}, {each.parameters['total']:,} parameters:")
    print(f"  mean IoU of the test images {each.test['miou']:.2f}")

# %% tags=["remove-cell"]
# What the text says of it, with room to spare.
if profile == "quick":
    assert run_alone.test["miou"] < run.test["miou"] - 0.04
    counts = [each.parameters["total"] for each in (run, run_alone)]
    assert abs(counts[0] / counts[1] - 1) < 0.02

# %% [markdown]
# Attention helps. With what? We ask two questions about each pixel of a thing: is it taken for a
# thing at all, and if so, for one of the right kind?

# %% tags=["nbval-ignore-output"]
answers, rows = {}, []
for words, each in (("attention", segmenting), ("without", guessing)):
    logits = each.predict(data.test.images, verbose=0)
    answers[words] = logits.argmax(axis=-1)
    named = answers[words][truth > 0]
    right = named == truth[truth > 0]
    kind = right.sum() / (named > 0).sum()
    rows.append((words, f"{(named > 0).mean():.2f}", f"{kind:.2f}"))
for words, *two in rows:
    print(words, "- a thing: {}, of these the right kind: {}".format(*two))

# %% tags=["remove-cell"]
# What the text says of it, with room to spare.
if profile == "quick":
    (_, *with_it), (_, *without) = rows
    assert abs(float(with_it[0]) - float(without[0])) < 0.1
    assert float(with_it[1]) > float(without[1]) + 0.02

# %% mystnb={"figure": {"caption": "Four test scenes as two models see them: the true class map, the answer of the model with attention, and that of the model without. The colours are those of the first figure.", "name": "fig-dense-masks"}, "image": {"alt": "Four rows of images. The first row shows scenes of shapes, the second their true class maps. In the third row most shapes are nearly the same, with rough edges; where things cover each other, pieces are missing. In the fourth row many shapes are speckled with the colours of several kinds, patch by patch."}}
shown = {"truth": truth, **answers}
fig, axes = plt.subplots(4, 4, figsize=(6.4, 6.6))
for ax, image in zip(axes[0], data.test.images[:4], strict=True):
    pictures.show_image(ax, image)
axes[0, 0].set_ylabel("scene")
for line, (words, classes) in zip(axes[1:], shown.items(), strict=True):
    for ax, each in zip(line, classes[:4], strict=True):
        show_classes(ax, each)
    line[0].set_ylabel(words)
plt.show()

# %% [markdown]
# Both see where things are; for that, a token's own patch is enough. The difference is in the
# kind. A token without attention has to read it off the piece of edge in its own patch, and a
# level edge may belong to a square or to the foot of a triangle: look at the feet in the last row.
# The other model can put the pieces together.
#
# Another explanation is tempting. A patch that lies wholly inside a thing holds no edge at all. Is
# that not where the model without attention has to fail? Count before you believe it:

# %%
side, masks = config.patch_size, data.test.masks
cut = masks.reshape(*masks.shape[:2], 64 // side, side, 64 // side, side)
inside = cut.all(axis=(3, 5))  # (images, things, rows, columns)
image, thing, *_ = np.nonzero(inside)
of_kind = np.bincount(data.test.kinds[image, thing], minlength=5)
of_kind = of_kind / inside.sum()
held = side**2 * inside.sum() / masks.sum()
count = len(masks) * config.num_patches
print(f"patches wholly inside a thing: {inside.sum()} of {count}")
print(f"they hold {held:.3f} of the pixels of things")
rows = zip(kinds, (f"{share:.2f}" for share in of_kind), strict=True)
Table(("kind", "share of them"), tuple(rows))

# %% tags=["remove-cell"]
# What the text says of it.
assert abs(held - 1 / 8) < 0.005 and abs(of_kind[0] - 0.9) < 0.02
assert not of_kind[[1, 2]].any() and of_kind[[3, 4]].max() < 0.1

# %% [markdown]
# They hold an eighth of the pixels of things, and nine out of ten are in squares: a triangle or a
# diamond seldom has room for one, a ring or a cross has none. To answer "square" there is wrong
# one time in ten, which costs little more than one pixel of things in a hundred. The scores of the
# two models are further apart than that, so most of the difference must lie elsewhere.
#
# [](#sec-attention) measured how much of a classifier's attention falls on the things of a scene.
# With masks of more things we can ask a token: which part of your attention goes to the other
# patches of your thing? A patch belongs to a thing that fills more than half of it, and what a
# token gives to itself does not count. We compare this part with two others: the one that a token
# would give if it looked at all other patches alike, and the one that it would give with the
# attention map of another image. The second tells the thing from the place: a token may look at
# its neighbours, whatever they show.

# %%
from vitlib.inspection.introspect import attention_maps

images, masks = data.test.images[:50], data.test.masks[:50]
grid = config.grid_size[0]
cover = masks.reshape(*masks.shape[:2], grid, side, grid, side)
cover = cover.mean(axis=(3, 5)).reshape(*masks.shape[:2], -1)  # of each patch
on = cover > 0.5  # (images, things, tokens)
counts = on.sum(axis=2)
asking = counts > 1  # things that fill more than half of several patches

# %% tags=["nbval-ignore-output"]
maps_of = attention_maps(segmenting, images).mean(axis=2)  # of the heads
others = np.where(np.eye(on.shape[-1], dtype=bool), 0, maps_of)
others /= others.sum(axis=-1, keepdims=True)
even, rows = (counts - 1) / (on.shape[-1] - 1), []
for block, weights in enumerate(others, 1):
    parts = []
    for each in (weights, np.roll(weights, 1, axis=0)):  # of the image before
        given = np.einsum("iqk,itk,itq->it", each, on, on)
        parts.append((given[asking] / counts[asking]).mean())
    rows.append((block, *parts, even[asking].mean()))
for block, own, swapped, chance in rows:
    print(f"block {block}: {own:.2f}, with another image's map", end=" ")
    print(f"{swapped:.2f}, by chance {chance:.2f}")

# %% tags=["remove-cell"]
# What the text says of it, with room to spare.
if profile == "quick":
    _, own, swapped, chance = max(rows, key=lambda row: row[1])
    assert own > 2 * max(swapped, chance)

# %% [markdown]
# In the block where this part is largest, it is several times as large as either. So this ViT does
# look at the thing, as far as attention tells where a model looks; [](#sec-attention) has shown
# how far that is.
#
# ## How do tokens draw boxes?
#
# A detector answers with a list: kind, box, and how sure it is. A list has no fixed length and no
# order, and that is the whole difficulty. One way out makes the grid of tokens do the work
# {cite:p}`zhou2019`. Each token is a {term}`cell <centre cell>`, and a thing belongs to that cell
# in which the middle of its box lies. Each cell answers three questions:
#
# * *Is the middle of a thing here, and of which kind?* A number from 0 to 1 for each kind; for one
#   kind, the numbers of all cells are its *heat map*.
# * *Where in the cell is the middle?* Two numbers, down and right of the centre of the cell.
# * *How high and wide is the thing?* Two more, as logarithms, so that no size can be negative.
#
# The head is again one linear layer on each token, now with $K + 4$ outputs for $K$ kinds; a
# sigmoid turns the first $K$ into numbers from 0 to 1. In the loss, the heat counts everywhere,
# the other four numbers only in cells that hold a middle. The heat is to be 1 there, and to fall
# off around it, so that a neighbour of the right cell is less wrong than one far away. Most cells
# hold no middle. If each of them counted as much as the few others, "no thing anywhere" would for
# a long time be the answer that pays: the background again. The *focal loss* {cite:p}`lin2017`
# takes weight from cells that are nearly right already.

# %% tags=["remove-output"]
names = {"quick": "detect-tiny", "laptop": "detect", "full": "detect"}
preset = vitlib.PRESETS[names[profile]]
detecting, found = train_on_scenes(preset.model, preset.train)

# %% [markdown]
# What comes out is read in reverse, for each kind by itself. A cell at least as hot as each of its
# eight neighbours is a *peak* (of equal neighbours, `vitlib` takes the first); its heat is the
# score, and its four other numbers are the box. Nothing is thrown away afterwards, so a thing that
# is hot as two kinds gets two boxes.
#
# :::{exercise} Peaks
# :label: ex-dense-peaks
#
# ★★ · 12 minutes
#
# Write `find_peaks(heat, threshold)` for the heat map of one kind, of the shape `(H, W)`. Return
# booleans of the same shape: `True` where the heat is above the threshold and no smaller than at
# any of the neighbours. A cell has up to eight of them, and fewer at the border.
#
# A thing has one middle. When could it still have two peaks? `checks.check_find_peaks(find_peaks)`
# tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Put a frame of one cell around the map first, and choose what it is filled with so that it never
# wins. Then each of the nine neighbours (the cell itself is one) is the same map, cut out at
# another place.
# :::

# %% mystnb={"figure": {"caption": "Three test scenes. Above: the boxes that the detector draws with a score of at least 0.3, in the colours of their kinds, the surest on top, and, dashed in grey, the true ones. Below: the highest heat of any kind in each cell.", "name": "fig-dense-boxes"}, "image": {"alt": "Above, three scenes with boxes around the shapes. Most lie near a dashed box; where shapes overlap, there are more boxes than shapes. Below, three coarse grids that are dark but for a few brighter cells at each shape, which run together where shapes overlap."}}
few = data.test.images[:3]
outputs = detecting.predict(few, verbose=0)  # (images, rows, columns, K + 4)
listed = TASKS["detection"].of(preset.model).decode(outputs)
heat = 1 / (1 + np.exp(-outputs[..., :-4].max(axis=-1)))
fig, axes = plt.subplots(2, 3, figsize=(6.4, 4.4))
for n, (above, below) in enumerate(axes.T):
    pictures.show_image(above, few[n])
    true = data.test.boxes[n][data.test.kinds[n] >= 0]
    draw_boxes(above, true, ["0.3"] * len(true), "--")
    sure = np.flatnonzero(listed.scores[n] >= 0.3)[::-1]  # the surest on top
    colors = [f"C{kind}" for kind in listed.kinds[n][sure]]
    draw_boxes(above, listed.boxes[n][sure], colors)
    below.imshow(heat[n], vmin=0, vmax=1, cmap="magma")
    below.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## How is a detector scored?
#
# First, when is a box right? When its intersection over union with a true box of the same kind is
# large enough. For boxes, the union needs no counting of pixels.
#
# :::{exercise} How much do two boxes overlap?
# :label: ex-dense-overlap
#
# ★★ · 12 minutes
#
# Write `box_iou(first, second)`. The boxes of the first array, `(n, 4)`, and of the second,
# `(m, 4)`, are top, left, bottom, right, as above. Return the IoU of each with each, `(n, m)`.
#
# Two boxes may lie apart in both directions. Which two numbers are then negative, and what becomes
# of their product? `checks.check_box_iou(box_iou)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# What two boxes share is a box again. Which of the two tops is its top, and which of the two
# bottoms its bottom? Do it for one pair first, and then add axes so that NumPy does it for all
# pairs.
# :::
#
# Second, which box is compared with which? Take one kind. Its predictions in an image come in
# order of their scores. Each is compared with the true box of this kind that it overlaps most,
# among those that are still free. If the overlap reaches the threshold, the prediction is a *hit*,
# and the true box is taken. Otherwise it is a false alarm, such as a second box on a taken thing.
#
# :::{exercise} Hit or false alarm?
# :label: ex-dense-match
#
# ★★ · 12 minutes
#
# Write `match(overlaps, threshold)` for one image and one kind. Row $p$ of `overlaps`, `(P, T)`,
# is the IoU of prediction $p$ with each true box, and the rows are in order of the scores, the
# highest first. There is at least one true box. Return a boolean for each prediction, `True` for a
# hit. An overlap as large as the threshold suffices.
#
# What would it mean for the score if a thing could be hit twice? `checks.check_match(match)` tells
# you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# A loop over the rows is the clearest way. It has to remember one thing from row to row. How can a
# taken column be made to lose against all others without changing `overlaps`?
# :::
#
# Third, all predictions of this kind, from all images, are put in one row by their scores. Go down
# this row: after each prediction, the *precision* is the share of hits among those so far, and the
# *recall* the share of all things of this kind that have been found. The {term}`average precision`
# (AP) is the mean of the precision over 101 values of the recall, from 0 to 1, as the COCO
# benchmark does it {cite:p}`lin2014`. It is computed for each kind and averaged. AP50 asks for an
# IoU of 0.5; what is called AP without a number is the mean over ten thresholds from 0.5 to 0.95.
#
# :::{exercise} Average precision
# :label: ex-dense-ap
#
# ★★★ · 14 minutes
#
# Write `average_precision(scores, hits, num_things)`. The scores, `(P,)`, are in no order; `hits`,
# `(P,)`, says for each prediction whether it is a hit. There are `num_things` true boxes. The
# precision at a recall $r$ is the best one at a recall of $r$ or more, and 0 if that recall is
# never reached. Its mean over the recalls 0, 0.01, ..., 1 is the result.
#
# Can a detector raise its AP by adding boxes of which it is not sure at all?
# `checks.check_average_precision(average_precision)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Sort, and take a running sum of the hits: from it and the place in the row you get precision and
# recall after each prediction. "The best one from here on" is a running maximum from the other
# end.
# :::

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Let one student call out the predictions of one image, a second one
# > play the true boxes, and the class decide: hit or false alarm? The quarrel about the second box
# > on a taken thing is the lesson.

# %% [markdown]
# Here is what the detector of this profile reaches on the test images:

# %% tags=["nbval-ignore-output"]
print(f"AP50: {found.test['ap50']:.2f}")
print(f"AP:   {found.test['ap']:.2f}")

# %% tags=["remove-cell"]
# What the text says of it, with room to spare.
if profile == "quick":
    assert found.test["ap50"] > found.test["ap"] + 0.1
    assert found.test["ap50"] > 0.3

# %% [markdown]
# AP is the stricter number: to find a thing is easier than to draw its box to the pixel. After a
# minute of training the boxes are still loose, and the difference between the two says so.
#
# There is another way to predict a list. A fixed number of learned *queries* each name one thing,
# or none, and the loss first looks for the assignment of queries to things that costs least
# {cite:p}`carion2020`. It needs no cells and no peaks. But which query is responsible for which
# thing has to be found out by training, and the authors report that their model needs an
# extra-long schedule. The preset `detect-set` is such a detector: the encoder of `detect`, and two
# more blocks in which eight queries look at its tokens. They nearly double the parameters.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask which of the two detectors could find two things with the same
# > middle. (The set can; in a cell there is room for one middle of each kind, and for one box.)

# %% [markdown]
# ## What do longer trainings reach?
#
# A minute is short. The recorded runs train a larger encoder, that of the small ViT of
# [](#sec-comparison), on the same scenes: thirty epochs for a segmenter, forty-five for a detector
# with cells, one seed each. Without attention the MLPs are wider, as above. The detector with
# queries has fewer epochs, of which each costs more, so that both do about the same work.

# %%
from vitlib.records.run import images_at_epochs

names = {
    "segment": "pixels, with attention",
    "segment-alone": "pixels, without",
    "detect": "boxes from cells",
    "detect-set": "boxes from queries",
}
columns = {"miou": "mean IoU", "ap50": "AP50", "ap": "AP"}
recorded = {
    each.name: each
    for each in vitlib.load_runs(vitlib.find_folder("results"), "dense")
    if each.seed == 0
}


# %%
def work(run):
    """Operations until the end of each epoch, in TFLOP, both ways."""
    return 3e-12 * np.array(images_at_epochs(run)) * run.flops_per_image


rows = []
for name, words in names.items():
    test, done = recorded[name].test, work(recorded[name])[-1]
    shown = [f"{test[c]:.3f}" if c in test else "-" for c in columns]
    parameters = recorded[name].parameters["total"]
    rows.append((words, parameters, done, *shown))
first = ("what is answered", "parameters", "work (TFLOP)")
Table((*first, *columns.values()), tuple(rows))

# %% mystnb={"figure": {"caption": "Scores of the recorded runs on the validation images against the work done so far, one seed each. Left: class maps; the dotted line is the bound for one class per patch, of the test images. Right: boxes, from cells (solid) and from queries (dashed).", "name": "fig-dense-recorded"}, "image": {"alt": "Two panels. Left, two curves rise steeply side by side, past a dotted line; then the one without attention turns flat first, and ends far below the other. Both end far above the dotted line. Right, the solid curves rise at once, AP50 above AP. The dashed ones stay near zero for half of the way, then rise steeply, and end far below the solid ones."}}
fig, (left, right) = plt.subplots(1, 2, figsize=(6.6, 3.2))
for name in ("segment", "segment-alone"):
    each = recorded[name]
    left.plot(work(each), each.history["val_miou"])
left.axhline(bound, color="0.5", linestyle=":")
for name, style in (("detect", "-"), ("detect-set", "--")):
    each = recorded[name]
    for color, score in (("C0", "ap50"), ("C1", "ap")):
        found_at = each.history[f"val_{score}"]
        right.plot(work(each), found_at, style, color=color)
left.set_ylabel("mean IoU")
for ax, labels in ((left, [*names.values()][:2]), (right, ["AP50", "AP"])):
    ax.set(xlabel="work (TFLOP)", ylim=(0, 1))
    ax.legend(labels, loc="lower left", bbox_to_anchor=(0, 1))
plt.show()

# %% tags=["remove-cell"]
# What the text says of it.
best, alone = (recorded[n] for n in ("segment", "segment-alone"))
passed = np.array(best.history["val_miou"]) > max(alone.history["val_miou"])
assert work(best)[passed.argmax()] < work(alone)[-1] / 5
if profile == "quick":
    short = run.test["miou"] - run_alone.test["miou"]
    assert best.test["miou"] - alone.test["miou"] > 1.2 * short
ap50, ap = (recorded["detect"].history[f"val_{n}"] for n in ("ap50", "ap"))
third = len(ap) // 3
assert ap50[-1] - ap50[third] < 0.05 and ap[-1] - ap[third] > 0.15
asked = recorded["detect-set"]
assert max(asked.history["val_ap50"][: asked.training["epochs"] // 2]) < 0.05
assert asked.test["ap50"] < ap50[4] and asked.test["ap"] < ap[4]
assert 0.85 < work(asked)[-1] / work(recorded["detect"])[-1] < 1


# %% [markdown]
# With a larger encoder and more training the class maps come close to the truth, and attention
# adds more than in the short runs. Without it, the score ends far below. That this model does less
# arithmetic for each image does not explain it: the model with attention has passed the final
# score of the other before it has done a fifth of the other's work.
#
# The detector finds most things early. From the first third of the training on AP50 hardly rises.
# What the remaining time buys is the fit of the boxes: AP goes on rising, and comes much closer to
# AP50 than with the smaller detector after a minute.
#
# Queries find next to nothing in the first half of their training. Then they learn fast, and still
# end below what cells had reached after five epochs. This agrees with the long schedule that the
# authors ask for.

# %% [markdown]
# ## What this chapter does not show
#
# * The scenes are drawn: five kinds, clean edges, at most four things. Photographs have shadows,
#   textures and things that are cut off by the border. The [how-to](#sec-how-to-data) tells how to
#   make scenes of cut-out photographs.
# * The scenes are kind to cells: no two middles lie in the same cell of 8 x 8 pixels. Queries
#   would not need that.
# * Each model was trained with one seed only, the recorded ones too.
# * None of the encoders was pre-trained. {cite:t}`strudel2021` and {cite:t}`carion2020` begin with
#   weights that others trained on photographs; whether that helps here, these runs do not tell.
#
# ## Key points
#
# * The tokens of a ViT stand on a grid. A linear layer on each of them is a segmenter, another one
#   is a detector.
# * Know the ceiling of an answer, and the score of the emptiest one, before you train.
# * Here the background is left out of the mean IoU. Count pixels over all images, and leave out
#   classes that do not occur.
# * What moves the image must move masks and boxes with it.
# * A detector is scored by a ranked list: sort by score, match each thing once, follow the
#   precision along the recall.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-dense-mirror
# :class: dropdown
# :::
#
# A column $x$ becomes $\text{width} - 1 - x$. Left is the first column of a thing; the last one is
# right minus 1, and becomes the first: $\text{width} - 1 - (\text{right} - 1)$. So no "minus 1" is
# left over in the end. Left and right change places, and right minus left stays what it is.

# %% tags=["solution"]
def flip_boxes(boxes, width):
    """Takes boxes (n, 4); returns those of the image in a mirror."""
    top, left, bottom, right = boxes.T
    return np.stack([top, width - right, bottom, width - left], axis=1)


# %% tags=["check"]
checks.check_flip_boxes(flip_boxes)

# %%
pair = train.boxes[0][there[0]]
for words, boxes in (("as drawn", pair), ("mirrored", flip_boxes(pair, 64))):
    print(words, *boxes.tolist(), "widths:", *(boxes[:, 3] - boxes[:, 1]))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-ceiling
# :class: dropdown
# :::
#
# No class makes more pixels of a patch right than its most frequent one. So this is the best
# choice for each patch, and hence for all. All wrong pixels are in patches that hold a part of a
# thing. The share is high even for patches of 16 x 16, because most pixels are background: the
# best answer calls nearly every such patch background, and that alone is right on more than nine
# pixels out of ten.

# %% tags=["solution"]
def grid_ceiling(maps, patch_size):
    """Takes class maps (n, H, W) and a size; returns a share of the pixels."""
    n, height, width = maps.shape
    rows, columns = height // patch_size, width // patch_size
    patches = maps.reshape(n, rows, patch_size, columns, patch_size)
    patches = patches.swapaxes(2, 3)
    patches = patches.reshape(-1, patch_size**2)
    right = sum(np.bincount(patch).max() for patch in patches)
    return right / maps.size


# %% tags=["check"]
checks.check_grid_ceiling(grid_ceiling)

# %%
for size in sizes[:4]:
    print(f"{size:>2} x {size:<2}: {grid_ceiling(truth, size):.3f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-miou
# :class: dropdown
# :::
#
# "Background everywhere" meets no pixel of the other classes: each IoU is 0, and so is the mean. A
# class that does not occur has nothing to be found. Counted as 0, it would punish every model;
# counted as 1, it would reward every model. The more such classes there are, the larger the error.

# %% tags=["solution"]
def mean_iou(truth, logits):
    """Takes class maps (n, H, W) and logits (n, H, W, C); returns a number."""
    answer, ious = logits.argmax(axis=-1), []
    for kind in range(1, logits.shape[-1]):
        true, said = truth == kind, answer == kind
        if true.any():
            ious.append((true & said).sum() / (true | said).sum())
    return np.mean(ious)


# %% tags=["check"]
checks.check_mean_iou(mean_iou)

# %% tags=["nbval-ignore-output"]
for words, each in (("attention", segmenting), ("without", guessing)):
    logits = each.predict(data.test.images[:200], verbose=0)
    print(f"{words}: {mean_iou(truth[:200], logits):.2f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-peaks
# :class: dropdown
# :::
#
# The frame is filled with minus infinity, which never wins. Zeros would do no harm here, as no
# heat is below 0; the values of the opposite border would.
#
# A middle that lies close to the line between two cells may warm both. If their heat is equal to
# the last bit, both are peaks. Two warm cells of one thing that do not touch can both be peaks,
# too.

# %% tags=["solution"]
def find_peaks(heat, threshold):
    """Takes heat (H, W) and a number; returns booleans (H, W)."""
    rows, columns = heat.shape
    framed = np.pad(heat, 1, constant_values=-np.inf)
    near = [
        framed[down : down + rows, right : right + columns]
        for down in range(3)
        for right in range(3)
    ]
    return (heat >= np.max(near, axis=0)) & (heat > threshold)


# %% tags=["check"]
checks.check_find_peaks(find_peaks)

# %%
warm = np.array([[0.1, 0.6, 0.6], [0.0, 0.3, 0.2], [0.7, 0.1, 0.0]])
for threshold in (0.2, 0.65):
    peaks = np.argwhere(find_peaks(warm, threshold)).tolist()
    print(f"above {threshold}: {peaks}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-overlap
# :class: dropdown
# :::
#
# If the boxes lie apart in both directions, the shared height and the shared width are both below
# 0, and their product is positive: two boxes at opposite corners would overlap. So each side is
# cut off at 0 before the product is taken.

# %% tags=["solution"]
def box_iou(first, second):
    """Takes boxes (n, 4) and (m, 4); returns the IoU of all pairs, (n, m)."""
    a, b = first[:, None], second[None]
    start = np.maximum(a[..., :2], b[..., :2])
    end = np.minimum(a[..., 2:], b[..., 2:])
    both = np.maximum(end - start, 0).prod(axis=-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b)]
    return both / (areas[0] + areas[1] - both)


# %% tags=["check"]
checks.check_box_iou(box_iou)

# %%
box, beside = np.array([[0, 0, 8, 8]]), np.array([[0, 4, 8, 12]])
print("moved by half of its width:", box_iou(box, beside)[0, 0].round(2))
print("at opposite corners:", box_iou(box, box + 20)[0, 0])


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-match
# :class: dropdown
# :::
#
# Taken things get the overlap -1 for the choice, so that a free one always wins. If all are taken,
# the largest overlap is -1, and no threshold is that low.
#
# If a thing could be hit twice, a detector would do well to repeat its surest box a hundred times.

# %% tags=["solution"]
def match(overlaps, threshold):
    """Takes overlaps (P, T), best score first; returns booleans (P,)."""
    hits, is_free = [], np.ones(overlaps.shape[1], bool)
    for row in overlaps:
        row = np.where(is_free, row, -1)
        best = row.argmax()
        hits.append(row[best] >= threshold)
        is_free[best] &= not hits[-1]
    return np.array(hits)


# %% tags=["check"]
checks.check_match(match)

# %%
overlaps = np.array([[0.7, 0.1], [0.8, 0.2], [0.6, 0.5]])
for threshold in (0.5, 0.75):
    print(f"IoU of {threshold} or more:", *match(overlaps, threshold))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-dense-ap
# :class: dropdown
# :::
#
# `np.searchsorted` finds the first prediction after which a recall is reached; a recall that is
# never reached gets the 0 at the end.
#
# Boxes with a low score come last in the row. What came before keeps its precision, and a late hit
# adds some recall: so they never lower the AP, and sometimes they raise it. That is why detectors
# are scored on many boxes, and why a picture of a detector shows only those above a threshold.

# %% tags=["solution"]
def average_precision(scores, hits, num_things):
    """Takes scores and hits (P,) and a count; returns a number from 0 to 1."""
    found = hits[np.argsort(-scores, kind="stable")].cumsum()
    precision = found / np.arange(1, len(found) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    best_from_here = np.append(best_from_here, 0)
    recalls = np.linspace(0, 1, 101)
    return best_from_here[np.searchsorted(found / num_things, recalls)].mean()


# %% tags=["check"]
checks.check_average_precision(average_precision)

# %%
scores_of_boxes = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
is_hit = np.array([True, False, True, False, True])
for count in (3, 5):
    kept = scores_of_boxes[:count], is_hit[:count]
    print(f"the first {count} boxes: {average_precision(*kept, 4):.3f}")

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# A linear layer on each token as a segmenter is a baseline of {cite:t}`strudel2021`. To find a
# thing by the cell in its middle is an idea of {cite:t}`zhou2019`, the focal loss is from
# {cite:t}`lin2017`, and learned queries with an assignment are from {cite:t}`carion2020`. The
# average precision over ten thresholds comes from the COCO benchmark {cite:p}`lin2014`. Full
# entries are in the [references](#sec-references).
