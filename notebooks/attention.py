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
# (sec-attention)=
# # What an attention map shows, and what it does not
#
# A map of attention over an image is quickly drawn, and it looks like an explanation: the
# model looked *there*. This chapter draws such maps, turns them into numbers, and then puts
# each of them to a test. What does an untrained model show? Does the answer change when
# a patch is taken away?
#
# :::{admonition} Before you start
# **You will learn to**
#
# * compute an attention map by hand, from the weights of a layer;
# * measure where a model looks, how far, and through several blocks;
# * test by intervention whether attention tells which patches matter.
#
# **Time:** about 60 minutes to read and run, 100 for all exercises; the cells run in
# about one minute.
#
# **You need:** the chapters [](#sec-patches) and [](#sec-positions), softmax, the product
# of matrices.
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
from vitlib.inspection import introspect, pictures

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## Which model do we look into?
#
# The one that you train now: the {term}`Vision Transformer` of the profile, with a learned
# vector for each place. On the embedded data its task is to name a red and a blue shape
# and how they are arranged.

# %%
preset = vitlib.PROFILE_PRESETS[profile]
config, recipe = preset.model, replace(preset.train, seed=seed)
data = vitlib.load_data_set(data_set)
print("patches:", config.num_patches)
print("blocks:", config.num_layers, "  heads in each:", config.num_heads)


# %% [markdown]
# What a training gives depends, in its last digits, on the processor and on the number of
# threads. This chapter therefore prints most of what it measures on trained models in few
# digits, often rounded down, as "over" so many per cent.

# %%
def over(share, step=10):
    """Rounds a share down to a multiple of `step` per cent, and says so."""
    below = int(np.ceil(100 * share)) - 1  # the last whole number under it
    return f"over {below // step * step} %"


trained = vitlib.build_model(config, recipe)
run = vitlib.train(trained, data, recipe, report=lambda line: None)
print("test top-1:", over(run.test["top1"]))

# %% tags=["remove-cell"]
# What the text says of the outputs, with room to spare; below, too.
is_quick = (profile, data_set) == ("quick", "shapes")
assert not is_quick or run.test["top1"] > 0.9

# %% [markdown]
# The training may have used a short number format. To look inside, we copy the weights into
# a model that computes in float32. Next to it we build the same model with the same
# {term}`seed` once more and do *not* train it; it only takes over how pixels are
# normalised. Much of what we see in the trained model, we then look for in the untrained one.

# %%
exact = replace(recipe, precision="float32")
model, untrained = (vitlib.build_model(config, exact) for _ in range(2))
model.set_weights(trained.get_weights())
untrained.layers[1].set_weights(trained.layers[1].get_weights())
models = {"untrained": untrained, "trained": model}

# %% [markdown]
# We look at images of the {term}`test set`, from which neither model has learned. In the
# cell below, `owner` says to which row of patches a row of pixels belongs; for columns it
# is the same.

# %%
count = 200 if profile == "full" else 500  # images
images = data.test.images[:count].astype("float32")
labels = data.test.labels[:count]
grid, side = config.grid_size, images.shape[1]
owner = np.arange(side) * grid[0] // side
print(images.shape, "(image, row, column, channel)")

# %% [markdown]
# ## What is an attention map?
#
# The chapter [](#sec-patches) writes attention in four lines. For each {term}`query` $q_n$,
# a {term}`softmax` turns its products with the {term}`keys <key>` into weights,
#
# $$
# a_{nm} = \frac{\exp(q_n \cdot k_m / \sqrt{d})}
#               {\sum_{j=1}^{N} \exp(q_n \cdot k_j / \sqrt{d})} ,
# $$ (eq-attention-map)
#
# and the {term}`attention head` hands on $\sum_m a_{nm} v_m$, the mean of the
# {term}`values <value>` with these weights.
#
# That chapter drew three rows of these weights; here we ask what they tell. For a fixed query
# $n$, the numbers $a_{n1}, \dots, a_{nN}$ are not negative and sum to 1, so they are a
# distribution over the patches and can be drawn over the image. That drawing is an
# {term}`attention map`.
#
# Let us compute one for a trained layer, with its weights and NumPy alone. First we need the
# tokens that enter the first attention layer, for one image.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask which axis sums to 1 before the cell shows it. Take a vote. Let
# > somebody say in words what a column is: how much a token is looked *at*, by all.

# %%
attention = next(
    layer for layer in model.layers if isinstance(layer, vitlib.SelfAttention)
)
entrance = keras.Model(model.input, attention.input)
tokens = ops.convert_to_numpy(entrance(images[:1]))
tokens.shape  # (image, token, element)

# %% [markdown]
# The layer keeps its weights as four pairs of a matrix and a bias: for queries, keys,
# values, and the output. The heads lie side by side in the columns.

# %%
wq, bq, wk, bk, wv, bv, wo, bo = attention.get_weights()
head, d = 0, config.key_dim
columns = slice(head * d, (head + 1) * d)
query = tokens[0] @ wq[:, columns] + bq[columns]  # (N, d)
key = tokens[0] @ wk[:, columns] + bk[columns]  # (N, d)
logits = query @ key.T / np.sqrt(d)  # (N, N)
weights = np.exp(logits - logits.max(axis=1, keepdims=True))
weights /= weights.sum(axis=1, keepdims=True)

# %% [markdown]
# Is this what the layer itself uses? We ask the layer, and the function of `vitlib` that
# collects the maps of all blocks.

# %%
_, by_layer = attention(tokens, return_attention_scores=True)
maps = {
    name: introspect.attention_maps(each, images)
    for name, each in models.items()
}
by_vitlib = maps["trained"][0, 0, head]  # block, image, head
for name, each in (("layer", by_layer[0, head]), ("vitlib", by_vitlib)):
    print(f"difference from {name}: {np.abs(weights - each).max():.4f}")
for name, axis in (("row", 1), ("column", 0)):
    sums = weights.sum(axis=axis)
    print(f"sums of a {name}: from {sums.min():.0f} to {sums.max():.0f}")

# %% tags=["remove-cell"]
assert np.abs(weights - by_layer[0, head]).max() < 1e-5
assert np.abs(weights - by_vitlib).max() < 1e-5
assert np.allclose(weights.sum(axis=1), 1)

# %% [markdown]
# The direction matters. A row says where a query looks, and only rows sum to 1. A column
# says how much attention a patch *receives*, and its sum can be anything from 0 to $N$.
#
# `maps` holds every map of both models: for each block, image and head a table of queries
# and keys. {numref}`fig-one-map` shows the table that we computed by hand.

# %% mystnb={"figure": {"caption": "One head, one image. Left: the image and its patches. Middle: the weights, one row for each query, one column for each key; bright is large. Right: one row of this table, drawn over the image; the framed patch is the query, and dark patches get little of its attention.", "name": "fig-one-map"}, "image": {"alt": "Left, an image with a red and a blue shape under a grid. In the middle, a square table of colours that is dark but for one bright column. Right, the image again, dark in most patches and bright in the patch that the framed query looks at."}}
place = (0, 0)  # row and column of the query, which is number 0
fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.4))
pictures.show_image(axes[0], images[0])
pictures.draw_patch_grid(axes[0], (side, side), side / grid[0], "black")
axes[1].imshow(weights)
axes[1].set(xlabel="key", ylabel="query")
axes[1].grid(visible=False)
pictures.show_map(axes[2], images[0], weights[0].reshape(grid), query=place)
plt.show()


# %% [markdown]
# Compare the rows of the table in the middle. Do the queries look at different places, or
# all at the same one?
#
# :::{exercise} Shuffled patches
# :label: ex-attention-shuffle
#
# ★★ · 15 minutes
#
# Shuffle the patches of an image. What happens to the table of weights in the first block
# if the model has no positions? What happens if it has a 1-D table of positions, and you
# shuffle the rows of that table in the same way? Answer by argument, then test the second
# case on our model: `introspect.position_table(model)` reads its table, and
# `add_position.set_weights([table])` of its layer `vitlib.PatchEncoder` writes one.
#
# Write `shuffle_map(weights, order)` for the model without positions: the table of weights
# $(N, N)$ of one head becomes that of the image whose patches were shuffled by
# `patches[order]`. `checks.check_shuffle_map(shuffle_map)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Follow one product $q_n \cdot k_m$ of {eq}`eq-attention-map`. Which two patches does it
# depend on, and where does each of them go?
# :::
#
# ## Where does the trained model look?
#
# A model with $N$ patches has $N$ rows in each table. Which of them should we draw? Ours
# ends in {term}`mean pooling`: the answer is read from the mean over all tokens, so each
# query has the same say. We therefore average each table over its queries. What is left is
# one number for each patch, the share of the attention that it receives; even shares are
# $1 / N$. {numref}`fig-trained-maps` draws the shares of three images.

# %%
def draw_heads(axes, picture, attention, limit=None):
    """Draws an image, and over it the attention `(heads, N)` of each head."""
    pictures.show_image(axes[0], picture).set_xlabel("image")
    shown = zip(axes[1:], attention, strict=False)
    for head, (ax, each) in enumerate(shown, start=1):
        pictures.show_map(ax, picture, each.reshape(grid), limit)
        ax.set_xlabel(f"head {head}")


# %% mystnb={"figure": {"caption": "Attention that the patches receive in the last block of the trained model, for three test images and the first four heads. In each map the brightest patch receives most.", "name": "fig-trained-maps"}, "image": {"alt": "Three rows of five pictures. The first picture of a row is an image with a red and a blue shape. In the other four, one for each head, it is dark except for one or two patches that hold a shape, for some heads the red one and for others the blue one."}}
received = {  # (block, image, head, key)
    name: each.mean(axis=3) for name, each in maps.items()
}
fig, axes = plt.subplots(3, 5, figsize=(6.4, 4.4))
for line, image, each in zip(
    axes, images[:3], received["trained"][-1, :3], strict=True
):
    draw_heads(line, image, each)
plt.show()


# %% [markdown]
# Three pictures are an impression. The embedded data can give us a number, because its
# images come with masks that tell which pixels belong to each shape.

# %%
def mean_by_patch(pixels):
    """Averages the pixels `(B, H, W)` of each patch: `(B, N)`."""
    weights = np.eye(grid[0])[owner]  # (pixel, patch) along one side
    weights /= weights.sum(axis=0)
    means = np.einsum("bij,ir,jc->brc", pixels, weights, weights)
    return means.reshape(len(pixels), -1)


# %%
if data_set == "shapes":
    masks = data.test.masks[:count]
    red, blue = (mean_by_patch(masks[:, shape]) > 0 for shape in (0, 1))
    on_shapes = (red | blue).mean()
    print(f"patches that hold a shape: {100 * on_shapes} %")


# %% [markdown]
# A model that looks everywhere equally spends this share on the shapes. What do ours spend?
# {numref}`fig-pointing` shows it for each head, split into the red and the blue shape.

# %%
def share_on(received, patches):
    """Averages, over the images, the attention on some patches: all heads."""
    share = (received * patches[None, :, None]).sum(axis=-1)
    return share.mean(axis=1).ravel()  # (block * head)


# %% mystnb={"figure": {"caption": "Share of the attention that falls on the patch with the red shape and on the one with the blue shape, for each head; mean over test images of the embedded data and over the queries. Dotted: the share of these patches among all patches.", "name": "fig-pointing"}, "image": {"alt": "Two bar charts with one bar for each of four heads. Left, of the untrained model, all bars are short and end near or somewhat above a dotted line at an eighth. Right, of the trained model, all bars end near 1; some are mostly red, some mostly blue, some mixed."}}
if data_set == "shapes":
    fig, axes = plt.subplots(1, 2, figsize=(6.4, 2.8), sharey=True)
    for ax, each in zip(axes, received.values(), strict=True):
        to_red, to_blue = share_on(each, red), share_on(each, blue)
        heads = np.arange(1, len(to_red) + 1)
        ax.bar(heads, to_red, color="firebrick", label="red shape")
        top = {"bottom": to_red, "color": "steelblue"}
        ax.bar(heads, to_blue, **top, label="blue shape")
        ax.axhline(on_shapes, color="black", linestyle=":")
    axes[0].set(xlabel="head, untrained", ylabel="share of attention")
    axes[1].set(xlabel="head, trained", xticks=heads, ylim=(0, 1))
    axes[0].set_xticks(heads)
    axes[0].legend()
    plt.show()

# %%
if data_set == "shapes":
    share = {n: share_on(each, red | blue) for n, each in received.items()}
    low, high = 100 * share["untrained"].min(), 100 * share["untrained"].max()
    print(f"on the shapes, untrained heads: {low:.0f} to {high:.0f} %")
    print("mean of the trained heads:", over(share["trained"].mean()))
    for name, shape in (("red", red), ("blue", blue)):
        most = share_on(received["trained"], shape).max()
        print(f"the trained head that is most on {name}: {100 * most:.0f} %")

# %% tags=["remove-cell"]
if is_quick:
    assert share["untrained"].max() < 0.25 and share["trained"].min() > 0.7
    for shape in (red, blue):
        assert share_on(received["trained"], shape).max() > 0.9

# %% [markdown]
# On the embedded data, **training has moved the attention from everywhere to the two
# patches that count**. Nobody told the model where they are: it saw images and labels only.
# The heads have also become different: one looks at the red shape alone, another at the blue
# one.
#
# ## How far does a head look?
#
# A {term}`convolution` looks at neighbours; attention is free to look anywhere. To see what
# a head does with this freedom, we measure distances. Let $r_n$ be the centre of patch
# $n$, in pixels. The {term}`mean attention distance` of a head is
#
# $$
# \bar\delta = \frac{1}{N} \sum_{n=1}^{N} \sum_{m=1}^{N} a_{nm} \, \lVert r_n - r_m \rVert ,
# $$ (eq-attention-distance)
#
# averaged over images {cite:p}`dosovitskiy2021`. A head whose queries look at themselves
# has distance 0. A head that looks everywhere equally, $a_{nm} = 1/N$, has the mean of all
# distances between two patches. We work out this second value with a ruler, for the grid of
# our model.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** The mean hides two cases: a head that looks everywhere, and one that
# > looks at two places, near and far. Let the class draw both. In the exercise the edge is
# > where it goes wrong: what lies to the left of the first column?

# %%
ruler = introspect.patch_distances(grid, config.patch_size)  # (N, N), pixels
print(f"even attention: {ruler.mean():.2f} pixels")
distance = {
    name: introspect.mean_attention_distance(each, grid, config.patch_size)
    for name, each in maps.items()
}
for name, each in distance.items():
    print(f"{name}, mean of the heads: {each.mean():.0f} pixels")

# %% tags=["remove-cell"]
even = np.full((1, 1, 1, *ruler.shape), 1 / config.num_patches)
uniform = introspect.mean_attention_distance(even, grid, config.patch_size)
assert np.isclose(uniform, ruler.mean()).all()
assert 0.7 < ruler.mean(axis=1).min() / ruler.mean() < 0.8
if is_quick:
    for each in distance.values():
        assert np.abs(each - ruler.mean()).max() < 0.5

# %% [markdown]
# On the embedded data this is a surprise. {numref}`fig-pointing` shows that the trained
# heads look at one or two patches, and the untrained ones everywhere, yet their mean
# distances are the same. How can that be?
#
# Take a head that looks at the red shape, whatever the query. Over many images the red
# shape lies on each tile equally often, as the next cell counts. So averaging
# {eq}`eq-attention-distance` over the images is averaging over all pairs of a query and a tile,
# each as often as any other, and that gives the mean of the ruler again.

# %%
of_red = shapes.PLACES[:, :, 0].reshape(-1, 2)  # (arrangement * choice, place)
times = np.unique(of_red, axis=0, return_counts=True)[1]
print("tiles:", len(times))
print("times that red lies on each:", *set(times.tolist()))

# %% [markdown]
# The mean has hidden the difference. The *spread* shows it: we compute a distance for each
# image and each query, and do not average.

# %%
single = {
    name: (each[-1, :, 0] * ruler).sum(axis=-1).ravel()  # last block, head 1
    for name, each in maps.items()
}
for name, each in single.items():
    print(f"{name}: standard deviation {each.std():.0f} pixels")

# %% tags=["remove-cell"]
if is_quick:
    assert single["trained"].std() > 2 * single["untrained"].std()

# %% mystnb={"figure": {"caption": "Left: mean attention distance of each head, in pixels, and of even attention. Right: the same distance for single queries in single images, first head of the last block; the colours are those on the left.", "name": "fig-attention-distance"}, "image": {"alt": "Left, blue and grey dots for four heads, all of them near a dotted line at 16 pixels. Right, two histograms: a single grey hill around 16 pixels, and a wide blue one in separate peaks from 0 to 34 pixels."}}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8))
heads = np.arange(1, distance["trained"].size + 1)
bins = np.linspace(0, ruler.max(), 40)
styles = {"untrained": ("0.5", -0.12), "trained": ("C0", 0.12)}
for name, (color, aside) in styles.items():
    places = heads + aside
    left.plot(places, distance[name].ravel(), "o", color=color, label=name)
    right.hist(single[name], bins, color=color, alpha=0.7, label=name)
left.axhline(ruler.mean(), color="black", linestyle=":", label="even")
left.set(xlabel="head", ylabel="mean distance (pixels)")
left.set(ylim=(0, ruler.max()), xticks=heads)
left.legend(loc="lower right")
right.set(xlabel="distance of a query (pixels)", ylabel="queries")
plt.show()


# %% [markdown]
# {numref}`fig-attention-distance` shows both sides: the same means, and quite different
# single distances. **Two very different behaviours can have the same mean.** A head that always
# looks at the same patch in the middle has between 0.7 and 0.8 of the even distance, depending
# on the grid: it is `ruler.mean(axis=1).min() / ruler.mean()`. Only a distance well *below* that
# says that the head is local and looks near the query.
#
# In large trained models some heads are local. {cite:t}`dosovitskiy2021` find heads with
# small and heads with large distances side by side in the lowest blocks, and
# {cite:t}`raghu2021` find that heads there become local only when there is enough data to
# train on. Our task gives no head a reason to be local, since the two shapes can be one,
# two or three patches apart.
#
# :::{exercise} A head that looks left
# :label: ex-attention-left
#
# ★ · 10 minutes
#
# Write the table of weights of a head that looks at the patch to the left of the query.
# Patches of the first column have none there, and look at themselves. What is its mean
# attention distance on a grid of $G$ columns with patches of $P$ pixels? Derive a formula,
# then compute the value for $G = 4$ and $P = 8$.
#
# Write the table as `left_weights(rows, columns)`, an array $(N, N)$ with a row for each
# query. `checks.check_look_left(left_weights)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Write the table of a grid of 2 x 3 patches on paper. Each row has a single 1: in which
# column, for the queries 0, 1 and 3?
# :::
#
# :::{exercise} Even attention on a finer grid
# :label: ex-attention-uniform
#
# ★★★ · 25 minutes
#
# Let an image of side $S$ be cut into $G \times G$ patches. Show that for even attention,
# the mean distance *along the rows* alone is $\frac{S}{3} \left(1 - \frac{1}{G^2}\right)$.
# The true distance has no such short formula. Compute it for $G$ = 2, 4, 8, 16 and 32, as
# a share of $S$. To which value does it seem to go?
#
# Write the distance along the rows as `row_distance(side, columns)`.
# `checks.check_row_distance(row_distance)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Count first: of the $G^2$ ordered pairs of columns, how many are 0 steps apart, how many
# 1 step, how many $j$? Then sum steps times pairs.
# :::
#
# :::{exercise} Write the ruler
# :label: ex-attention-ruler
#
# ★★ · 15 minutes
#
# Write `mean_distance(weights, columns, patch_size)`, the mean attention distance of one head
# in pixels. `weights` has the shape $(N, N)$, a row for each query; the patches lie on a
# grid of that many columns, row after row.
# `checks.check_mean_distance(mean_distance)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `np.divmod` turns the number of a patch into its row and its column. With these you can
# make a table of distances of the same shape as the weights.
# :::
#
# ## What arrives through several blocks?
#
# With several blocks, the last map no longer tells where the information came from. A
# token of the last block looks at tokens that have looked around themselves before.
# {cite:t}`abnar2020` follow the attention through all blocks. Their
# {term}`attention rollout` needs two ideas.
#
# **Blocks multiply.** If token $n$ takes the share $a_{nm}$ from token $m$, and token
# $m$ took the share $b_{mp}$ from patch $p$, then $n$ has the share
# $\sum_m a_{nm} b_{mp}$ from $p$. This is a product of matrices.
#
# **The {term}`residual connection` keeps the token.** A {term}`Transformer block` begins with
# $x + \text{attention}(\text{norm}(x))$. One half of this sum, so to say, is the token itself.
# In the table of weights, "itself" is the identity $I$.
#
# With $A_\ell$ for the table of block $\ell$, averaged over its heads, the rollout is
#
# $$
# R = \tilde A_L \cdots \tilde A_2 \tilde A_1 ,
# \qquad \tilde A_\ell = \tfrac{1}{2} A_\ell + \tfrac{1}{2} I .
# $$ (eq-rollout)
#
# The code is as short as the formula.

# %%
def rollout(maps):
    """Follows maps `(L, B, heads, N, N)` through all blocks: `(B, N, N)`."""
    identity = result = np.eye(maps.shape[-1])
    for attention in maps.mean(axis=2):
        result = (attention + identity) / 2 @ result
    return result


# %% [markdown]
# We try it where we know the answer. Eight tokens form a row. In each of three blocks,
# every token looks at its left neighbour, and the first one looks at itself.

# %%
look_left = np.eye(8, k=-1)
look_left[0, 0] = 1
chain = np.broadcast_to(look_left, (3, 1, 1, 8, 8))  # three blocks, one head
result = rollout(chain)[0]
print("last token, in eighths:", (8 * result[-1]).astype(int))

# %% tags=["remove-cell"]
assert np.allclose(result, introspect.attention_rollout(chain))

# %% [markdown]
# These are the numbers 1, 3, 3, 1 of Pascal's triangle. Follow a path backwards from the last
# token: in each block it stays or takes one step to the left. Of the eight paths one takes
# no step, three take one, three take two, and one takes three. {numref}`fig-rollout-chain`
# compares this with two simpler ideas.

# %% mystnb={"figure": {"caption": "Eight tokens, three blocks that look left. Left: the map of the last block alone. Middle: the rollout. Right: the product without the identity.", "name": "fig-rollout-chain"}, "image": {"alt": "Three tables of 8 by 8 cells. Left, a bright line one cell below the diagonal. In the middle, a band four cells wide from the diagonal downwards. Right, a bright line three cells below the diagonal, and a bright first column at its upper end."}}
without = np.linalg.matrix_power(look_left, 3)
fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.4))
for ax, table in zip(axes, (look_left, result, without), strict=True):
    ax.imshow(table, vmin=0, vmax=1)
    ax.set(xlabel="patch", ylabel="token")
    ax.grid(visible=False)
plt.show()

# %% [markdown]
# The last map alone says that a token knows only its neighbour. The product without the
# identity says that a token knows only the patch three places away, and has forgotten itself.
# Both are wrong for a network with residual connections.
#
# Now a real model of several blocks. The model of the quick profile has only one, so we let it
# grow, by an idea of {cite:t}`gong2019`: copies of the trained block are put on top until there
# are three, and a few more steps of training teach them to work together. In the list of
# weights, a block takes 16 arrays, and behind the blocks come two for the last norm and two for
# the logits.

# %%
copies = max(0, 3 - config.num_layers)
taller = replace(config, num_layers=config.num_layers + copies)
few = replace(
    exact, epochs=1, steps_per_epoch=60, warmup_epochs=0, learning_rate=2e-3
)
tall = vitlib.build_model(taller, few)
old, tail = model.get_weights(), 4  # arrays behind the blocks
block = old[-tail - 16 : -tail]
tall.set_weights(old[:-tail] + copies * block + old[-tail:])
if copies:
    grown = vitlib.train(tall, data, few, report=lambda line: None)
    print("test top-1:", over(grown.test["top1"]))
tall_maps = introspect.attention_maps(tall, images)
tall_flow = introspect.attention_rollout(tall_maps)  # (image, query, patch)

# %% mystnb={"figure": {"caption": "The last three blocks of a model, and the rollout of all its blocks. Above: the attention that each patch of an image receives, mean over heads and queries. Below: another image, and the attention of the framed query. The maps of a row have one scale.", "name": "fig-rollout"}, "image": {"alt": "Two rows of five pictures: an image with a red and a blue shape, the maps of three blocks, and the rollout. In every map the two shapes stand out, in the third block least, and the rest is dark. In the lower rollout, the framed patch in the corner is lit as well."}}
fig, axes = plt.subplots(2, 5, figsize=(6.4, 3))
names = [f"block {n + 1}" for n in range(len(tall_maps))][-3:]
names = ["image", *names, "rollout"]
for line, i, query_at in zip(axes, (0, 2), (None, place), strict=True):
    shown = [*tall_maps[-3:, i].mean(axis=1), tall_flow[i]]  # (query, key)
    shown = [each[0] if query_at else each.mean(axis=0) for each in shown]
    pictures.show_image(line[0], images[i])
    for ax, each in zip(line[1:], shown, strict=True):
        each = each.reshape(grid)
        pictures.show_map(ax, images[i], each, np.max(shown), query_at)
    for ax, name in zip(line, names, strict=True):
        ax.set_xlabel(name)
plt.show()


# %% [markdown]
# In {numref}`fig-rollout` the rollout is a blend of the maps, and the identity adds a share for
# the query itself: in the lower row its patch is lit, as in no single map.
#
# Rollout is exact for a network in which each block hands on the mean of a token and of
# what it looks at. A real block does more. The two halves need not be of equal length; the
# values are multiplied by matrices, and the {term}`MLP` changes the token again. None of
# this is in {eq}`eq-rollout`.
#
# Rollout counts every block. Is every block needed? We take the attention of one block out, by
# an output matrix and a bias of zero, and measure the accuracy. The cell also prints which
# share of the block's attention falls on the shapes.

# %%
def accuracy_without(model, *blocks):
    """Takes the attention of blocks out; returns the accuracy in per cent."""
    kept = model.get_weights()
    layers = [e for e in model.layers if isinstance(e, vitlib.SelfAttention)]
    for block in blocks:
        weights = layers[block].get_weights()
        silent = [0 * each for each in weights[6:]]  # the output
        layers[block].set_weights(weights[:6] + silent)
    answers = model.predict_on_batch(images).argmax(axis=1)
    model.set_weights(kept)
    return 100 * (answers == labels).mean()


# %%
blocks = range(len(tall_maps))
without_block = [accuracy_without(tall, block) for block in blocks]
without_all = accuracy_without(tall, *blocks)
if data_set == "shapes":
    looks = share_on(tall_maps.mean(axis=(2, 3))[:, :, None], red | blue)
    for block, left in enumerate(without_block):
        here, left = (over(each, 50) for each in (looks[block], left / 100))
        print(f"block {block + 1}: {here} on shapes, top-1 without: {left}")
    print(f"without the attention of all: {round(without_all, -1):.0f} %")

# %% tags=["remove-cell"]
if is_quick:
    assert looks.min() > 0.5 and grown.test["top1"] > 0.9
    assert min(without_block) > 55
    assert without_all < 10

# %% [markdown]
# All three blocks look at the shapes, and the rollout counts all three. Yet whichever single
# block we choose, without its attention most answers are still right. With all attention out
# they are lost. **A map, or a rollout of maps, shows where attention goes. It does not show
# whether that was needed.**
#
# :::{exercise} Rollout without the identity
# :label: ex-attention-rollout
#
# ★★ · 20 minutes
#
# 1. Let eight tokens attend as in the chain above, through 7 blocks. What is the last row
#    of the product without the identity? What is it through 20 blocks?
# 2. Now let each of the eight tokens look half at itself and half at its left neighbour.
#    Compare the product of 3 such blocks without the identity with `rollout(chain)`.
# 3. After very many blocks, which patch does `rollout` name for every token of the chain?
#    Would you believe it?
#
# Write `without_identity(maps)` for maps of the shape (blocks, heads, N, N): the product of
# the blocks' mean maps, with nothing mixed in.
# `checks.check_without_identity(without_identity)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Put a finger on the last token and move it once for each block. Where can it go from
# patch 0? For the second question, compare the table of such a block with $\tilde A$.
# :::
#
# ## What has the first layer learned?
#
# Before any attention, a {term}`projection` turns the pixels of a patch into a token. Each
# element of the token has a filter of $P \times P \times 3$ weights. To see what these
# filters have in common, we put them side by side as columns of a matrix and take its
# singular value decomposition. It finds the pattern of pixels to which all filters together
# respond most, then the next one at a right angle to it, and so on.
# {cite:t}`dosovitskiy2021` (figure 7) look at their model in this way. {numref}`fig-filters`
# shows our patterns.

# %% mystnb={"figure": {"caption": "The eight strongest patterns of the first layer, the strongest on the left. Grey is zero; the sign of a pattern has no meaning.", "name": "fig-filters"}, "image": {"alt": "Two rows of eight small square pictures of coloured pixels. The upper row, untrained, is noise. In the lower row, trained, some of the first ones show coarse blobs, bars or a cross, whose middle and rim have opposite colours, and the last ones are close to noise."}}
filters, shares = {}, {}
for name, each in models.items():
    filters[name], shares[name] = introspect.patch_filters(each, components=8)
fig, axes = plt.subplots(2, 8, figsize=(7.2, 2))
for line, (name, patterns) in zip(axes, filters.items(), strict=True):
    for ax, pattern in zip(line, patterns, strict=True):
        scaled = 127.5 * (1 + pattern / np.abs(pattern).max())
        pictures.show_image(ax, scaled)
    line[0].set_ylabel(name)
plt.show()


# %% [markdown]
# How large a part of all squared weights belongs to the first five patterns? The untrained
# layer shows how large it would be by chance. And are the patterns as smooth as they look?
# Smooth means that pixels side by side are alike, which can be measured as the correlation of
# each pixel with the one to its right.

# %%
def smoothness(patterns):
    """Correlates pixels with their right neighbours, `(k, P, P, C)`."""
    left, right = patterns[:, :, :-1].ravel(), patterns[:, :, 1:].ravel()
    return np.corrcoef(left, right)[0, 1]


five = {name: share[:5].sum() for name, share in shares.items()}
ratio = five["trained"] / five["untrained"]
print(f"share of the first five, untrained: {100 * five['untrained']:.0f} %")
print(f"trained: {ratio:.0f} times as much")
smooth = {name: smoothness(each[:5]) for name, each in filters.items()}
print(f"correlation of neighbours, untrained: {smooth['untrained']:.2f}")
print(f"trained: over {int(10 * smooth['trained']) / 10}")

# %% tags=["remove-cell"]
if is_quick:
    assert ratio > 1.7 and smooth["trained"] > 0.17 > abs(smooth["untrained"])

# %% [markdown]
# On the embedded data, training has given the first patterns a larger part of the weights, and
# these patterns are smoother than noise. In some of them the middle and the rim have opposite
# colours. A model that has to tell a red shape from a blue one could use such patterns, but that
# is our reading of a picture, not a measurement.
#
# ## Does an untrained model show maps, too?
#
# Each map of {numref}`fig-trained-maps` had a scale of its own: its brightest patch
# received most, however little that was. {numref}`fig-untrained-maps` shows the maps of the
# *untrained* model, drawn in two ways.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Show the first row of {numref}`fig-trained-maps` and the upper row of the
# > next figure, captions covered: which model was trained? The vote is the argument; the numbers
# > below only repeat it.

# %% mystnb={"figure": {"caption": "The untrained model, one test image, twice the same numbers. Above: each map is drawn on its own scale. Below: all maps on one scale, on which a patch that receives all the attention is fully bright.", "name": "fig-untrained-maps"}, "image": {"alt": "Two rows of five pictures. The first picture of each row is the image. In the upper row the four maps have bright and dark patches, and some single out a shape. In the lower row the four maps are dark, and only the same few patches are a little less so."}}
fig, axes = plt.subplots(2, 5, figsize=(6.4, 3))
for line, limit in zip(axes, (None, 1), strict=True):
    draw_heads(line, images[0], received["untrained"][-1, 0], limit)
plt.show()

# %% [markdown]
# Above, we could tell stories about what each head is after. Below, little of them is left:
# the untrained model spreads its attention over many patches, and a scale of its own has
# blown up what differences there are. **A map without a scale is half a map.** In numbers,
# how much does the brightest patch of a map receive, on average? And how often does the patch
# that receives most, all heads taken together, hold a shape?

# %%
first = {n: each[-1].max(axis=-1).mean() for n, each in received.items()}
for name, each in first.items():
    print(f"{name}: the brightest patch receives {each:.1f}")
print(f"an even share is {1 / config.num_patches:.2f}")
if data_set == "shapes":
    brightest = received["untrained"][-1].mean(axis=1).argmax(axis=-1)
    often = (red | blue)[np.arange(count), brightest].mean()
    print(f"untrained: the brightest holds a shape in {100 * often:.0f} %")

# %% tags=["remove-cell"]
if is_quick:
    assert first["untrained"] < 0.2 and first["trained"] > 0.7
    assert 0.55 < often < 0.7


# %% [markdown]
# The untrained model points at a shape five times as often as chance, which is right in one
# image out of eight. It need not know what a shape is. A likely reason is that patches with
# shapes have unusual colours, hence unusual tokens and keys, and some heads happen to give
# such keys more weight. **A map of a trained model needs the map of an untrained one next to
# it.**
#
# ## Does attention tell which patches matter?
#
# To *receive attention* and to *matter for the answer* are two things. The second can be
# tested: take patches away, and see whether the model still gives the right answer. A
# patch is taken away by painting it over with the median colour of its image, which is
# nearly the background.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Curves first, on paper: accuracy against the number of patches
# > erased, for most attention, least attention, and a random choice. Then the figure. Ask what
# > a curve below the random one would mean, and whether erasing makes images that the model has
# > never seen.

# %%
def erase(pictures, chosen, color=None):
    """Paints over the chosen patches, `(B, N)`, by default with the median."""
    if color is None:
        color = np.median(pictures, axis=(1, 2), keepdims=True)
    chosen = chosen.reshape(-1, *grid)[:, owner][:, :, owner]  # (B, H, W)
    return np.where(chosen[..., None], color, pictures).astype("float32")


def top1(pictures):
    """Measures the trained model on changed pictures, in per cent."""
    answers = model.predict_on_batch(pictures).argmax(axis=1)
    return 100 * (answers == labels).mean()


# %% [markdown]
# In which order do we take them? We rank the patches of each image in five ways:
#
# * by the attention that they receive in the trained model, largest first;
# * the same, smallest first;
# * by the attention of the *untrained* model, largest first;
# * by contrast, largest first: how far the pixels of a patch are from the median colour. This
#   needs no network at all;
# * at random.
#
# Attention means the rollout here, averaged over the queries. With one block it ranks like the
# map itself: each patch is the query once, so that the identity adds the same to each.
# {numref}`fig-erase` shows what is left of the accuracy.

# %%
def rank(score):
    """Gives each patch its place, 0 for the largest score of the image."""
    order = np.argsort(-score, axis=1, kind="stable")
    return np.argsort(order, axis=1)


flows = {
    name: introspect.attention_rollout(each).mean(axis=1)
    for name, each in maps.items()
}

# %%
median = np.median(images, axis=(1, 2), keepdims=True)
contrast = mean_by_patch(np.abs(images - median).mean(axis=-1))
chance = np.random.default_rng(seed).random(contrast.shape)
ranks = {
    "most attention": rank(flows["trained"]),
    "most contrast": rank(contrast),
    "most attention, untrained": rank(flows["untrained"]),
    "random": rank(chance),
    "least attention": rank(-flows["trained"]),
}

# %%
steps = np.linspace(0, config.num_patches, 9).astype(int)
curves = {
    name: [top1(erase(images, places < step)) for step in steps]
    for name, places in ranks.items()
}

# %% mystnb={"figure": {"caption": "Accuracy of the trained model on test images from which patches were taken away, in five orders. A curve that falls early belongs to an order that begins with patches that matter.", "name": "fig-erase"}, "image": {"alt": "Accuracy in per cent against the number of patches taken away, from 0 to 16. The curves of most attention and most contrast fall to almost zero at the first step. The one of the untrained model falls to about a quarter there. The random one falls slowly. The one of least attention stays at the top until the last step."}}
marks = {
    "most contrast": ("^-", "C2", 6),
    "most attention": ("o-", "C0", 2),
    "most attention, untrained": ("s-", "0.5", 2),
    "random": (":", "black", 2),
    "least attention": ("o--", "C0", 2),
}
fig, ax = plt.subplots()
for name, (mark, color, width) in marks.items():
    look = {"color": color, "linewidth": width, "label": name}
    ax.plot(steps, curves[name], mark, **look)
ax.set(xlabel="patches taken away", ylabel="test top-1 (%)", xticks=steps)
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
plt.show()

# %% [markdown]
# On the embedded data this is as clear as a result can be. Without the two patches of most
# attention the model is lost; without twelve of least attention it does not even notice.
# Is attention an explanation after all? Before we answer, we paint the single patch of
# *least* attention in another colour: white, or black. The table has the numbers.

# %% tags=["nbval-ignore-output"]
least = ranks["least attention"] < 1
white, black = (erase(images, least, color) for color in (255.0, 0.0))
rows = [("nothing", 0, top1(images))]
for patches, names in ((2, ranks), (12, ["least attention"])):
    for name in names:
        left = top1(erase(images, ranks[name] < patches))
        rows.append((name, patches, left))
rows.append(("least attention, painted white", 1, top1(white)))
rows.append(("least attention, painted black", 1, top1(black)))
Table(("taken away", "patches", "test top-1 (%)"), tuple(rows))

# %% tags=["remove-cell"]
if is_quick:
    left = {(name, patches): accuracy for name, patches, accuracy in rows}
    full = left["nothing", 0]
    assert left["most attention", 2] < 10 and left["most contrast", 2] < 10
    assert left["most attention, untrained", 2] > 10 > left["most contrast", 2]
    assert (
        left["random", 2] > 60
        and full - 40 > left["most attention, untrained", 2]
    )
    assert left["least attention", 12] > 90
    assert full - left["least attention, painted white", 1] < 5
    assert full - left["least attention, painted black", 1] > 40

# %% [markdown]
# **Other rankings find these patches, too.** Contrast, which has never seen a label, does as
# well as the attention of the trained model. The attention of a model that knows nothing does
# less well, but far better than chance. A curve that falls early shows that a ranking begins
# with patches that matter, and in these images those are the conspicuous patches. It does not
# show that the ranking knows *why* the model decides as it does.
#
# **The colour that we paint matters, too.** White on the patch of least attention changes
# almost nothing, and black ruins most answers. How much attention does this place receive in
# the images with black, and how much did it receive before?

# %%
darkened = introspect.attention_maps(model, black)[-1].mean(axis=(1, 2))
before = received["trained"][-1].mean(axis=1)[least].mean()
after = darkened[least].mean()
print(f"attention here, before: {before:.1f}, black: {over(after, 50)}")

# %% tags=["remove-cell"]
assert not is_quick or (before < 0.01 and after > 0.5)


# %% [markdown]
# The patch was ignored because of what it showed: black at the same place is looked at. **An
# attention map belongs to one image**: it says where the model looked, not where it would look
# in another image. A question such as "does this patch matter?" always needs
# a second half: compared with what?
#
# On the page [](#sec-explorer) you can do both to a single image:
# [mask each patch](#explorer-step-7), and [paint the one of least attention
# black](#explorer-step-8).
#
# :::{exercise} Which head matters?
# :label: ex-attention-heads
#
# ★★ · 15 minutes
#
# In {numref}`fig-pointing` all heads of the trained model have one thing in common: nearly all
# of their attention falls on the shapes. Do they matter alike? Take one head away and measure
# the accuracy. A head speaks through its rows of the output matrix `wo`, so that setting
# these rows to zero silences it. Put the weights back afterwards.
#
# In our layers the matrix has the shape (heads * key_dim, D), the rows of the first head
# first. Write `silence(weights, head, key_dim)`, which returns a copy of it without one head.
# `checks.check_silence(silence)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `accuracy_without` above silences whole blocks: which weights of a layer does it change,
# and how does it put them back? For a single head, change only some rows.
# :::
#
# ## Can a token get all the attention and have no influence?
#
# Attention is only a weight. What a token hands on is the weight *times its value*
# {cite:p}`kobayashi2020`. If the value is zero, so is the product.
#
# Here is a head made by hand, for tokens of three elements. A key is 30 times the first
# element, and every query is 1. A value is the second element. Nobody reads the third.

# %%
def by_hand(tokens):
    """One head: returns its weights and what it hands on."""
    logits = np.ones((len(tokens), 1)) * 30 * tokens[:, 0]
    weights = ops.convert_to_numpy(ops.softmax(logits))
    return weights, weights @ tokens[:, 1]


four = np.array([[1, 0, 5], [0, 2, 6], [0, 3, 7], [0, 4, 8]], "float32")
weights, output = by_hand(four)
print("weights of a query:", weights[0].round(3))
print("output of all four:", output.round(3))

# %% [markdown]
# The first token gets all the attention. What does it say? We let it say something else in
# its third element, and then take it away.

# %%
changed = four.copy()
changed[0, 2] = -1000
print("changed:", by_hand(changed)[1].round(3))
print("taken away:", by_hand(four[1:])[1].round(3))

# %% [markdown]
# Nothing of what it holds is in the output, since its value is zero. Its *presence* does have
# an influence: it draws the attention away from the others and so switches the head off. A map
# shows a bright patch whatever the value is.
#
# A whole block can attend and have no influence. We give the trained model one more block on
# top, with random weights. Its queries and keys are made large, so that it looks at few patches.
# But the output matrix of its attention is zero, and so is the last matrix of its MLP.
# Only the {term}`residual connection` is left. Of the block's 16 arrays, two each belong to
# a norm, the queries, the keys, the values, the output, a second norm and two dense layers.

# %%
idle = vitlib.build_model(
    replace(config, num_layers=config.num_layers + 1), exact
)
block = idle.get_weights()[-tail - 16 : -tail]
block[2], block[4] = 20 * block[2], 20 * block[4]  # queries and keys
block[8], block[14] = 0 * block[8], 0 * block[14]  # outputs
idle.set_weights(old[:-tail] + block + old[-tail:])

# %%
answers = [each.predict_on_batch(images) for each in (model, idle)]
print(f"the logits change by up to {np.abs(np.subtract(*answers)).max():.3f}")
idle_maps = introspect.attention_maps(idle, images)
idle_flow = introspect.attention_rollout(idle_maps).mean(axis=1)
sharp = idle_maps[-1].max(axis=-1).mean()  # over images, heads and queries
print(f"the patch that a query looks at most gets {sharp:.1f}")
moved = np.abs(idle_flow - flows["trained"]).sum(axis=1).mean() / 2
print(f"part of the rollout that moves: {moved:.1f}")

# %% tags=["remove-cell"]
assert np.allclose(*answers, atol=1e-4)
assert not is_quick or (sharp > 0.5 and moved > 0.1)

# %% mystnb={"figure": {"caption": "A block that does nothing. Left: a test image. Then the rollout of the trained model, the map of the idle block put on top of it (mean over its heads), and the rollout of both; each is a mean over the queries and has a scale of its own. The two models give the same answer to every image.", "name": "fig-idle"}, "image": {"alt": "Four pictures of one image. In the second, the patches of the red and the blue shape are bright. In the third, the red shape is dark, and patches without a shape are bright. In the fourth, the brightness is a mixture of the two."}}
shown = flows["trained"], idle_maps[-1].mean(axis=(1, 2)), idle_flow
names = "image", "rollout", "idle block", "rollout with it"
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.2))
pictures.show_image(axes[0], images[0])
for ax, each in zip(axes[1:], shown, strict=True):
    pictures.show_map(ax, images[0], each[0].reshape(grid))
for ax, name in zip(axes, names, strict=True):
    ax.set_xlabel(name)
plt.show()


# %% [markdown]
# A query looks hard at a single patch, as the second printed line says, yet the block **has no
# influence on any {term}`logit`**. {numref}`fig-idle` shows the mean of its maps over heads and
# queries. It is a true map of its attention, and says nothing about the answer. Rollout, which
# believes every map, has changed: the last printed line is the part of its weight that has moved
# to other patches.
#
# ## What do others say?
#
# The question is older than the Vision Transformer. For text, {cite:t}`jain2019` found
# attention weights that often do not agree with gradients as a measure of importance, and
# very different attention that gives the same prediction. They called their paper
# "Attention is not Explanation". {cite:t}`wiegreffe2019` answered with "Attention is not
# not Explanation": it depends on what is meant by an explanation, and the test has to
# take the whole model into account, not the attention alone.
#
# {cite:t}`abnar2020` compare rollout with the effect of taking tokens away, as we did,
# and find that it agrees better than the attention of single blocks.
# {cite:t}`darcet2024` found trained Vision Transformers in which some tokens of the
# background, where there is little to see, have become very long and disturb the maps: the
# model uses their place for something else. In such a model, a bright patch does not mean
# that something is to be seen there.
#
# ## What this chapter does not show
#
# * One small model, trained once, on images made for it: two patches hold everything that
#   matters, and have conspicuous colours. Its maps may be clear for this reason alone. Natural
#   images seldom have such patches, and nobody knows which of their pixels count.
# * The model of three blocks was grown from one and trained for a few steps. Blocks that
#   learn together from the start may share their work in another way.
# * On CIFAR-100 there are no masks. There the chapter shows maps and curves, and makes no
#   claim about them.
# * We averaged over the queries because the model ends in a mean. In a model with a
#   {term}`class token`, the row of that token is the one to look at.
# * Images without some patches are unlike all that the model has seen. Part of the lost
#   accuracy may come from that.
# * There are other ways to ask what matters, among them gradients. This chapter does not
#   compare them.
#
# ## Key points
#
# * An attention map is a distribution over the patches, one for each query, head, block and
#   image. It takes the tokens, two matrices and a softmax to compute it.
# * On the embedded data, training moves nearly all attention to the two shapes.
# * A mean distance can hide what a head does: looking everywhere, and looking at one patch
#   that may be anywhere, have the same mean.
# * Rollout multiplies the maps of all blocks, with the identity for the residual
#   connection. It believes every map, even that of a block without influence.
# * Give maps a common scale, and show an untrained model beside the trained one.
# * Whether a patch matters is a question for an intervention, and an intervention needs an
#   answer to "compared with what?".
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-attention-shuffle
# :class: dropdown
# :::
#
# Without positions, the tokens of the shuffled image are the old tokens in a new order. So
# are queries and keys. The product of query $n$ and key $m$ depends on these two only, and
# the sum over all keys is the same in any order. So the table is the old one with its rows
# *and* its columns shuffled. With a 1-D table the place adds something to each token, and the
# weights change. If the table of positions is shuffled like the patches, each patch keeps its
# own vector, and the table of weights is shuffled as in the first case.

# %% tags=["solution"]
def shuffle_map(weights, order):
    """Takes weights (N, N) and a permutation; returns weights (N, N)."""
    return weights[order][:, order]


# %% tags=["check"]
checks.check_shuffle_map(shuffle_map)

# %%
encoder = next(e for e in model.layers if isinstance(e, vitlib.PatchEncoder))
norm = next(
    layer
    for layer in model.layers
    if isinstance(layer, keras.layers.LayerNormalization)
)


def first_map(patches):
    """Computes the weights of the first block, from patches."""
    x = norm(encoder(patches))
    return attention(x, return_attention_scores=True)[1][0]


# %%
patches = keras.Model(model.input, encoder.input)(images[:1])
order = np.random.default_rng(seed).permutation(config.num_patches)
mixed = ops.take(patches, order, axis=1)
expected = np.array(first_map(patches))[:, order][:, :, order]
table = introspect.position_table(model)
for name, rows in (("old", table), ("shuffled", table[order])):
    encoder.add_position.set_weights([rows])
    gap = np.abs(first_map(mixed) - expected).max()
    gap = "more than 0.1" if gap > 0.1 else f"at most {gap:.4f}"
    print(f"{name} positions: a weight differs by {gap}")
encoder.add_position.set_weights([table])


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-left
# :class: dropdown
# :::
#
# In each row of the grid, $G - 1$ queries look one patch to the left, which is $P$ pixels
# away, and one looks at itself. The mean is $P \, (G - 1) / G$. For $G = 4$ and $P = 8$ this
# is 6 pixels, far below even attention: a local head.

# %% tags=["solution"]
def left_weights(rows, columns):
    """Takes the sides of a grid; returns the weights (N, N) of a head."""
    places = np.arange(rows * columns)
    keys = np.where(places % columns > 0, places - 1, places)
    return np.eye(rows * columns)[keys]


# %% tags=["check"]
checks.check_look_left(left_weights)

# %%
leftward = left_weights(4, 4)[None, None, None]  # block, image, head
print(introspect.mean_attention_distance(leftward, (4, 4), patch_size=8))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-uniform
# :class: dropdown
# :::
#
# Along a row, two patches are $j$ steps apart in $2 (G - j)$ of the $G^2$ ordered pairs of
# columns. The mean number of steps is
#
# $$
# \frac{2}{G^2} \sum_{j=1}^{G-1} j \, (G - j) = \frac{2}{G^2} \cdot
# \frac{G (G^2 - 1)}{6} = \frac{G^2 - 1}{3 G} ,
# $$
#
# and a step is $S / G$ pixels wide. The product is $\frac{S}{3} (1 - 1 / G^2)$. For the true
# distance we ask the ruler. With a side of 1 the patches have a side of $1 / G$.

# %% tags=["solution"]
def row_distance(side, columns):
    """Takes a side and a count; returns the mean distance along the rows."""
    return side / 3 * (1 - 1 / columns**2)


# %% tags=["check"]
checks.check_row_distance(row_distance)

# %%
for G in (2, 4, 8, 16, 32):
    formula = row_distance(1, G)
    rows = introspect.patch_distances((1, G), 1 / G).mean()
    full = introspect.patch_distances((G, G), 1 / G).mean()
    print(f"G = {G}: rows {formula:.3f}, ruler {rows:.3f}, true {full:.3f}")


# %% [markdown]
# The true distance goes to about 0.52, the mean distance of two random points in a square.
# The exact value is $(2 + \sqrt 2 + 5 \ln(1 + \sqrt 2)) / 15$, which is 0.521.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-ruler
# :class: dropdown
# :::
#
# Patch $n$ lies in row $n // G$ and column $n \bmod G$ of the grid. With the distances of all
# pairs in a table like the weights, the rest is one product and two sums.

# %% tags=["solution"]
def mean_distance(weights, columns, patch_size):
    """Takes weights (N, N) and two counts; returns a distance in pixels."""
    row, column = np.divmod(np.arange(len(weights)), columns)
    down, right = row - row[:, None], column - column[:, None]
    pixels = patch_size * np.hypot(down, right)
    return (weights * pixels).sum(axis=1).mean()


# %% tags=["check"]
checks.check_mean_distance(mean_distance)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-rollout
# :class: dropdown
# :::
#
# 1. Each block takes over what is one place to the left. After 7 blocks the last token holds
#    patch 0 only. After 20 blocks it is the same, because the first token looks at itself.
# 2. These blocks already hold one half of the identity, so that their product *is* the rollout
#    of the chain. `rollout` of these blocks would count the token itself once more.
# 3. Patch 0. Each path, followed backwards, drifts to the left until it arrives there. The
#    rollout of a deep model can become alike for all tokens, however different they are: it
#    takes a block for a mean of the token and what it looks at, which a real block is not.

# %% tags=["solution"]
def without_identity(maps):
    """Takes maps (blocks, heads, N, N); returns their product (N, N)."""
    product = np.eye(maps.shape[-1])
    for weights in maps.mean(axis=1):
        product = weights @ product
    return product


# %% tags=["check"]
checks.check_without_identity(without_identity)

# %%
for blocks in (7, 20):
    product = without_identity(np.tile(look_left, (blocks, 1, 1, 1)))
    print(f"{blocks} blocks:", product[-1].astype(int))
half = np.tile((look_left + np.eye(8)) / 2, (3, 1, 1, 1))
difference = np.abs(without_identity(half) - rollout(chain)[0]).max()
print(f"half and half differs from the rollout by {difference:.3f}")
deep = rollout(np.broadcast_to(look_left, (100, 1, 1, 8, 8)))[0]
print(f"100 blocks: each token has at least {deep[:, 0].min():.3f} of patch 0")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-heads
# :class: dropdown
# :::
#
# We silence the heads of the last block one after the other. On the embedded data they
# matter very differently, though they all look at the shapes. Where a head looks is one
# question. What it reads there, and whether another head reads the same, is a second one.

# %% tags=["solution"]
def silence(weights, head, key_dim):
    """Takes weights (heads * key_dim, D); returns them with one head at 0."""
    silenced = weights.copy()
    silenced[head * key_dim : (head + 1) * key_dim] = 0
    return silenced


# %% tags=["check"]
checks.check_silence(silence)

# %%
layers = [
    layer for layer in model.layers if isinstance(layer, vitlib.SelfAttention)
]
weights = layers[-1].get_weights()
drops = []
for head in range(config.num_heads):
    changed = list(weights)
    changed[6] = silence(weights[6], head, config.key_dim)  # output matrix
    layers[-1].set_weights(changed)
    drops.append(top1(images))
layers[-1].set_weights(weights)
drops = top1(images) - np.array(drops)

# %%
most, least = 25 * (drops.max() // 25), 10 * np.ceil(drops.min() / 10)
print(f"the head that matters most costs over {most:.0f} points")
print(f"the one that matters least under {least:.0f} points")

# %% tags=["remove-cell"]
assert not is_quick or (drops.max() > 50 and drops.min() < 10)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# Attention is defined by {cite:t}`vaswani2017`. The maps of the Vision Transformer, its
# filters and its distances are in {cite:t}`dosovitskiy2021`, section 4.5 and appendices
# D.7 and D.8; {cite:t}`raghu2021` compare distances for small and large training sets.
# Rollout is by {cite:t}`abnar2020`, and the idea to grow a trained model by copies of its
# blocks by {cite:t}`gong2019`. Whether attention explains is disputed by {cite:t}`jain2019` and
# {cite:t}`wiegreffe2019`; the length of the values is measured by {cite:t}`kobayashi2020`, and
# the long tokens of large models are found by {cite:t}`darcet2024`. Full entries are in the
# [references](#sec-references).
