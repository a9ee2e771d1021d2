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
# (sec-positions)=
# # Without positions, a Transformer sees a set
#
# Shuffle the {term}`patches <patch>` of an image, and people can hardly tell what it shows. A
# Transformer does not even notice, unless some part of it knows the places. This chapter
# proves it. Then it compares three kinds of position with none at all, and looks at what a
# model has learned about places.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * prove that self-attention does not see the order of its tokens, and check the proof;
# * write each kind of position in a few lines, and count its parameters and its work;
# * derive the best accuracy that a model without positions can reach, before you train it;
# * read what a model has learned about places from a map of similarities;
# * say why a flattened head spoils a comparison of positions.
#
# **Time:** about 60 minutes to read and run, 122 for all exercises; the cells run in about two
# minutes.
#
# **You need:** the chapter [](#sec-patches), above all its four lines of attention: queries, keys
# and values; their scores; a softmax by row; a mean of the values.
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
data_set: str = "shapes"  # "shapes" or "cifar100"
seed: int = 0  # of everything random

# %%
from dataclasses import replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

import vitlib
from vitlib import Table, check_parameters, checks
from vitlib.data import shapes
from vitlib.inspection import introspect, pictures, plotting

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## Does a Transformer notice that the patches are shuffled?
#
# The course brings its own small data set, the *embedded* one. Each image holds a red and a blue
# shape, and its class names both and says where the red one is, seen from the blue one. So the
# class depends on *what* is drawn and on *where*. {numref}`fig-shuffled` shows an image, cut into
# 16 patches, and the same patches in another order.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Do the proof at the board, one step a line, and let the class say
# > where the matrix goes next. Dwell on the third step: why may a permutation pass through
# > softmax? Because it works on a row and takes no notice of the order inside it. Ask at the
# > end which step needs the mean; the section on flattened heads builds on that answer.

# %%
scenes = shapes.draw_shapes(num_images=100, seed=seed)
first = np.flatnonzero(scenes.labels % 4 == 0)[0]  # the first "left of"
image, label = scenes.images[first].astype("float32"), scenes.labels[first]
print(shapes.CLASS_NAMES[label])

# %% mystnb={"figure": {"caption": "Left: an image of the embedded data set, and the borders of its 16 patches. Right: the same patches, shuffled.", "name": "fig-shuffled"}, "image": {"alt": "Two pictures of 32 by 32 pixels under a grid of 4 by 4 squares. Left, a red square is to the left of a blue ring, among a few dots. Right, the same 16 patches are in another order, and the two shapes are elsewhere."}}
rng = np.random.default_rng(seed)
order = rng.permutation(16)
patches = ops.convert_to_numpy(vitlib.Patches(patch_size=8)(image[None]))
shuffled = vitlib.join_patches(patches[:, order], image_size=(32, 32))[0]

fig, axes = plt.subplots(1, 2, figsize=(5.6, 2.8))
for ax, picture in zip(axes, (image, shuffled), strict=True):
    pictures.show_image(ax, picture)
    pictures.draw_patch_grid(ax, image_size=(32, 32), patch_size=8)
plt.show()

# %% [markdown]
# Let $X$ be the matrix of the {term}`tokens <token>`, one row a token. To shuffle the
# tokens is to multiply $X$ from the left by a permutation matrix $\Pi$: a matrix of
# zeros with a single 1 in each row and in each column. As $\Pi^\top \Pi = I$, multiplying
# by $\Pi^\top$ undoes it.
#
# The chapter [](#sec-patches) has introduced {term}`self-attention`. In one head, with learned
# matrices $W_q$, $W_k$, $W_v$ and queries of length $d$, it computes
#
# $$
# \begin{gathered}
# \mathrm{SA}(X) = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V, \\
# Q = X W_q, \quad K = X W_k, \quad V = X W_v .
# \end{gathered}
# $$ (eq-attention)
#
# Now we put $\Pi X$ in the place of $X$, and follow the $\Pi$.
#
# 1. {term}`Queries <query>`, {term}`keys <key>` and {term}`values <value>` are made row by
#    row. So $\Pi X$ gives $\Pi Q$, $\Pi K$ and $\Pi V$. (Keras also adds a bias. It is the
#    same for each row, so it changes nothing here.)
# 2. The {term}`logits <logit>` become $\Pi Q (\Pi K)^\top = \Pi \, Q K^\top \Pi^\top$.
#    Their rows and their columns are shuffled alike.
# 3. {term}`Softmax <softmax>` works on each row separately. Shuffle the entries of a row, and
#    its weights are shuffled in the same way. So, for any square matrix $A$,
#    $\mathrm{softmax}(\Pi A \Pi^\top) = \Pi \, \mathrm{softmax}(A) \, \Pi^\top$.
# 4. In the product with the values, $\Pi^\top$ meets $\Pi$:
#
# $$
# \mathrm{SA}(\Pi X) = \Pi \, \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right)
#                     \underbrace{\Pi^\top \Pi}_{I} V = \Pi \, \mathrm{SA}(X) .
# $$ (eq-equivariance)
#
# What goes in shuffled comes out shuffled in the same way, and nothing else changes. This
# property is called {term}`permutation equivariance`.
#
# The rest of a {term}`Transformer block` does not mix tokens at all.
# {term}`Layer normalisation <layer normalisation>`, the {term}`MLP` and the
# {term}`residual connection` treat each row separately. More heads are more copies of
# {eq}`eq-attention` side by side, and the projection that joins them works row by row. So a
# whole block $f$ has $f(\Pi X) = \Pi f(X)$, and a stack of blocks has it too.
#
# At the end, {term}`mean pooling` adds up the rows and divides by $N$. A sum does not
# depend on the order. There the last $\Pi$ disappears, and the logits of the model cannot
# change. Such a model reads its patches as a *set*: it knows what they are, and how often
# each occurs, but not where.
#
# A proof can hide a mistake, so we also ask a block of `vitlib`, with random weights and
# random tokens: how far apart are its outputs before and after a shuffle?

# %%
tokens = keras.Input((16, 64))
attention = vitlib.SelfAttention(num_heads=2, key_dim=32)
block = vitlib.transformer_block(tokens, attention, mlp_units=(128, 64))
block = keras.Model(tokens, block)
x = rng.normal(size=(1, 16, 64)).astype("float32")
output = ops.convert_to_numpy(block(x))
of_shuffled = ops.convert_to_numpy(block(x[:, order]))


def difference(a, b):
    """Returns the largest difference between two arrays."""
    return np.abs(np.subtract(a, b)).max()


# %%
gap = difference(of_shuffled, output)
print(f"difference of the outputs: {gap:.1f}")
gap = difference(of_shuffled, output[:, order])
print(f"with the output shuffled: {gap:.4f}")
gap = difference(of_shuffled.mean(axis=1), output.mean(axis=1))
print(f"of the means: {gap:.4f}")


# %% [markdown]
# The output has changed, but only in its order, and the mean not at all. Now we try the whole
# model, from pixels to logits, on the two images of {numref}`fig-shuffled`: once without
# positions, and once with a vector for each place, which the next section explains.

# %%
def change_by_shuffle(position):
    """Returns how much shuffled patches change the logits, at most."""
    config = replace(vitlib.TINY_VIT, position=position)
    model = vitlib.build_vit(config)
    # Pixels from 0 to 1: this model has not fitted its normalisation.
    logits = model(np.stack([image, shuffled]) / 255)
    return difference(logits[0], logits[1])


for position in ("none", "1d"):
    change = change_by_shuffle(position)
    print(f"{position}: the logits change by up to {change:.4f}")

# %% [markdown]
# On the page [](#sec-explorer), in [step 4](#explorer-step-4) of its tour, you can shuffle the
# patches of a model that was trained without positions, and then of two that were trained with
# them.
#
# :::{exercise} The way back
# :label: ex-positions-undo
#
# ★ · 8 minutes
#
# By {eq}`eq-equivariance` a shuffle comes out of a block as it went in, so it can be undone
# after the block as well as before it. Write `undo(order)`. It takes an array `order` that
# has shuffled some tokens, as in `tokens[order]`, and returns the order that puts them
# back: `tokens[order][undo(order)]` are the `tokens` again. Which matrix of the proof is
# that? `checks.check_undo(undo)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Shuffle the five letters of "PATCH" with the order 2, 0, 3, 1, 4 on paper. Then ask of each
# *old* place at which new place its letter is now.
# :::

# %% [markdown]
# ## How can a token be told where it was?
#
# Let the image be cut into a grid of $R$ rows and $C$ columns of patches, $N = R C$ in
# all. A patch in row $r$ and column $c$, both counted from 0, is number $n = C r + c$.
# The {term}`projection` turns its pixels into a vector $e_n$ of length $D$. We compare four
# kinds of position, one of which is to say nothing. They differ in what they add to $e_n$, or
# to the attention.
#
# | `position` | idea | formula |
# |---|---|---|
# | `"none"` | say nothing | $z_n = e_n$ |
# | `"1d"` | a learned vector for each place | $z_n = e_n + p_n$ |
# | `"2d"` | half a vector for each row, half a vector for each column | $z_n = e_n + [u_r ; v_c]$ |
# | `"relative"` | a learned vector for each offset from one place to another | $q_n \cdot (k_m + \rho_{m - n})$ in place of $q_n \cdot k_m$ |
#
# The kinds 1-D and 2-D act once, before the first block. What they add is called a
# {term}`positional embedding`. The last kind uses the {term}`relative position` of two
# patches, and acts in every block. The 1-D table is the usual choice
# {cite:p}`dosovitskiy2021` and the one of the report.
# {numref}`fig-indices` shows which entries a patch looks up.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Three students describe the place of one square of a chessboard: by
# > one number, by row and column, by the way from another piece. These are the three kinds. Let
# > the class say which of them still works on a larger board: none does without new vectors, and
# > rows and columns need the fewest.

# %% mystnb={"figure": {"caption": "Which entries of a table each patch looks up, on a grid of 4 x 4 patches. Left: 1-D, one of 16 vectors. Middle: 2-D, the half vector of a row. Right: 2-D, the half vector of a column.", "name": "fig-indices"}, "image": {"alt": "Three tables of 4 by 4 cells. Left, under the words 1-D: place, the numbers 0 to 15 in reading order. In the middle, under 2-D: row, each row holds one number, from 0 at the top to 3. Right, under 2-D: column, each column holds one number, from 0 on the left to 3."}}
places = np.arange(16).reshape(4, 4)
row, column = np.divmod(places, 4)
tables = {"1-D: place": places, "2-D: row": row, "2-D: column": column}

fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.6))
for ax, (name, indices) in zip(axes, tables.items(), strict=True):
    pictures.show_numbers(ax, indices)
    ax.set_xlabel(name)
plt.show()

# %% [markdown]
# **1-D.** The code is one addition. We give the layer of `vitlib` a table that we know,
# and compare.

# %%
table = rng.normal(size=(16, 64)).astype("float32")
layer = vitlib.PositionEmbedding1D()
layer.build(x.shape)
layer.set_weights([table])
gap = difference(layer(x), x + table)
print(f"1-D, difference from x + table: {gap:.4f}")


# %% [markdown]
# :::{exercise} From patches to tokens
# :label: ex-positions-encode
#
# ★★ · 10 minutes
#
# Write in one line what happens between the patches and the first block of the report's ViT:
# `encode(patches, kernel, bias, table)`. `patches` has the shape
# `(B, N, P * P * C)`. `kernel`, `(P * P * C, D)`, and `bias`, `(D,)`, belong to the
# projection, and `table`, `(N, D)`, to 1-D positions. It returns the tokens, `(B, N, D)`. Here
# $P$ is the side of a patch and $C$ the number of channels, not of columns.
#
# Suppose that a table `(N, P * P * C)` were added to the patches instead, before the
# projection. Could the model still tell the places apart?
# `checks.check_encode(encode)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Write down the shapes of the four arguments and of the result. Which axis is missing from the
# result, and which two arguments have it?
# :::

# %% [markdown]
# **2-D.** Two small tables are joined into a large one. Rows are repeated and columns are
# tiled, as the middle and the right table of {numref}`fig-indices` show.

# %%
def join_tables(rows, columns):
    """Makes a table `(R * C, D)` of two, `(R, D / 2)` and `(C, D / 2)`."""
    of_row = np.repeat(rows, len(columns), axis=0)
    of_column = np.tile(columns, (len(rows), 1))
    return np.concatenate([of_row, of_column], axis=1)


# %%
rows, columns = rng.normal(size=(2, 4, 32)).astype("float32")
layer = vitlib.PositionEmbedding2D(grid_size=(4, 4))
layer.build(x.shape)
layer.set_weights([rows, columns])
gap = difference(layer(x), x + join_tables(rows, columns))
print(f"2-D, difference from x + table: {gap:.4f}")

# %% [markdown]
# So 2-D is a 1-D table under a rule: the patches of a row share one half of their vectors, and
# the patches of a column share the other half. The 1-D table is free to learn this rule, or
# any other. It has to find out by itself that there are rows and columns at all.
#
# **Relative.** This kind does not say where a patch *is*. It says where the key is, seen
# from the query {cite:p}`shaw2018`. The *offset* is the difference of two places in the
# sequence, $m - n$. It runs from $-(N - 1)$ to $N - 1$, so a table of $2 N - 1$ vectors
# $\rho$ of the length of a query holds one for each offset. Adding $N - 1$ to an offset gives
# its row in the table, counted from 0.

# %%
offsets = np.arange(16) - np.arange(16)[:, None]  # (query, key)
entries = offsets + 16 - 1  # rows of the table
print("offsets from", offsets.min(), "to", offsets.max())
print("rows of the table from", entries.min(), "to", entries.max())

# %% tags=["remove-cell"]
assert np.array_equal(entries, vitlib.relative_offsets(16))

# %% mystnb={"figure": {"caption": "The offset from query to key, counted along the sequence, on a grid of 4 x 4 patches. Each number is the offset of that patch, seen from the query, which is 0. Left: the query is in row 1, column 1. Right: it is at the end of row 1, and the offset 1 leads to the other side of the grid.", "name": "fig-offsets"}, "image": {"alt": "Two tables of 4 by 4 numbers, blue where negative, white at 0 and red where positive. Left, from minus 5 to 10, with 0 in row 1, column 1, and 4 below it. Right, from minus 7 to 8, with 0 at the end of row 1, 4 below it, and 1 at the start of the next row."}}
fig, axes = plt.subplots(1, 2, figsize=(5.6, 2.8))
for ax, query in zip(axes, (5, 7), strict=True):
    seen = offsets[query].reshape(4, 4)
    ax.imshow(seen, cmap="RdBu_r", clim=(-20, 20))
    for (r, c), number in np.ndenumerate(seen):
        ax.text(c, r, number, ha="center", va="center")
    name = f"query in row {query // 4}, column {query % 4}"
    ax.set(xticks=[], yticks=[], xlabel=name)
    ax.grid(visible=False)
plt.show()

# %% [markdown]
# In one head, the logit of query $n$ and key $m$ is then
#
# $$
# \ell_{nm} = \frac{q_n \cdot (k_m + \rho_{m-n})}{\sqrt{d}} ,
# $$ (eq-relative)
#
# and softmax over $m$ makes weights of it, as before. The report describes the part
# $q_n \cdot \rho_{m-n}$ as an extra attention, whose logits are added. All heads share one
# table; every block has its own. We write {eq}`eq-relative` as plain loops, and compare the
# weights with those of `vitlib.RelativeSelfAttention`.

# %%
layer = vitlib.RelativeSelfAttention(num_heads=2, key_dim=32)
_, weights = layer(x, return_attention_scores=True)
q, k, _ = [ops.convert_to_numpy(part)[0] for part in layer.project(x)]
rho = ops.convert_to_numpy(layer.offset_embedding)  # (2 N - 1, d)

logits = np.zeros((2, 16, 16), "float32")
for h, n, m in np.ndindex(2, 16, 16):
    logits[h, n, m] = q[h, n] @ (k[h, m] + rho[m - n + 15]) / np.sqrt(32)
gap = difference(weights[0], ops.softmax(logits))
print(f"difference of the weights: {gap:.4f}")

# %% [markdown]
# Whatever the kind, a model with positions must now notice the shuffled patches. The weights
# are random and drawn anew, so the number for 1-D is not the one above. With a trained model,
# swap two patches in [step 6](#explorer-step-6) of the tour on the page [](#sec-explorer): the
# answer is reversed.

# %%
WORDS = {
    "none": "none",
    "1d": "1-D table",
    "2d": "2-D tables",
    "relative": "relative",
}
KINDS = tuple(WORDS)
for position in KINDS:
    change = change_by_shuffle(position)
    print(f"{position}: the logits change by up to {change:.4f}")

# %% [markdown]
# ## What do the positions cost?
#
# A {term}`multiply-add` is one multiplication with one addition. With $L$ blocks, $h$ heads
# and queries of length $d$:
#
# | kind | parameters | multiply-adds an image |
# |---|---|---|
# | none | 0 | 0 |
# | 1-D | $N D$ | 0, and $N D$ additions |
# | 2-D | $(R + C) D / 2$ | 0, and $N D$ additions |
# | relative | $L (2 N - 1) d$ | $L N^2 h d$ |
#
# The last entry is a scalar product of two vectors of length $d$ for each pair of patches, in
# each head and block, as much as comparing queries and keys costs. The next table counts what
# each kind adds to the parameters and multiply-adds of the report's ViT. Its large head is the
# same for all four kinds and takes time to build, so a mean and one `Dense` layer replace it.
# With the large head, the last number of the table would be a little smaller.

# %%
report = replace(vitlib.REPORT_VIT, pooling="mean", head_units=())
models = [
    vitlib.build_vit(replace(report, position=position)) for position in KINDS
]
sizes = np.array([model.count_params() for model in models])
work = np.array([vitlib.count_flops(model) // 2 for model in models])

# %%
extra = work - work[0]
share = 100 * extra / work[0]
rows = zip(KINDS, sizes - sizes[0], extra / 1e6, share, strict=True)
columns = ("position", "parameters", "million multiply-adds", "more work (%)")
Table(columns, tuple(rows))

# %% tags=["remove-cell"]
# The formulas give the numbers that were counted.
D, d, h = report.projection_dim, report.key_dim, report.num_heads
N, L, (R, C) = report.num_patches, report.num_layers, report.grid_size
parameters = [0, N * D, (R + C) * D // 2, L * (2 * N - 1) * d]
multiply_adds = [0, 0, 0, L * N**2 * h * d]
assert parameters == (sizes - sizes[0]).tolist()
assert multiply_adds == extra.tolist()

# %% [markdown]
# These are also the numbers that the formulas give, with $N = 144$, $D = d = 128$, $L = 10$
# and $h = 8$.
#
# The 2-D tables are the smallest by far. The relative kind is the only one that costs
# multiply-adds, and they grow with the square of $N$. The tables of 1-D and 2-D are as good as
# free.
#
# :::{exercise} More patches
# :label: ex-positions-count
#
# ★★ · 12 minutes
#
# The report could have cut the images of CIFAR-100 as they are, 32 x 32 pixels, into
# patches of 2 x 2. Let everything else be as in the report. How many parameters does
# each kind of position take then? Which of them grows by the same factor as the number of
# patches, which by less? Work it out before you build a model.
#
# Write `growth(side, larger)`. The grid of patches grows from `side` x `side` to
# `larger` x `larger`, and all else stays. The function returns by which factor the
# parameters grow: three numbers, for 1-D, 2-D and relative positions.
# `checks.check_growth(growth)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Put the side $S$ into the formulas, $R = C = S$ and $N = S^2$. Whatever does not change
# cancels when you divide.
# :::
#
# ## Is the patch below far away?
#
# The report calls its relative kind *1-dimensional*: offsets are counted along the
# sequence, as in {numref}`fig-offsets`. On the report's grid of 12 columns, the patch
# to the right has the offset 1. The patch below touches the query just as closely, and has the
# offset 12. This need do no harm, since a vector for the offset 12 can learn that it means
# "below".
#
# The end of a row is worse. The sequence goes on from the last patch of a row to the
# first patch of the next row, on the other side of the image, and this offset is also 1. How
# often does it happen, and how often for an offset of 6?

# %%
N, C = report.num_patches, report.grid_size[1]
n = np.arange(N)
same_row = n[None, :] // C == n[:, None] // C  # (query, key)
for offset in (1, 6):
    pairs = n[None, :] - n[:, None] == offset
    inside, wrapped = (pairs & same_row).sum(), (pairs & ~same_row).sum()
    print(f"{offset}: {inside} in one row, {wrapped} in the next row")

# %% [markdown]
# All pairs of one offset share one vector. From this vector the model cannot tell whether the
# key is 6 columns to the right, or one row down and 6 columns to the left.
#
# :::{exercise} Which steps share a vector?
# :label: ex-positions-wrap
#
# ★★★ · 20 minutes
#
# A step is a pair (rows down, columns to the right).
#
# 1. Which steps lead to the offset 1 on a grid of 12 columns? Which lead to 12? Answer
#    for any grid: `steps_of(offset, rows, columns)` returns all steps from a patch to
#    another, or to itself, that have this offset. It gives a list of pairs; the step with
#    the least number of rows down comes first.
# 2. How many different steps are there on a 12 x 12 grid, and how many vectors do they
#    share?
# 3. An image of the embedded data set is a grid of 4 x 4 *tiles*, each of 8 x 8 pixels. The
#    two shapes are in one row or in one column of tiles. Can a relative model with patches
#    of one tile tell the four arrangements apart by the offset between the two shapes?
#
# `checks.check_steps_of(steps_of)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# What is the offset of a step of $a$ rows down and $b$ columns to the right? Choose $a$; then
# $b$ is fixed, and fits on the grid or does not.
# :::
#
# :::{exercise} Offsets in two dimensions
# :label: ex-positions-grid
#
# ★★★ · 20 minutes
#
# Write the table of offsets for a grid: `grid_offsets(rows, columns)` returns an array
# `(N, N)` of integers, and two pairs of patches have the same integer if and only if the
# step from the query to the key is the same, in its rows *and* in its columns. How many vectors
# does it need on the report's grid? {cite:t}`bello2019` use a table for the rows and
# another for the columns, and add their logits. How many vectors do they need?
# `checks.check_grid_offsets(grid_offsets)` tells you whether your function is right; which
# integers you choose is up to you.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `np.divmod` splits the number of a patch into row and column. Make a table of the steps down
# and one of the steps to the right; then number the pairs as places of a larger grid.
# :::
#
# ## How good can a set be?
#
# We can say how well a model without positions can do on the embedded data before we train
# it. Look at the image of {numref}`fig-shuffled` once more. Its 16 patches are the *tiles* on
# which it was drawn. Mirror the grid of tiles: the first column of tiles becomes the last, and
# the pixels inside each tile stay as they are. The red shape is now on the other side, so the
# image belongs to another class. Swap rows and columns instead, and the image belongs to a
# third class. Mirror first and then swap, and it belongs to the fourth.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Let all cells of the chapter run before you begin: the trainings of
# > the next section need a minute or two, and the ceiling should be on the board when the
# > curves arrive. A likely wrong answer is 1 %, a guess among all 100 classes; ask what a model
# > knows that sees both shapes and no place.

# %% mystnb={"figure": {"caption": "The same 16 tiles, in four orders. Each picture belongs to a class of its own.", "name": "fig-four"}, "image": {"alt": "Four pictures, each with a red and a blue shape. The red shape is to the left of the blue one, to the right of it, above it, and below it."}}
grid = patches.reshape(4, 4, -1)  # (row, column, pixels of a tile)
turned = grid.transpose(1, 0, 2)
grids = np.stack([grid, grid[:, ::-1], turned, turned[::-1]])
sequences = grids.reshape(4, 16, -1)
four = ops.convert_to_numpy(vitlib.join_patches(sequences, (32, 32)))

fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.2))
for ax, picture, arrangement in zip(
    axes, four, shapes.ARRANGEMENTS, strict=True
):
    pictures.show_image(ax, picture)
    ax.set_xlabel(arrangement)
plt.show()

# %%
sets = [sorted(map(tuple, sequence.tolist())) for sequence in sequences]
print("different sets of tiles:", len({str(tiles) for tiles in sets}))


# %% [markdown]
# A model that reads a set gives all four images the same answer, and at most one of the four
# is right.
#
# That was one image. For the whole data set, the four images must also be equally likely.
# They are, because of how the data are drawn. Dots and noise are
# drawn for each tile alike, wherever it lies. The two shapes are drawn without looking at
# the arrangement. The arrangement only chooses the two tiles on which they are, and each
# of the 24 choices is equally likely. Mirroring and swapping turn the choices of one
# arrangement exactly into those of another, as the next cell counts.

# %%
def as_set(places):
    """Takes `(choice, shape, row and column)`, forgets the order."""
    return {tuple(place.ravel().tolist()) for place in places}


left, right, above, below = shapes.PLACES
mirrored = left * [1, -1] + [0, 3]  # column c becomes 3 - c
swapped = left[..., ::-1]
both = swapped * [-1, 1] + [3, 0]
moved = {"mirrored": (mirrored, right), "swapped": (swapped, above)}
moved["both"] = both, below
for name, (choices, other) in moved.items():
    shared = len(as_set(choices) & as_set(other))
    print(f"{name}: {shared} of {len(as_set(left))} choices are the same")

# %% [markdown]
# So the images of the data set come in fours: equally likely, one of each arrangement,
# with the same tiles. Whatever a model of sets answers, it is right on at most one of
# four. Its {term}`top-1` accuracy has a {term}`ceiling` of
#
# $$
# \frac{1}{4} = 25\,\% ,
# $$ (eq-ceiling)
#
# however large it is and however long it trains. The same holds for every patch size that
# divides the tile, because then a tile is a set of patches that move together. The
# {term}`top-5` accuracy has no such ceiling: five guesses have room for all four
# arrangements of the right pair.
#
# On a finite number of test images, luck adds to the ceiling or takes away from it. The
# number of right answers among $n$ images, each right with probability $p$ and independently
# of the others, has a standard deviation of $\sqrt{p (1 - p) n}$. Here every class has the
# same number of test images, which can only make it smaller.

# %%
data = vitlib.load_data_set(data_set)
spread = 100 * np.sqrt(0.25 * 0.75 / len(data.test.labels))
print(f"{len(data.test.labels):,} test images: {spread:.1f} points")

# %% [markdown]
# Three standard deviations are about three points. So a result up to three points above the
# ceiling may be luck, and one beyond that hardly can be.
#
# You can see the four nearly equal guesses: drag the shapes in [step 5](#explorer-step-5) of the
# tour on the page [](#sec-explorer).
#
# :::{exercise} Does the ceiling still hold?
# :label: ex-positions-ceiling
#
# ★★ · 15 minutes
#
# Someone changes the model without positions in one point, trains it on the embedded data, and
# finds a test accuracy far above 25 %. Which of these changes can explain that? Answer by
# argument, then test those that `vitlib.TINY_VIT` can express: `replace` changes its fields
# `patch_size` and `stem_filters`. Each number in `stem_filters` adds a convolution, and a
# pooling that halves the image: `stem_filters=(16,)` goes with `patch_size=4`.
#
# 1. Patches of 4 x 4 pixels in place of 8 x 8.
# 2. Patches of 16 x 16 pixels.
# 3. A {term}`class token`: one more learned token, from which the answer is read.
# 4. The largest value of each element over the tokens, in place of the mean.
# 5. A {term}`convolution` of 3 x 3 pixels in front of the patches.
#
# Put your answer into a function, `can_pass(change)`. It takes the number of a change, 1 to
# 5, and returns `True` if the change can explain it, and `False` if not.
# `checks.check_can_pass(can_pass)` tells you whether you are right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Ask of each change: do the four pictures of {numref}`fig-four` still look the same to the
# model? For them to differ, some part of it must tell which tiles touch, or where one is.
# :::
#
# ## What do the four kinds learn?
#
# Now we train all four. Everything but the position is the same: the model, the recipe, the
# data, the {term}`seed`, the order of the images.

# %%
preset = vitlib.PROFILE_PRESETS[profile]
recipe, model_config = replace(preset.train, seed=seed), preset.model
if profile == "quick":  # narrower, fewer epochs, a higher rate
    recipe = replace(recipe, epochs=8, learning_rate=1.6e-2)
    model_config = replace(
        model_config, projection_dim=32, num_heads=2, mlp_units=(64, 32)
    )


def train_with(position, recipe=recipe, **changes):
    """Trains the model of the profile, with a position and further changes."""
    config = replace(model_config, position=position, **changes)
    model = vitlib.build_model(config, recipe)
    run = vitlib.train(model, data, recipe, report=lambda line: None)
    return model, run


# %% [markdown]
# The ceiling holds for the embedded data alone. Nobody knows one for CIFAR-100, so there we
# print only the accuracy.

# %%
def tell(name, run):
    """Prints the accuracy of a run, beside the ceiling where there is one."""
    limit = " (ceiling of a set: 25 %)" if data_set == "shapes" else ""
    print(f"{name}: test top-1 {100 * run.test['top1']:.0f} %{limit}")


# %% tags=["nbval-ignore-output"]
models, runs = {}, {}
models["none"], runs["none"] = train_with("none")
tell("none", runs["none"])

# %% tags=["nbval-ignore-output"]
models["1d"], runs["1d"] = train_with("1d")
tell("1-D", runs["1d"])

# %% tags=["nbval-ignore-output"]
models["2d"], runs["2d"] = train_with("2d")
tell("2-D", runs["2d"])

# %% tags=["nbval-ignore-output"]
models["relative"], runs["relative"] = train_with("relative")
tell("relative", runs["relative"])

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if (profile, data_set) == ("quick", "shapes"):
    assert abs(100 * runs["none"].test["top1"] - 25) < 3
    for position in KINDS[1:]:
        assert 100 * runs[position].test["top1"] > 25 + 10, position

# %% mystnb={"figure": {"caption": "Top-1 accuracy on the validation images after each epoch, for the four kinds of position. Dotted, on the embedded data: the ceiling of a model that reads a set.", "name": "fig-four-curves"}, "image": {"alt": "Accuracy in per cent against epochs. The line without positions lies on a dotted line at 25 per cent. The lines of the three other kinds start there and rise far above it."}}
colors = dict(zip(KINDS, ("C4", "C0", "C2", "C3"), strict=True))
fig, ax = plt.subplots()
for position, run in runs.items():
    accuracy = 100 * np.array(run.history["val_top1"])
    epochs = range(1, len(accuracy) + 1)
    look = {"color": colors[position], "label": WORDS[position]}
    ax.plot(epochs, accuracy, "o-", **look)
if data_set == "shapes":
    ax.axhline(25, color="black", linestyle=":", label="ceiling of a set")
ax.set(xlabel="epoch", ylabel="validation top-1 (%)", ylim=(0, 104))
ax.set_xticks(epochs)
ax.legend()
plt.show()


# %% [markdown]
# On the embedded data, the model without positions stops where the argument says it must.
# The other three leave the ceiling far behind. Look also at the height from which they
# start to rise: what have they learned by then?
#
# A model that stops at 25 % may also have trained badly. To find out, we ask: how often does
# the model name the right *pair* of shapes, whatever the arrangement?

# %% tags=["nbval-ignore-output"]
def predict(model, pictures):
    """Returns the class of each picture."""
    logits = model(pictures, training=False)
    return ops.convert_to_numpy(logits).argmax(axis=1)


def share_of_right_pairs(model):
    """Counts an answer as right if both shapes are."""
    predicted = predict(model, data.test.images)
    return (predicted // 4 == data.test.labels // 4).mean()


if data_set == "shapes":
    pairs = share_of_right_pairs(models["none"])
    print(f"right pair in {100 * pairs:.0f} % of the images")

# %% [markdown]
# It has learned what can be learned from a set. Only the arrangement is a guess. At the height
# of 25 % the other three may well have stood at the same point. What, then, do the models
# answer for the four pictures of {numref}`fig-four`, which are made of the same tiles?

# %% tags=["nbval-ignore-output"]
if data_set == "shapes":
    answers = {
        position: len(np.unique(predict(model, four)))
        for position, model in models.items()
    }
    for position, number in answers.items():
        print(f"{WORDS[position]}: different answers: {number}")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if (profile, data_set) == ("quick", "shapes"):
    assert pairs > 0.9
    assert answers["none"] == 1
    assert min(answers[position] for position in KINDS[1:]) > 1

# %% [markdown]
# The table has the accuracies on the test images. Each row is a single run, so the table
# cannot rank the three kinds with positions.

# %% tags=["nbval-ignore-output"]
rows = [
    (WORDS[position], 100 * run.test["top1"], 100 * run.test["top5"])
    for position, run in runs.items()
]
Table(("position", "test top-1 (%)", "test top-5 (%)"), tuple(rows))

# %% [markdown]
# ## What has a table learned about places?
#
# At the start, the 1-D table is random: no vector has anything to do with another. What
# training made of it can be seen by comparing the vectors. We take the cosine of the angle
# between two of them: 1 for the same direction, 0 for a right angle, -1 for opposite
# directions. Like {cite:t}`dosovitskiy2021` (figure 7), we draw these numbers as maps. Each
# patch has a small map of the whole grid, whose colours compare it with every other patch. The
# small maps are laid out as the patches are.
#
# One step comes first. A vector that is added to all places says nothing about places: the bias of
# the projection could hold it as well, and the model would be the same. So we subtract the
# mean of a table before we compare its vectors.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Show one map alone and ask which patch it belongs to. Red rows and
# > columns are read at once; a red row alone may be taken for an error of the plot. Warn
# > against reading more than the map says: similarity is no proof of use.

# %%
tables = {}
for position in ("1d", "2d"):
    config = replace(model_config, position=position)
    start = vitlib.build_model(config, recipe)  # the same seed, not trained
    tables[position, "before"] = introspect.position_table(start)
    tables[position, "after"] = introspect.position_table(models[position])
size = model_config.grid_size
maps = {
    key: introspect.position_similarity(table - table.mean(axis=0), size)
    for key, table in tables.items()
}

# %% mystnb={"figure": {"caption": "Cosine similarity of the vectors of all places, their mean subtracted, before and after training. Each panel holds one small map a patch, laid out as the patches are. A small map compares its patch with the whole grid; the patch itself has 1, the darkest red, which its neighbours may come close to.", "name": "fig-maps"}, "image": {"alt": "Four panels, each a grid of 4 by 4 small maps coloured from blue through white to red. 1-D before training: one dark red cell a map, and pale cells in no order. 2-D before training: a cross through the patch, red or pale, on blue. 1-D and 2-D after training: a red area around each patch fades and turns blue towards the far side of the grid."}}
fig, axes = plt.subplots(2, 2, figsize=(5.6, 5))
fig.get_layout_engine().set(wspace=0.08, hspace=0.08)
for ax, (key, similarity) in zip(axes.flat, maps.items(), strict=True):
    pictures.show_similarity_maps(ax, similarity)
    ax.set_xlabel(f"{WORDS[key[0]]}, {key[1]}")
fig.colorbar(ax.get_images()[0], ax=axes, label="cosine similarity")
plt.show()

# %% [markdown]
# Before training, the 1-D table knows nothing: a patch is like itself, and like no other. The
# 2-D table shows a cross that nobody trained. Two patches of a row or of a column share half of
# their vectors, which makes them more alike from the start, on average, than two others.
#
# After training, neighbours should be alike if the model has a use for it. We compare the
# mean similarity of patches that touch, above, below, left or right, with that of all
# other pairs.

# %% tags=["nbval-ignore-output"]
distance = introspect.patch_distances(size, patch_size=1)


def gap_between_near_and_far(similarity):
    """Mean similarity of neighbours minus that of all other pairs."""
    flat = similarity.reshape(distance.shape)
    return flat[distance == 1].mean() - flat[distance > 1].mean()


for when in ("before", "after"):
    gap = gap_between_near_and_far(maps["1d", when])
    print(f"1-D {when}: neighbours more alike by {gap:.2f}")


# %% [markdown]
# Nobody told the 1-D table that its places lie on a grid. Has it found out? Its vectors
# have many elements, so we draw them in the plane in which they spread most: the first two
# directions of a principal component analysis. Their *spread* is here the sum of the squared
# distances from their mean. {numref}`fig-plane` joins the patches of a row with a line, and the
# patches of a column with another.

# %% tags=["nbval-ignore-output"]
def in_plane(table):
    """Returns coordinates in the plane of most spread, and its share."""
    centered = table - table.mean(axis=0)
    u, strength, _ = np.linalg.svd(centered, full_matrices=False)
    share = (strength[:2] ** 2).sum() / (strength**2).sum()
    return u[:, :2] * strength[:2], share


for when in ("before", "after"):
    _, share = in_plane(tables["1d", when])
    print(f"{when}: two directions hold {100 * share:.0f} % of the spread")

# %% mystnb={"figure": {"caption": "The vectors of the 1-D table in the plane of most spread. Left: before training. Right: after. Blue lines join the patches of a row, orange lines those of a column. The patches are numbered in reading order. Each panel has a scale of its own, and may be turned or mirrored.", "name": "fig-plane"}, "image": {"alt": "Two drawings of numbered points joined by lines. Left, a tangle. Right, a net of four rows and four columns, in the order of the grid of patches."}}
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4))
for ax, when in zip(axes, ("before", "after"), strict=True):
    points, _ = in_plane(tables["1d", when])
    net = points.reshape(*size, 2)
    ax.plot(*net.transpose(2, 1, 0), color="C0")  # rows
    ax.plot(*net.transpose(2, 0, 1), color="C6")  # columns
    for number, point in enumerate(points):
        ax.annotate(number, point, textcoords="offset points", xytext=(3, 3))
    ax.set(aspect="equal")
    ax.axis("off")
plt.show()

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if (profile, data_set) == ("quick", "shapes"):
    gaps = {
        w: gap_between_near_and_far(maps["1d", w]) for w in ("before", "after")
    }
    assert gaps["before"] < 0.2 and gaps["after"] > 0.5
    kept = {w: in_plane(tables["1d", w])[1] for w in ("before", "after")}
    assert kept["before"] < 0.5 and kept["after"] > 0.8

# %% [markdown]
# From images and their labels, without being told of a grid, the 1-D table has found rows and
# columns. That it did so *here* is no law: these data ask for rows and columns, and for nothing
# else.
#
# The relative kind has no table of places to draw, since each of its vectors belongs to an
# offset. These vectors need the same care: a vector $c$ added to all of them adds the same
# $q_n \cdot c / \sqrt{d}$ to all logits of query $n$, and softmax does not see it.
#
# :::{exercise} A table that needs no training
# :label: ex-positions-sinusoid
#
# ★★★ · 25 minutes
#
# {cite:t}`vaswani2017` use a fixed table. For $i = 0, 1, \dots, D / 2 - 1$ the vector of
# place $n$ has the elements
#
# $$
# p_{n, 2i} = \sin(\omega_i n), \qquad p_{n, 2i+1} = \cos(\omega_i n), \qquad
# \omega_i = 10000^{-2i/D} .
# $$
#
# 1. Show that $p_n \cdot p_m$ depends on $m - n$ alone. Which patch of the report's grid
#    is then more like a given one: the one to its right, or the one below it?
# 2. Write `sinusoid(num_places, width)`, which returns this table for `num_places` places and
#    $D$ = `width`, an array `(num_places, width)`.
# 3. Build the table for 144 places and $D = 128$. Use the function on rows and columns, too:
#    two tables for 12 places with $D = 64$, put together with `join_tables`. Draw the
#    similarity of patch (5, 5) to all others for both tables.
#
# `checks.check_sinusoid(sinusoid)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# A sine times a sine plus a cosine times a cosine is one of the addition formulas. To compare
# the two patches, draw both cosines for a fast wave and for a slow one.
# :::
#
# ## Why does a flattened head hide the difference?
#
# All models above end in a mean, but the report's model does not. It puts its $N$ tokens side
# by side and feeds the long vector into a `Dense` layer: a {term}`flatten head`. Let $t_n$ be
# the token of patch $n$ after the last block, as a row. The weights of the `Dense` layer fall
# into $N$ blocks, one for each place:
#
# $$
# \text{logits} = \sum_{n=0}^{N-1} t_n W_n + \beta .
# $$ (eq-flatten)
#
# Mean pooling and a `Dense` layer with weights $W$ are the special case in which all
# blocks are the same, $W_n = W / N$. In general each place has weights of its own. If the
# tokens are shuffled, $t_n$ meets other weights, and the logits change. The head knows the
# places, even if nothing else in the model does.

# %%
classes = 100
W = rng.normal(size=(64, classes))
equal_blocks = np.tile(W / 16, (16, 1))  # (N * D, classes)
own_blocks = rng.normal(size=equal_blocks.shape)

flat, flat_shuffled = output.reshape(1, -1), of_shuffled.reshape(1, -1)
pooled = output.mean(axis=1, dtype="float64") @ W
gap = difference(flat @ equal_blocks, pooled)
print(f"equal blocks, difference from a mean: {gap:.3f}")
for name, blocks in (("equal", equal_blocks), ("own", own_blocks)):
    change = difference(flat @ blocks, flat_shuffled @ blocks)
    print(f"{name} blocks: shuffling changes the logits by up to {change:.0f}")

# %% [markdown]
# This is enough to tell the arrangements apart. Attention lets the red token know which blue
# shape there is, and the other way round, without any place. The head then has to compare
# two places. Let the logit of "left of" be the column of the blue shape minus the column of
# the red shape: a sum over the tokens, as {eq}`eq-flatten` allows. Let that of "right of"
# be its negative, and those of "above" and "below" the same with rows. If red is left of
# blue, then the first is positive, the second negative, and the other two are zero. The
# largest names the right arrangement.
#
# So a model without positions *could* leave the ceiling. Does it? We train one with a
# flatten head, for a quarter of the epochs of the others.

# %% tags=["nbval-ignore-output"]
short = replace(recipe, epochs=recipe.epochs // 4)
_, flattened = train_with("none", recipe=short, pooling="flatten")
tell("none, flatten head", flattened)
keras.config.set_dtype_policy("float32")  # a recipe may have changed it

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if (profile, data_set) == ("quick", "shapes"):
    assert 100 * flattened.test["top1"] > 25 + 25

# %% [markdown]
# This model adds no positions to its tokens either, and it passes 25 %. The proof has not
# failed: its last step needs the mean.
#
# The report says that 2-D embeddings gave no significant gain over 1-D ones. This sentence
# comes from {cite:t}`dosovitskiy2021` (section 3.1), and the one ViT that the report prints has
# a 1-D table. The report's model could hardly have tested the sentence. The first layer of
# its head has 18,432 inputs, one for each element of each token. So it has weights for each
# place, and can make up for what the embedding lacks. **A fair comparison of positions needs a
# head that is blind to them.**
#
# :::{exercise} Which models notice?
# :label: ex-positions-notices
#
# ★★ · 12 minutes
#
# None of these six models adds positions to its tokens. Which can give different logits when
# the patches are shuffled?
#
# 1. The blocks, then the mean of the tokens.
# 2. The blocks, then the largest value of each element over the tokens.
# 3. A learned {term}`class token` goes through the blocks together with the patches; the
#    head reads it alone.
# 4. The blocks, then the flattened tokens.
# 5. The tokens are laid out as a grid, and a convolution with a 3 x 3 kernel runs over
#    them. Then come the blocks and the mean.
# 6. The blocks, then one learned query that attends to all tokens.
#
# Write `notices(number)`, which returns `True` or `False` for the model of that number, and
# a reason for each. `checks.check_notices(notices)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# The blocks pass a shuffle on. For each model, look at what comes before and after them: does it
# treat all tokens alike, or does it have weights of its own for some place or neighbour?
# :::
#
# ## What do natural images say?
#
# The embedded data are made to need positions, and photographs are not. A set of patches with
# fur, grass and sky says much about what is shown, wherever each of them was. So we expect
# positions to be worth less there.
#
# One published measurement is by {cite:t}`schh`: a ViT with 6 blocks and 820 thousand
# parameters on CIFAR-100, patches of 4 x 4 pixels, 200 epochs. Its test accuracy is given
# as 53.25 % without positions, 60.87 % with a learned 1-D table and 65.11 % with a relative
# kind that treats rows and columns separately and counts offsets only up to 2. Each is a single
# number without a spread, and the code looks at the test images after every epoch.
# {cite:t}`dosovitskiy2021` (appendix D.4) compare the same four kinds as this chapter, on far
# more data. There all three with positions are close together, the relative kind among them,
# although it counts along the sequence, as ours does.
#
# This course has {term}`recorded <recorded run>` all four kinds on CIFAR-100, in a small model
# with mean pooling, with three {term}`seeds <seed>` each.

# %% mystnb={"figure": {"caption": "Test accuracy on CIFAR-100 of the recorded runs of a small ViT, by the kind of position. Open circles: the seeds. Dot and line: their mean and its 95 % interval.", "name": "fig-recorded-positions"}, "image": {"alt": "Four rows, each with three circles, a dot and a line. The rows 2-D tables and 1-D table lie together, about four points to the right of none. The row relative lies just to the right of none, and their lines overlap."}}
recorded = vitlib.load_runs(vitlib.find_folder("results"), "positions")
small = [run for run in recorded if run.preset == "small-vit"]
names = {run.model["position"]: run.name for run in small}
rows = {names[kind]: WORDS[kind] for kind in ("2d", "1d", "relative", "none")}

fig, ax = plt.subplots(figsize=(5.6, 2.4))
plotting.plot_test_accuracies(ax, small, rows)
plt.show()

# %% [markdown]
# How much is each kind worth? The table has the mean gain over "none" with a confidence interval,
# of the same level as those in {numref}`fig-recorded-positions`. Welch's formula allows for the
# spread and the number of seeds on either side.

# %%
from vitlib.records.intervals import welch_interval

top1 = {kind: [] for kind in WORDS}
for run in small:
    top1[run.model["position"]].append(100 * run.test["top1"])
rows = []
for kind in ("2d", "1d", "relative"):
    low, high = welch_interval(top1[kind], top1["none"])
    gain = np.mean(top1[kind]) - np.mean(top1["none"])
    rows.append((WORDS[kind], len(top1[kind]), gain, low, high))
columns = ("position", "seeds", "gain (points)", "from", "to")
Table(columns, tuple(rows))


# %% [markdown]
# **Positions also help on photographs: a table of one or of two dimensions is worth about four
# points.** The study cannot tell these two apart. Our relative kind gains less than a point,
# and 0 lies in its interval, so the gain may be chance. The published one gained more than the
# 1-D table.
#
# At least seven things are different, and these runs cannot separate them.
#
# | | published | here |
# |---|---|---|
# | offsets | rows and columns separately | along the sequence, where the end of a row is next to the start of the next |
# | largest offset | 2; what is farther has the vector of 2 | 63, all that occur |
# | first values of the vectors | standard deviation 1 | 0.02 |
# | vectors of offsets | for the keys, and more for the values | for the keys |
# | blocks | 6 | 3 |
# | answer read from | a class token | the mean of the tokens |
# | epochs | 200 | 8 |
#
# To go on at the rate of the eighth epoch would not have changed these models: it has fallen to
# 0 along its cosine. That says nothing about a recipe with more epochs, whose rate falls later.
#
# Look at the row "none" of {numref}`fig-recorded-positions` as well. A set of patches is enough
# for most of what this model knows.
#
# ## What this chapter does not show
#
# * In this chapter each model was trained once, with one seed. The gap to the ceiling is large
#   enough for that; a ranking of 1-D, 2-D and relative would need several seeds.
# * On natural images we have one small model and a short training. A longer one, or the report's
#   sizes, may order the kinds in another way.
# * The tables were read on 16 patches and on data that only ask for rows and columns.
# * There are more kinds: fixed ones such as the sinusoid of the exercise,
#   offsets in two dimensions, rotations of queries and keys.
# * No image was larger than those of the training. What becomes of a table when the number
#   of patches changes is another question.
#
# ## Key points
#
# * Self-attention is permutation equivariant; with a mean on top, a model without positions
#   reads its patches as a set.
# * 1-D learns a vector for each place, 2-D half a vector for each row and each column, and
#   relative a vector for each offset, in every block.
# * The tables of 1-D and 2-D are as good as free. Only the relative kind costs multiply-adds.
# * A model that reads a set has a ceiling of 25 % on the embedded data. All three kinds
#   of position pass it by far, and the model without positions does not.
# * A ceiling that follows from an argument is a test: a model above the ceiling has got the
#   information from somewhere.
# * A flatten head knows the places. Compare positions with a head that does not.
# * Subtract the mean of a table before you read it: a vector common to all places has no
#   effect of its own.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-positions-undo
# :class: dropdown
# :::
#
# It is $\Pi^\top$. `order` says for each new place which old place its token comes from; the
# inverse says for each old place where its token is now. Sorting the places by `order`
# gives just that.

# %% tags=["solution"]
def undo(order):
    """Returns the inverse of a permutation, both arrays of N integers."""
    return np.argsort(order)


# %% tags=["check"]
checks.check_undo(undo)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-encode
# :class: dropdown
# :::
#
# First the projection, then the positions. The other way round,
# $(x_n + t_n) W = x_n W + t_n W$: each place still gets a vector of its own, so the model
# could tell the places apart. But the vectors would be tied to the weights of the projection,
# and change with them.

# %% tags=["solution"]
def encode(patches, kernel, bias, table):
    """Takes patches `(B, N, P * P * C)`, returns tokens `(B, N, D)`."""
    return patches @ kernel + bias + table


# %% tags=["check"]
checks.check_encode(encode)

# %% [markdown]
# The layers of `vitlib` say the same.

# %%
dense, positions = keras.layers.Dense(64), vitlib.PositionEmbedding1D()
pixels = patches / 255  # (1, 16, 192)
tokens = positions(dense(pixels))
learned = ops.convert_to_numpy(positions.table)
ours = encode(pixels, *dense.get_weights(), learned)
print(f"difference of the tokens: {difference(tokens, ours):.4f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-count
# :class: dropdown
# :::
#
# There are $16 \cdot 16 = 256$ patches. 1-D takes $256 \cdot 128 = 32{,}768$ parameters,
# 2-D takes $(16 + 16) \cdot 64 = 2{,}048$, relative takes
# $10 \cdot 511 \cdot 128 = 654{,}080$. The patches are $256 / 144 = 1.78$ times as many. 1-D
# grows by this factor, and relative by nearly the same, as $2 N - 1$ is nearly $2 N$. 2-D
# grows like the side of the grid, by $16 / 12 = 1.33$. The lengths $D$ and $d$ and the
# number of blocks drop out of each factor. We can also ask the layers themselves.

# %% tags=["solution"]
def growth(side, larger):
    """Takes the sides of two grids; returns factors (1-D, 2-D, relative)."""
    patches, more = side**2, larger**2
    return more / patches, larger / side, (2 * more - 1) / (2 * patches - 1)


# %% tags=["check"]
checks.check_growth(growth)

# %%
print("1-D {:.3f}, 2-D {:.3f}, relative {:.3f}".format(*growth(12, 16)))

# %%
one = vitlib.PositionEmbedding1D()
two = vitlib.PositionEmbedding2D(grid_size=(16, 16))
attention = vitlib.RelativeSelfAttention(num_heads=8, key_dim=128)
for layer in (one, two, attention):
    layer.build((None, 256, 128))
print(f"1-D: {one.count_params():,}   2-D: {two.count_params():,}")
print(f"relative: {10 * np.prod(attention.offset_embedding.shape):,}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-wrap
# :class: dropdown
# :::
#
# 1. A step of $a$ rows down and $b$ columns to the right has the offset $12 a + b$, and
#    $b$ is between -11 and 11. The offset 1 is the step (0, 1) or the step (1, -11). The
#    offset 12 is the step (1, 0) alone: with $a = 0$ or $a = 2$, $b$ would have to be 12 or
#    -12, and the grid is not so wide. So "directly above" and "directly below" are never
#    mixed up with anything.
# 2. There are $23 \cdot 23 = 529$ steps, and $2 \cdot 144 - 1 = 287$ offsets.
# 3. Yes. Seen from the red shape, the blue one is 1, 2 or 3 places ahead when red is
#    left of it, and 4, 8 or 12 places ahead when red is above it. With a minus sign, the
#    same holds for the other two. No offset occurs in two arrangements. The other steps
#    with these offsets, such as one row down and three columns to the left, do not occur
#    between the two shapes.

# %% tags=["solution"]
def steps_of(offset, rows, columns):
    """Takes an offset along the sequence; returns pairs (down, right)."""
    steps = [(a, offset - columns * a) for a in range(1 - rows, rows)]
    return [(a, b) for a, b in steps if abs(b) < columns]


# %% tags=["check"]
checks.check_steps_of(steps_of)

# %%
for offset in (1, 12):
    print(f"{offset}: {steps_of(offset, rows=12, columns=12)}")

# %%
number = shapes.PLACES @ [4, 1]  # (arrangement, choice, shape)
ahead = number[..., 1] - number[..., 0]  # from red to blue
for arrangement, steps in zip(shapes.ARRANGEMENTS, ahead, strict=True):
    print(f"{arrangement}: {np.unique(steps)}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-grid
# :class: dropdown
# :::
#
# Rows and columns are counted separately. Two numbers become one as row and column do in
# $n = C r + c$: multiply the first by the number of values of the second, then add the
# second. The report's grid needs $23 \cdot 23 = 529$ vectors, one for each step. Separate
# tables for rows and columns need $23 + 23 = 46$. They cannot give a step a value that is
# not a sum of its two parts.

# %% tags=["solution"]
def grid_offsets(rows, columns):
    """Numbers the step from each patch to each other one: `(N, N)`."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    down = row - row[:, None] + rows - 1
    right = column - column[:, None] + columns - 1
    return (2 * columns - 1) * down + right


# %% tags=["check"]
checks.check_grid_offsets(grid_offsets)

# %%
steps = grid_offsets(12, 12)
print("vectors:", len(np.unique(steps)), "  largest index:", steps.max())
print("right neighbour:", steps[0, 1], "  next row, far left:", steps[11, 12])


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-ceiling
# :class: dropdown
# :::
#
# 1. No. A tile is then four patches that move together. The set of patches still has the
#    same distribution under all arrangements.
# 2. Yes. Such a patch holds 2 x 2 tiles. If both shapes lie in one patch, the patch shows how
#    they are arranged. The set of large patches is *not* the same after the moves of
#    {numref}`fig-four`.
# 3. No. The class token is the same for every image. It looks at the others by attention,
#    and so at a set.
# 4. No. The largest of $N$ values does not depend on their order, just like their mean.
# 5. Yes. Its windows reach over the borders of tiles, so that a patch knows something of its
#    neighbours. And the zeros that the convolution sets around the image mark where it ends.

# %% tags=["solution"]
def can_pass(change):
    """Takes the number of a change, 1 to 5; returns True or False."""
    return change in (2, 5)


# %% tags=["check"]
checks.check_can_pass(can_pass)

# %% [markdown]
# Three of the changes can be tested without any training. A model that reads a set of tiles
# must give the four pictures of {numref}`fig-four` the same logits.

# %%
changes = {
    "patches of 4 x 4": {"patch_size": 4},
    "patches of 16 x 16": {"patch_size": 16},
    "convolution": {"stem_filters": (16,), "patch_size": 4},
}
for name, change in changes.items():
    config = replace(vitlib.TINY_VIT, position="none", **change)
    logits = vitlib.build_vit(config)(four / 255)
    gap = difference(logits, logits[:1])
    print(f"{name}: the logits differ by up to {gap:.2f}")


# %% [markdown]
# There is one more way past 25 %, without any change of the model: the accuracy on *training*
# images has no such ceiling. The noise makes each set of tiles different from all others, so a
# model can learn the training images by heart.

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-sinusoid
# :class: dropdown
# :::
#
# 1. Each pair of elements gives
#
#    $$
#    \sin(\omega_i n) \sin(\omega_i m) + \cos(\omega_i n) \cos(\omega_i m)
#    = \cos(\omega_i (m - n)) .
#    $$
#
#    The sum over $i$ depends on $m - n$ alone. The patch to the right has $m - n = 1$, the
#    one below has $m - n = 12$. All vectors are equally long, so the patch to the right is the
#    more similar one if $\sum_i \cos \omega_i > \sum_i \cos 12 \omega_i$. Term by term this
#    is not so: the fast waves have turned about once or twice within 12 places, and three of
#    the 64 terms are larger for the patch below. Most waves are slow, with
#    $12 \omega_i < \pi$, and their cosine falls. So the sum has to be computed.
# 2. The waves are the columns; the sine and the cosine of a wave take turns.
# 3. In the joined table, the patch below is as similar as the one to the right.

# %% tags=["solution"]
def sinusoid(num_places, width):
    """Makes the fixed table of Vaswani et al., `(num_places, width)`."""
    omega = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(num_places)[:, None] * omega
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return waves.reshape(num_places, width)


# %% tags=["check"]
checks.check_sinusoid(sinusoid)

# %%
omega = 10000.0 ** (-np.arange(0, 128, 2) / 128)
sums = [np.cos(omega * offset).sum() for offset in (1, 12)]
print("sum of the cosines: right {:.1f}, below {:.1f}".format(*sums))
larger = np.cos(omega) < np.cos(12 * omega)
print(f"larger for below: {larger.sum()} of {len(omega)} terms")

# %%
joined = join_tables(sinusoid(12, 64), sinusoid(12, 64))
fixed = {"sequence": sinusoid(144, 128), "rows and columns": joined}
for name, table in fixed.items():
    similarity = introspect.position_similarity(table, (12, 12))[5, 5]
    right, below = similarity[5, 6], similarity[6, 5]
    print(f"{name}: right {right:.2f}, below {below:.2f}")

# %% mystnb={"figure": {"caption": "Cosine similarity of patch (5, 5) to all patches of a 12 x 12 grid, for fixed tables. Left: one sinusoid along the sequence. Right: one for the rows and one for the columns.", "name": "fig-sinusoid"}, "image": {"alt": "Two maps of 12 by 12 cells. Left, under the word sequence, a bright horizontal band through the sixth row, and darker rows above and below. Right, under rows and columns, a bright spot around the cell in the sixth row and sixth column that fades, slowest along its row and its column."}}
fig, axes = plt.subplots(1, 2, figsize=(6, 2.6))
for ax, (name, table) in zip(axes, fixed.items(), strict=True):
    similarity = introspect.position_similarity(table, (12, 12))[5, 5]
    pictures.show_image(ax, similarity)
    ax.set_xlabel(name)
    ax.get_images()[0].set(cmap="cividis", clim=(0.4, 1))
fig.colorbar(ax.get_images()[0], ax=axes, label="cosine similarity")
plt.show()


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-positions-notices
# :class: dropdown
# :::
#
# A sum and a maximum do not depend on the order of what they are taken over. A query, be it
# that of a class token or a learned one, compares itself with each key and adds up the values,
# each times its weight: if the tokens are shuffled, keys, weights and values move together, and
# the sum stays. The flattened tokens meet other weights at each place. A convolution gives the
# neighbour on the left other weights than the one on the right, so that its outputs say what
# stood next to what.

# %% tags=["solution"]
def notices(number):
    """Says whether model `number`, 1 to 6, can notice shuffled patches."""
    return number in (4, 5)


# %% tags=["check"]
checks.check_notices(notices)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# The Transformer and the fixed table are by {cite:t}`vaswani2017`; the learned 1-D table for
# images, its maps and the comparison with 2-D and relative kinds are in
# {cite:t}`dosovitskiy2021`, section 3.1, figure 7 and appendix D.4. Vectors for offsets were
# introduced by {cite:t}`shaw2018`, and brought to two dimensions by {cite:t}`bello2019`. The
# measurement on CIFAR-100 is by {cite:t}`schh`. Full entries are in the
# [references](#sec-references).
