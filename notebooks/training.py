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
# (sec-training)=
# # Why did the Vision Transformer not learn?
#
# The report trains a {term}`Vision Transformer` (ViT) of 45,923,307 parameters for 30
# epochs, and gets 1.0 % of the test images right. It concludes that a ViT needs
# pre-training on a large data set. This chapter shows that the number of images was not the
# reason. By our reading of the recipe, the head of the model dies within its first steps, and on
# the same images it lives when one thing is changed.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * read an accuracy and a loss together, and tell a model that lacks data from one that
#   never trained;
# * count the parameters and the arithmetic of a ViT on paper, and find where they sit;
# * write a step of the training yourself, and estimate what it can do to a layer;
# * watch the first steps of a training with four instruments;
# * decide between suspects with an experiment that changes one thing;
# * say what the entry "weight decay" means in two libraries.
#
# **Time:** about 75 minutes to read and run, 76 for all exercises; the cells run in a minute
# and a half.
#
# **You need:** a Keras model and `fit`; what a gradient, a {term}`learning rate` and a
# {term}`softmax` are; the block of a Transformer, as [](#sec-patches) counts it. What a
# {term}`constant predictor` scores is derived in [](#sec-data).
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
from dataclasses import asdict, replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import vitlib
from vitlib import Table, check_parameters, checks
from vitlib.inspection import first_steps, plotting
from vitlib.training import instruments, prepare, tasks

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %%
if keras.backend.backend() == "jax":
    import jax  # noqa: TID251, Keras has no gradient of its own
else:
    import tensorflow as tf  # noqa: TID251


def recorded(study, name):
    """Returns the recorded runs of this name, one a seed."""
    runs = vitlib.load_runs(vitlib.find_folder("results"), study)
    return [run for run in runs if run.name == name]


# %% [markdown]
# ## Could more images have helped?
#
# We trained the report's exact model by our reading of its recipe, and looked at the head after
# every 25 steps. The head has two hidden layers, of 2,048 and of 1,024 units. A unit is silent for
# an image when its output is almost 0; one that is silent for every image we look at, here 200 of
# the validation images, is a {term}`dead unit`. A step takes 32 of the 40,000 training images.

# %%
rows = []
for run in recorded("diagnosis", "first-steps"):
    for reading in (0, 1, 3, 7):
        early, late = (100 * d for d in run.history["dead"][reading])
        loss = f"{run.history['val_loss'][reading]:.2f}"
        images = 32 * 25 * (reading + 1)
        rows.append((run.seed, images, f"{early:.0f}", f"{late:.0f}", loss))
columns = ("seed", "images seen", "first hidden layer dead (%)", "last (%)")
Table((*columns, "validation loss"), tuple(rows))

# %% [markdown]
# After 6,400 images nearly the whole last layer is dead. The loss has come to rest next to
# $\ln 100 = 4.61$, the loss of a model that gives each of 100 classes the same probability. And
# this model has seen *no image twice*: it is not yet through a fifth of its first pass over the
# data.
#
# So no larger data set could have changed it. Of a million images the first 6,400 would have been
# just as new to the model, and its head would have died on them in the same way. What
# becomes of such a head in 30 epochs is another question, and has a section below.
#
# ## What do 1.0, 5.0 and 4.6079 say together?
#
# The report prints an {term}`accuracy` of 0.0100, a top-5 accuracy of 0.0500 and a loss of
# 4.6079. Is that what too few images look like? To find out, we trained a small ViT on only
# 25 images of each class, and on all 400 of each, for equally many steps.

# %%
few = recorded("data-size", "small-vit-train-images-2500")
kinds = {"2,500": few, "40,000": recorded("positions", "small-vit")}
rows = []
for kind, found in kinds.items():
    for run in found[:2]:
        scores = run.history["top1"][-1], run.test["top1"], run.test["top5"]
        scores = [100 * score for score in scores]
        begin, *_, end = run.history["val_loss"]
        losses = [f"{x:.2f}" for x in (begin, end, run.test["loss"])]
        rows.append((f"small ViT, {kind} images", *scores, *losses))
rows.append(("the report's ViT", "-", "1.0", "5.0", "-", "-", "4.6079"))
columns = ("", "top-1 in training (%)", "in the test (%)", "top-5 (%)")
columns += ("validation loss, first epoch", "last epoch", "test loss")
Table(columns, tuple(rows))

# %% [markdown]
# With 2,500 images the model learns nearly all of them by heart. On other images it is confident
# and mostly wrong, so that its validation loss *rises* from epoch to epoch, far above $\ln 100$.
# And yet it is right fifteen times as often as a guess.
#
# The report's ViT is the opposite in both respects: its accuracy is that of a guess, and its loss
# is next to $\ln 100$. It gave (nearly) the same answer to every image. Such a
# {term}`constant predictor` has exactly this {term}`top-1` and {term}`top-5`, and a loss of at
# least $\ln 100$, as [](#sec-data) derives.
#
# The loss is a little *above* $\ln 100$, and the excess can be read, too. Let a constant predictor
# have the logits $z_k$, with mean 0 and standard deviation $s$, and let the classes be equally
# frequent. Then its {term}`cross-entropy` is
#
# $$
# L = \ln 100 + \ln \Bigl( \frac{1}{100} \sum_k e^{z_k} \Bigr)
#   \approx \ln 100 + \frac{s^2}{2} ,
# $$ (eq-excess)
#
# as $e^z \approx 1 + z + z^2/2$ for small logits. We solve for $s$.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Vote before the table: too few images, or no learning at all? Keep
# > the numbers. A class that voted for too few images should say what the training accuracy would
# > then be; the report prints none.

# %%
uniform = np.log(100)
excess = 4.6079 - uniform
width = np.sqrt(2 * excess)
print(f"ln 100 = {uniform:.5f}")
print(f"excess = {excess:.4f}, so s = {width:.3f}")


# %% [markdown]
# The 100 logits differ by 0.07 or so, in the same way for every image. We come back to this
# number.
#
# :::{exercise} Unbalanced labels
# :label: ex-training-unbalanced
#
# ★★ · 10 minutes
#
# A data set has three classes with shares of 70 %, 20 % and 10 %. Which constant predictor has the
# lowest loss, and how low is it? What is its top-1 accuracy? Confirm your answer with
# `tasks.score(logits, labels)`. Then write `lowest_loss(shares)` for any shares above 0, in nats,
# that is with the natural logarithm. `checks.check_lowest_loss(lowest_loss)` tells you whether it
# is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Write the mean loss over 100 images, of which 70, 20 and 10 have the three labels, with three
# unknown probabilities. Their sum is 1. Try a few of them before you take a derivative.
# :::
#
# :::{exercise} Write the loss
# :label: ex-training-loss
#
# ★★ · 10 minutes
#
# Write the {term}`cross-entropy` yourself: `mean_loss(logits, labels)` takes
# {term}`logits <logit>` of the shape (images, classes) and as many class numbers, and returns the
# mean loss in nats. Does yours work for logits of 1,000, too? Why is that not a matter of course?
# `checks.check_cross_entropy(mean_loss)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Begin with one image: its probabilities, then the one of its own class, then a logarithm. For
# logits of 1,000 look at what `np.exp` returns, and ask what may be added to all logits of an
# image without changing its probabilities.
# :::
#
# ## What are 45,923,307 parameters made of?
#
# A {term}`parameter` of a model is a number that the training adjusts, or that is fitted
# to the data beforehand. The report prints how many there are in each layer. We derive
# every count from the report's settings, which `vitlib` keeps as `REPORT_VIT`. A dense layer from
# $a$ to $b$ numbers has a weight for each pair and a bias for each output: $a b + b$.

# %%
def dense(inputs, outputs):
    """Returns the number of parameters of a dense layer."""
    return inputs * outputs + outputs


report = vitlib.REPORT_VIT
N, D = report.num_patches, report.projection_dim  # 144 tokens of length 128
inner = report.num_heads * report.key_dim  # all heads side by side: 1,024
hidden_units = report.mlp_units[0]  # 256
patch_length = report.patch_size**2 * 3  # 108 numbers

# %% [markdown]
# * **Normalisation.** The mean and the variance of each of three colours, and a counter.
#   They are fitted to the training images before the training.
# * **Patch encoder.** A dense layer makes a {term}`token` of each {term}`patch`. A table
#   adds one vector for each of the $N$ places, the {term}`positional embedding`.
# * **Layer norm.** A scale and a shift for each of the $D$ numbers of a token.
# * **Attention.** Three dense layers make the {term}`queries <query>`, the
#   {term}`keys <key>` and the {term}`values <value>` of all heads. One leads back to a
#   token.
# * **MLP.** One dense layer to 256 numbers and one back.
#
# A {term}`Transformer block` has two layer norms, an attention and an {term}`MLP`. After ten
# blocks and one more layer norm comes the head. The report's is a {term}`flatten head`: it lays
# the 144 tokens side by side. That makes $144 \cdot 128 = 18{,}432$ numbers, and each unit of
# the first dense layer has a weight for every one of them.

# %%
normalisation = 3 + 3 + 1
patch_encoder = dense(patch_length, D) + N * D
layer_norm = 2 * D
attention = 3 * dense(D, inner) + dense(inner, D)
mlp = dense(D, hidden_units) + dense(hidden_units, D)
block = 2 * layer_norm + attention + mlp
widths = (N * D, *report.head_units, report.num_classes)
head = [dense(a, b) for a, b in zip(widths, widths[1:], strict=False)]
blocks = report.num_layers
total = normalisation + patch_encoder + blocks * block + layer_norm + sum(head)
print(f"one block: {block:,}")
print("widths of the head:", widths)
print(f"in all: {total:,}   the report: 45,923,307")

# %% [markdown]
# The sum is the report's, to the last digit. The model itself must agree, layer by layer. We build
# it, which takes a few seconds and 200 MB, and collect the counts of its layers by their kind.

# %%
model = vitlib.build_vit(report)
built = {}
for layer in model.layers:
    built.setdefault(type(layer).__name__, []).append(layer.count_params())
paper = {
    "Normalization": normalisation,
    "PatchEncoder": patch_encoder,
    "LayerNormalization": layer_norm,
    "SelfAttention": attention,
}
rows = [(k, n, built[k][0], len(built[k])) for k, n in paper.items()]
Table(("layer", "on paper", "in the model", "how many"), tuple(rows))

# %% tags=["remove-cell"]
# The dense layers come in pairs, one pair a block, then the three of the head.
pair = [dense(D, hidden_units), dense(hidden_units, D)]
assert built["Dense"] == blocks * pair + head
assert model.count_params() == total == 45_923_307

# %% [markdown]
# One number looks odd. Eight heads share a token of 128 numbers, so the usual length of a
# query is $128 / 8 = 16$. The count of 527,488 fits 128 alone. The example that the report
# extends sets `key_dim=projection_dim`, and so makes *each* head as wide as the whole
# token. What that costs is the question of {ref}`ex-patches-heads`.
#
# :::{exercise} Another head
# :label: ex-training-pooled
#
# ★★ · 8 minutes
#
# Replace the flatten head by {term}`mean pooling`: the mean of the 144 tokens goes
# through *one* dense layer to 100 {term}`logits <logit>`. How many parameters are left?
# Which part of the model has most of them then?
#
# Write `pooled_parameters(total, head, tokens, width, classes)` for any such model: the
# number of all parameters, the number of those of the old head, and three sizes come in;
# the number of what is left comes out.
# `checks.check_pooled_parameters(pooled_parameters)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Which layers of the old head go? Then ask what the new dense layer reads: how many numbers does
# the mean of 144 vectors have?
# :::
#
# ## Where does the arithmetic sit?
#
# Parameters are what a model stores, arithmetic is what it does. A block uses each weight
# once for every token, the head uses each of its weights only once. So parameters and arithmetic
# need not sit in the same place. We count {term}`multiply-adds <multiply-add>`, as in
# [](#sec-patches).

# %%
parts = {  # (parameters, multiply-adds for one image)
    "norms": (normalisation + (2 * blocks + 1) * layer_norm, 0),
    "patch encoder": (patch_encoder, N * patch_length * D),
    "attention, projections": (blocks * attention, blocks * 4 * N * D * inner),
    "attention, products": (0, blocks * 2 * N**2 * inner),
    "MLPs of the blocks": (blocks * mlp, blocks * 2 * N * D * hidden_units),
    "head, first layer": (head[0], widths[0] * widths[1]),
    "head, the rest": (sum(head[1:]), widths[1] * widths[2] + widths[2] * 100),
}
params, work = np.transpose(list(parts.values()))
shares = 100 * params / params.sum(), 100 * work / work.sum()
print(f"{work.sum() / 1e9:.2f} billion multiply-adds for one image")

# %% tags=["remove-cell"]
# All parameters are there, and all that `count_flops` finds in the model. It
# counts two operations for each multiply-add.
assert params.sum() == total
assert 2 * work.sum() == vitlib.count_flops(model)

# %% mystnb={"figure": {"caption": "Share of each part of the report's ViT in its parameters and in its arithmetic, in per cent.", "name": "fig-shares"}, "image": {"alt": "Seven pairs of horizontal bars, with the share written at each. The first layer of the head has 82 per cent of the parameters and 3 per cent of the arithmetic. The projections and the products of the attention have 90 per cent of the arithmetic and 11 per cent of the parameters."}}
fig, ax = plt.subplots(figsize=(6.4, 4))
places = np.arange(len(parts))
bars = [
    ax.barh(places - 0.2, shares[0], 0.4, label="parameters"),
    ax.barh(places + 0.2, shares[1], 0.4, label="arithmetic", color="C2"),
]
for part in bars:
    ax.bar_label(part, fmt="%.1f", padding=2, fontsize=8)
ax.set_yticks(places, parts)
ax.invert_yaxis()
ax.set(xlabel="share (%)", xlim=(0, 100))
ax.grid(visible=False, axis="y")
ax.legend()
plt.show()

# %% [markdown]
# It is a model of two halves. The blocks, where a ViT does its work, have an eighth of
# the parameters and nearly all of the arithmetic. One layer of the head has four fifths of
# the parameters.
#
# ## How did the report train it?
#
# The report gives a rate, a decay, a batch size and a number of epochs. It names no
# optimiser, no schedule, no {term}`warm-up <learning-rate warm-up>` and no clipping of gradients.
# We take those of the Keras example that it extends {cite:p}`salama2021`: AdamW, a constant rate,
# nothing else. `REPORT_TRAIN` holds the report's numbers and these choices of the example.

# %%
recipe = vitlib.REPORT_TRAIN
updates = 40_000 // recipe.batch_size
print("images in a batch:", recipe.batch_size)
print(f"updates in an epoch: {updates:,}")
print(f"updates in {recipe.epochs} epochs: {updates * recipe.epochs:,}")
print("learning rate:", recipe.learning_rate, recipe.schedule)
print("warm-up epochs:", recipe.warmup_epochs, "  clipping:", recipe.clip_norm)
print("weight decay:", recipe.weight_decay)
print(f"rate for 32 images, in proportion: {1e-3 * 32 / 256:.6f}")
print(f"by the square root: {1e-3 * (32 / 256) ** 0.5:.6f}")


# %% [markdown]
# The report doubles much of its example: the number of heads, the length of a token, and with it
# the width of the head's input. One thing it divides by eight. The example has a {term}`batch` of
# 256 images, the report one of 32, at the same learning rate. Smaller batches make noisier
# gradients, and the usual rules lower the rate with them: {cite:t}`goyal2017` in proportion, for
# gradient descent with momentum; {cite:t}`malladi2022` by the square root, for Adam. By the second
# rule, the one for this optimiser, the report's rate is 2.8 times too high.
#
# ## What is one step of the training?
#
# All that follows is about single steps, so we write one down. Its first half is the gradient of
# the mean loss of a batch, for each weight. Keras has no function for it that both backends share:
# JAX differentiates a function of the weights, and TensorFlow records on a tape what is computed.

# %%
def differentiate(model, images, labels):
    """Returns the gradient of the mean loss, one array for each weight."""
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = [v.value for v in model.trainable_variables]
    if keras.backend.backend() == "jax":
        rest = [v.value for v in model.non_trainable_variables]
        call = model.stateless_call  # returns the logits and the new states
        return jax.grad(
            lambda w: loss_of(labels, call(w, rest, images, training=True)[0])
        )(weights)
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(images, training=True))
    return tape.gradient(loss, weights)


# %% [markdown]
# The second half is the optimiser, AdamW {cite:p}`loshchilov2019`: Adam {cite:p}`kingma2015` with
# weight decay. Adam keeps a running mean $m$ of the gradient $g$ and a running mean $v$ of its
# square. It corrects both for their start at 0, and moves a weight by
#
# $$
# \Delta w = - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon} .
# $$ (eq-adam)
#
# The decay takes a share off the weight itself, not by way of the gradient. Clipping, if it is
# asked for, comes first and scales all gradients down together.

# %%
def update(weights, grads, means, squares, t, recipe):
    """Makes the step t = 1, 2, ... of AdamW, in place."""
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    scale = min(1, (recipe.clip_norm or np.inf) / norm)
    for w, g, m, v in zip(weights, grads, means, squares, strict=True):
        m += 0.1 * (scale * g - m)
        v += 0.001 * ((scale * g) ** 2 - v)
        w -= recipe.learning_rate * recipe.weight_decay * w
        rate = recipe.learning_rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        w -= rate * m / (np.sqrt(v) + 1e-7)  # epsilon where Keras adds it


# %% [markdown]
# Does this do what `vitlib.train` does? We let both make ten steps of a tiny model on the same
# batches, with clipping and a strong decay.

# %%
strict = replace(recipe, clip_norm=1.0, weight_decay=0.1)
data = vitlib.load_data_set(data_set)
tiny = vitlib.build_model(vitlib.PRESETS["tiny"].model, strict)
prepare.prepare(tiny, data, strict)  # normalisation, optimiser, loss
images, labels = data.train.images[:320], data.train.labels[:320]
batches = list(zip(np.split(images, 10), np.split(labels, 10), strict=True))
variables = tiny.trainable_variables
start = [v.numpy() for v in variables]
ours, means, squares = ([k * w for w in start] for k in (1, 0, 0))
for t, batch in enumerate(batches, start=1):
    grads = [np.array(g) for g in differentiate(tiny, *batch)]
    update(ours, grads, means, squares, t, strict)
    for variable, w in zip(variables, ours, strict=True):
        variable.assign(w)

# %%
for variable, w in zip(variables, start, strict=True):
    variable.assign(w)
for batch in batches:
    tiny.train_on_batch(*batch)  # a step of Keras, as `vitlib.train` takes it
theirs = [v.numpy() for v in variables]
cases = {"moved by up to": start, "differ from Keras' by up to": theirs}
for name, others in cases.items():
    gap = max(np.abs(w - o).max() for w, o in zip(ours, others, strict=True))
    print(f"our weights {name} {gap:.4f}")

# %% [markdown]
# The weights agree, up to rounding. One fact will matter below: in ten steps at a rate of 0.001
# some weight has moved by nearly ten times the rate.
#
# ## How does a unit die?
#
# Why would a model give the same answer to every image? The information about the image must get
# lost on its way to the logits. One place where it can get lost is a hidden unit. In the Keras
# example that the report extends, every dense layer of the MLPs and of the head is followed by a
# GELU {cite:p}`hendrycks2016`, all but the one that makes the logits. We call what goes into it
# the *pre-activation*, what comes out the *activation*.

# %%
x = np.linspace(-9, 3, 2401)
gelu = x * stats.norm.cdf(x)
slope = stats.norm.cdf(x) + x * stats.norm.pdf(x)
edge = x[(np.abs(gelu) < 1e-3) & (x < -1)].max()
print(f"below 0.001 in size for all inputs up to {edge:.1f}")
print(f"its slope is negative up to {x[slope < 0].max():.2f}")
for place in (-4, -6, -8):
    print(f"size of the slope at {place}: {np.interp(place, x, -slope):.0e}")

# %% mystnb={"figure": {"caption": "The GELU and its slope. In the shaded range the unit is silent. The inset has the size of the slope on a logarithmic axis: in the shaded range it is never zero, but falls to the left by powers of ten.", "name": "fig-gelu"}, "image": {"alt": "A curve that is almost zero on the left, dips slightly below zero around minus one and rises like a straight line on the right. Its slope goes from zero, by way of small negative numbers, to about one. The range below minus 3.4 is shaded. An inset shows the size of the slope: about one half at 0, with a notch at minus 0.75, and to the left of it down to less than ten to the minus sixteen at minus 9."}}
fig, ax = plt.subplots(figsize=(6.4, 3.6))
ax.plot(x, gelu, label="GELU")
ax.plot(x, slope, "--", color="C2", label="its slope")
ax.axvspan(x.min(), edge, color="0.9")
ax.text(-8.8, 0.15, "silent")
ax.set(xlabel="pre-activation", ylabel="activation", xlim=(-9, 3))
ax.legend(loc="lower right", bbox_to_anchor=(1, 0.06))
inset = ax.inset_axes((0.12, 0.42, 0.5, 0.5))
inset.semilogy(x[x < 0], np.abs(slope[x < 0]), "--", color="C2")
inset.axvspan(x.min(), edge, color="0.9")
inset.set(xlim=(-9, 0), yticks=[1, 1e-8, 1e-16], ylim=(1e-18, 10))
inset.set_title("size of the slope", fontsize=9)
plt.show()

# %% [markdown]
# A unit whose pre-activation lies in the shaded range for one image is silent for that image. If
# it is silent for *all* images, it is dead: it tells no image from another. If all units of a
# layer are dead, nothing of the image gets through, and what is left is a constant predictor.
# {cite:t}`lu2020` study the same for the ReLU, where the silence is complete.
#
# Silence is not a freeze, though. A gradient on its way back is multiplied by the slope, and so it
# becomes small. What does Adam make of a small gradient? We give our own `update` the same
# gradient a hundred times, and ask how far the weight went.

# %%
for gradient in (1.0, 1e-5, 1e-7, 1e-9):
    (w, m, v), g = np.zeros((3, 1)), np.array([gradient])
    for t in range(1, 101):
        update([w], [g], [m], [v], t, recipe)
    print(
        f"gradient {gradient:g}: {-w[0] / 100 / 1e-3:.2f} of the rate a step"
    )

# %% [markdown]
# The steps are as long as the rate, however small the gradient is, until it comes near $\epsilon$,
# which is $10^{-7}$ in Keras. (Keras adds it before $v$ is corrected, so that it weighs more in
# the first steps; by {eq}`eq-adam` the third line would be 0.50.) But this gradient was small from
# the start. One that *becomes* small makes small steps, too, until $v$ has forgotten the larger
# ones, which takes a thousand steps. So a unit just over the edge slows down and can still move,
# and only far down in the shaded range does it stop.
#
# Nor does a step go where one would expect. Left of -0.75 the slope is negative: a step that is to
# *raise* the activation pushes the pre-activation further *down*. Units can fall silent, come
# back, and fall silent again. In a recorded run of the report's exact model, with clipped
# gradients, half a layer does so:

# %%
clipped = recorded("diagnosis", "first-steps-clipped")[0]
shares = [100 * first for first, _ in clipped.history["dead"]]
print("dead in the first hidden layer, every 25 steps, in per cent:")
print(", ".join(f"{share:.0f}" for share in shares))

# %% [markdown]
# ## How far can one step push a unit?
#
# The head's first layer has 18,432 inputs. How far can *one* update move the pre-activation of one
# of its units? It is a sum $\sum_i w_i x_i$ over $n$ inputs. In {eq}`eq-adam` the first step has
# $\hat m = g$ and $\hat v = g^2$, so that every weight whose gradient is well above $\epsilon$
# moves by the learning rate $\eta$, up or down. Then the sum changes by at most
#
# $$
# \Bigl| \sum_i \Delta w_i \, x_i \Bigr| \;\le\; \eta \sum_i |x_i|
# \;=\; \eta \, n \, \overline{|x|} .
# $$ (eq-jump)
#
# The bound is reached when all signs conspire. In part they do. The tokens of all images
# have something in common: the bias of the patch encoder, the position, the mean colour.
# Where a step pushes a unit along this common part, the push is the same *for all images*.
#
# How large is $\overline{|x|}$? A {term}`layer norm <layer normalisation>` gives each
# token mean 0 and variance 1. For normally distributed numbers the mean size is then
# $\sqrt{2/\pi} = 0.80$.

# %%
size = np.sqrt(2 / np.pi)
cases = [
    ("report: 144 tokens side by side", 144 * 128, 1e-3),
    ("the same at a tenth of the rate", 144 * 128, 1e-4),
    ("the mean of the tokens", 128, 1e-3),
]
rows = [(name, n, rate, rate * n * size) for name, n, rate in cases]
Table(("input of the head", "numbers", "rate", "largest jump"), tuple(rows))

# %% [markdown]
# A new dense layer on such inputs has pre-activations of the order of 1, and a GELU is
# silent below -3.4. A jump of up to 15 in the very first step can end far below that.
#
# :::{exercise} Which rate would be safe?
# :label: ex-training-jump
#
# ★★ · 8 minutes
#
# At which learning rate does the report's flatten head have the same bound {eq}`eq-jump` as
# the mean of the tokens at a rate of 0.001? By which factor would one have to lower the rate
# if the images were enlarged to 144 x 144 pixels, with the same patches? Take the mean size
# of an input to be the same in all cases.
#
# Write `same_bound(rate, inputs, new_inputs)`: the rate at which a unit with `new_inputs`
# inputs has the bound that one with `inputs` inputs has at `rate`.
# `checks.check_same_bound(same_bound)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Write the bound down for both heads and set the two equal. Which factors are on both sides? For
# the larger images, count the patches first.
# :::
#
# (sec-training-law)=
# ## At which rate, and with how many inputs, does a head die?
#
# The bound says what a step *can* do. Does it say what happens? In {eq}`eq-jump` the rate and the
# number of inputs count as a *product*, which can be tested by varying both. We trained a narrow
# copy of the report's model for 200 steps on CIFAR-100, at five rates and with five heads. Four
# are flatten heads, of 256 to 16,384 inputs, for patches of 16 down to 2 pixels. The fifth reads
# the mean of the tokens, 64 numbers. With three seeds these are 75 trainings.

# %%
runs = vitlib.load_runs(vitlib.find_folder("results"), "dead-units")
models = [vitlib.PRESETS[run.preset].model for run in runs]
inputs = np.array([model.head_inputs for model in models])
rate = np.array([run.training["learning_rate"] for run in runs])
dead = np.array([run.history["dead"][-1] for run in runs])  # (runs, layers)
rates, counts = np.unique(rate), np.unique(inputs)[::-1]
cells = [[(inputs == n) & (rate == r) for r in rates] for n in counts]
percent = 100 * np.array([[dead[cell] for cell in row] for row in cells])
print("inputs, rates, seeds, layers:", percent.shape)


# %%
def draw(ax, values):
    """Draws the dead share by inputs and rate; values (5, 5, seeds)."""
    means, lows, highs = values.mean(-1), values.min(-1), values.max(-1)
    ax.imshow(means, vmin=0, vmax=100, aspect=0.55)
    for (i, j), mean in np.ndenumerate(means):
        low, high = f"{lows[i, j]:.0f}", f"{highs[i, j]:.0f}"
        spread = "" if low == high else f"\n{low} to {high}"
        ink = "black" if mean > 50 else "white"
        ax.text(j, i, f"{mean:.0f}{spread}", c=ink, ha="center", va="center")
    ax.set_xticks(range(5), [f"{r:g}" for r in rates])
    ax.set_yticks(range(5), [f"{n:,}" for n in counts])
    ax.set(xlabel="learning rate", ylabel="inputs of the head")
    ax.grid(visible=False)


# %% mystnb={"figure": {"caption": "Dead units in per cent after 200 steps, in the two hidden layers of the head: the mean of three seeds, and the lowest and the highest where they differ. Dashed: where the bound of one step of the first layer is 3.4; a GELU falls silent below -3.4. Framed: the rate of the report, and about as many inputs as its head has.", "name": "fig-law"}, "image": {"alt": "Two tables of shares in per cent, with five numbers of inputs from 16,384 down to 64 in the rows and five rates from 0.0001 to 0.01 in the columns. In the first hidden layer shares above 0 are in the two upper rows alone, at 16,384 inputs from a rate of 0.0003 on and at 4,096 from 0.003 on; they reach 46. In the last hidden layer the shares rise to 100 towards high rates, and the more inputs there are, the lower the rate at which they rise; at the highest rate all are near 100. A dashed line falls from the upper left to the right. The cell at the report's rate and most inputs is framed: 46 in the first layer, 96 in the last."}}
fig, axes = plt.subplots(2, 1, figsize=(5.4, 7))
line = np.geomspace(rates[0], rates[-1])
heights = 4 - np.log(3.4 / size / line / counts[-1]) / np.log(4)
for layer, (ax, name) in enumerate(zip(axes, ("first", "last"), strict=True)):
    draw(ax, percent[..., layer])
    ax.plot(2 * np.log10(line / rates[0]), heights, "C1--", linewidth=1)
    ax.add_patch(plt.Rectangle((1.5, -0.5), 1, 1, fill=False, ec="C1", lw=3))
    ax.set(ylim=(4.5, -0.5), title=f"{name} hidden layer of the head")
plt.show()

# %% [markdown]
# {numref}`fig-law` is the central figure of this chapter. The border between life and death runs
# obliquely: the more inputs the head has, the lower the rate at which units begin to die. At the
# report's rate none is dead with 1,024 inputs or fewer, about a third of the last layer with
# 4,096, and nearly all of it with 16,384. The report's head has 18,432.
#
# Left of the dashed line, where one step is bounded by 3.4, at most one unit of 1,024 in the first
# layer is dead. But in these runs the layer that dies as a whole is always the *other* one, and
# the line is no border for it: at the highest rate the last layer dies in every head, even in that
# of the mean, which has 64 inputs. The last layer has inputs of its own, 1,024 in all these
# models, and {eq}`eq-jump` holds for each layer.
#
# How good a guide is the product? We take all pairs of runs in which one has a clearly larger
# share of dead units in its worse layer. How often does that run also have the larger product, or
# the larger value of another guide? (A tie counts half.)

# %%
wider = np.maximum(inputs, [model.head_units[0] for model in models])
worst = dead.max(axis=1)
more = worst[:, None] > worst + 0.1  # of each pair of runs
scores = {"rate": rate, "inputs": inputs, "rate x inputs": rate * inputs}
scores["rate x inputs of the wider layer"] = rate * wider
scores["rate x square root of the inputs"] = rate * np.sqrt(inputs)
for name, score in scores.items():
    order = np.sign(score[:, None] - score)[more]
    print(f"{name}: {50 * (1 + order.mean()):.0f} % of the pairs in order")

# %% [markdown]
# The product is a better guide than either of its factors, and a better one still with the inputs
# of whichever hidden layer has more of them. It is a guide and no law: the bound is that of one
# step, and each run has 200. The rate times the *square root* of the inputs, which is how a sum of
# terms with random signs grows, does better than the plain product and as well as the one of the
# wider layer; these runs cannot tell the last two apart. (The last two lines were chosen after a
# look at the figure. In these flatten heads fewer inputs also mean larger patches.)

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Books closed: collect suspects on the board, with what would clear
# > each. The table of the chapter has eight; keep on the board what is not among them. Let
# > everyone bet on one, with a name on a slip. The bets are settled five sections on.

# %% [markdown]
# ## Who else could it be?
#
# That a head *can* die is not yet the reason why this model failed. Before an experiment we write
# down all suspects, what we would see if it were them, and what would decide.
#
# | suspect | what one would see | what decides |
# |---|---|---|
# | **The head dies** by steps that are too large for its many inputs | dead units in the head, while the class can still be read from the tokens before it | another head, all else the same; a tenth of the rate with ten times the steps |
# | **The blocks collapse**: all images become the same tokens | tokens from which no classifier can read the class | a linear classifier on the tokens; another head, which would not help then |
# | **The input is wrong**: pixels of up to 255 come in, as the normalisation was never fitted | mean 0 and variance 1 in the normalisation layer | read the layer |
# | **Loss and logits do not match**, for instance a softmax too many | a loss with a floor: a second softmax over 100 classes keeps it above $\ln(1 + 99 / e) = 3.62$ | train any other model with the same loss, until it is below the floor |
# | **Labels do not belong to the images** | a training loss that falls only as the labels are learned by heart, or a constant answer | train any other model on the same data |
# | **The wrong model was tested**, for instance one never trained | the loss and the accuracies of an untrained model | test an untrained model |
# | **Too little weight decay** | slow growth of the weights over thousands of steps | the same run with another decay |
# | **Too few data** (the report) | a training loss that falls, a test loss far above $\ln 100$, an accuracy above 1 % | cleared by the first two sections |
#
# :::{exercise} Which run decides?
# :label: ex-training-decisive
#
# ★★ · 8 minutes
#
# Two suspects are left, and every training is expensive. You write down for each run that you
# could do, and for each suspect: would the model learn if this suspect were the cause? That gives
# a table of `True` and `False`, one row a run, one column a suspect. Write `decisive(outcomes,
# first, second)`, which returns the numbers of the runs that would tell the suspects in the
# columns `first` and `second` apart. `checks.check_decisive(decisive)` tells you whether it is
# right. Then fill in such a table for the first two suspects above and three runs: with another
# head, with a lower rate, with more images.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# What do you learn from a run that comes out the same whichever of the two it was? Compare two
# columns, row by row. `np.flatnonzero` turns a mask into numbers.
# :::
#
# ## Which instruments do we need?
#
# We have to look inside while the model trains. Each reading takes the same 200 validation images;
# the gradient alone is that of the last training batch. `vitlib.training.instruments` has four:
#
# | instrument | what it measures | alarm |
# |---|---|---|
# | `dead_units` | the share of units of a layer that are silent for all images | near 1 |
# | `spread` | the standard deviation over the images, averaged over the numbers of a vector: how different two images still look at that point | near 0, at the logits |
# | `distinct_answers` | how many classes are named at least once | near 1 |
# | {term}`gradient norm` | the length of the gradient of all weights together, before clipping | very large, or no more than that of the output's biases (see below) |
#
# We try two of them on a layer of four units that has seen three images.

# %%
activations = np.array(
    [[0.0, 1.5, -0.1, 2.0], [0.0, 0.0, -0.1, 2.0], [0.0, 0.2, -0.1, 2.0]]
)
print("dead:", instruments.dead_units(activations))
print("spread:", round(instruments.spread(activations), 3))
for name in ("narrow-vit", "narrow-vit-high-rate"):
    (run,) = recorded("diagnosis", name)
    tokens, top1 = run.history["token_spread"][-1], 100 * run.test["top1"]
    print(f"{name}: spread of the tokens {tokens:.2f}, top-1 {top1:.1f} %")

# %% [markdown]
# One unit of four is dead, the first. The last two are not silent, but constant. So a layer can
# be useless without being dead, and the spread sees that.
#
# But the spread has the scale of what it measures, and images may differ in what has nothing to do
# with their class. Of the two recorded runs of one architecture, the one that learns has a *tenth*
# of the spread of the one that gives a single answer. Only at the logits is the scale fixed, by
# the softmax: there a spread near 0 *is* nearly the same answer for all.
#
# :::{exercise} Write the instrument
# :label: ex-training-dead
#
# ★★ · 10 minutes
#
# Write `dead_units(activations, threshold)` yourself, without a loop: the share of the
# units that are dead, from activations of the shape (images, units). A student writes
# instead `np.mean(np.abs(activations) < threshold)`. What does that measure? Find
# activations for which it says 0.5 although no unit is dead.
# `checks.check_dead_units(dead_units)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# First give each unit one number that says how loud it ever was. Along which axis is that, and
# does a negative activation count as loud? For the student's line, try two units and two images.
# :::
#
# ## Does the head die before our eyes?
#
# The report's model takes minutes for a hundred steps on a laptop. In the quick profile we train a
# copy that has its shape at a smaller size, on the embedded images. Everything that makes a
# suspect stays: the flatten head with two hidden layers, heads as wide as a token, the dropout,
# the batch of 32, the rate of 0.001. The sentences below describe this profile. The others train
# the report's exact model on CIFAR-100, in the same cells; there the printed numbers hold, not the
# sentences.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Run the training first and explain the instruments while it runs.
# > Then read the printed claims one by one, and ask of each: which suspect does it clear? If
# > somebody says "it is the learning rate": it may be; a death at a high rate does not show yet
# > that a lower one saves it.

# %%
if profile == "quick":
    config = replace(
        report,
        image_size=32,  # pixels, as the images come; the report: 72
        patch_size=4,  # pixels, so 64 tokens; the report: 6
        projection_dim=64,  # the report: 128
        num_heads=4,  # the report: 8
        key_dim=64,  # as wide as a token, as in the report
        num_layers=1,  # the report: 10
        mlp_units=(128, 64),  # the report: 256 and 128
        head_units=(1024, 512),  # the report: 2,048 and 1,024
        augmentation="none",  # a flip would change the class of these images
    )

# %%
if profile != "quick":
    config = report
recipe = replace(vitlib.REPORT_TRAIN, seed=seed)
steps = {"quick": 200, "laptop": 100, "full": 1250}[profile]
held_out = vitlib.Split(
    data.validation.images[:1000], data.validation.labels[:1000]
)
untrained = vitlib.build_model(config, recipe)
prepare.prepare(untrained, data, recipe)
before = vitlib.evaluate(untrained, held_out)
mean, variance, _ = untrained.layers[1].get_weights()
off = np.abs(mean.ravel() - data.train.images.mean(axis=(0, 1, 2))).max()
print(f"inputs of the head: {config.head_inputs:,}")
print(f"normalisation: its mean is that of the images, up to {off:.2f}")
print(f"untrained: loss {before['loss']:.1f}, ln 100 = {uniform:.1f}")

# %% [markdown]
# Two suspects can go: in our code the normalisation is fitted, and an untrained model
# does not have the loss of the report.
#
# Now one step, on the first 32 training images. What does it do to the pre-activations of the
# first hidden layer?

# %%
images = data.validation.images[:200]
tokens, *_ = instruments.look(untrained, images)
_, hidden = instruments.head_layers(untrained)
old_weights, _ = hidden[0].get_weights()
untrained.train_on_batch(data.train.images[:32], data.train.labels[:32])
new_weights, _ = hidden[0].get_weights()
jumps = np.abs(tokens @ (new_weights - old_weights))  # (200, units)
bounds = 1e-3 * np.abs(tokens).sum(axis=1, keepdims=True)
print(f"mean size of an input: {np.abs(tokens).mean():.2f}")
print(f"the largest jump: {jumps.max():.1f}, its bound: {bounds.mean():.1f}")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
assert (jumps < 1.001 * bounds).all()
if profile == "quick":
    assert jumps.max() > 0.5 * bounds.mean()


# %% [markdown]
# The mean size is what we derived. The largest jump is more than half of the bound, and the bound
# reaches about as far as the edge of the GELU.
#
# Now the training. `observe` makes the same steps as `vitlib.train` would, and reads the
# instruments every few steps.

# %%
def watch(config, recipe):
    """Trains a new model; returns it, and what the instruments read."""
    model = vitlib.build_model(config, recipe)
    seen = first_steps.observe(model, data, recipe, steps, steps // 10)
    print(f"dead in the last hidden layer: {100 * seen['dead'][-1][-1]:.0f} %")
    logits = np.mean(seen["logit_spread"][-5:])  # it jumps about
    print(f"spread of the logits: {logits:.2f}")
    print(f"loss: {seen['loss'][-1]:.2f}, ln 100 = {uniform:.2f}")
    return model, seen


# %% tags=["nbval-ignore-output"]
high_model, high = watch(config, recipe)

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if profile == "quick":
    assert high["dead"][-1][-1] > 0.7 and high["dead"][-1][0] < 0.2
    assert np.mean(high["logit_spread"][-5:]) < 0.1
    assert abs(high["loss"][-1] - uniform) < 0.03


# %% [markdown]
# Most of the last hidden layer is dead, the logits hardly differ between images, and
# the loss is next to $\ln 100$, close to what the report printed after 37,500 steps.
#
# Have the blocks collapsed, or do the tokens still know the *class*? We ask them: a linear
# classifier, fitted by least squares to 1,000 training images, reads the tokens, or what the last
# hidden layer makes of them.

# %%
def tell(model, pictures, layer):
    """Returns what a layer of the head, or the tokens, say of pictures."""
    parts = np.split(pictures, 5)  # a few at a time
    return np.concatenate([instruments.look(model, p)[layer] for p in parts])


def probe(model, layer):
    """Returns the validation accuracy of a linear classifier on a layer."""
    known = tell(model, data.train.images[:1000], layer)
    asked = tell(model, held_out.images, layer) - known.mean(axis=0)
    known = known - known.mean(axis=0)
    gram = known @ known.T
    gram += 0.1 * np.trace(gram) * np.eye(1000) / 1000  # a ridge
    fit = np.linalg.solve(gram, np.eye(100)[data.train.labels[:1000]] - 0.01)
    return np.mean((asked @ (known.T @ fit)).argmax(axis=1) == held_out.labels)


# %% tags=["nbval-ignore-output"]
of_tokens, of_last = probe(high_model, 0), probe(high_model, 2)
print(f"tokens: {100 * of_tokens:.0f} % right")
print(f"last hidden layer: {100 * of_last:.0f} % right")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if (profile, data_set) == ("quick", "shapes"):
    assert of_tokens > 0.05 and of_last < 0.03

# %% [markdown]
# The class is still in the tokens, and hardly in the last hidden layer, which says little more
# than a guess. So the blocks have not collapsed. What they know reaches the head and is lost in
# it.
#
# ## Was it the learning rate?
#
# We change one thing. The rate is a tenth, 0.0001; the model, the images, their order, the
# seed and the number of steps are the same.

# %% tags=["nbval-ignore-output"]
low_model, low = watch(config, replace(recipe, learning_rate=1e-4))
sooner = 100 * high["dead"][0][-1]  # the first of ten readings
print(f"high rate, after {steps // 10} steps: {sooner:.0f} % dead")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if profile == "quick":
    assert low["dead"][-1][-1] < 0.05 and sooner < 5
    assert low["loss"][-1] > uniform - 0.1

# %% [markdown]
# After equally many steps the head is dead at one rate and alive at the other. That does not
# settle the matter. As a step of Adam is as long as the rate, 200 steps at the low rate go about
# as far as 20 at the high one, and after 20 steps the high rate had not killed a unit either. At
# *equal distance* no unit is dead at either rate: the low rate may be a cure, or a delay. Nor is
# being alive enough. The loss says that this model has not learned anything yet.
#
# ## Does another head learn?
#
# The table of suspects names a second experiment. We leave the rate at 0.001, and change
# one thing about the head: it gets the mean of the tokens in place of all of them side by
# side. Both hidden layers stay, with as many units, so that they could die again. But the
# first has few inputs now, and {eq}`eq-jump` lets it jump only a little.

# %% tags=["nbval-ignore-output"]
mean_model, pooled = watch(replace(config, pooling="mean"), recipe)
trained = {"high": high_model, "low": low_model, "mean": mean_model}
scores = {
    name: vitlib.evaluate(model, held_out) for name, model in trained.items()
}
for name, score in scores.items():
    top1, loss = 100 * score["top1"], score["loss"]
    print(f"{name}: {top1:.0f} % of 1,000 right, loss {loss:.1f}")
print(f"floor of a softmax too many: {np.log(1 + 99 / np.e):.2f}")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if profile == "quick":
    assert pooled["dead"][-1][-1] < 0.05
    assert np.mean(pooled["logit_spread"][-5:]) > 0.3
    assert pooled["loss"][-1] < uniform - 0.2
if (profile, data_set) == ("quick", "shapes"):
    assert abs(100 * scores["high"]["top1"] - 1) < 1.5
    assert scores["mean"]["top1"] > 0.03
    assert scores["mean"]["loss"] < np.log(1 + 99 / np.e)

# %% mystnb={"figure": {"caption": "What the instruments read during the first steps of three trainings of the copy: dead units of the last hidden layer; distinct answers for the 200 watched images; the spread of the logits over these images, on a logarithmic axis; and their loss. Dotted: ln 100, the lowest loss of a constant predictor.", "name": "fig-readings"}, "image": {"alt": "Four panels with three lines each, against the step of the training. With the flatten head at the rate of 0.001 the share of dead units rises from zero to most of the layer, and the distinct answers and the spread of the logits fall; at 0.0001, and with the mean of the tokens, no unit is dead. The loss of both flatten heads flattens next to the dotted line at 4.6, that of the mean falls far below it."}}
fig, axes = plt.subplots(2, 2, figsize=(6.4, 5.2), sharex=True)
names = ("dead", "answers", "logit_spread", "loss")
for ax, name in zip(axes.flat, names, strict=True):
    plotting.plot_readings(ax, high, name, "o-C0", "flatten head, 0.001")
    plotting.plot_readings(ax, low, name, "s--C2", "flatten head, 0.0001")
    plotting.plot_readings(ax, pooled, name, "^-.C3", "mean, 0.001")
    ax.set(xlabel="step" if ax in axes[1] else "")
axes[0, 0].set_ylim(-0.05, 1.05)
axes[0, 1].set_ylim(0, 100)
axes[1, 0].set_yscale("log")
axes[1, 1].axhline(uniform, color="black", linestyle=":")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center")
plt.show()

# %% [markdown]
# This model learns.
#
# ## What does the evidence say about the suspects?
#
# One model that learns clears many suspects at once, because it shares everything but the input of
# the head with the model that died. Nothing that both have is enough, by itself, to stop learning.
#
# | suspect | verdict for the first steps | by which evidence |
# |---|---|---|
# | the head dies | it does | dead units at 0.001; with fewer inputs of the head, and all else the same, none, and the model learns |
# | the blocks collapse | no | a linear classifier reads the class from the tokens while the head is dead |
# | the input is wrong | no | the layer holds the mean of the images; another model learns from it |
# | loss and logits do not match | no | another model gets below the floor of a softmax too many |
# | labels do not belong to images | no | another model learns from them |
# | the wrong model was tested | no | an untrained model has another loss |
# | too little weight decay | no | 200 steps are too few for it; a section below |
# | too few data | no | no image came twice; another head learns from the same images |
#
# ## Which layer dies, and what keeps it alive?
#
# Does the report's exact model die like the copy? It was trained for the first 200 steps of the
# recipe (300 where the rate warms up) and then again with one change at a time, with two seeds
# each.

# %%
titles = {
    "first-steps": "the report's recipe",
    "first-steps-clipped": "gradients clipped",
    "first-steps-decay": "1,000 times the decay",
    "first-steps-warmup": "100 steps of warm-up",
    "first-steps-small-init": "small first weights",
    "bfloat16-steps-batch-256": "batch of 256 images",
    "first-steps-low-rate": "a tenth of the rate",
    "first-steps-no-dropout": "no dropout in the head",
    "first-steps-pooled": "mean of the tokens",
}
found = {name: recorded("diagnosis", name) for name in titles}
print("seeds of each:", *{len(runs) for runs in found.values()})

# %% mystnb={"figure": {"caption": "Dead units of the report's exact model in its first steps, under its recipe and with one change at a time; two seeds each. Upper row: the last layer dies. Middle row: the first layer dies, or, with small first weights, does so with one seed. Lower row: neither dies as a whole.", "name": "fig-heads"}, "image": {"alt": "Nine panels with the share of dead units in per cent against the step of the training. Under the report's recipe, with clipping and with more decay the line of the last hidden layer rises to about 100. With warm-up and with a batch of 256 that of the first does, with small first weights that of one seed. At a tenth of the rate the first reaches about 40 and the last stays at 0; without dropout both go up and down; with the mean of the tokens both stay at 0."}}
fig, axes = plt.subplots(3, 3, figsize=(6.4, 6.4), sharey=True)
for ax, (name, title) in zip(axes.flat, titles.items(), strict=True):
    for run in found[name]:
        steps_read = 25 * np.arange(1, 1 + len(run.history["dead"]))
        shares = 100 * np.array(run.history["dead"])
        (first_line,) = ax.plot(steps_read, shares[:, 0], "C0--")
        (last_line,) = ax.plot(steps_read, shares[:, 1], "C1")
    ax.set_title(title, fontsize=9)
lines = first_line, last_line
words = "first hidden layer, 2,048 units", "last, 1,024 units"
fig.legend(lines, words, loc="outside upper center", ncols=2)
fig.supxlabel("step")
fig.supylabel("dead units (%)")
plt.show()

# %% [markdown]
# * **The last layer dies** under the report's recipe, while a quarter of the first is alive.
#   Neither clipping nor a stronger decay saves the last layer.
# * **The first layer dies in its place**, the one with 2,048 units and 18,432 inputs, during a
#   short warm-up, and with a batch of 256 images, that of the example. (Both runs with this batch
#   are in {term}`bfloat16`, which alone does not change which layer dies.) With the large batch a
#   few units are left, and through them the model begins to learn. Small first weights are at the
#   edge: one seed loses the layer, the other keeps a part of it.
# * **Neither dies** with the mean of the tokens, where no unit is dead at any reading. Without
#   dropout in the head many units fall silent, but enough live on or come back, and the model
#   begins to learn. A tenth of the rate keeps the last layer alive. Is that a delay? One run of
#   the exact model went as far at the low rate as the others at the high one:

# %%
(slow,) = recorded("diagnosis", "bfloat16-steps-low-rate")
early, late = (100 * share for share in slow.history["dead"][-1])
train = slow.training
steps = train["epochs"] * train["steps_per_epoch"]
print(f"rate {train['learning_rate']}, {steps:,} steps, one seed:")
print(f"dead: {early:.0f} % of the first layer, {late:.0f} % of the last")
print(f"validation loss {slow.history['val_loss'][-1]:.2f}")

# %% tags=["remove-cell"]
# What the text says of it.
assert max(late for _, late in slow.history["dead"]) == 0 < 50 < early
assert slow.history["val_loss"][-1] < np.log(100) - 0.1

# %% [markdown]
# No unit of its last layer is dead at any reading of this run, which is in {term}`bfloat16`, and it
# learns, although most of the first layer is dead by then.
#
# So the large input of the head, the rate, the batch and the dropout of the head all have a part
# in whether a layer dies, and in which.
#
# Why does mostly the last layer die, and not the one with the longest sum? In the copy we can
# look. We split what the first hidden layer says into a part that is common to all images and one
# that differs.

# %% tags=["nbval-ignore-output"]
cases = {"low rate": low_model, "mean of the tokens": mean_model}
for name, model in (cases | {"high rate": high_model}).items():
    _, said, _, _ = instruments.look(model, images)
    common = (said.mean(axis=0) ** 2).sum() / (said**2).sum(axis=1).mean()
    reach = 1e-3 * np.abs(said).sum(axis=1).mean()
    print(f"{name}: {100 * common:.0f} % common to all images,")
    print(f"  a step of 0.001 can move a unit of the last by {reach:.1f}")

# %% tags=["remove-cell"]
# What the text says of the outputs above, with room to spare.
if profile == "quick":
    assert common > 0.6 and reach > 0.4

# %% [markdown]
# At the high rate the long sum does not kill its own layer, but makes it say mostly the same for
# every image; with a lower rate or a shorter sum it does not. What this layer says is the input of
# the next one, and its common part can push a unit down for all images. The last number of each
# model is the bound {eq}`eq-jump` for the last layer; at the high rate it is several times that of
# the other two. Why downwards? A likely reason is that a model without knowledge pays for every
# opinion: it lowers its loss by saying *less*, and to switch units off is a fast way to say less.
#
# The report's **ResNet** ends in two hidden layers of ReLUs. Here they are after its first pass
# over the images:

# %%
words = {
    "first-pass": "as we read the report",
    "first-pass-normalized": "normalised images",
    "first-pass-no-dropout": "no dropout in the head",
    "first-pass-low-rate": "a tenth of the rate",
}
rows = []
for name, text in words.items():
    (run,) = recorded("diagnosis", name)
    early, late = (f"{100 * share:.0f}" for share in run.history["dead"][-1])
    rows.append((text, early, late, f"{run.history['val_loss'][-1]:.2f}"))
columns = ("ResNet", "first hidden layer dead (%)", "last (%)")
Table((*columns, "validation loss"), tuple(rows))

# %% [markdown]
# The report names no rate for its ResNet. At 0.001, the rate of its ViT, the first of the two
# layers is nearly dead, but a few units are left, and they are enough to begin to learn. A layer
# that is nearly dead is not yet a dead head.
#
# ## Does a dead head come back?
#
# The report trains for 37,500 steps. The copy of this chapter has the
# architecture of the recorded `narrow-vit`, which trains on CIFAR-100 for all 30 epochs, once at
# the report's rate and once at 4.5 times that rate, which makes up for its fewer inputs. Of the
# exact model two epochs are recorded, in {term}`bfloat16`.

# %%
exact = recorded("report", "report-vit-hour")
(narrow,) = recorded("diagnosis", "narrow-vit")
(twin,) = recorded("diagnosis", "narrow-vit-high-rate")
curves = [
    (narrow, "o-C0", "narrow copy, the report's rate"),
    (twin, "s-C1", "narrow copy, 4.5 times the rate"),
    (exact[0], "^:k", "the report's exact model"),
    (exact[1], "v:k", None),
]
for epoch in (1, 2, 3):
    share = 100 * narrow.history["dead"][epoch - 1][1]
    print(f"narrow copy, epoch {epoch}: {share:.0f} % of the last layer dead")
print(f"after 30 epochs: test top-1 {100 * narrow.test['top1']:.1f} %")
print(f"at the high rate: test top-1 {100 * twin.test['top1']:.1f} %")

# %% mystnb={"figure": {"caption": "Dead units of the last hidden layer (above) and the accuracy on the validation images (below) after each epoch. The exact model has two seeds; its markers lie over each other. Dotted: 1 %, what a constant predictor scores.", "name": "fig-training-curves"}, "image": {"alt": "Two panels against the epoch, up to 30. Above, the share of dead units of the narrow copy at the report's rate is above 80 per cent for two epochs and 0 from the third on; at 4.5 times the rate it stays at 100; the exact model is at 100 after one epoch and after two. Below, the accuracy of the first rises to about 34 per cent, and the others stay at the dotted line at one per cent."}}
fig, (above, below) = plt.subplots(2, 1, figsize=(6.4, 5), sharex=True)
for run, look, label in curves:
    epochs = range(1, 1 + len(run.history["dead"]))
    gone = [100 * late for _, late in run.history["dead"]]
    right = [100 * top1 for top1 in run.history["val_top1"]]
    above.plot(epochs, gone, look, label=label, ms=5)
    below.plot(epochs, right, look, ms=5)
below.axhline(1, color="black", linestyle=":", linewidth=1)
above.set(ylabel="last layer dead (%)", ylim=(-5, 105))
below.set(xlabel="epoch", ylabel="top-1 accuracy (%)", ylim=(0, 40))
above.legend(loc="center right")
plt.show()


# %% [markdown]
# At the report's rate the narrow copy *revives*. Most of its last layer is dead for two epochs,
# but the model learns through the few living units. In the third epoch the layer comes back, and
# the model ends far above a guess. So the death of our small copy after 200 steps says nothing
# about 37,500.
#
# But a head can stay dead. At the higher rate *all* units of the layer die in the first epoch,
# none comes back in 30, and the model gives one answer to all images. After two epochs the exact
# model is in this state with both seeds, as far as the 200 images of the instruments tell. (The
# test of seed 0 takes the weights of the *first* epoch, when one unit of the layer was alive.)
#
# Can one tell whether anything still moves? The gradient norm can. If nothing of the image reaches
# the output, its 100 biases still get a gradient. With a uniform softmax, and $n_k$ of the 32
# images of a batch in class $k$, that of bias $k$ is $1/100 - n_k / 32$, and the square of the
# norm is
#
# $$
# g^2 = \sum_k \Bigl( \frac{n_k}{32} - \frac{1}{100} \Bigr)^2
#     = \frac{32 + 2 \cdot \text{pairs}}{1024} - 0.01 ,
# $$ (eq-lattice)
#
# where *pairs* counts the pairs of images in the batch that share a class: a whole number, about 5
# on average. So the norm can have a few values only. We solve for the pairs.

# %%
def pairs(norm):
    """Returns how many pairs give this norm, if biases alone have one."""
    return ((norm**2 + 0.01) * 1024 - 32) / 2


for run in exact:
    norm = run.history["gradient_norm"][-1]
    print(f"exact model, seed {run.seed}: {norm:.5f}, {pairs(norm):.3f} pairs")
found = pairs(np.array(twin.history["gradient_norm"]))
away = np.abs(found - np.rint(found)).max()
print(f"{twin.name}: {len(found)} norms, at most {away:.2f} from whole")


# %% [markdown]
# With seed 1 the exact model is at a whole number, to less than a hundredth: strong evidence that
# in its last step the biases of the output had a gradient, and nothing else did. It is no proof
# that nothing else moved. One number in fifty is as close by chance, and Adam's running mean moves
# a weight for some steps after its gradient has gone. The narrow copy at the higher rate is near a
# whole number after each of its 30 epochs, and not quite there, because its biases have grown.
# With seed 0 more than the biases had a gradient: that head is silent, and not quite cut off.
#
# ## What does 4.6079 exclude?
#
# One number of the report does not fit a head that is dead as a whole. How far above $\ln 100$
# are models with such a head, and how far could they get? Where only the biases of the output
# move, they are pushed about by the noise of the batches. We let Adam move 100 biases for 5,000
# steps, with 32 random labels in each.

# %%
def noise_alone(rate, steps):
    """Returns the width of 100 biases that the noise of batches moves."""
    recipe = replace(vitlib.REPORT_TRAIN, learning_rate=rate, weight_decay=0)
    draws = np.random.default_rng(0).integers(100, size=(steps, 32))
    b, m, v = np.zeros((3, 100))
    for t, classes in enumerate(draws, start=1):
        p = np.exp(b) / np.exp(b).sum()
        grad = p - np.bincount(classes, minlength=100) / 32
        update([b], [grad], [m], [v], t, recipe)
    return b.std()


# %%
print(f"the report: {excess:.4f} above ln 100, s = {width:.3f}")
for run in (*exact, twin):
    above = max(run.history["val_loss"][-1] - uniform, 0)
    print(f"{run.name}: {above:.4f}, s = {np.sqrt(2 * above):.3f}")
for rate in (1e-3, 4.5e-3):
    print(f"noise alone, rate {rate}: s = {noise_alone(rate, 5_000):.2f}")
warm = recorded("diagnosis", "first-steps-warmup")[0]
losses = ", ".join(f"{loss:.3f}" for loss in warm.history["val_loss"][3:6])
print("exact model with warm-up, steps 100, 125, 150:", losses)

# %% [markdown]
# At the report's rate the noise makes less than half of the width that the report's loss asks for.
# At the end of an epoch, when all classes have come about equally often, it makes even less: our
# two exact models are at 4.6052. So, with Adam and the batches as we read the recipe, 4.6079
# excludes a model whose last layer was dead as a whole and that was tested at the end of an epoch,
# although the report's two accuracies would fit one.
#
# What could lift the loss? A constant answer that is *louder*, from a hidden layer that is
# constant and not silent. The last printed line comes close to such an answer: with warm-up, where
# the *first* layer dies, the loss of one of two seeds stays at just this height for a while.
# Another candidate is an early epoch in which a unit is still alive, as the example keeps the
# epoch that was best on the validation images. A random split into 40,000 and 10,000 images, in
# which the classes are not quite equally frequent, would add only 0.00025, half the variance of
# their relative sizes. The report does not let us choose.
#
# ## What does the repaired recipe change?
#
# `REPAIRED_TRAIN` keeps the report's model, all 45,923,307 parameters of it, and its images. It
# changes the recipe alone.

# %%
report_recipe = asdict(vitlib.REPORT_TRAIN)
repaired_recipe = asdict(vitlib.REPAIRED_TRAIN)
rows = [
    (name, str(value), str(repaired_recipe[name]))
    for name, value in report_recipe.items()
    if value != repaired_recipe[name]
]
Table(("entry", "the report", "repaired"), tuple(rows))

# %% [markdown]
# * **Batch and rate.** Four times as many images a step, at three tenths of the rate.
# * **Warm-up.** The rate rises from nearly 0 over two epochs, so that the steps are small
#   while the model changes fastest {cite:p}`goyal2017`.
# * **Cosine.** The rate falls to 0 at the end.
# * **Clipping.** When the gradient norm is above 1, all gradients are scaled down to 1
#   {cite:p}`pascanu2013`. Adam divides a gradient by its own usual size, so that clipping *every*
#   gradient in the same proportion would change nothing. It helps when a few batches have
#   gradients much larger than the rest.
# * **Weight decay.** A much larger number, but not for biases, norms and positions.
#
# {cite:t}`dosovitskiy2021` use warm-up, a falling rate, and clipping at norm 1 for
# ImageNet. {cite:t}`steiner2022` study how much decay and augmentation a ViT needs.
#
# Two epochs of this recipe are recorded, with a warm-up of one.

# %%
(repaired,) = recorded("repair", "repaired-vit-hour")
early, late = (100 * share for share in repaired.history["dead"][-1])
print(f"test top-1 {100 * repaired.test['top1']:.1f} %")
print(f"loss {repaired.test['loss']:.2f}, ln 100 = {uniform:.2f}")
print(f"dead: {early:.0f} % of the first layer, {late:.0f} % of the last")

# %% [markdown]
# The report's exact model learns, from the report's images alone: after two epochs it is right ten
# times as often as a guess. Its head is not well even so. Most of the first layer is dead, and
# what is left of it is enough to tell images apart. This is one seed, with all entries of the
# table at once, so that it does not say which of them helps.
#
# :::{exercise} Write the schedule
# :label: ex-training-rate
#
# ★★ · 10 minutes
#
# Write `planned_rate(step, peak, warmup, steps)`: it rises in equal parts from 0 at step 0 to
# `peak` at step `warmup`, and falls along half a cosine to 0 at step `steps`. Where does
# the cosine begin? `checks.check_rate(planned_rate)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Treat the two parts separately, with an `if`. For the second one, find a number that is 0 at the
# end of the warm-up and 1 at the last step, and ask what a cosine makes of it.
# :::
#
# ## What does `weight_decay=0.0001` mean?
#
# Weight decay takes a small share off every weight, in every step. It is meant to keep
# weights from growing without a reason. {cite:t}`loshchilov2019` take it off directly, not
# by way of the gradient. But a share of what? Two libraries read the same number
# differently:
#
# $$
# \begin{aligned}
# \text{TensorFlow Addons:} \quad & w \leftarrow w - \lambda w , \\
# \text{Keras, PyTorch:} \quad & w \leftarrow w - \eta \lambda w .
# \end{aligned}
# $$ (eq-decay)
#
# The first follows the algorithm in the paper, which multiplies the decay by the factor of a
# schedule, but not by the learning rate. In the second the learning rate $\eta$ makes the decay
# smaller. It is the line of our own `update`, whose weights agreed with those of Keras.
#
# Now the report's numbers: $\lambda = 10^{-4}$, $\eta = 10^{-3}$, and 37,500 updates. What is
# left of a weight that gets no gradient?

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask for the half-life of a weight before the formula. Those who know
# > PyTorch expect the decay to be multiplied by the rate; Keras does so, too, but old code and
# > papers do not agree on it.

# %%
updates = np.arange(37_501)
addons = (1 - 1e-4) ** updates
in_keras = (1 - 1e-3 * 1e-4) ** updates
for n in (200, 1_250, 37_500):
    print(f"{n:,} updates: Addons {addons[n]:.3f}, Keras {in_keras[n]:.5f}")

# %% mystnb={"figure": {"caption": "What a weight decay of 0.0001 leaves of a weight without a gradient, at a learning rate of 0.001, in the two meanings of the number. The axis of updates is logarithmic.", "name": "fig-decay"}, "image": {"alt": "Two lines against the number of updates from 10 to 37,500 on a logarithmic axis. The line of Keras and PyTorch stays at one. That of TensorFlow Addons leaves it after some hundred updates and falls to two per cent. A vertical line at 200 updates, where the head is dead, meets both near one; another marks an epoch, 1,250 updates."}}
fig, ax = plt.subplots(figsize=(6.4, 3.2))
ax.semilogx(updates[10:], in_keras[10:])
ax.semilogx(updates[10:], addons[10:], "--", color="C2")
ax.text(12, 0.9, "Keras, PyTorch", color="C0")
ax.text(11_500, 0.18, "TensorFlow Addons", color="C2", ha="right")
for place, word in ((200, "the head is dead"), (1_250, "one epoch")):
    ax.axvline(place, color="black", linestyle=":", linewidth=1)
    ax.text(place * 0.95, 0.04, word, rotation=90, ha="right")
ax.set(xlabel="updates", ylabel="share of the weight left", ylim=(0, 1.05))
plt.show()

# %% [markdown]
# The same recipe shrinks such a weight to a fortieth in the one library and hardly at all in the
# other. A script that moves from one to the other changes its training without a sign of it. The
# report does not say which one it used.
#
# Could it be the cause? Within the 200 updates in which the head dies even the stronger decay
# takes off 2 % of a weight: too little to save a unit, or to kill one. In {numref}`fig-heads` the
# head dies under either meaning.
#
# :::{exercise} Half a weight
# :label: ex-training-half
#
# ★★★ · 12 minutes
#
# 1. After how many updates has the decay of TensorFlow Addons halved a weight that gets
#    no gradient? How many epochs of the report is that? And in Keras?
# 2. Which `weight_decay` makes Keras, at a rate of 0.001, do what the report's number
#    means in TensorFlow Addons?
# 3. Write `what_is_left(weight, decay, rate, updates)`: what Keras leaves of a weight without a
#    gradient, after so many updates with this `weight_decay` and this learning rate.
#
# `checks.check_decay(what_is_left)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# After two updates, is the second share taken off the first weight or off what was left? Write the
# weight after $n$ updates as a power, and take a logarithm to find $n$.
# :::
#
# ## What this chapter does not show
#
# * Nobody knows the report's code. The report does not name the optimiser, the schedule, the
#   dropout rates or the activations of its ViT; ours are those of the example that it extends.
#   With these, a dead head is enough to bring the loss to $\ln 100$ within 200 steps. Another
#   cause may do so as well.
# * The exact model was watched for two epochs, and its head is dead then. The report trained for
#   30, and the two narrow copies show that a head may stay dead, or not.
# * At the edge between living and dying a seed can decide. Each change of the exact model has two
#   seeds, each pair of a rate and a number of inputs has three; the long run at the low rate, the
#   narrow copies, the ResNet and the repaired recipe have one.
# * The loss rules out a model that is confident and wrong. It does not say how well this
#   ViT would do with more data. That is a question for [](#sec-comparison).
#
# ## Key points
#
# * The head dies while no image has come twice. No larger data set could have changed that.
# * Too few data look different: the training images known by heart, a validation loss that rises
#   far above $\ln 100$, and an accuracy well above a guess.
# * The report's ViT has 82 % of its parameters in one dense layer, and 90 % of its
#   arithmetic in the attention.
# * The first step of Adam moves a weight by the rate, even where the gradient is small (but far
#   above $\epsilon$), and a pre-activation by up to $\eta \, n \, \overline{|x|}$. With 18,432
#   inputs and a rate of 0.001 that is 15.
# * The product of rate and inputs is a guide to which heads die, and no law. The long sum makes
#   its own layer say mostly the same for all images; under the report's recipe the *next* layer
#   dies.
# * A dead unit is silent and not frozen: half of a layer has died, come back, and died again.
# * Change one thing at a time. A model that learns clears every suspect that it shares with the
#   one that does not, as the only cause; it may have a part. Compare rates at equal distance.
# * `weight_decay=0.0001` is $10^{-4}$ a step in TensorFlow Addons and $10^{-7}$ in Keras at a
#   rate of 0.001.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-training-unbalanced
# :class: dropdown
# :::
#
# With class shares $q_k$ the loss is $-\sum_k q_k \ln p_k$. It is lowest at $p_k = q_k$, and there
# it is the entropy of the labels: 0.80 here (with the natural logarithm), less than
# $\ln 3 = 1.10$. The predictor names the first class for every image and is right for 70 % of
# them. So on unbalanced labels a good-looking accuracy may be that of a constant predictor.

# %%
q = np.array([0.7, 0.2, 0.1])
few = np.repeat([0, 1, 2], [70, 20, 10])
best = tasks.score(np.tile(np.log(q), (100, 1)), few)
print(f"entropy {-(q * np.log(q)).sum():.4f}, loss {best['loss']:.4f}")
print(f"top-1 {best['top1']:.2f}, ln 3 = {np.log(3):.4f}")


# %% tags=["solution"]
def lowest_loss(shares):
    """Takes the shares of the classes; returns a loss in nats."""
    return -np.sum(shares * np.log(shares))


# %% tags=["check"]
checks.check_lowest_loss(lowest_loss)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-loss
# :class: dropdown
# :::
#
# The probability is $e^{z_k} / \sum_j e^{z_j}$, and $e^{1000}$ is no floating-point number.
# The probabilities stay the same when a number is taken off all logits of an image. Take off
# the largest, and no exponential is above 1.

# %% tags=["solution"]
def mean_loss(logits, labels):
    """Takes (B, C) and B class numbers; returns the mean loss in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return np.mean(log_sums - shifted[np.arange(len(labels)), labels])


# %% tags=["check"]
checks.check_cross_entropy(mean_loss)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-pooled
# :class: dropdown
# :::
#
# The three dense layers of the head go, and one from 128 to 100 numbers comes:
# $128 \cdot 100 + 100 = 12{,}900$. What is left is nearly all in the blocks, and there in
# the attention. `vitlib` has this model as the preset `pooled-vit`.

# %%
left = total - sum(head) + dense(D, 100)
pooled_vit = vitlib.build_vit(vitlib.PRESETS["pooled-vit"].model)
print(f"{left:,}   in the model: {pooled_vit.count_params():,}")
print(f"attention: {100 * blocks * attention / left:.0f} %")


# %% tags=["solution"]
def pooled_parameters(total, head, tokens, width, classes):
    """Takes two counts and three sizes; returns the number of parameters."""
    return total - head + width * classes + classes


# %% tags=["check"]
checks.check_pooled_parameters(pooled_parameters)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-jump
# :class: dropdown
# :::
#
# The bound is proportional to $\eta \, n$. The flatten head has 144 times as many inputs, so
# its rate has to be 144 times smaller: about $7 \cdot 10^{-6}$. Twice the side makes four
# times the patches, four times the inputs, and asks for a quarter of the rate. The
# bound is the worst case, so a training may well survive a higher rate; ours did at
# 0.0001, for 2,000 steps.

# %%
print(f"rate: {1e-3 * 128 / (144 * 128):.1e}")
print("factor:", (144 // 6) ** 2 / (72 // 6) ** 2)


# %% tags=["solution"]
def same_bound(rate, inputs, new_inputs):
    """Takes a rate and two counts; returns a rate."""
    return rate * inputs / new_inputs


# %% tags=["check"]
checks.check_same_bound(same_bound)


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-decisive
# :class: dropdown
# :::
#
# A run decides between two suspects when they predict different outcomes. A run that both
# would pass, or both would fail, costs as much and says nothing about them.
#
# For *the head dies* and *the blocks collapse*: with another head, all else the same, the
# model would learn in the first case alone. More images would help in neither. So another head
# decides, and more images do not.

# %% tags=["solution"]
def decisive(outcomes, first, second):
    """Returns the rows of `outcomes`, `(runs, suspects)`, where two differ."""
    return np.flatnonzero(outcomes[:, first] != outcomes[:, second])


# %% tags=["check"]
checks.check_decisive(decisive)

# %% [markdown]
# The table of the two: the runs are another head, a lower rate, and more images. A lower rate
# may save either, so that it does not tell them apart.

# %%
outcomes = np.array([[True, False], [True, True], [False, False]])
print("runs that decide:", decisive(outcomes, 0, 1))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-dead
# :class: dropdown
# :::
#
# Take the loudest image of each unit, and ask whether it is silent. The student's line
# counts pairs of a unit and an image. It says 0.5 for units that are silent for half of the
# images, which is what a useful unit may well do.

# %% tags=["solution"]
def dead_units(activations, threshold):
    """Takes (B, units); returns the share of units silent for every image."""
    return np.mean(np.abs(activations).max(axis=0) < threshold)


# %% tags=["check"]
checks.check_dead_units(dead_units)

# %%
of_vitlib = instruments.dead_units(activations)
print("yours:", dead_units(activations, 1e-3), "  vitlib:", of_vitlib)
useful = np.array([[0.0, 1.0], [1.0, 0.0]])
of_pairs = np.mean(np.abs(useful) < 1e-3)
print("student:", of_pairs, "  dead:", dead_units(useful, 1e-3))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-rate
# :class: dropdown
# :::
#
# It begins at the end of the warm-up, not at step 0. So it gets the share of the way from
# there to the end.

# %% tags=["solution"]
def planned_rate(step, peak, warmup, steps):
    """Takes a step, a rate and two counts; returns the rate of the step."""
    if step < warmup:
        return peak * step / warmup
    share = (step - warmup) / (steps - warmup)
    return peak * (1 + np.cos(np.pi * share)) / 2


# %% tags=["check"]
checks.check_rate(planned_rate)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-training-half
# :class: dropdown
# :::
#
# $(1 - \lambda)^n = 1/2$ gives $n = \ln 2 / -\ln(1 - \lambda) \approx 0.693 / \lambda$. That
# is 6,931 updates, or 5.5 epochs of 1,250. In Keras the share is a thousand times smaller,
# and it takes a thousand times as long: nearly seven million updates, 185 times the whole
# training. To get the stronger decay in Keras, divide by the rate:
# $10^{-4} / 10^{-3} = 0.1$.

# %%
for share in (1e-4, 1e-7):
    n = np.log(2) / -np.log1p(-share)
    print(f"{n:,.0f} updates, {n / 1250:,.1f} epochs")


# %% tags=["solution"]
def what_is_left(weight, decay, rate, updates):
    """Returns what Keras' decay leaves of a weight after some updates."""
    return weight * (1 - rate * decay) ** updates


# %% tags=["check"]
checks.check_decay(what_is_left)

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# The Vision Transformer is by {cite:t}`dosovitskiy2021`, the example that the report extends by
# {cite:t}`salama2021`. Adam is by {cite:t}`kingma2015`, its decoupled weight decay by
# {cite:t}`loshchilov2019`, the GELU by {cite:t}`hendrycks2016`. Warm-up and the rule for batch and
# rate are studied by {cite:t}`goyal2017`, the rule for Adam by {cite:t}`malladi2022`, clipping by
# {cite:t}`pascanu2013`, dead units by {cite:t}`lu2020`, and recipes for ViTs by
# {cite:t}`steiner2022`. Full entries are in the [references](#sec-references).
