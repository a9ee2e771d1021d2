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
# A Transformer reads a sequence of vectors. A photograph is not a sequence. This
# chapter cuts the one into the other, and finds out what the cut costs.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * cut an image into patches and put it back together, by reshaping alone;
# * recognise the mistake that raises no error: the forgotten transpose;
# * say how the arithmetic of a Transformer grows when the patch shrinks;
# * show that a linear map of patches is a convolution with a stride;
# * tell what enlarging an image adds, and what it cannot add.
#
# **Time:** about 60 minutes with the shorter exercises; the cells run in half a minute.
#
# **You need:** NumPy's `reshape` and `transpose`, a Keras `Dense` layer, the product of
# two matrices. No earlier chapter.
# :::
#
# Throughout, the *report* is the student report that this course re-runs. It trains a
# Vision Transformer (ViT) {cite:p}`dosovitskiy2021` on images of 72 x 72 pixels, cut
# into patches of 6 x 6.

# %% tags=["parameters"]
data_set: str = "shapes"  # the small image: "shapes" or "cifar100"
seed: int = 0  # of the drawn image and of the random numbers

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.cbook import get_sample_data

import vitlib
from vitlib import Table, check_parameters, checks
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
# to go. The image is cut along a grid. The squares are then read like text: from left to
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
# :::{exercise} Where did the pixel go?
# :label: ex-patches-where
#
# Take the pixel in row 40 and column 13 of the photograph, both counted from 0. Which
# patch holds it? Which element of that patch is its green value? Work it out on paper
# first, then let a cell confirm it.
#
# Now for any pixel: write `green_place(row, column, width, size)` for an image that is
# `width` pixels wide, cut into patches of `size` x `size` pixels. It returns the number of
# the patch and the number of the element. `checks.check_green_place(green_place)` tells you
# whether it is right.
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
# Is it right? We ask two independent witnesses: the layer of `vitlib`, and the operation
# that Keras has for the same purpose. The images are random and not square, so that a
# mixed-up height and width would show.

# %%
images = np.random.default_rng(seed).random((2, 24, 36, 3), dtype="float32")
ours = cut(images, size=6)
by_vitlib = vitlib.Patches(patch_size=6)(images)
by_keras = ops.reshape(ops.image.extract_patches(images, size=6), ours.shape)
print("same as vitlib:", np.array_equal(ours, by_vitlib))
print("same as Keras:", np.array_equal(ours, by_keras))

# %% [markdown]
# :::{exercise} The way back
# :label: ex-patches-back
#
# Write `join(patches, height, width, size)`, the inverse of `cut`, in three lines of
# the same kind. It takes patches `(B, N, size * size * C)` and returns images
# `(B, height, width, C)`. Which permutation undoes `(0, 1, 3, 2, 4, 5)`?
# `checks.check_join(join)` tells you whether it is right.
# :::

# %% [markdown]
# :::{exercise} Channels first
# :label: ex-patches-planes
#
# Other libraries, PyTorch among them, keep images as `(B, C, H, W)`: each channel is a plane
# of its own. Write `cut_planes(images, size)`, which takes such images and returns the same
# patches as `cut`, `(B, N, size * size * C)`, with the same order of their numbers. A
# reshape, a transpose and a reshape are still enough. Which permutation is it now?
# `checks.check_cut_planes(cut_planes)` tells you whether it is right.
# :::
#
# %% [markdown]
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
print("same shape:", wrong.shape == tuple(patches.shape))
print("same numbers in the same order:", np.array_equal(wrong, patches))

# %% [markdown]
# {numref}`fig-forgotten` shows what such a "patch" is: a piece of one pixel row. A row
# has 72 pixels, a vector holds 36 of them, so each vector takes half a row.

# %% mystnb={"figure": {"caption": "Which pixels share a vector, in the upper 18 rows of the 72 x 72 pixels. Above: with the transpose, squares. Below: without it, half rows. Neighbouring vectors differ in colour.", "name": "fig-forgotten"}, "image": {"alt": "Two wide pictures. The upper one is a checkerboard of 6 by 6 pixel squares. The lower one is a checkerboard of flat bars, 36 pixels wide and one pixel high."}}
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
# finds the mistake: compare with a known answer, or cut and join.
#
# :::{exercise} A test that would have caught it
# :label: ex-patches-test
#
# Somebody hands you a function `cut(images, size)` and says that it cuts images into
# patches, in the order of this chapter. Write `is_right(cut)`, which returns whether that
# is true. You may use `vitlib.Patches` as a witness. Which image do you try it on, and what
# do you compare? `checks.check_is_right(is_right)` tells you whether your test is good
# enough: it is tried on a right function and on six wrong ones.
# :::
#
# ## Does the order of the patches matter?
#
# Reading row by row is a convention. Any fixed order would do, because every number
# is still there. But the order decides who is whose neighbour in the sequence.

# %%
places = np.arange(num_patches).reshape(12, 12)
center = places[5, 5]
print("this patch:", center)
print("left and right of it:", places[5, 4], places[5, 6])
print("above and below it:", places[4, 5], places[6, 5])

# %% [markdown]
# In the image, these four touch the patch in the middle. In the sequence, two of them are
# one step away and two are a whole row away. The sequence itself does not say so: the
# grid has to be learned, or told by an embedding of the position.
#
# ## What does a smaller patch cost?
#
# The report says that "the computational cost is inversely proportional to the patch
# size". If this were so, halving the patch would double the work. Let us count.
#
# A {term}`Transformer block` gets $N$ vectors of length $D$, the {term}`tokens <token>`: one
# for each patch. It makes three vectors of each: a {term}`query`, a {term}`key` and a
# {term}`value`. Every query is compared with every key, and the result says how the values
# are mixed. This happens in $h$ {term}`heads <attention head>` side by side. Then an
# {term}`MLP`, two dense layers, works on each token by itself. The next chapter looks into
# all that. Here we only count.
#
# The work of a block is nearly all in products of matrices. A product of an
# $a \times b$ and a $b \times c$ matrix takes $a b c$ multiplications, each
# with an addition. We write $d$ for the length of a query in one head. Three products grow with the sequence in
# different ways:
#
# * **Projections.** Queries, keys and values, each one product with a $D \times h d$ matrix,
#   and the output with an $h d \times D$ matrix: $4 N D h d$.
# * **Attention.** Each token with each other, once to compare and once to mix:
#   $2 N^2 h d$.
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
D, heads, key_dim = report.projection_dim, report.num_heads, report.key_dim


def block_cost(num_patches, key_dim=key_dim, hidden=report.mlp_units[0]):
    """Returns a block's multiply-adds: those that grow as N, as N * N."""
    projections = 4 * num_patches * D * heads * key_dim
    mlp = 2 * num_patches * D * hidden
    attention = 2 * num_patches**2 * heads * key_dim
    return projections + mlp, attention


# %% [markdown]
# Before we trust the count, we check it, above all the part that grows as $N^2$: it is the
# one that the report leaves out. We build a block of the report's sizes, and ask
# `vitlib.count_flops`. It goes through the layers, takes the shapes of the matrices that
# they multiply, and counts a multiply-add as two operations.


# %%
def count_block(num_patches):
    """Returns the multiply-adds of a block that has been built."""
    tokens = keras.Input((num_patches, D))
    attention = vitlib.SelfAttention(heads, key_dim)
    block = vitlib.transformer_block(tokens, attention, report.mlp_units)
    return vitlib.count_flops(keras.Model(tokens, block)) // 2


# %%
for count in (num_patches, 2 * num_patches):
    built, formula = count_block(count), sum(block_cost(count))
    print(f"{count} tokens: {built:,} built, {formula:,} by the formula")
more = count_block(2 * num_patches) - 2 * count_block(num_patches)
print(f"twice the tokens, more than twice the work by {more:,}")
quadratic = block_cost(num_patches)[1]
print(f"two times the part that grows as N²: {2 * quadratic:,}")

# %% [markdown]
# Twice the tokens double the first part and quadruple the second. So the work is more than
# doubled, by two times the second part: the last two lines agree. Now the cost, for each patch
# size that divides 72.

# %%
sizes = np.array([2, 3, 4, 6, 8, 9, 12, 18, 24, 36])
tokens = (report.image_size // sizes) ** 2
linear, quadratic = block_cost(tokens)
rows = zip(sizes, tokens, linear / 1e6, quadratic / 1e6, strict=True)
columns = ("patch size", "tokens", "as N (millions)", "as N² (millions)")
Table(columns, tuple(rows))

# %% mystnb={"figure": {"caption": "Multiply-adds of one block of the report's ViT against the patch size, for an image of 72 x 72 pixels. Both axes are logarithmic, so that a power of P is a straight line. Dotted: what the report's sentence says, drawn through its own patch size of 6.", "name": "fig-cost"}, "image": {"alt": "Four falling lines on logarithmic axes. The attention line is twice as steep as the line of projections and MLP and crosses it between the patch sizes 4 and 6. The total follows the attention line for small patches and the other one for large patches. A dotted line for one over P is much flatter than all of them."}}
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
# law. How steep is the total? On logarithmic axes the slope is the exponent of $P$; it
# is the mean of $-2$ and $-4$, each weighted by its share of the work. And where
# do the two parts cost the same? Setting them equal in {eq}`eq-cost` gives
#
# $$
# N^* = 2 D + \frac{D M}{h d}.
# $$ (eq-crossover)

# %%
slope = -(2 * linear + 4 * quadratic) / total
for size, exponent in zip(sizes, slope, strict=True):
    if size in (2, report.patch_size, 36):
        print(f"patch size {size}: cost goes as P to the {exponent:.2f}")
crossover = 2 * D + D * report.mlp_units[0] // (heads * key_dim)
crossover_size = report.image_size / crossover**0.5
print(f"crossing: {crossover} tokens, patch size {crossover_size:.2f}")

# %% [markdown]
# The report's 144 tokens are below the crossing, where the attention is the smaller part.
# Still, halving the patch from 6 to 3 makes a block this many times as expensive:

# %%
halved = sum(block_cost((72 // 3) ** 2)) / sum(block_cost((72 // 6) ** 2))
print(f"{halved:.1f} times")

# %% [markdown]
# :::{exercise} Narrow heads
# :label: ex-patches-heads
#
# The report gives each of its 8 heads queries of length 128, the whole token. The usual
# choice is $d = D / h$. What does the block cost then, at 144 tokens, and where is the
# crossing? Answer with {eq}`eq-cost` and {eq}`eq-crossover` before you run `block_cost`.
#
# Write `narrow_cost(tokens, width, heads, hidden)`, the multiply-adds of such a block, with
# tokens of length `width` and `hidden` units in the MLP. Which argument does it not need?
# `checks.check_narrow_cost(narrow_cost)` tells you whether it is right.
# :::
#
# ## Is the first layer a convolution?
#
# The first thing that a ViT does with a patch is to multiply it with a matrix: a `Dense`
# layer that turns 108 numbers into a token of 128. The same matrix serves all patches.
#
# That sounds familiar. A convolution also multiplies windows of the image with the same
# weights. It differs in one point: its windows overlap, unless it moves by as many
# pixels as the window is wide. {numref}`fig-coverage` counts how often each pixel is
# read.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Let students name kernel, stride and number of filters before the
# > cell that copies the weights. Those who say that a ViT has no convolution may be right
# > about the *small* kernels with overlap; keep that for the chapter on the comparison.

# %% mystnb={"figure": {"caption": "How many windows of 6 x 6 pixels read each pixel of an 18 x 18 image. Left: the window moves 6 pixels at a time. Right: 3 pixels at a time.", "name": "fig-coverage"}, "image": {"alt": "Two tables of 18 by 18 cells. Left, every cell holds a 1. Right, the corners hold a 1, the edges a 2 and the inner cells a 4."}}
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
for ax, stride in zip(axes, (6, 3), strict=True):
    count = np.zeros((18, 18), int)
    for row in range(0, 13, stride):
        for column in range(0, 13, stride):
            count[row : row + 6, column : column + 6] += 1
    pictures.show_numbers(ax, count)
plt.show()

# %% [markdown]
# With a stride of $P$ the windows are the patches. A convolution at the place
# $(a, b)$ of the output computes
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
dense = keras.layers.Dense(D)
from_patches = dense(patches / 255)  # (1, 144, 128)

convolution = keras.layers.Conv2D(D, kernel_size=6, strides=6)
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
# convolutions in front, and found that the ViT trains more easily.
#
# The layer also explains a line of the report's summary. There the patch encoder has
# 32,384 parameters.

# %%
encoder_params = dense.count_params()
print(f"Dense layer: 108 * 128 + 128 = {encoder_params:,}")
print(f"left of 32,384 for the positions: {32_384 - encoder_params:,}")
print(f"one vector a position: 144 * 128 = {num_patches * D:,}")

# %% [markdown]
# :::{exercise} Overlapping patches
# :label: ex-patches-overlap
#
# Let windows of 6 x 6 pixels move by 3 pixels, as on the right of
# {numref}`fig-coverage`. How many tokens does a 72 x 72 image give, if no window may leave
# the image? How many times as much work is a block of the report's ViT?
#
# Write the number of tokens as a function, `count_windows(side, window, stride)`: windows of
# `window` x `window` pixels move by `stride` pixels over an image of `side` x `side`. The
# stride need not lead to the last pixel. `checks.check_count_windows(count_windows)` tells
# you whether it is right.
# :::
#
# :::{exercise} Weights from PyTorch
# :label: ex-patches-torch
#
# PyTorch keeps the kernel of a convolution in the order (output, channel, row, column).
# Many published ViTs store their first layer so. Write `from_torch(kernel)`, which takes
# such a kernel of the shape $(D, C, P, P)$ and returns the weights $(P^2 C, D)$ of the
# `Dense` layer that makes the same tokens from our patches.
# `checks.check_from_torch(from_torch)` tells you whether it is right.
# :::
#
# ## What does enlarging the image add?
#
# The images of CIFAR-100 have 32 x 32 pixels {cite:p}`krizhevsky2009`. The report enlarges
# them to 72 x 72, and only then cuts. {numref}`fig-enlarged` does the same with a small
# image.

# %%
if data_set == "shapes":
    dataset = vitlib.load_shapes(train=1, seed=seed)
else:
    dataset = vitlib.load_cifar100()
small = dataset.train.images[:1].astype("float32")
large = ops.convert_to_numpy(keras.layers.Resizing(72, 72)(small))
small.shape, large.shape

# %% mystnb={"figure": {"caption": "A small image, and the same image enlarged to 72 x 72 pixels. Left: patches of 4 x 4 pixels, 64 tokens. Right: patches of 6 x 6 pixels, 144 tokens.", "name": "fig-enlarged"}, "image": {"alt": "The same picture twice, a red and a blue shape with a few dots on a grey ground. Left, it is coarse under a grid of 8 by 8 squares. Right, it is smoother under a grid of 12 by 12 squares."}}
fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.2))
for ax, image, size in zip(axes, (small[0], large[0]), (4, 6), strict=True):
    pictures.show_image(ax, image)
    pictures.draw_patch_grid(ax, image.shape[:2], size, color="black")
plt.show()

# %% [markdown]
# The right one *looks* richer. Is it? Resizing is a linear map: each new pixel is a
# weighted mean of a few old ones. It treats rows and columns alike, so that one matrix
# $R$ of 72 x 32 numbers says it all: a channel $X$ becomes $R X R^\top$. We get $R$ by
# enlarging the identity matrix in one direction.

# %%
identity = np.eye(32, dtype="float32")[None, :, :, None]
R = ops.convert_to_numpy(keras.layers.Resizing(72, 32)(identity))[0, :, :, 0]
by_matrix = np.einsum("ri,bijc,sj->brsc", R, small, R)
print("shape of R:", R.shape, "  rank of R:", np.linalg.matrix_rank(R))
difference = np.abs(by_matrix - large).max()
print(f"R X R^T and the enlarged image differ by {difference:.2f} of 255")

# %% [markdown]
# The rank settles it. The enlarged images form a space of as many dimensions as the
# small ones, inside a much larger space.

# %%
dimensions = int(np.linalg.matrix_rank(R)) ** 2 * 3
print(f"numbers in the small image: {small.size:,}")
print(f"numbers in the enlarged image: {large.size:,}")
print(f"dimensions that enlarged images can fill: {dimensions:,}")

# %% [markdown]
# Enlarging has added no information. It has lost none either: the pseudo-inverse of
# $R$ takes us back.

# %%
back = np.linalg.pinv(R.astype("float64"))
recovered = np.einsum("ir,brsc,js->bijc", back, large, back)
difference = np.abs(recovered - small).max()
print(f"the small image is recovered up to {difference:.2f} of 255")

# %% [markdown]
# The same holds inside one patch. Its 6 rows of pixels are made of only a few rows of
# the small image. How many differs with the place of the patch.

# %%
ranks = np.linalg.matrix_rank(R.reshape(12, 6, 32))  # 12 rows of patches
print("independent rows in the 6 rows of a patch:", ranks)
print("independent numbers in a patch, at most:", ranks.max() ** 2 * 3)
print("numbers in a patch:", patch_length)

# %% [markdown]
# What it *has* added is tokens, and with them work. The table compares it with cutting
# the small image itself.

# %%
choices = [(32, 8), (32, 4), (32, 2), (72, 6)]
rows = []
for image_size, patch_size in choices:
    count = (image_size // patch_size) ** 2
    cost = sum(block_cost(count)) / 1e6
    pixels = patch_size * 32 / image_size
    rows.append((f"{image_size} / {patch_size}", count, pixels, cost))
columns = ("image / patch", "tokens", "old pixels a side", "millions a block")
Table(columns, tuple(rows))

# %% [markdown]
# Enlarging is a way to choose a sequence length that 32 does not offer: 144 tokens, each
# as wide as less than three of the old pixels. That may help a model or not; it is a
# choice about the sequence, not about the information. And it has a price, in every
# block of every step.
#
# :::{exercise} Enlarging by copying
# :label: ex-patches-copy
#
# Enlarge the small image to 64 x 64 by copying each pixel into a square of 2 x 2, and cut
# it into patches of 8 x 8. Compare with patches of 4 x 4 of the small image: the number
# of tokens, the numbers in a token, and the weights of a `Dense` layer on top. Can the
# larger `Dense` layer compute a token that the smaller one cannot?
#
# Prove your answer with a function, `small_weights(weights, size)`. It takes the weights of
# the larger layer, `(4 * size * size * 3, D)`, and returns weights for patches of `size` x
# `size` pixels of the small image, `(size * size * 3, D)`, that make the same tokens. No
# bias is needed. `checks.check_small_weights(small_weights)` tells you whether it is right.
# :::
#
# ## What this chapter does not show
#
# * We counted arithmetic, not seconds. How fast a machine gets it done is a question for
#   a stopwatch.
# * We counted one block in the forward direction. Training goes backward too, and the
#   layers after the blocks come on top.
# * No model was trained here. Which patch size gives the best accuracy is a question for
#   an experiment.
# * The argument about the rank holds for resizing alone. The report also rotates and zooms
#   the enlarged images, and there the order of the steps may matter.
#
# ## Key points
#
# * An image of $H \times W$ pixels becomes $N = (H/P)(W/P)$ vectors of $P^2 C$ numbers. It
#   takes a reshape, a transpose and a reshape, and nothing is lost.
# * Without the transpose the shapes still fit and the patches are wrong. Check values.
# * The work of a block grows between $1/P^2$ and $1/P^4$, never as $1/P$.
# * Patches and a `Dense` layer are a convolution whose stride equals its kernel.
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
    """Says whether `cut(images, size)` cuts `(B, H, W, C)` images rightly."""
    rng = np.random.default_rng(0)
    images = rng.random((2, 8, 12, 3), dtype="float32")
    return np.array_equal(cut(images, 4), vitlib.Patches(patch_size=4)(images))


# %% tags=["check"]
checks.check_is_right(is_right)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-patches-planes
# :class: dropdown
# :::
#
# The first reshape names six axes: batch, channel, patch row, row inside, patch column and
# column inside. Which patch comes first, then where inside it, and the channel last.


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
# Both sequences have 64 tokens. A token of the copy has four times as many numbers, and
# each number is in it four times. A `Dense` layer adds up the products with all four
# copies; the sum of its four weights does the same on the original. So it has four times
# as many weights, and cannot compute anything new.


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
# The Vision Transformer is by {cite:t}`dosovitskiy2021`; cutting into patches is equation
# 1 there. The block is the encoder of {cite:t}`vaswani2017`. Convolutions in front of
# the patches are studied by {cite:t}`xiao2021`. The report extends a Keras example by
# {cite:t}`salama2021`. Full entries are in the [references](#sec-references).
