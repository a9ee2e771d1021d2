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
# (sec-patches)=
# # An image becomes a sequence
#
# A Transformer reads a sequence of vectors, and a photograph is not a sequence. This
# chapter makes it one. Then it builds, part by part, the model that reads it: attention, the
# block, and a whole Vision Transformer. At the end it counts what they cost.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * cut an image into patches and put it back together, by reshaping alone;
# * recognise the mistake that raises no error: the forgotten transpose;
# * show that a linear map of patches is a convolution with a stride;
# * write attention in four lines, and the block around it;
# * put a whole Vision Transformer together, down to the last parameter;
# * say how its arithmetic grows when the patch shrinks;
# * tell what enlarging an image adds, and what it cannot add.
#
# **Time:** about 60 minutes to read and run, 130 for all exercises; the cells run in about
# half a minute.
#
# **You need:** NumPy's `reshape` and `transpose`, the Keras layers `Dense` and `Conv2D`,
# softmax, the product of two matrices, the rank of a matrix. No earlier chapter.
# :::
#
# Throughout, the *report* is the student report that this course re-runs. It trains a
# Vision Transformer (ViT) {cite:p}`dosovitskiy2021` on images of 72 x 72 pixels, cut
# into patches of 6 x 6.

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
data_set: str = "shapes"  # the small images: "shapes" or "cifar100"
seed: int = 0  # of the random numbers

# %%
from dataclasses import replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from matplotlib.cbook import get_sample_data

import vitlib
from vitlib import check_parameters, checks
from vitlib.inspection import pictures

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## What does the Transformer get to see?
#
# We take one photograph, and shrink it to the size that the report uses. It shows Grace
# Hopper, a pioneer of compilers, and comes with matplotlib.

# %%
with get_sample_data("grace_hopper.jpg") as file:
    picture = plt.imread(file)[:400, 60:460].astype("float32")
photo = ops.image.resize(picture[None], (72, 72), antialias=True)
photo = ops.convert_to_numpy(photo)
photo.shape

# %% [markdown]
# The axes are *batch, height, width, channel*. {numref}`fig-sequence` shows where we want
# to go. The image is cut along a grid, and the squares are read like text: from left to
# right, line after line.

# %% mystnb={"figure": {"caption": "Above: the photograph and the grid of 6 x 6 pixel patches. Below: the same patches as a sequence, 36 to a line. The sequence goes on from line to line, as text does.", "name": "fig-sequence"}, "image": {"alt": "Above, a portrait of 72 by 72 pixels under a grid of 12 by 12 squares. Below, the 144 squares drawn apart from each other in four lines of 36. Each line holds three rows of the grid side by side, so that parts of the face appear three times in a line."}}
patches = vitlib.Patches(patch_size=6)(photo)

fig, (top, bottom) = plt.subplots(
    2, 1, figsize=(7.2, 4.2), height_ratios=[3.2, 1]
)
pictures.show_image(top, photo[0])
pictures.draw_patch_grid(top, image_size=(72, 72), patch_size=6)
pictures.show_patches(bottom, patches[0], columns=36)
plt.show()

# %% [markdown]
# Let the image have height $H$, width $W$ and $C$ channels, and let a patch have a side
# of $P$ pixels. Then the sequence has
#
# $$
# N = \frac{H}{P} \cdot \frac{W}{P}
# $$ (eq-num-patches)
#
# patches, and each is a vector of $P \cdot P \cdot C$ numbers. $P$ must divide $H$
# and $W$. No number is lost and none is made: $N \cdot P^2 C = H W C$. Inside a patch the
# pixels are read like text, too, and the three numbers of a pixel, red, green and blue,
# are side by side.
#
# The report prints both numbers, 144 patches of 108 elements. We compute them from its
# settings, which `vitlib` keeps as `REPORT_VIT`, and compare them with the shape of our
# sequence.

# %%
report = vitlib.REPORT_VIT
num_patches = (report.image_size // report.patch_size) ** 2
patch_length = report.patch_size**2 * 3
print("patches per image:", num_patches)
print("elements per patch:", patch_length)
print("shape of the sequence:", tuple(patches.shape))

# %% [markdown]
# The formula and the layer agree. `vitlib.join_patches` goes the other way. If it returns
# the very same photograph, then cutting has lost nothing.

# %%
joined = vitlib.join_patches(patches, image_size=(72, 72))
differ = np.not_equal(joined, photo).sum()
print(f"numbers that differ: {differ} of {photo.size:,}")

# %% [markdown]
# On the page [](#sec-explorer), in [step 1](#explorer-step-1) of its tour, you can paint on one
# patch, and see which of the model's vectors, its *tokens*, that changes.
#
# :::{exercise} Where did the pixel go?
# :label: ex-patches-where
#
# ★★ · 10 minutes
#
# Take the pixel in row 40 and column 13 of the photograph, both counted from 0. Which
# patch holds it? Which element of that patch is the pixel's green value? Work it out on paper
# first, then let a cell confirm it.
#
# Now for any pixel: write `green_place(row, column, width, size)` for an image that is
# `width` pixels wide, cut into patches of `size` x `size` pixels. It returns the number of
# the patch and the number of the element. `checks.check_green_place(green_place)` tells you
# whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Divide the row by the side of a patch. What does the quotient say, and what the
# remainder? The same question for the column gives you four numbers.
# :::

# %% [markdown]
# ## How do three lines cut an image?
#
# The layer that did the work has no loop. It is a reshape, a transpose and a reshape. To
# see why this cuts squares, we use an image so small that we can name each pixel: 4 x 4
# pixels, one channel, and patches of 2 x 2.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Paper first: the four lists of {numref}`fig-tiny`, then the axes of
# > each line. Those who are fast say why the transpose has to come between the two reshapes. A
# > likely slip is a transpose of the image itself, before it is split.

# %% mystnb={"figure": {"caption": "A tiny image. The number is the place of the pixel in memory, the colour is the patch to which it should go.", "name": "fig-tiny"}, "image": {"alt": "A table of 4 by 4 cells, numbered 0 to 15 row by row. The four quarters have four colours."}}
tiny = np.arange(16).reshape(4, 4)
owner = np.kron([[0, 1], [2, 3]], np.ones((2, 2), int))

fig, ax = plt.subplots(figsize=(2.4, 2.4))
pictures.show_numbers(ax, tiny, colors=owner)
plt.show()

# %% [markdown]
# We want the four lists `0 1 4 5`, `2 3 6 7`, `8 9 12 13` and `10 11 14 15`.
#
# **First line: reshape.** Each axis of the image is split in two. A row number $r$
# becomes a pair: which row of patches, and which row inside the patch. That is
# $r = P \cdot a + b$. Columns are split in the same way. No number moves in memory.

# %%
# Axes: patch row, row inside, patch column, column inside.
split = tiny.reshape(2, 2, 2, 2)
split[0, :, 1]  # first row of patches, second column of patches

# %% [markdown]
# That is the upper right patch. We can already *name* each patch, but its numbers do not
# lie next to each other yet: between 2 3 and 6 7 there is a piece of another patch.
#
# **Second line: transpose.** We swap the two axes in the middle. Now the two numbers that
# say *which patch* come first, and the two that say *where inside* come last.

# %%
# Axes: patch row, patch column, row inside, column inside.
swapped = split.transpose(0, 2, 1, 3)
swapped[0, 1]

# %% [markdown]
# **Third line: reshape.** The first two axes become one, the place in the sequence. The
# last two become one, the place in the vector.

# %%
swapped.reshape(4, 4)  # (patch, element)


# %% [markdown]
# These are the four lists that we wanted. With a batch axis in front and a channel axis
# at the end, the same three lines cut any stack of images.

# %%
def cut(images, size):
    """Cuts images `(B, H, W, C)` into patches `(B, N, size * size * C)`."""
    batch, height, width, channels = images.shape
    rows, columns = height // size, width // size
    x = images.reshape(batch, rows, size, columns, size, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, size, size, C)
    return x.reshape(batch, rows * columns, size * size * channels)


# %% [markdown]
# Is it right? We ask two witnesses: the layer of `vitlib`, and one that does not share our
# three lines, the operation that Keras has for the same purpose. The images are random and
# not square, so that a mixed-up height and width would show.

# %%
images = np.random.default_rng(seed).random((2, 24, 36, 3), dtype="float32")
ours = cut(images, size=6)
by_vitlib = ops.convert_to_numpy(vitlib.Patches(patch_size=6)(images))
by_keras = ops.image.extract_patches(images, size=6)
by_keras = ops.convert_to_numpy(by_keras).reshape(ours.shape)
for name, other in (("vitlib", by_vitlib), ("Keras", by_keras)):
    differ = (ours != other).sum()
    print(f"{name}, numbers that differ: {differ} of {ours.size:,}")

# %% [markdown]
# :::{exercise} The way back
# :label: ex-patches-back
#
# ★★ · 10 minutes
#
# Write `join(patches, height, width, size)`, the inverse of `cut`, in three lines of
# the same kind. It takes patches `(B, N, size * size * C)` and returns images
# `(B, height, width, C)`. Which permutation undoes `(0, 1, 3, 2, 4, 5)`?
# `checks.check_join(join)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Read `cut` from its last line to its first. Write down the shape before and after each
# line; your lines have the same shapes, in the other direction.
# :::
#
# :::{exercise} Channels first
# :label: ex-patches-planes
#
# ★★ · 10 minutes
#
# Other libraries, PyTorch among them, keep images as `(B, C, H, W)`: each channel is a plane
# of its own. Write `cut_planes(images, size)`, which takes such images and returns the same
# patches as `cut`, `(B, N, size * size * C)`, with the same order of their numbers. A
# reshape, a transpose and a reshape are still enough. Which permutation is it now?
# `checks.check_cut_planes(cut_planes)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Give each of the six axes after the first reshape a name. Then write the names in the
# order in which `cut` has them before its last reshape.
# :::
#
# ## What can a model learn from a bag of patches?
#
# The sequence is cut, and a model can already learn from it. This is the smallest one we
# know. A `Dense` layer turns each patch into a vector, its {term}`token`. The tokens are
# averaged. A second `Dense` layer reads 100 {term}`logits <logit>` from the mean, one for each
# class. The ReLU after the first layer matters: without it, the whole model would be one linear
# map of the average patch, and could tell less.
#
# The images are those of the course's *embedded* data set, which `vitlib` draws: 32 x 32 pixels,
# and no file. Each shows a red and a blue shape, each of one of five kinds. The class names both
# kinds and says where the red one is, seen from the blue one: left, right, above or below. With
# patches of 8 x 8 pixels an image has 16 tokens. Our own `cut` makes the patches. We shift and
# scale the pixels to a mean of about 0 and a spread of about 1.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** A vote before the cell runs: nothing, a quarter, nearly all? Then ask
# > for two images of different classes that this model cannot tell apart. Whoever draws them has
# > understood what the chapter on positions proves.

# %%
dataset = vitlib.load_data_set(data_set)
sample = dataset.train.images[:1000].astype("float32")
mean, spread = sample.mean(), sample.std()


def to_patches(split):
    """Cuts the images of a split into patches `(B, 16, 192)`, and scales."""
    return (cut(split.images, size=8).astype("float32") - mean) / spread


seen, unseen = to_patches(dataset.train), to_patches(dataset.test)
print("patches to learn from:", seen.shape)
print("patches to test with:", unseen.shape)

# %%
bag = keras.Sequential(
    [
        keras.Input((16, 192)),  # the patches of an image
        layers.Dense(64, activation="relu"),  # a token for each: (B, 16, 64)
        layers.GlobalAveragePooling1D(),  # their mean: (B, 64)
        layers.Dense(100),  # a number for each class: (B, 100)
    ]
)


# %%
def train(model):
    """Trains for some seconds; returns the accuracy on test images, in %."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    labels = dataset.train.labels
    model.fit(seen, labels, batch_size=256, epochs=3, verbose=0)
    _, accuracy = model.evaluate(unseen, dataset.test.labels, verbose=0)
    return 100 * accuracy


# %% tags=["nbval-ignore-output"]
of_constant = 100 * np.bincount(dataset.test.labels).max() / len(unseen)
of_bag = train(bag)
print(f"the same answer for every image: {of_constant:.1f} % right")
print(f"a bag of patches: {of_bag:.1f} % right")

# %% tags=["remove-cell"]
if data_set == "shapes":
    assert of_constant == 1 and 20 < of_bag < 25 + 4  # standard error: 1

# %% [markdown]
# Some seconds of training, and about every fourth image is right. A constant answer, the
# baseline of [](#sec-data), gets one in a hundred.
#
# A quarter is also the limit. "Square left of ring" and "square right of ring" are made of the
# same patches, and the mean of the tokens forgets their order. The best that such a model can do
# is to name both shapes and to guess between the four arrangements: 25 %, but for luck, which is
# a point or two with 2,000 test images. As ours is close to that, patches, two dense layers and
# a mean are enough to learn which two shapes an image holds. Such a model is called a *bag* of
# patches.
#
# Three things are missing, and the rest of the course adds them:
#
# * **The tokens never meet.** Each is made of its own patch alone. {term}`Attention
#   <self-attention>`, below in this chapter, lets each look at all the others.
# * **No token knows its place.** [](#sec-positions) proves that this is what stops the bag at
#   25 %, and gives each token a position.
# * **It is shallow.** A ViT stacks many {term}`blocks <transformer block>`; the report's has
#   ten. That such a stack may fail to train is the subject of [](#sec-training).
#
# ## What if the transpose is forgotten?
#
# A single reshape also turns 72 x 72 x 3 numbers into 144 vectors of 108. Nothing
# complains: the shape is right.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Show the shapes, and ask whether the patches are right. Then show
# > the picture. Ask what in *their* last project would have caught it; the exercise makes that
# > a program.

# %%
wrong = photo.reshape(1, 144, 108)
numbered = np.arange(photo.size).reshape(photo.shape)
moved = (cut(numbered, size=6) != numbered.reshape(1, 144, 108)).sum()
print("shapes:", tuple(patches.shape), "and", wrong.shape)
print(f"numbers in another place: {moved:,} of {photo.size:,}")

# %% [markdown]
# {numref}`fig-forgotten` shows what such a "patch" is: a piece of one pixel row. A row
# has 72 pixels, a vector holds 36 of them, so each vector takes half a row.

# %% mystnb={"figure": {"caption": "Which pixels share a vector, in the upper 18 rows of the 72 x 72 pixels. Above: with the transpose, squares. Below: without it, half rows. Squares or bars that share an edge belong to different vectors and differ in colour.", "name": "fig-forgotten"}, "image": {"alt": "Two wide pictures. The upper one is a checkerboard of 6 by 6 pixel squares. The lower one is a checkerboard of flat bars, 36 pixels wide and one pixel high."}}
pixel_numbers = np.arange(72 * 72).reshape(1, 72, 72, 1)
square, bar = np.zeros((2, 72 * 72), int)
for vector, pixels in enumerate(cut(pixel_numbers, size=6)[0]):
    square[pixels] = (vector // 12 + vector) % 2
for vector, pixels in enumerate(pixel_numbers.reshape(144, 36)):
    bar[pixels] = (vector // 2 + vector) % 2

fig, axes = plt.subplots(2, 1, figsize=(6.4, 3.6))
for ax, colors in zip(axes, (square, bar), strict=True):
    pictures.show_image(ax, colors.reshape(72, 72)[:18])
plt.show()

# %% [markdown]
# A vector of this kind has lost the vertical direction: no pixel in it lies above
# another. To see the damage, we join the wrong vectors as if they were squares.

# %% mystnb={"figure": {"caption": "The photograph, cut and joined again. Left: cut with the transpose. Right: cut without it. Both sequences have the same shape.", "name": "fig-scrambled"}, "image": {"alt": "Left, the portrait, unharmed. Right, a scrambled picture of small stripes in which no face can be seen."}}
fig, axes = plt.subplots(1, 2, figsize=(5.6, 2.8))
for ax, sequence in zip(axes, (patches, wrong), strict=True):
    image = vitlib.join_patches(sequence, image_size=(72, 72))[0]
    pictures.show_image(ax, image)
plt.show()

# %% [markdown]
# Nothing stops a model from being trained on such vectors. Only a check of the *values*
# finds the mistake: compare with a known answer, or join the patches with a function that is
# known to be right.
#
# :::{exercise} A test that would have caught it
# :label: ex-patches-test
#
# ★★ · 15 minutes
#
# Somebody hands you a function `cut(images, size)` and says that it cuts images into
# patches, in the order of this chapter. Write `is_right(cut)`, which returns whether that
# is true. You may use `vitlib.Patches` as a witness. Which image do you try it on, and what
# do you compare? `checks.check_is_right(is_right)` tells you whether your test is good
# enough: it is tried on a right function and on six wrong ones.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Think of three ways to cut wrongly. For each, find the simplest image on which it goes
# unnoticed; your image must be none of these.
# :::
#
# ## Does the order of the patches matter?
#
# Reading row by row is a convention. Any fixed order would do, because each patch stays whole
# and none is lost. But the order decides who is whose neighbour in the sequence.

# %%
places = np.arange(num_patches).reshape(12, 12)
center = places[5, 5]
print("this patch:", center)
print("left and right of it:", places[5, 4], places[5, 6])
print("above and below it:", places[4, 5], places[6, 5])

# %% [markdown]
# In the image, these four touch the patch in the middle. In the sequence, two of them are
# one step away and two are a whole row away. Nothing in the sequence says that all four are
# neighbours. The model has to learn the grid, or be told by an embedding of the position.
#
# ## Is the first layer a convolution?
#
# A ViT begins as our bag does, but without the ReLU. A `Dense` layer multiplies each patch by a
# matrix: in the report, 108 numbers become a token of 128. The same matrix serves all patches.
#
# That sounds familiar. A convolution also multiplies windows of the image with the same
# weights. It differs in one point: its windows overlap, unless it moves by at least as many
# pixels as the window is wide. {numref}`fig-coverage` counts how often each pixel is
# read.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Let students name kernel, stride and number of filters before the
# > cell that copies the weights. Those who say that a ViT has no convolution may be right
# > about the *small* kernels with overlap; keep that for the chapter on the comparison.

# %% mystnb={"figure": {"caption": "How many windows of 6 x 6 pixels read each pixel of an 18 x 18 image; a cell is 3 x 3 pixels. Left: the window moves 6 pixels at a time. Right: 3 pixels at a time. Framed: the first window and the next one.", "name": "fig-coverage"}, "image": {"alt": "Two tables of 6 by 6 cells. Left, every cell holds a 1, and two framed squares of 2 by 2 cells lie side by side. Right, the corners hold a 1, the edges a 2 and the inner cells a 4, and the two framed squares overlap by half."}}
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.2))
frame = {"fill": False, "linewidth": 3}
for ax, stride in zip(axes, (6, 3), strict=True):
    count = np.zeros((18, 18), int)
    for row, column in np.ndindex(12 // stride + 1, 12 // stride + 1):
        top, left = stride * row, stride * column
        count[top : top + 6, left : left + 6] += 1
    pictures.show_numbers(ax, count[::3, ::3])
    ax.get_images()[0].set(clim=(0, 4))
    for left, color in ((0, "C1"), (stride / 3, "C5")):
        corner = (left - 0.45, -0.45)
        ax.add_patch(plt.Rectangle(corner, 1.9, 1.9, ec=color, **frame))
plt.show()

# %% [markdown]
# With a stride of $P$ the windows are the patches. Let the convolution have $D$ filters, as many
# as a token has numbers. At the place $(a, b)$ of its output, filter $k$ with the bias $\beta_k$
# computes
#
# $$
# y_{abk} = \sum_{i=0}^{P-1} \sum_{j=0}^{P-1} \sum_{c=0}^{C-1}
#           w_{ijck} \, x_{Pa+i,\,Pb+j,\,c} + \beta_k ,
# $$ (eq-convolution)
#
# and the sum runs over the elements of one patch, in the order (row, column, channel)
# in which `Patches` lays them out. So the weights of the `Dense` layer, reshaped to
# $P \times P \times C \times D$, are the kernel of the convolution. We give both layers the
# same numbers, and compare the tokens.

# %%
D = report.projection_dim
dense = layers.Dense(D)
from_patches = dense(patches / 255)  # (1, 144, 128)

convolution = layers.Conv2D(D, kernel_size=6, strides=6)
convolution.build(photo.shape)
weights, bias = dense.get_weights()
convolution.set_weights([weights.reshape(6, 6, 3, D), bias])
from_pixels = ops.reshape(convolution(photo / 255), (1, num_patches, D))

difference = np.abs(np.subtract(from_patches, from_pixels)).max()
largest = np.abs(from_pixels).max()
print("shapes of the tokens:", from_patches.shape, from_pixels.shape)
print(f"largest number: {largest:.1f}, largest difference: {difference:.4f}")

# %% [markdown]
# They are the same function. A ViT therefore does begin with a convolution, one with a
# large kernel and a large stride. What it does without is the *small* kernel with
# overlap, which compares a pixel with its neighbours. {cite:t}`xiao2021` put a few such
# convolutions in place of the large one, and found that the ViT trains more easily.
#
# The layer also explains a line of the report's summary. There the patch encoder has
# 32,384 parameters.

# %%
encoder_params = dense.count_params()
print(f"Dense layer: 108 * 128 + 128 = {encoder_params:,}")
print(f"the rest of 32,384, for positions: {32_384 - encoder_params:,}")
print(f"one vector a position: 144 * 128 = {num_patches * D:,}")

# %% [markdown]
# :::{exercise} Weights from PyTorch
# :label: ex-patches-torch
#
# ★★ · 10 minutes
#
# PyTorch keeps the kernel of a convolution in the order (output, channel, row, column).
# Many published ViTs store their first layer in this way. Write `from_torch(kernel)`, which takes
# such a kernel of the shape $(D, C, P, P)$ and returns the weights $(P^2 C, D)$ of the
# `Dense` layer that makes the same tokens from our patches.
# `checks.check_from_torch(from_torch)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# In which order does a patch hold its numbers? Bring the axes of the kernel into that
# order before you join any of them.
# :::
#
# ## Attention in four lines: how do tokens look at each other?
#
# In the bag, no token knows of another. {term}`Attention <self-attention>` is the step in
# which they meet. Each token makes three vectors of length $d$, each by a matrix that is
# learned: a {term}`query`, which says what the token looks for; a {term}`key`, by which it
# can be found; and a {term}`value`, which it hands on.
#
# The query of one token is compared with the keys of all, by a product of vectors. A
# {term}`softmax` turns these products into weights: none is negative, and they sum to 1. What
# the token gets is the mean of all values with these weights. With a row for each token in
# the matrices $Q$, $K$ and $V$, that is
#
# $$
# \text{weights} = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right),
# \qquad \text{output} = \text{weights} \cdot V ,
# $$ (eq-patches-attention)
#
# and the softmax works on each row by itself. Why the root? A product of two vectors is a sum
# of $d$ terms. If the terms are independent, its spread grows as $\sqrt{d}$, and without the
# division a large $d$ would push the softmax to a single token.
#
# [Step 2 of the explorer's tour](#explorer-step-2) shows the weights of a trained model: choose a
# patch, and see whom it asks.
#
# To see this on an actual image we need matrices that have learned something. So we put
# attention into our bag, between the tokens and their mean, and train again.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Write the shapes on the board before the four lines: (16, 64), (16,
# > 32), (16, 16), (16, 32). Ask which axis of the table sums to 1. Then point at one row and let
# > somebody say in a sentence what it means.

# %% tags=["nbval-ignore-output"]
inputs = keras.Input((16, 192))
tokens = layers.Dense(64, activation="relu")(inputs)
attention = layers.MultiHeadAttention(num_heads=1, key_dim=32, use_bias=False)
looked = attention(tokens, tokens)  # (B, 16, 64)
logits = layers.Dense(100)(layers.GlobalAveragePooling1D()(looked))
looker = keras.Model(inputs, logits)
of_looker = train(looker)
print(f"a bag with attention: {of_looker:.1f} % right")

# %% [markdown]
# The layer of Keras has four matrices: for queries, keys and values, and one that turns the
# output back into tokens of length 64. We take them out, and the 16 tokens of one test
# image.

# %%
wq, wk, wv, wo = (weights.squeeze() for weights in attention.get_weights())
d = wq.shape[1]
chosen = 18  # of the test images
x = keras.Model(inputs, tokens)(unseen[[chosen]])
x = ops.convert_to_numpy(x)[0]
print("tokens:", x.shape)
print("matrix for queries:", wq.shape, " for the output:", wo.shape)

# %% [markdown]
# Here is attention, in four lines of NumPy.

# %%
q, k, v = x @ wq, x @ wk, x @ wv  # each (16, 32), a row for each token
scores = q @ k.T / np.sqrt(d)  # (16, 16), row: query, column: key
weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
mixed = weights @ v  # (16, 32), what each token gets

# %% [markdown]
# Is it the attention of Keras? We multiply with the fourth matrix, and compare the outputs
# and the table of weights.

# %%
output, table = attention(x[None], x[None], return_attention_scores=True)
difference = np.abs(np.subtract(output[0], mixed @ wo)).max()
print(f"outputs, largest difference: {difference:.4f}")
difference = np.abs(np.subtract(table[0, 0], weights)).max()
print(f"weights, largest difference: {difference:.4f}")
sums = weights.sum(axis=1)
print(f"sums of the rows: {sums.min():.3f} to {sums.max():.3f}")

# %% [markdown]
# A table of 16 x 16 weights is best seen as a picture. We also rank the patches from blue to
# red, and draw three rows of the table over the image: that of the reddest patch, that of the
# bluest, and that of one in the middle of the ranking, which is background.

# %%
image = dataset.test.images[chosen]
red, _, blue = np.moveaxis(image.astype(int), -1, 0)
redness = (red - blue).reshape(4, 8, 4, 8).mean(axis=(1, 3)).ravel()
queries = np.argsort(redness)[[-1, 0, 8]]
print("patches most red, most blue, and in the middle:", queries)

# %% mystnb={"figure": {"caption": "Attention on one test image. Above: the image and its 16 patches; queries, keys and values, one row for each token, one column for each of 32 numbers. Below: the weights, one row for each query, one column for each key, bright is large; then three rows of this table, drawn over the image: for a patch with the red shape, one with the blue shape, and one of background. The framed patch is the query, and dark patches get little of its attention.", "name": "fig-qkv"}, "image": {"alt": "Eight pictures in two rows. Above, an image with a red and a blue shape under a grid of 4 by 4 squares, and three tables of 16 rows and 32 columns, called queries, keys and values. Below, a table of 16 by 16 weights, with bright cells in two columns only, and the image three times, with the framed patch on the red shape, on the blue shape and on background. In each, a patch with a shape is the brightest."}}
fig, axes = plt.subplots(2, 4, figsize=(5.6, 3.2))
pictures.show_image(axes[0, 0], image)
pictures.draw_patch_grid(axes[0, 0], (32, 32), 8, color="black")
named = {"queries": q, "keys": k, "values": v, "weights": weights}
for ax, (name, array) in zip(axes.flat[1:5], named.items(), strict=True):
    ax.imshow(array, aspect="auto")
    ax.set(xlabel=name, xticks=[], yticks=[])
    ax.grid(visible=False)
for ax, n in zip(axes[1, 1:], queries, strict=True):
    pictures.show_map(ax, image, weights[n].reshape(4, 4), query=divmod(n, 4))
plt.show()

# %% tags=["remove-cell"]
if data_set == "shapes":
    from vitlib.data import shapes

    assert 15 < of_looker < 25 + 4
    masks = shapes.draw_shapes(500, seed=(0, 2)).masks.any(axis=1)
    on_shape = masks.reshape(-1, 4, 8, 4, 8).any(axis=(2, 4)).reshape(-1, 16)
    x = keras.Model(inputs, tokens)(unseen[:500])
    _, table = attention(x, x, return_attention_scores=True)
    share = (np.array(table)[:, 0] * on_shape[:, None]).sum(axis=-1)
    assert on_shape.mean() == 2 / 16 and share.mean() > 3 * 2 / 16
    apart = np.abs(weights[:, None] - weights).sum(axis=-1) / 2
    assert apart.max() > 0.2
    assert set(np.argwhere(weights > 0.5)[:, 1]) <= set(queries[:2])
    assert set(weights[queries].argmax(axis=1)) <= set(queries[:2])


# %% [markdown]
# Read the table in {numref}`fig-qkv` row by row: a row says where one token looks. The rows
# differ, because what a token looks for depends on what it holds. Most of the table is dark.
# The bright cells are in two columns, those of the two patches with a shape. If all tokens
# looked evenly, these patches would get an eighth of the weight; on average over 500 test
# images they get more than three times as much.
#
# This model, too, stays near 25 %; what is above it, if anything, is luck. Attention lets the
# tokens meet, but nobody has told them where they are: shuffled tokens give the same outputs,
# shuffled.
#
# A layer with $h$ {term}`heads <attention head>` does all this $h$ times side by side, each
# with matrices of its own, and makes $h$ tables. The outputs are put side by side, $h d$
# numbers a token, and one more matrix turns them back into tokens.
#
# :::{exercise} Write attention
# :label: ex-patches-attend
#
# ★★ · 15 minutes
#
# Write the attention of all heads at once: `attend(queries, keys, values)` takes three
# arrays of the shape (heads, N, d) and returns one of the same shape. Which axis does the
# softmax work on, and by what are the products of queries and keys divided?
# `checks.check_attend(attend)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# The operator `@` works on the last two axes, for each head separately. Of the four lines you
# need the last three. With the heads in front, look again at each place that names an axis, and
# at the `.T`.
# :::
#
# ## What is a block made of?
#
# Attention brings things from one token to another. It does little with what has arrived: its
# output is a mean of values. So a {term}`Transformer block` has two halves, as
# {numref}`fig-block` shows. First the tokens look at each other. Then an {term}`MLP`, two
# dense layers, works on each token by itself.
#
# Two things surround each half. A {term}`layer normalisation` comes first: it shifts and
# scales the $D$ numbers of each token to mean 0 and variance 1, then multiplies and adds
# vectors that are learned. And a {term}`residual connection` adds what comes out of the half
# to what went in. A block thus changes its tokens instead of making new ones. It is called
# *pre-norm*, because the norm comes before attention and MLP and not after the sum.

# %%
def draw_boxes(ax, names, places):
    """Draws words in boxes at some places of a line; returns the boxes."""
    boxes = []
    for name, place in zip(names, places, strict=True):
        color = "C5" if name in ("attention", "MLP") else "white"
        box = {"boxstyle": "round,pad=0.5", "facecolor": color}
        text = ax.text(place, 0, name, ha="center", va="center", bbox=box)
        boxes.append(text.get_bbox_patch())
    return boxes


# %% mystnb={"figure": {"caption": "A pre-norm block. The straight path leads through a norm and the attention, then through a norm and the MLP. The curves above are the residual connections: what went in is added to what came out.", "name": "fig-block"}, "image": {"alt": "A chain of boxes from left to right: tokens, norm, attention, plus, norm, MLP, plus, tokens. A curved arrow leads from the tokens over the first norm and the attention to the first plus, and another from there over the second norm and the MLP to the second plus."}}
fig, ax = plt.subplots(figsize=(5.7, 0.9))
names = ["tokens", "norm", "attention", "+", "norm", "MLP", "+", "tokens"]
places = [0.3, 1.1, 2, 2.75, 3.4, 4.1, 4.7, 5.35]  # in inches
boxes = draw_boxes(ax, names, places)
for i, j in [(i, i + 1) for i in range(7)] + [(0, 3), (3, 6)]:
    way = {"arrowstyle": "->", "patchA": boxes[i], "patchB": boxes[j]}
    bend = -0.35 if j > i + 1 else 0
    way["connectionstyle"] = f"arc3,rad={bend}"
    ax.annotate("", (places[j], 0), (places[i], 0), arrowprops=way)
ax.set(xlim=(-0.02, 5.68), ylim=(-0.2, 0.7))
ax.set_axis_off()
plt.show()


# %% [markdown]
# In Keras that is a function of six lines. `vitlib.SelfAttention` is the attention of Keras with
# queries, keys and values from the same tokens; it keeps its weights as plain matrices.

# %%
def encoder_block(x, config):
    """One block: tokens `(B, N, D)` to tokens of the same shape."""
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    x = x + vitlib.SelfAttention(config.num_heads, config.key_dim)(y)
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    for units in config.mlp_units:  # 256 and 128 in the report
        y = layers.Dense(units, activation="gelu")(y)
    return x + y


# %% [markdown]
# The last dense layer returns to the length $D$, so that the sum fits. It has a GELU, as in the
# Keras example that the report extends {cite:p}`salama2021`; {cite:t}`dosovitskiy2021` leave it
# linear.
#
# A block lets each token depend on all of them. [Step 3 of the explorer's tour](#explorer-step-3)
# shows it: paint on one patch, and count the tokens that differ before the first block and after
# it.
#
# :::{exercise} Write the block
# :label: ex-patches-block
#
# ★★ · 15 minutes
#
# Write `pre_norm(tokens, attention, mlp)` in NumPy. It takes tokens of the shape (N, D), and
# two functions, each from such an array to another. It returns the tokens that leave the
# block. Write the norm yourself, without learned vectors: subtract from each token the mean
# of its numbers, and divide by the square root of (their variance + 1e-6).
# `checks.check_pre_norm(pre_norm)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Follow the arrows of {numref}`fig-block` from the left. Each plus has two arrows that come in:
# which array is at the tail of each?
# :::
#
# ## What is a whole Vision Transformer?
#
# A ViT is patches, tokens, positions, blocks, and a head that turns the last tokens into an
# answer. Two of these parts are new. The positions are learned vectors, one for each place,
# added to the tokens. The head of the report lays all tokens side by side and has two dense
# layers of its own before the one for the classes. [](#sec-training) asks what happens when
# the head gets the mean of the tokens.
#
# The next cell puts the parts together as the report does. Its first layers scale the pixels
# and enlarge the images.

# %%
def assemble(config):
    """A Vision Transformer, from pixels `(B, H, W, C)` to logits."""
    images = keras.Input(config.input_shape)
    x = vitlib.Normalization()(images)
    x = layers.Resizing(config.image_size, config.image_size)(x)
    x = vitlib.Patches(config.patch_size)(x)
    x = layers.Dense(config.projection_dim)(x)  # patches become tokens
    x = vitlib.PositionEmbedding1D()(x)  # a learned vector for each place
    for _ in range(config.num_layers):
        x = encoder_block(x, config)
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    for units in config.head_units:
        x = layers.Dense(units, activation="gelu")(x)
    return keras.Model(images, layers.Dense(config.num_classes)(x))


# %% [markdown]
# Is that the model that this course trains? We build a small one of two blocks twice, by our
# function and by `vitlib.build_vit`. Then we copy the weights from one to the other and compare
# the answers. `build_vit` also has dropout and {term}`augmentation`, which act during training
# alone.

# %%
config = replace(report, num_layers=2, head_units=(64,))
by_us, by_vitlib = assemble(config), vitlib.build_vit(config)
by_vitlib.set_weights(by_us.get_weights())
for name, model in (("ours", by_us), ("vitlib", by_vitlib)):
    print(f"{name}: {model.count_params():,} parameters")
pixels = dataset.test.images[:8].astype("float32")
difference = np.abs(np.subtract(by_us(pixels), by_vitlib(pixels))).max()
print(f"logits of 8 images, largest difference: {difference:.4f}")

# %% [markdown]
# They are the same function. With the sizes of the report, ours has as many parameters as
# the report prints:

# %%
print(f"ten blocks: {assemble(report).count_params():,} parameters")

# %% [markdown]
# What these are made of, and why most of them are in one layer, is the first question of
# [](#sec-training).
#
# ## What does a smaller patch cost?
#
# The report says that "the computational cost is inversely proportional to the patch
# size". If this were so, halving the patch would double the work. Let us count.
#
# The work of a block is nearly all in products of matrices. A product of an
# $a \times b$ and a $b \times c$ matrix takes $a b c$ multiplications, each
# with an addition. We have seen them all, for $N$ tokens of length $D$ and $h$ heads:
#
# * **Projections.** Queries, keys and values, each one product with a $D \times h d$ matrix,
#   and the output with an $h d \times D$ matrix: $4 N D h d$.
# * **Attention.** Each token with all tokens, itself among them, once to compare and once to
#   mix: $2 N^2 h d$.
# * **MLP.** From $D$ to $M$ hidden units and back: $2 N D M$.
#
# Together, with $S$ for the side of a square image:
#
# $$
# \text{cost}(N) = \underbrace{4 N D h d + 2 N D M}_{\text{grows as } N} +
#                  \underbrace{2 N^2 h d}_{\text{grows as } N^2},
# \qquad N = \left(\frac{S}{P}\right)^2
# $$ (eq-cost)
#
# The first part goes as $1/P^2$, the second as $1/P^4$. No part goes as $1/P$.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** A bet before the figure: half the side of a patch, how much more
# > work? "Twice" is the report's law, and takes the side for the tokens. "Four times" counts
# > the tokens, and forgets that each looks at all others. Ask which term of the block grows
# > with the square of their number.

# %%
heads, key_dim = report.num_heads, report.key_dim


def block_cost(num_patches, key_dim=key_dim, hidden=report.mlp_units[0]):
    """Returns a block's multiply-adds: those that grow as N, as N * N."""
    projections = 4 * num_patches * D * heads * key_dim
    mlp = 2 * num_patches * D * hidden
    attention = 2 * num_patches**2 * heads * key_dim
    return projections + mlp, attention


# %% [markdown]
# Before we trust the count, we compare it with that of `vitlib.count_flops`, which goes through
# the layers of a block that has been built, and counts a multiply-add as two operations. For the
# first part it takes the shapes of the matrices of weights. The second part has no weights: there
# `count_flops` has a formula, as we do. The tests of this course compare that formula with the
# single multiplications of small blocks.

# %%
def count_block(num_patches):
    """Returns the multiply-adds of a block that has been built."""
    tokens = keras.Input((num_patches, D))
    block = keras.Model(tokens, encoder_block(tokens, report))
    return vitlib.count_flops(block) // 2


for count in (num_patches, 2 * num_patches):
    built, formula = count_block(count), sum(block_cost(count))
    print(f"{count} tokens: {built:,} built, {formula:,} by the formula")
more = count_block(2 * num_patches) - 2 * count_block(num_patches)
print(f"twice the tokens, more than twice the work by {more:,}")
quadratic = block_cost(num_patches)[1]
print(f"two times the part that grows as N²: {2 * quadratic:,}")

# %% [markdown]
# Twice the tokens double the first part and quadruple the second. So what comes on top of
# twice the work is two times the second part: the last two lines agree. {numref}`fig-cost`
# shows the cost for the patch sizes from 2 to 36 that divide 72.

# %% mystnb={"figure": {"caption": "Multiply-adds of one block of the report's ViT against the patch size, for an image of 72 x 72 pixels. Both axes are logarithmic, so that a power of P is a straight line. Dotted: what the report's sentence says, drawn through its own patch size of 6.", "name": "fig-cost"}, "image": {"alt": "Four falling lines on logarithmic axes. The attention line is twice as steep as the line of projections and MLP and crosses it between the patch sizes 4 and 6. The total follows the attention line for small patches and the other one for large patches. A dotted line for one over P is much flatter than all of them."}}
sizes = np.array([2, 3, 4, 6, 8, 9, 12, 18, 24, 36])
linear, quadratic = block_cost((report.image_size // sizes) ** 2)
total = linear + quadratic
fig, ax = plt.subplots()
ax.loglog(sizes, total, "o-", label="total")
ax.loglog(sizes, linear, "s--", label="projections and MLP, as $1/P^2$")
ax.loglog(sizes, quadratic, "^--", label="attention, as $1/P^4$")
ax.loglog(sizes, total[3] * 6 / sizes, "k:", label="as $1/P$, the report")
ax.set(xlabel="patch size (pixels)", ylabel="multiply-adds of a block")
ax.set_xticks(sizes, sizes, minor=False)
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# So the report is right in the direction: larger patches are cheaper. It is wrong in the
# law. On logarithmic axes the slope is the exponent of $P$, and the slope of the total is the mean
# of $-2$ and $-4$, each weighted by its share of the work. The two parts cost the same at
#
# $$
# N^* = 2 D + \frac{D M}{h d}
# $$ (eq-crossover)
#
# tokens; that follows from setting them equal in {eq}`eq-cost`.

# %%
slope = -(2 * linear + 4 * quadratic) / total
for size in (2, report.patch_size, 36):
    exponent = slope[sizes == size][0]
    print(f"patch size {size}: cost goes as P to the {exponent:.2f}")
crossover = 2 * D + D * report.mlp_units[0] // (heads * key_dim)
crossover_size = report.image_size / crossover**0.5
print(f"crossing: {crossover} tokens, patch size {crossover_size:.2f}")
halved = sum(block_cost((72 // 3) ** 2)) / sum(block_cost((72 // 6) ** 2))
print(f"patch size 3 in place of 6: {halved:.1f} times the work")

# %% [markdown]
# The report's 144 tokens are below the crossing, where the attention is the smaller part.
# Still, half its patch size makes a block far more than twice as expensive.
#
# :::{exercise} Narrow heads
# :label: ex-patches-heads
#
# ★★ · 15 minutes
#
# The report gives each of its 8 heads queries of length 128, as long as a token. The usual
# choice is $d = D / h$. What does the block cost then, at 144 tokens, and where is the
# crossing? Answer with {eq}`eq-cost` and {eq}`eq-crossover` before you run `block_cost`.
#
# Write `narrow_cost(tokens, width, heads, hidden)`, the multiply-adds of such a block, with
# tokens of length `width` and `hidden` units in the MLP. Which argument does it not need?
# `checks.check_narrow_cost(narrow_cost)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Put $d = D / h$ into {eq}`eq-cost`, and see what becomes of the product $h d$.
# :::
#
# :::{exercise} Overlapping patches
# :label: ex-patches-overlap
#
# ★★ · 10 minutes
#
# Let windows of 6 x 6 pixels move by 3 pixels, as on the right of
# {numref}`fig-coverage`. How many tokens does a 72 x 72 image give, if no window may leave
# the image? By which factor does the work of a block of the report's ViT then grow?
#
# Write the number of tokens as a function, `count_windows(side, window, stride)`: windows of
# `window` x `window` pixels move by `stride` pixels over an image of `side` x `side`. The
# last window need not reach the edge. `checks.check_count_windows(count_windows)` tells
# you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Look at one direction alone. Where does the last window begin, and how many moves does it
# take to get there?
# :::
#
# ## What does enlarging the image add?
#
# The images of CIFAR-100 have 32 x 32 pixels {cite:p}`krizhevsky2009`. The report enlarges
# them to 72 x 72, and only then cuts. {numref}`fig-enlarged` does the same with a small
# image.

# %% mystnb={"figure": {"caption": "A small image, and the same image enlarged to 72 x 72 pixels. Left: patches of 4 x 4 pixels, 64 tokens. Right: patches of 6 x 6 pixels, 144 tokens.", "name": "fig-enlarged"}, "image": {"alt": "The same picture twice, a red and a blue shape with a few dots on a grey ground. Left, it is coarse under a grid of 8 by 8 squares. Right, it is smoother under a grid of 12 by 12 squares."}}
small = dataset.train.images[:1].astype("float32")
large = ops.convert_to_numpy(layers.Resizing(72, 72)(small))
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.2))
for ax, image, size in zip(axes, (small[0], large[0]), (4, 6), strict=True):
    pictures.show_image(ax, image)
    pictures.draw_patch_grid(ax, image.shape[:2], size, color="black")
plt.show()

# %% [markdown]
# The right one *looks* richer. Is it? Resizing is a linear map: each new pixel is a
# weighted mean of a few old ones. It treats rows and columns alike, so that one matrix
# $R$ of 72 x 32 numbers says it all: a channel $X$ becomes $R X R^\top$. We get $R$ by
# enlarging the identity matrix in one direction. Its rank says how many of the 72 rows are
# independent, and its pseudo-inverse leads back.

# %%
identity = np.eye(32, dtype="float32")[None, :, :, None]
R = ops.convert_to_numpy(layers.Resizing(72, 32)(identity))[0, :, :, 0]
by_matrix = np.einsum("ri,bijc,sj->brsc", R, small, R)
difference = np.abs(by_matrix - large).max()
print(f"R X R^T and the enlarged image differ by {difference:.2f} of 255")
rank = np.linalg.matrix_rank(R)
print(f"shape of R: {R.shape}, rank of R: {rank}")
print(f"numbers in the enlarged image: {large.size:,}")
print(f"of them independent: {rank**2 * 3:,}")
print(f"numbers in the small image: {small.size:,}")
back = np.linalg.pinv(R.astype("float64"))
recovered = np.einsum("ir,brsc,js->bijc", back, large, back)
difference = np.abs(recovered - small).max()
print(f"the small image is recovered up to {difference:.2f} of 255")

# %% [markdown]
# **Enlarging has added no information, and lost none.** What it *has* added is tokens, and with
# them work. We compare it with cutting the small image itself.

# %%
for image_size, patch_size in ((32, 8), (32, 4), (32, 2), (72, 6)):
    count = (image_size // patch_size) ** 2
    cost = sum(block_cost(count)) / 1e6
    print(f"{image_size} pixels, patches of {patch_size}:", end=" ")
    print(f"{count} tokens, {cost:.0f} million a block")


# %% [markdown]
# Enlarging chooses a sequence length that 32 pixels do not offer: 144 tokens. That may help a
# model or not. It is a choice about the sequence, not about the information, and every block
# of every step pays for it.
#
# :::{exercise} Enlarging by copying
# :label: ex-patches-copy
#
# ★★★ · 20 minutes
#
# Enlarge the small image to 64 x 64 by copying each pixel into a square of 2 x 2, and cut
# it into patches of 8 x 8. Compare with patches of 4 x 4 of the small image: the number
# of patches, the numbers in a patch, and the weights of a `Dense` layer on top. Can the
# larger `Dense` layer compute a token that the smaller one cannot?
#
# Prove your answer with a function, `small_weights(weights, size)`. It takes the weights of
# the larger layer, `(4 * size * size * 3, D)`, and returns weights for patches of `size` x
# `size` pixels of the small image, `(size * size * 3, D)`, that make the same tokens. No
# bias is needed. `checks.check_small_weights(small_weights)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Which four numbers of a large patch are always equal? Write down what a token gets from
# these four together, and then from the one pixel that they were copied from.
# :::
#
# ## What this chapter does not show
#
# * We counted arithmetic, not seconds, and one block in the forward direction. Training goes
#   backward too, and the layers after the blocks come on top.
# * The two models that we trained are no Vision Transformers: they have no positions and no
#   block. The whole one was put together, not trained. Which patch size gives the best accuracy
#   is a question for an experiment.
# * The argument about the rank holds for resizing alone. The report also rotates and zooms
#   the enlarged images, and there the order of the steps may matter.
#
# ## Key points
#
# * An image of $H \times W$ pixels becomes $N = (H/P)(W/P)$ vectors of $P^2 C$ numbers. It
#   takes a reshape, a transpose and a reshape, and nothing is lost.
# * Without the transpose the shapes still fit and the patches are wrong. Check values.
# * Patches and a `Dense` layer are a convolution whose stride equals its kernel.
# * A mean over tokens sees a bag of patches: which there are, not where.
# * Attention is four lines: queries, keys and values; their scores; a softmax by row; a mean of
#   the values.
# * A block is attention and an MLP, each after a norm, each added to what went in. A ViT is
#   patches, tokens, positions, blocks and a head.
# * The work of a block grows faster than $1/P^2$ and more slowly than $1/P^4$, never as $1/P$.
# * Enlarging an image adds tokens and work, and no information.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-patches-where
# :class: dropdown
# :::
#
# Row 40 lies in the patch row $40 // 6 = 6$, at row 4 inside the patch. Column 13 lies in
# the patch column $13 // 6 = 2$, at column 1. So the patch is number $6 \cdot 12 + 2 = 74$.
# Inside it come $4 \cdot 6 + 1 = 25$ pixels first, with 3 values each, and then red. Green
# is element $25 \cdot 3 + 1 = 76$.

# %% tags=["solution"]
def green_place(row, column, width, size):
    """Takes four numbers of pixels; returns the numbers (patch, element)."""
    patch = row // size * (width // size) + column // size
    pixel = row % size * size + column % size  # inside the patch
    return patch, pixel * 3 + 1


# %% tags=["check"]
checks.check_green_place(green_place)

# %%
patch, element = green_place(40, 13, width=72, size=6)
print("patch:", patch, "  element:", element)
there, here = patches[0, patch, element], photo[0, 40, 13, 1]
print(f"green in the patch: {there:.1f}, in the photograph: {here:.1f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-back
# :class: dropdown
# :::
#
# Swapping two axes twice changes nothing, so the same permutation leads back. Only the
# shapes before and after change places.

# %% tags=["solution"]
def join(patches, height, width, size):
    """Joins patches `(B, N, size * size * C)` into images `(B, H, W, C)`."""
    rows, columns = height // size, width // size
    x = patches.reshape(len(patches), rows, columns, size, size, -1)
    x = x.transpose(0, 1, 3, 2, 4, 5)  # (B, rows, size, columns, size, C)
    return x.reshape(len(patches), height, width, -1)


# %% tags=["check"]
checks.check_join(join)

# %%
again = join(cut(images, 6), 24, 36, 6)
print(f"numbers that differ: {(again != images).sum()} of {images.size:,}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-planes
# :class: dropdown
# :::
#
# The first reshape names six axes: batch, channel, patch row, row inside, patch column and
# column inside. After the batch come, first, the two axes that say *which patch*, then the two
# that say *where inside it*, and last the channel.

# %% tags=["solution"]
def cut_planes(images, size):
    """Cuts images `(B, C, H, W)` into patches `(B, N, size * size * C)`."""
    batch, channels, height, width = images.shape
    rows, columns = height // size, width // size
    x = images.reshape(batch, channels, rows, size, columns, size)
    x = x.transpose(0, 2, 4, 3, 5, 1)  # (B, rows, columns, size, size, C)
    return x.reshape(batch, rows * columns, size * size * channels)


# %% tags=["check"]
checks.check_cut_planes(cut_planes)

# %%
planes = images.transpose(0, 3, 1, 2)  # (B, C, H, W)
differ = (cut_planes(planes, 6) != cut(images, 6)).sum()
print(f"numbers that differ: {differ} of {planes.size:,}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-test
# :class: dropdown
# :::
#
# The image must have more than one patch in each direction, more of them in one than in the
# other, more than one channel, and numbers that all differ. On a square image a cut that
# swaps height and width would pass. And all numbers must be compared at their places: the
# shapes of wrong patches are right, and so is the set of their numbers.

# %% tags=["solution"]
def is_right(cut):
    """Says whether `cut(images, size)` cuts `(B, H, W, C)` images right."""
    rng = np.random.default_rng(0)
    images = rng.random((2, 8, 12, 3), dtype="float32")
    return np.array_equal(cut(images, 4), vitlib.Patches(patch_size=4)(images))


# %% tags=["check"]
checks.check_is_right(is_right)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-torch
# :class: dropdown
# :::
#
# The four axes are moved to (row, column, channel, output). After that the first three
# become one, as in the third line of the cut.

# %% tags=["solution"]
def from_torch(kernel):
    """Turns a kernel `(D, C, P, P)` into weights `(P * P * C, D)`."""
    return kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel))


# %% tags=["check"]
checks.check_from_torch(from_torch)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-attend
# :class: dropdown
# :::
#
# The softmax works on the last axis, that of the keys, so that the weights of each query sum to
# 1. The divisor is the root of $d$, the length of a query in one head. We also subtract
# from each row of scores its largest number, so that no exponential is too large for the
# computer. That divides all exponentials of the row by one number, which cancels in the weights.

# %% tags=["solution"]
def attend(queries, keys, values):
    """Takes three arrays (heads, N, d); returns one of that shape."""
    logits = queries @ keys.swapaxes(1, 2) / np.sqrt(queries.shape[-1])
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ values


# %% tags=["check"]
checks.check_attend(attend)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-block
# :class: dropdown
# :::
#
# The sums take the tokens as they were before the norm. The second half takes what the first
# half returns, both for its norm and for its sum.

# %% tags=["solution"]
def layer_norm(tokens):
    """Shifts and scales each token (N, D) to mean 0 and variance 1."""
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-6)


def pre_norm(tokens, attention, mlp):
    """Takes tokens (N, D) and two functions; returns tokens (N, D)."""
    between = tokens + attention(layer_norm(tokens))
    return between + mlp(layer_norm(between))


# %% tags=["check"]
checks.check_pre_norm(pre_norm)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-heads
# :class: dropdown
# :::
#
# With $d = 16$ the heads together are as wide as a token: $h d = 128$ instead of 1,024. The
# projections and the attention both become 8 times cheaper, the MLP stays as it is. The
# crossing moves to longer sequences, $2 D + M = 512$ tokens, because the MLP now weighs
# more.
#
# In general $h d = D$ turns {eq}`eq-cost` into $4 N D^2 + 2 N^2 D + 2 N D M$. The number of
# heads has dropped out: narrow heads cost the same, however many there are.

# %% tags=["solution"]
def narrow_cost(tokens, width, heads, hidden):
    """Takes the four sizes of a block; returns its multiply-adds."""
    projections = 4 * tokens * width**2
    attention = 2 * tokens**2 * width
    return projections + attention + 2 * tokens * width * hidden


# %% tags=["check"]
checks.check_narrow_cost(narrow_cost)

# %%
wide = sum(block_cost(144))
narrow = narrow_cost(144, D, heads, report.mlp_units[0])
print(f"million a block: {wide / 1e6:.1f} wide, {narrow / 1e6:.1f} narrow")
again = sum(block_cost(144, key_dim=16))
print(f"narrow: {narrow:,}, by block_cost: {again:,}")
print("as N and as N² at 512 tokens:", block_cost(512, key_dim=16))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-overlap
# :class: dropdown
# :::
#
# The first window starts at pixel 0, the last at pixel 66. That makes
# $66 / 3 + 1 = 23$ places in each direction. A convolution with this stride confirms it.

# %% tags=["solution"]
def count_windows(side, window, stride):
    """Takes three numbers of pixels; returns the number of windows."""
    moves = (side - window) // stride  # in one direction
    return (moves + 1) ** 2


# %% tags=["check"]
checks.check_count_windows(count_windows)

# %%
tokens = keras.layers.Conv2D(1, kernel_size=6, strides=3)(photo).shape[1:3]
count = count_windows(72, window=6, stride=3)
ratio = sum(block_cost(count)) / sum(block_cost(144))
print("grid of tokens:", tuple(tokens), "  tokens:", count)
print(f"work of a block: {ratio:.1f} times as much")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-copy
# :class: dropdown
# :::
#
# Both sequences have 64 patches. A patch of the copy has four times as many numbers, and
# each number is in it four times. A `Dense` layer adds up the products with all four
# copies; the sum of its four weights does the same on the original. So the larger layer
# has four times as many weights, and cannot compute anything new.

# %% tags=["solution"]
def small_weights(weights, size):
    """Takes `(4 * size * size * 3, D)`, returns `(size * size * 3, D)`."""
    parts = weights.reshape(size, 2, size, 2, 3, -1)
    return parts.sum(axis=(1, 3)).reshape(size * size * 3, -1)


# %% tags=["check"]
checks.check_small_weights(small_weights)

# %%
copied = small.repeat(2, axis=1).repeat(2, axis=2)  # (1, 64, 64, 3)
from_copied, from_small = cut(copied, 8), cut(small, 4)
print("patches:", from_copied.shape, "and", from_small.shape)
weights = np.random.default_rng(seed).normal(size=(8 * 8 * 3, D))
tokens = from_copied @ weights
again = from_small @ small_weights(weights, size=4)
largest, difference = np.abs(tokens).max(), np.abs(tokens - again).max()
print(f"largest number: {largest:,.0f}, largest difference: {difference:.4f}")

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# The Vision Transformer is by {cite:t}`dosovitskiy2021`; the way from patches to tokens
# with positions is equation 1 there, the block equations 2 and 3. Attention in this form is by
# {cite:t}`vaswani2017`, whose blocks have the norm after the sum. Convolutions in place of the
# patches are studied by {cite:t}`xiao2021`. The report extends a Keras example by
# {cite:t}`salama2021`. Full entries are in the [references](#sec-references).
