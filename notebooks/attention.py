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
# model looked *there*. This chapter draws such maps and turns them into numbers. Then it
# puts each of them to a test. What does an untrained model show? Does the answer change
# when the patch is taken away?
#
# :::{admonition} Before you start
# **You will learn to**
#
# * compute an attention map by hand, from the weights of a layer;
# * measure where a model looks, how far, and through several blocks;
# * test by intervention whether attention tells which patches matter.
#
# **Time:** about 60 minutes with the shorter exercises; the cells run in about one minute.
#
# **You need:** the chapters [](#sec-patches) and [](#sec-positions), softmax, the product
# of matrices.
# :::

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
from vitlib import check_parameters, checks
from vitlib.data import shapes
from vitlib.inspection import introspect, pictures

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## Which model do we look into?
#
# The one that you train now: the {term}`Vision Transformer` of the profile, with a learned
# vector for each place. On the embedded data its task is to name a red and a blue shape,
# and how they stand to each other.

# %%
preset = vitlib.PROFILE_PRESETS[profile]
config, recipe = preset.model, replace(preset.train, seed=seed)
data = vitlib.load_data_set(data_set)
print("patches:", config.num_patches)
print("blocks:", config.num_layers, "  heads in each:", config.num_heads)

# %%
trained = vitlib.build_model(config, recipe)
run = vitlib.train(trained, data, recipe, report=lambda line: None)
accuracy = 100 * run.test["top1"]
if data_set == "shapes":
    print("right on 9 of 10 test images:", accuracy > 90)
else:
    print(f"test top-1: {accuracy:.1f} %")

# %% [markdown]
# The training may have used a short number format. To look inside, we copy the weights into
# a model that computes in float32. Next to it we build the same model with the same
# {term}`seed` once more and do *not* train it. It only takes over how pixels are
# normalised. Whatever we see in the trained model, we look for it in the untrained one,
# too.

# %%
exact = replace(recipe, precision="float32")
model, untrained = (vitlib.build_model(config, exact) for _ in range(2))
model.set_weights(trained.get_weights())
untrained.layers[1].set_weights(trained.layers[1].get_weights())
models = {"untrained": untrained, "trained": model}

# %% [markdown]
# We look at images of the {term}`test set`, which neither of them has learned from. Patches
# are squares on a grid; `owner` says to which row of the grid a row of pixels belongs, and
# the same for columns.

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
# In one {term}`attention head`, each {term}`token` makes a {term}`query`, a {term}`key`
# and a {term}`value` of length $d$. Query $n$ is compared with every key $m$, and a
# {term}`softmax` turns the results into weights:
#
# $$
# a_{nm} = \frac{\exp(q_n \cdot k_m / \sqrt{d})}
#               {\sum_{j=1}^{N} \exp(q_n \cdot k_j / \sqrt{d})} .
# $$ (eq-attention-map)
#
# The head then hands on $\sum_m a_{nm} v_m$, a mean of the values with these weights. For
# a fixed query $n$, the numbers $a_{n1}, \dots, a_{nN}$ are not negative and sum to 1. They
# are a distribution over the patches. That is why they can be drawn over the image: this is
# an {term}`attention map`.
#
# Let us compute one without the layer, from its weights alone. First we need the tokens
# that enter the first attention layer, for one image.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask which axis sums to 1 before the cell does. Take a vote. Let
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
# values, and the output. The heads stand side by side in the columns.

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
# Subtracting the largest logit of a row changes no weight, as it cancels in
# {eq}`eq-attention-map`. It keeps the exponential from growing too large. Is the result
# what the layer itself uses? We ask the layer, and the function of `vitlib` that collects
# the maps of all blocks.

# %%
_, by_layer = attention(tokens, return_attention_scores=True)
maps = {
    name: introspect.attention_maps(each, images)
    for name, each in models.items()
}
by_vitlib = maps["trained"][0, 0, head]  # block, image, head
print("as the layer:", np.abs(weights - by_layer[0, head]).max() < 1e-5)
print("as vitlib:", np.abs(weights - by_vitlib).max() < 1e-5)
print("rows sum to 1:", np.allclose(weights.sum(axis=1), 1))
print("columns sum to 1:", np.allclose(weights.sum(axis=0), 1))

# %% [markdown]
# `maps` holds every map of both models: for each block, image and head a table of queries
# and keys. {numref}`fig-one-map` shows the table that we computed by hand.

# %%
for name, each in maps.items():
    print(name, each.shape, "(block, image, head, query, key)")

# %% mystnb={"figure": {"caption": "One head, one image. Left: the image and its patches. Middle: the weights, one row a query, one column a key; bright is large. Right: one row of this table, drawn over the image; the framed patch is the query, and dark patches get little of its attention.", "name": "fig-one-map"}, "image": {"alt": "Left, an image with a red and a blue shape under a grid. In the middle, a square table of colours that is dark but for one bright column. Right, the image again, dark in most patches and bright in the patch that the framed query looks at."}}
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
# The direction matters: a row says where a query looks, and only rows sum to 1. A column
# says how much attention a patch *receives*. The sum of a column can be anything from 0
# to $N$.
#
# :::{exercise} Shuffled patches
# :label: ex-attention-shuffle
#
# Shuffle the patches of an image. What happens to the table of weights in the first block
# if the model has no positions? What happens if it has a 1-D table of positions, and you
# shuffle the rows of that table in the same way? Answer by argument, then test the second
# case on our model.
#
# Write `shuffle_map(weights, order)` for the model without positions: the table of weights
# $(N, N)$ of one head becomes that of the image whose patches were shuffled by
# `patches[order]`. `checks.check_shuffle_map(shuffle_map)` tells you whether it is right.
# :::
#
# ## Where does the trained model look?
#
# A model with $N$ patches has $N$ rows in each table. Which of them should we draw? Ours
# ends in {term}`mean pooling`: the answer is read from the mean over all tokens, so that
# each query has the same say. We therefore average each table over its queries. What is
# left is one number for each patch: the share of the attention that it receives. Even
# shares would be $1 / N$. {numref}`fig-trained-maps` draws the shares of three images.

# %%
received = {name: each.mean(axis=3) for name, each in maps.items()}
received["trained"].shape  # (block, image, head, key)


# %%
def draw_heads(axes, picture, attention, limit=None):
    """Draws an image, and over it the attention `(heads, N)` of each head."""
    pictures.show_image(axes[0], picture)
    for ax, each in zip(axes[1:], attention, strict=False):
        pictures.show_map(ax, picture, each.reshape(grid), limit)


# %% mystnb={"figure": {"caption": "Attention that the patches receive in the last block of the trained model, for three test images. One row an image; one column for each of the first four heads. In each map the brightest patch receives most.", "name": "fig-trained-maps"}, "image": {"alt": "Three rows of five pictures. The first picture of a row is an image with a red and a blue shape. In the other four it is dark except for one or two patches that hold a shape, in some columns the red one and in others the blue one."}}
fig, axes = plt.subplots(3, 5, figsize=(6.4, 3.9))
for i in range(3):
    draw_heads(axes[i], images[i], received["trained"][-1, i])
plt.show()

# %% [markdown]
# Three pictures are an impression. The embedded data can give us a number, because it knows
# which pixels belong to the shapes. The test images are drawn with the seed `(0, 2)`, so we
# can draw them again together with their masks.


# %%
def mean_by_patch(pixels):
    """Averages the pixels `(B, H, W)` of each patch: `(B, N)`."""
    weights = np.eye(grid[0])[owner]  # (pixel, patch) along one side
    weights /= weights.sum(axis=0)
    means = np.einsum("bij,ir,jc->brc", pixels, weights, weights)
    return means.reshape(len(pixels), -1)


# %%
if data_set == "shapes":
    scenes = shapes.draw_shapes(len(data.test.labels), seed=(0, 2))
    print("same images:", np.array_equal(scenes.images, data.test.images))
    red = mean_by_patch(scenes.masks[:count, 0]) > 0
    blue = mean_by_patch(scenes.masks[:count, 1]) > 0
    on_shapes = (red | blue).mean()
    print("share of the patches that hold a shape:", on_shapes)

# %% [markdown]
# A model that looks everywhere alike would spend this share on the shapes. What do ours
# spend? {numref}`fig-pointing` shows it for each head, split into the red and the blue
# shape.


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
    print("untrained, all below 0.4:", bool((share["untrained"] < 0.4).all()))
    print("trained, all above 0.8:", bool((share["trained"] > 0.8).all()))
    for name, shape in (("red", red), ("blue", blue)):
        most = share_on(received["trained"], shape).max()
        print(f"a head with more than half on {name}:", bool(most > 0.5))

# %% [markdown]
# So on the embedded data, training has moved the attention from everywhere to the two
# patches that count. Nobody told the model where they are: it saw images and labels only.
# And the heads have shared the work, some on the red shape and some on the blue one.
#
# ## How far does a head look?
#
# A {term}`convolution` looks at neighbours. Attention is free to look anywhere. To see what
# a head does with this freedom, we measure distances. Let $r_n$ be the centre of patch
# $n$, in pixels. The {term}`mean attention distance` of a head is
#
# $$
# \bar\delta = \frac{1}{N} \sum_{n=1}^{N} \sum_{m=1}^{N} a_{nm} \, \lVert r_n - r_m \rVert ,
# $$ (eq-attention-distance)
#
# averaged over images {cite:p}`dosovitskiy2021`. A head that looks at itself has the
# distance 0. A head that looks everywhere alike, $a_{nm} = 1/N$, has the mean of all
# distances between two patches. We work out this second value with a ruler, for the grid of
# our model.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** The mean hides two cases: a head that looks everywhere, and one that
# > looks at two places, near and far. Let the class draw both. In the exercise the edge is
# > where it goes wrong: what is left of the first column?

# %%
ruler = introspect.patch_distances(grid, config.patch_size)  # (N, N), pixels
even = np.full((1, 1, 1, *ruler.shape), 1 / config.num_patches)
uniform = introspect.mean_attention_distance(even, grid, config.patch_size)
print("as the mean of the ruler:", np.isclose(uniform[0, 0], ruler.mean()))
print(f"even attention: {ruler.mean():.2f} pixels")

# %% [markdown]
# Now the heads of both models.

# %%
distance = {
    name: introspect.mean_attention_distance(each, grid, config.patch_size)
    for name, each in maps.items()
}
for name, each in distance.items():
    if data_set == "shapes":
        near = np.abs(each - ruler.mean()).max() < 1
        print(f"{name}, all within 1 pixel of even attention:", bool(near))

# %% [markdown]
# On the embedded data this is a surprise. {numref}`fig-pointing` shows that the trained
# heads look at one or two patches, and the untrained ones everywhere. Their mean distances
# are nearly the same. How can that be?
#
# Take a head that looks at the red shape, whatever the query. Over many images the red
# shape stands on each tile equally often, as the next cell checks. So the
# sum in {eq}`eq-attention-distance` runs over all pairs of a query and a tile, each as
# often as any other. This is the mean of the ruler again.

# %%
of_red = shapes.PLACES[:, :, 0].reshape(-1, 2)  # (arrangement * choice, place)
times = np.unique(of_red, axis=0, return_counts=True)[1]
print("tiles:", len(times))
print("times that red stands on each:", set(times.tolist()))

# %% [markdown]
# The mean has hidden the difference. The *spread* shows it: we compute a distance for each
# image and each query, before we average.

# %%
single = {
    name: (each[-1, :, 0] * ruler).sum(axis=-1).ravel()  # last block, head 1
    for name, each in maps.items()
}
if data_set == "shapes":
    for name, each in single.items():
        print(f"{name}: spread above 5 pixels:", bool(each.std() > 5))

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
left.set_ylim(0, ruler.max())
left.xaxis.get_major_locator().set_params(integer=True)
left.legend(loc="lower right")
right.set(xlabel="distance of a query (pixels)", ylabel="queries")
plt.show()

# %% [markdown]
# {numref}`fig-attention-distance` shows both sides: the same means, and quite different
# single distances. The lesson is a general one: two very different behaviours can have the
# same mean. A distance well *below* that of even attention says something: such a head
# looks near the query, and is called local. A distance *equal* to it says little.
#
# In large trained models some heads are local. {cite:t}`dosovitskiy2021` find heads with
# small and heads with large distances side by side in the lowest blocks.
# {cite:t}`raghu2021` find that the lowest blocks become local only when there is
# enough data to train on. Our task gives no head a reason to be local: the two shapes can
# stand any distance apart.
#
# :::{exercise} A head that looks left
# :label: ex-attention-left
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
# :::{exercise} Even attention on a finer grid
# :label: ex-attention-uniform
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
# :::{exercise} Write the ruler
# :label: ex-attention-ruler
#
# Write `mean_distance(weights, columns, patch_size)`, the mean attention distance of one head in
# pixels. `weights` has the shape $(N, N)$, a row a query; the patches stand on a grid of
# that many columns, row after row.
# `checks.check_mean_distance(mean_distance)` tells you whether it is right.
# :::
#
# ## What arrives through several blocks?
#
# With two blocks, the last map no longer tells where the information came from. A
# token of the last block looks at tokens that have looked around themselves before.
# {cite:t}`abnar2020` follow the attention through all blocks. Their
# {term}`attention rollout` needs two ideas.
#
# **Blocks multiply.** If token $n$ takes the share $a_{nm}$ from token $m$, and token
# $m$ took the share $b_{mp}$ from patch $p$, then $n$ has the share
# $\sum_m a_{nm} b_{mp}$ from $p$. This is a product of matrices.
#
# **The {term}`residual connection` keeps the token.** A {term}`Transformer block` computes
# $x + \text{attention}(x)$. Half of what leaves it, so to say, is the token itself. In the
# table of weights, "itself" is the identity $I$.
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
# We try it where we know the answer. Eight tokens stand in a row. In each of three blocks,
# every token looks at its left neighbour. The first one looks at itself.

# %%
look_left = np.eye(8, k=-1)
look_left[0, 0] = 1
chain = np.broadcast_to(look_left, (3, 1, 1, 8, 8))  # three blocks, one head
result = rollout(chain)[0]
print("as vitlib:", np.allclose(result, introspect.attention_rollout(chain)))
print("last token, in eighths:", (8 * result[-1]).astype(int))

# %% [markdown]
# These are the numbers 1, 3, 3, 1 of Pascal's triangle. In each block a token stays or
# takes one step to the left, so that one path out of eight takes no step, three take one,
# three take two, and one takes three. {numref}`fig-rollout-chain` compares this with two
# simpler ideas.

# %% mystnb={"figure": {"caption": "Eight tokens, three blocks that look left. Left: the map of the last block alone. Middle: the rollout. Right: the product without the identity.", "name": "fig-rollout-chain"}, "image": {"alt": "Three tables of 8 by 8 cells. Left, a bright line one cell below the diagonal. In the middle, a band four cells wide from the diagonal downwards. Right, a bright line three cells below the diagonal, and a bright first column at its upper end."}}
without = np.linalg.matrix_power(look_left, 3)
fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.4))
for ax, table in zip(axes, (look_left, result, without), strict=True):
    ax.imshow(table, vmin=0, vmax=1)
    ax.set(xlabel="patch", ylabel="token")
    ax.grid(visible=False)
plt.show()

# %% [markdown]
# The last map alone says that the token knows its neighbour only. The product without the
# identity says that it knows only the patch three places away, and has forgotten itself.
# Both are wrong for a network with residual connections.
#
# Now our model. {numref}`fig-rollout` shows the rollout of one query and that of the mean
# over all queries.

# %% mystnb={"figure": {"caption": "From left to right: a test image; what the framed query looks at in the last block, mean over the heads; its rollout; the rollout, mean over all queries. Each map has its own scale.", "name": "fig-rollout"}, "image": {"alt": "Four pictures of the same image with a red and a blue shape. In the second, the patches of the two shapes are bright and all others dark. In the third, the framed query in the corner is brightest, and the two shapes follow. In the fourth, the two shapes are bright and all other patches are evenly dark."}}
flow = introspect.attention_rollout(maps["trained"])  # (image, query, patch)
last = maps["trained"][-1, 0].mean(axis=0)  # (query, key)
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2))
pictures.show_image(axes[0], images[0])
for ax, table in zip(axes[1:3], (last, flow[0]), strict=True):
    pictures.show_map(ax, images[0], table[0].reshape(grid), query=place)
pictures.show_map(axes[3], images[0], flow[0].mean(axis=0).reshape(grid))
plt.show()

# %% [markdown]
# In the quick profile the model has a single block. There the rollout is half the map and
# half the query itself, and the figure shows just that. Over the mean of all queries, the
# identity adds the same $\frac{1}{2N}$ to each patch and cannot change which patch gets most.
#
# Rollout is exact for a network in which each block hands on the mean of a token and of
# what it looks at. A real block does more. The two halves need not be of equal length; the
# values are multiplied with matrices, and the {term}`MLP` changes the token again. Nothing
# of this is in {eq}`eq-rollout`.
#
# :::{exercise} Rollout without the identity
# :label: ex-attention-rollout
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
# ## What has the first layer learned?
#
# Before any attention, a {term}`projection` turns the pixels of a patch into a token. Each
# element of the token has a filter of $P \times P \times 3$ weights. To see what they have in
# common, we put them side by side as columns of a matrix, and take its singular value
# decomposition. It finds the pattern of pixels to which all filters together respond most,
# then the next one at a right angle to it, and so on. {cite:t}`dosovitskiy2021` (figure
# 7) look at their model in this way. {numref}`fig-filters` shows the patterns of ours.

# %%
filters, shares = {}, {}
for name, each in models.items():
    filters[name], shares[name] = introspect.patch_filters(each, components=8)

# %% mystnb={"figure": {"caption": "The eight strongest patterns of the first layer, the strongest on the left. Above: untrained. Below: trained. Grey is zero; the sign of a pattern has no meaning.", "name": "fig-filters"}, "image": {"alt": "Two rows of eight small square pictures of coloured pixels. The upper row is noise. In the lower row, the first five or so show smooth blobs, bars and crosses in orange and blue or green and purple, and the last ones are close to noise."}}
fig, axes = plt.subplots(2, 8, figsize=(7.2, 2))
for line, patterns in zip(axes, filters.values(), strict=True):
    for ax, pattern in zip(line, patterns, strict=True):
        scaled = 127.5 * (1 + pattern / np.abs(pattern).max())
        pictures.show_image(ax, scaled)
plt.show()

# %% [markdown]
# How much of all the weights do the first five patterns stand for? For how much do they
# stand by chance? The untrained layer knows.

# %%
five = {name: share[:5].sum() for name, share in shares.items()}
if data_set == "shapes":
    more = five["trained"] > 1.5 * five["untrained"]
    print("at least 1.5 times as much after training:", bool(more))

# %% [markdown]
# On the embedded data, training has gathered the filters on a few patterns. The strongest
# ones also look smooth. Smooth means that pixels side by side are alike, and this can be
# measured: as the correlation of each pixel with the one to its right.


# %%
def smoothness(patterns):
    """Correlates pixels with their right neighbours, `(k, P, P, C)`."""
    left, right = patterns[:, :, :-1].ravel(), patterns[:, :, 1:].ravel()
    return np.corrcoef(left, right)[0, 1]


if data_set == "shapes":
    for name, each in filters.items():
        print(f"{name}: above 0.2:", bool(smoothness(each[:5]) > 0.2))

# %% [markdown]
# In some patterns of the lower row, the middle and the rim have opposite colours. A model
# that has to tell a red shape from a blue one could use such patterns. But this is our
# reading of a picture, not a measurement.
#
# ## Does the model know where the patches are?
#
# The chapter [](#sec-positions) compares the learned vectors of the places with each other.
# {numref}`fig-position-change` does the same for our model, before and after training.

# %%
tables = {n: introspect.position_table(each) for n, each in models.items()}
similarity = {
    name: introspect.position_similarity(table, grid)
    for name, table in tables.items()
}
far = ruler > 0  # two different patches
for name, each in similarity.items():
    alike = each.reshape(ruler.shape)[far]
    falls = np.corrcoef(alike, ruler[far])[0, 1] < -0.5
    if data_set == "shapes":
        print(f"{name}: near places are more alike:", bool(falls))

# %% mystnb={"figure": {"caption": "Cosine similarity of each place's vector with every other's. Each small map stands where its patch is. Left: untrained. Right: trained.", "name": "fig-position-change"}, "image": {"alt": "Two squares of 4 by 4 small maps. Left, each small map is pale except for one dark red cell. Right, each small map is reddest near its own place and bluest far from it; columns differ more than rows."}}
fig, axes = plt.subplots(
    1, 2, figsize=(7.2, 3.1), gridspec_kw={"wspace": 0.12}
)
for ax, each in zip(axes, similarity.values(), strict=True):
    pictures.show_similarity_maps(ax, each)
fig.colorbar(ax.get_images()[0], ax=axes, label="cosine similarity")
plt.show()

# %% [markdown]
# The printed claim is a correlation of similarity and distance below -0.5. Nobody told the
# table which places are neighbours in the image. On the embedded data, training has made
# near places alike. This is a statement about the table alone: it does not say how the
# blocks use it.
#
# ## Does an untrained model show maps, too?
#
# Each map so far had a scale of its own: its brightest patch received most, however little
# that was. {numref}`fig-untrained-maps` shows the maps of the *untrained* model, drawn in
# two ways.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Show the first row of {numref}`fig-trained-maps` and the upper row of the
# > next figure, captions covered: which model was trained? The vote is the argument; the numbers
# > below only repeat it.

# %% mystnb={"figure": {"caption": "The untrained model, one test image, twice the same numbers. Above: each map is drawn on its own scale. Below: all maps on one scale, on which a patch that receives all the attention is fully bright.", "name": "fig-untrained-maps"}, "image": {"alt": "Two rows of five pictures. The first picture of each row is the image. In the upper row the four maps have bright and dark patches, and some single out a shape. In the lower row the four maps are dark, and only the same few patches are a little less so."}}
fig, axes = plt.subplots(2, 5, figsize=(6.4, 2.7))
for line, limit in zip(axes, (None, 1), strict=True):
    draw_heads(line, images[0], received["untrained"][-1, 0], limit)
plt.show()

# %% [markdown]
# Above, we could tell stories about what each head is after. Below, little of them is left:
# the untrained model spreads its attention over many patches, and a scale of its own has
# blown up what differences there are. A map without a scale is half a map. As a number: how
# much does the brightest patch of a map receive, on average?

# %%
first = {n: each[-1].max(axis=-1).mean() for n, each in received.items()}
if data_set == "shapes":
    print("untrained, less than a third:", bool(first["untrained"] < 1 / 3))
    print("trained, more than two thirds:", bool(first["trained"] > 2 / 3))

# %% [markdown]
# Yet the differences in the untrained maps are not nothing. How often is the patch that
# receives most, mean over the heads, one with a shape?


# %%
def most_on_shape(received):
    """Says in which share of the images the brightest patch holds a shape."""
    first = received[-1].mean(axis=1).argmax(axis=-1)  # (image,)
    return (red | blue)[np.arange(count), first].mean()


if data_set == "shapes":
    often = most_on_shape(received["untrained"]) > 3 * on_shapes
    print("untrained, 3 times as often as by chance:", bool(often))

# %% [markdown]
# A model that has learned nothing points at the shapes more often than chance does. It
# need not know what a shape is. A likely reason: the patches with shapes have unusual
# colours, so that their tokens and keys are unusual, too, and some heads happen to give
# such keys more weight. Whoever shows the map of a trained model should show that of an
# untrained one next to it.
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
# * by the attention of the *untrained* model;
# * by contrast: how far the pixels of a patch are from the median colour. This needs no
#   network at all;
# * at random.
#
# With several blocks, attention means the rollout. With one block, the ranking is the same.
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
    "least attention": rank(-flows["trained"]),
    "most, untrained model": rank(flows["untrained"]),
    "most contrast": rank(contrast),
    "random": rank(chance),
}

# %%
steps = np.linspace(0, config.num_patches, 9).astype(int)
curves = {
    name: [top1(erase(images, places < step)) for step in steps]
    for name, places in ranks.items()
}

# %% mystnb={"figure": {"caption": "Accuracy of the trained model on test images from which patches were taken away, in five orders. A curve that falls early names patches that matter first.", "name": "fig-erase"}, "image": {"alt": "Accuracy in per cent against the number of patches taken away, from 0 to 16. The curves of most attention and most contrast fall to almost zero at the first step. The one of the untrained model falls nearly as fast. The random one falls slowly. The one of least attention stays at the top until the last steps."}}
marks = {
    "most contrast": ("^-", "C2", 6),
    "most attention": ("o-", "C0", 2),
    "least attention": ("o--", "C0", 2),
    "most, untrained model": ("s-", "0.5", 2),
    "random": (":", "black", 2),
}
fig, ax = plt.subplots()
for name, (mark, color, width) in marks.items():
    look = {"color": color, "linewidth": width, "label": name}
    ax.plot(steps, curves[name], mark, **look)
ax.set(xlabel="patches taken away", ylabel="test top-1 (%)", xticks=steps)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
if data_set == "shapes":
    two = {n: top1(erase(images, each < 2)) for n, each in ranks.items()}
    most, by_chance = two["most attention"], two["random"]
    rest = top1(erase(images, ranks["least attention"] < 12))
    print("2 with most attention: below 10 %:", bool(most < 10))
    print("2 at random: above 60 %:", bool(by_chance > 60))
    print("12 of 16 with least attention: above 90 %:", bool(rest > 90))

# %% [markdown]
# On the embedded data this is as clear as a result can be. Without the two patches of most
# attention the model is lost. Without most of the others it does not even notice. Is
# attention an explanation after all? Two more looks.
#
# **The other curves.** What do two patches of the other rankings cost?

# %%
if data_set == "shapes":
    full = top1(images)
    lost = full - two["most, untrained model"]
    print("untrained model, more than 40 points:", bool(lost > 40))
    lost = full - two["most contrast"]
    print("contrast, more than 80 points:", bool(lost > 80))

# %% [markdown]
# The attention of a model that knows nothing finds patches that matter. So does a ruler for
# colours, which has never seen a label. A curve that falls early shows that a ranking finds
# conspicuous patches, and in these images the conspicuous patches are those that matter. It
# does not show that the ranking knows *why* the model decides.
#
# **What we put in the place.** "Taken away" meant: painted like the background. We take the
# single patch of *least* attention, and paint it white, or black.

# %%
if data_set == "shapes":
    least = ranks["least attention"] < 1
    white, black = (erase(images, least, color) for color in (255.0, 0.0))
    print("white costs less than 5 points:", bool(full - top1(white) < 5))
    print("black costs more than 40 points:", bool(full - top1(black) > 40))

# %% [markdown]
# One black patch, at a place to which the model paid the least attention, ruins many
# answers. Look at the attention in the changed images: how much does this place receive
# before, and after?

# %%
if data_set == "shapes":
    darkened = introspect.attention_maps(model, black)[-1].mean(axis=(1, 2))
    before = received["trained"][-1].mean(axis=1)[least].mean()
    after = darkened[least].mean()
    print("before, less than 1 %:", bool(before < 0.01))
    print("after, more than 20 %:", bool(after > 0.2))

# %% [markdown]
# The patch was ignored because of what it showed, not because of where it was. An attention
# map belongs to one image. It says where the model looked, not where it *would* look if the
# image were another one. A question such as "does this patch matter?" always needs the
# second half: compared with what?
#
# :::{exercise} Which head matters?
# :label: ex-attention-heads
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
# ## Can a token get all the attention and have no influence?
#
# Attention is only a weight. What a token hands on is the weight *times its value*
# {cite:p}`kobayashi2020`. If the value is zero, so is the product.
#
# Here is a head made by hand, for tokens of three elements. A key is 30 times the first
# element, and every query is 1. A value is the second element. The third element is not
# read by anyone.


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
# Its content has no influence: nothing of it is in the output. Its *presence* has: it draws
# the attention away from the others and so switches the head off. A map shows a bright
# patch in both cases.
#
# The same can be done with a whole block. We give the trained model one more block on top,
# with random weights. Its queries and keys are made large, so that it looks at few patches.
# But the output matrix of its attention is zero, and so is the last matrix of its MLP.
# Only the {term}`residual connection` is left. In the list of weights, a block takes 16
# arrays: two each for a norm, the queries, the keys, the values, the output, a second norm
# and two dense layers.

# %%
taller = replace(config, num_layers=config.num_layers + 1)
idle = vitlib.build_model(taller, exact)
old, new = model.get_weights(), idle.get_weights()
tail = 4  # the last norm and the logits: two arrays each
block = new[-tail - (len(new) - len(old)) : -tail]
block[2], block[4] = 20 * block[2], 20 * block[4]  # queries and keys
block[8], block[14] = 0 * block[8], 0 * block[14]  # outputs
idle.set_weights(old[:-tail] + block + old[-tail:])

# %%
answers = [each.predict_on_batch(images) for each in (model, idle)]
print("same logits:", np.allclose(*answers, atol=1e-4))
idle_maps = introspect.attention_maps(idle, images)
idle_flow = introspect.attention_rollout(idle_maps).mean(axis=1)
sharp = idle_maps[-1].max(axis=-1).mean()  # over images, heads and queries
moved = np.abs(idle_flow - flows["trained"]).sum(axis=1).mean() / 2
if data_set == "shapes":
    print("largest weight of a query, mean above 1/2:", bool(sharp > 0.5))
    print("part of the rollout that moved, above 1/10:", bool(moved > 0.1))

# %% mystnb={"figure": {"caption": "A block that does nothing. Left: a test image. Then the rollout of the trained model, the map of the idle block put on top of it, and the rollout of both. The two models give the same answer to every image.", "name": "fig-idle"}, "image": {"alt": "Four pictures of one image. In the second, the patches of the red and the blue shape are bright. In the third, other patches are bright as well. In the fourth, the brightness is a mixture of the two."}}
shown = flows["trained"], idle_maps[-1].mean(axis=(1, 2)), idle_flow
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2))
pictures.show_image(axes[0], images[0])
for ax, each in zip(axes[1:], shown, strict=True):
    pictures.show_map(ax, images[0], each[0].reshape(grid))
plt.show()

# %% [markdown]
# The block looks hard at single patches, as {numref}`fig-idle` shows, and has no influence
# on any {term}`logit`. Its map is a true map of its attention. It says nothing about the
# answer. And rollout, which believes every map, has moved.
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
# * One small model, trained once, on images made for it. Its maps are clear because two
#   patches hold everything that matters and stand out by their colour. Natural images have
#   no such patches, and nobody knows which pixels count.
# * On CIFAR-100 there are no masks. There the chapter shows maps and curves, and makes no
#   claim about them.
# * We averaged over the queries because the model ends in a mean. In a model with a
#   {term}`class token`, the row of that token is the one to look at.
# * Taking patches away makes images that the model has never seen. Part of the loss may
#   come from that.
# * There are other ways to ask what matters, among them gradients. This chapter does not
#   compare them.
#
# ## Key points
#
# * An attention map is a distribution over the patches, one for each query, head, block and
#   image. It takes the tokens, two matrices and a softmax to compute it.
# * On the embedded data, training moves nearly all attention to the two shapes.
# * A mean distance can hide what a head does: looking everywhere, and looking at one patch
#   that stands anywhere, have the same mean.
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
# are queries and keys, and the product of query $n$ and key $m$ depends on these two
# only. The table is the old one with its rows *and* its columns shuffled. With a 1-D table
# the place adds something to each token, and the weights change. If the table is
# shuffled like the patches, each patch keeps its own vector, and the table of weights is
# shuffled as in the first case.


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
table = tables["trained"]
for name, rows in (("old", table), ("shuffled", table[order])):
    encoder.add_position.set_weights([rows])
    difference = np.abs(first_map(mixed) - expected).max()
    print(f"{name} table: map shuffled:", bool(difference < 1e-3))
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
    rows = introspect.patch_distances((1, G), 1 / G).mean()
    formula = np.isclose(rows, row_distance(1, G))
    full = introspect.patch_distances((G, G), 1 / G).mean()
    print(f"G = {G}: formula holds: {formula}, true distance {full:.3f}")

# %% [markdown]
# It goes to about 0.52, the mean distance of two random points in a square. The exact value
# is $(2 + \sqrt 2 + 5 \ln(1 + \sqrt 2)) / 15$, which is 0.521.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-attention-ruler
# :class: dropdown
# :::
#
# Patch $n$ stands in row $n // G$ and column $n \bmod G$ of the grid. With the distances of all
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
# 1. Each block moves everything one place to the left. After 7 blocks the last token holds
#    patch 0 only. After 20 blocks it is the same, because patch 0 looks at itself.
# 2. These blocks already hold the identity, one half of it, so that their product *is* the
#    rollout of the chain. Rollout on top of them would count the token itself twice.
# 3. Patch 0. Each token drifts to the left until it arrives there. The rollout of a deep
#    model can become alike for all tokens, however different they are. It leaves out that
#    the real blocks are not a mean of the token and what it looks at.


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
half = (look_left + np.eye(8)) / 2
same = np.allclose(np.linalg.matrix_power(half, 3), rollout(chain)[0])
print("half and half is the rollout:", same)
deep = rollout(np.broadcast_to(look_left, (100, 1, 1, 8, 8)))[0]
print("100 blocks, all at patch 0:", np.allclose(deep[:, 0], 1))

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
if data_set == "shapes":
    print("one head costs more than 40 points:", bool(drops.max() > 40))
    print("another costs less than 20 points:", bool(drops.min() < 20))

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# Attention is defined by {cite:t}`vaswani2017`. The maps of the Vision Transformer, its
# filters and its distances are in {cite:t}`dosovitskiy2021`, section 4.5 and appendices
# D.7 and D.8; {cite:t}`raghu2021` compare distances for small and large training sets.
# Rollout is by {cite:t}`abnar2020`. What attention explains is argued by
# {cite:t}`jain2019` and {cite:t}`wiegreffe2019`; the length of the values is brought in by
# {cite:t}`kobayashi2020`, and the long tokens of large models by {cite:t}`darcet2024`. Full
# entries are in the [references](#sec-references).
