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
# (sec-debugging)=
# # Find the defect
#
# Here are ten short programs. Each one runs, returns numbers of the right shape, and
# prints something that looks fine. And each one has a defect, which was in published code
# for a {term}`Vision Transformer` (ViT) or in a course that teaches one. Their authors were
# satisfied, and so were their readers, in some cases for years. You will find the defects by
# measuring, and then repair the programs.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * say what a number must be *before* you measure it;
# * choose an instrument that can see a suspected defect, and read it;
# * change one input of a program, and tell from the output what it depends on;
# * repair a program, and show by the same reading that it is repaired;
# * tell a defect that costs accuracy from one that only makes a result untrue.
#
# **Time:** about 28 minutes to read and run, 130 for all exercises; the cells run in half
# a minute.
#
# **You need:** the instruments of [](#sec-training); how an image becomes tokens, from
# [](#sec-patches); what an attention map is, from [](#sec-attention). NumPy, with sums
# along an axis.
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
data_set: str = "shapes"  # where the images come from: "shapes" or "cifar100"
seed: int = 0  # of everything random

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers

import vitlib
from vitlib import Table, check_parameters, checks
from vitlib.inspection import pictures
from vitlib.training import instruments, tasks
from vitlib.training.optimizer import WarmupSchedule

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## How does one find what nobody sees?
#
# A program that crashes says where. A program with one of these defects says nothing: the
# shapes fit, the loss falls, the {term}`accuracy` is plausible. Reading the code again
# rarely helps, because you read what you meant. What helps is a number that you know
# beforehand.
#
# So each search has three steps: say what must come out, measure it, and if it is something
# else, change *one* thing and measure again. [](#sec-training) did the same with its
# suspects. These are the instruments, old and new:
#
# | instrument | question | what must come out |
# |---|---|---|
# | **count** | how many {term}`parameters <parameter>` are there? | the number on paper, or in the paper |
# | **sum** | what do the weights of a mean sum to? | 1 |
# | **mean and deviation** | what comes out of a normalisation? | 0 and 1 |
# | **spread** (`instruments.spread`) | do things differ that should? | more than 0 |
# | **ask twice** | is the same question answered the same? | yes, when nothing is trained |
# | **labels for pixels** | where does this number come from? | from one place |
# | **step divided by gradient** | which rate was used? | the planned one |
# | **two numbers together** | do loss and accuracy belong to one model? | a model that is right and sure has a loss of 0 |
# | **another batch size** | does a score depend on what it should not? | no |
#
# Each program below comes with a promise: what its author meant it to do. Find where it
# breaks the promise. Then write the repaired program as a function that takes and returns
# the same things. Its check tells you whether the old defect is still there, or a new one.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Cover the right column of the table and let the class fill it in, one
# > line at a time. It is the whole chapter in miniature: if you cannot say what must come out, you
# > cannot see that something else came out. Then let each pair take one program and report on it.

# %%
data = vitlib.load_data_set(data_set)
images = data.train.images[:2000]
print(images.shape, images.dtype)


# %% [markdown]
# ## Program 1: how are the images normalised?
#
# The mean and the standard deviation of the images are computed once, for each colour. Then every
# image is normalised with them. The author works image by image, as one can even when a set does
# not fit into memory.

# %%
def deviation(images):
    """Returns the deviation of each colour, of images (B, H, W, 3)."""
    of_each_image = images.std(axis=(1, 2))  # (B, 3)
    return of_each_image.mean(axis=0)


pixels = images / 255
print("mean:     ", pixels.mean(axis=(0, 1, 2)).round(2))
print("deviation:", deviation(pixels).round(2))


# %% [markdown]
# The three deviations are between 0 and 1, and much alike. In a paper nobody would doubt them.
#
# :::{exercise} The deviation
# :label: ex-debugging-deviation
#
# ★ · 10 minutes
#
# The promise: normalised with this mean and this deviation, the pixels of each colour have
# mean 0 and deviation 1. Which instrument tests it? Read it. Then write
# `repaired_deviation(images)`, which keeps the promise for any images.
# `checks.check_repaired_deviation(repaired_deviation)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Do what the promise says: normalise `pixels`, and measure what comes out, colour by colour.
# Which of the two numbers is off, and in which direction?
# :::
#
# ## Program 2: what does the augmentation do?
#
# This {term}`augmentation` cuts a square of 32 x 32 pixels out of the image, at a random place,
# and flips it in half of the cases. The three random numbers from 0 to 1 that decide this are
# arguments, so that we can repeat it. (In the embedded data set a flip may change the class. Here
# we only look at the pictures.)

# %%
def variant(image, random):
    """Returns a random cut (32, 32, 3) of an image, perhaps flipped."""
    size = 32
    height, width, _ = image.shape
    top = int(random[0] * (height - size + 1))
    left = int(random[1] * (width - size + 1))
    cut = image[top : top + size, left : left + size]
    return cut[:, ::-1] if random[2] < 0.5 else cut


# %% mystnb={"figure": {"caption": "One image, and seven variants that the augmentation makes of it.", "name": "fig-debugging-variants"}, "image": {"alt": "Eight small pictures in two rows. The first is the image. The others, variants 1 to 7, are the same picture, some of them mirrored left to right."}}
draws = np.random.default_rng(seed).uniform(size=(200, 3))
variants = [variant(images[0], draw) for draw in draws]
fig, axes = plt.subplots(2, 4, figsize=(6.4, 3.7))
names = ["image", *(f"variant {number}" for number in range(1, 8))]
pictures.show_images(axes, [images[0], *variants[:7]], names)
plt.show()


# %% [markdown]
# Neighbours often differ, and the training sees something new in every {term}`epoch`. Or
# does it?
#
# :::{exercise} The augmentation
# :label: ex-debugging-variant
#
# ★★ · 15 minutes
#
# The promise: the picture moves by a few pixels, up or down, left or right, and is
# flipped in half of the cases. Change one of the random numbers at a time, and measure the
# spread of the variants. Which numbers have an effect? Then write
# `repaired_variant(image, random)` for a square image: it puts a black border of 4
# pixels around the image, and cuts a square of the old size out of the result. The
# first two numbers choose one of 9 rows and one of 9 columns for its corner, and the
# flip comes last, as above.
# `checks.check_repaired_variant(repaired_variant)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Hold two of the three random numbers at 0.9, and take 200 draws of the third. Flatten the
# variants to rows for `instruments.spread`. For the repair, `np.pad` takes a pair of widths
# for each axis.
# :::
#
# ## Program 3: what is in a patch?
#
# The image is cut into {term}`patches <patch>`, and each patch is laid out as a row of
# numbers. The author comes from a library that keeps the colours in front.

# %%
def make_patches(image, size):
    """Cuts an image (H, W, 3) into patches (N, 3 * size * size)."""
    height, width, channels = image.shape
    rows, columns = height // size, width // size
    planes = image.transpose(2, 0, 1)  # one plane a colour
    tiles = planes.reshape(channels, rows, size, columns, size)
    tiles = tiles.transpose(0, 1, 3, 2, 4)  # rows and columns of tiles first
    return tiles.reshape(rows * columns, channels * size * size)


patches = make_patches(images[0], size=8)
print(patches.shape)
pairs = np.sort(patches, axis=None), np.sort(images[0], axis=None)
print("numbers that are lost:", np.count_nonzero(np.subtract(*pairs)))


# %% [markdown]
# 16 patches of $8 \cdot 8 \cdot 3 = 192$ numbers, and none is lost. A dense layer takes
# them as it takes any 192 numbers, and the training begins.
#
# :::{exercise} The patches
# :label: ex-debugging-patches
#
# ★★ · 15 minutes
#
# The promise: a patch holds the pixels of one square of the image, and no others. Make an
# image whose pixels tell where they are: all three colours of a pixel are the number of
# its square. What must a patch of this image hold, and what does it hold? Then write
# `repaired_patches(image, size)`. Patches go left to right and then down; in a patch the
# order is row, column, colour, as in [](#sec-patches).
# `checks.check_repaired_patches(repaired_patches)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `np.divmod(np.arange(1024), 32)` gives the row and the column of each pixel, and `// 8` takes
# you from there to the number of its square. Then print `np.unique` of a patch.
# :::
#
# ## Program 4: how large is a block?
#
# One {term}`Transformer block`, as the paper on the ViT describes it. In ViT-Base, its smallest
# model, an {term}`attention head` works with vectors of length 64. There are 12 heads,
# the {term}`MLP` has 3,072 hidden units, and there are 12 such blocks
# {cite:p}`dosovitskiy2021`.

# %%
def block(head_size, heads, hidden):
    """Returns the number of parameters of a Transformer block."""
    tokens = keras.Input((197, head_size))  # 14 * 14 patches, 1 class token
    y = layers.LayerNormalization()(tokens)
    x = tokens + layers.MultiHeadAttention(heads, head_size)(y, y)
    y = layers.LayerNormalization()(x)
    y = layers.Dense(hidden, activation="gelu")(y)
    y = x + layers.Dense(head_size)(y)
    return keras.Model(tokens, y).count_params()


print(f"12 blocks of ViT-Base: {12 * block(64, 12, 3072):,} parameters")


# %% [markdown]
# Seven million parameters. The model is small, fits everywhere and trains fast. Is it
# ViT-Base?
#
# :::{exercise} The block
# :label: ex-debugging-block
#
# ★★ · 15 minutes
#
# The promise: twelve of these blocks are the Transformer of ViT-Base, which has 86 million
# parameters in all. Count one block on paper, as [](#sec-training) does, from the sizes in
# the paper. Where do the two counts differ? Then write
# `repaired_block(head_size, heads, hidden)`, which returns the number of parameters of one
# block. You may build it in Keras, or count.
# `checks.check_repaired_block(repaired_block)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# A dense layer from $a$ to $b$ numbers has $a \cdot b + b$ parameters. List the shapes of all
# layers of a block as the paper's sizes give them, and compare the list with the layers that
# the program builds, one by one.
# :::
#
# ## Program 5: who listens to whom?
#
# The weights of attention, for all heads at once. {term}`Queries <query>` and
# {term}`keys <key>` are compared, the {term}`softmax` turns the products into weights, and
# the scale is there, too.

# %%
def softmax(x):
    """Turns numbers into positive ones that sum to 1 along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** A reader may look for the defect in the softmax, which is right, or
# > tick off the scale, which is there. Do not point. Ask what the weights of a query must sum
# > to, and let them measure it; the place of the defect follows from the number.

# %%
def attention(queries, keys):
    """Returns the weights (heads, N, N) of arrays (heads, N, d)."""
    products = queries @ keys.swapaxes(-1, -2)
    return softmax(products) / np.sqrt(queries.shape[-1])


rng = np.random.default_rng(seed)
queries, keys = rng.normal(size=(2, 3, 16, 64))
weights = attention(queries, keys)
print(weights.shape, "negative weights:", (weights < 0).sum())


# %% [markdown]
# Each query even listens most to the key with which its product is largest, as it should.
#
# :::{exercise} The attention
# :label: ex-debugging-attention
#
# ★★ · 10 minutes
#
# The promise: the new {term}`token` is a weighted *mean* of the {term}`values <value>`, and
# the scale keeps the softmax from giving everything to one key. Which sum tests the first
# half, and which number the second? Then write `repaired_attention(queries, keys)`.
# `checks.check_repaired_attention(repaired_attention)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# If all values are the same, their weighted mean is that value. What must the weights of a
# query do for that? For the second half, compare the largest weight of a query with what is
# left for the other fifteen keys.
# :::
#
# ## Program 6: where do the weights start?
#
# A stack of blocks gets its first weights. The author wants runs that can be repeated, and
# hands a {term}`seed` to the initialiser.

# %%
def first_weights(width, blocks, seed):
    """Returns the first weights (blocks, width, width) of a stack."""
    start = keras.initializers.GlorotUniform(seed=seed)
    stack = [
        layers.Dense(width, kernel_initializer=start) for _ in range(blocks)
    ]
    for layer in stack:
        layer.build((None, width))
    return np.stack([layer.get_weights()[0] for layer in stack])


start = first_weights(width=64, blocks=6, seed=seed)
changed = (start != first_weights(64, 6, seed)).sum()
print(f"deviation of a weight: {start.std():.3f}, on paper: {1 / 8:.3f}")
print("weights that differ in a second run:", changed)


# %% [markdown]
# The deviation is that of the initialiser's formula, the root of 2 divided by inputs plus outputs:
# $\sqrt{2 / (64 + 64)} = 1/8$. And the run can be repeated.
#
# :::{exercise} The first weights
# :label: ex-debugging-weights
#
# ★★ · 15 minutes
#
# The promise: the weights are drawn at random, and the seed decides which. Which
# instrument compares the blocks with each other? Then write
# `repaired_weights(width, blocks, seed)`. Each block draws its own weights with
# `GlorotUniform`; the same seed gives the same blocks, and two different seeds have no
# block in common. (An initialiser takes a Python `int` as its seed, or a
# `keras.random.SeedGenerator`; put `int(...)` around a number from NumPy.)
# `checks.check_repaired_weights(repaired_weights)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `start.reshape(6, -1)` has one row a block. Before you measure the spread over its rows, say
# roughly what it must be, given the deviation of a weight. For the repair, look up in the help
# of Keras what a `SeedGenerator` is for.
# :::
#
# ## Program 7: what does dropout drop?
#
# Dropout sets some numbers, chosen at random, to 0 during the training, and makes the others
# larger, so that the sum stays the same on average. The author drops attention weights, and then
# parts of the result. `noise` holds uniform random numbers, new for each call; to keep the program
# short, both steps use the same.

# %%
def drop(x, noise, rate):
    """Sets numbers to 0 where the noise is low, and scales the rest."""
    return np.where(noise < rate, 0, x / (1 - rate))


def mix(weights, values, noise, rate, training):
    """Mixes values (N, d) by weights (N, N); the noise is (N, N)."""
    mixed = drop(weights, noise, rate) @ values
    if training:
        mixed = drop(mixed, noise[:, : mixed.shape[1]], rate)
    return mixed


# %% [markdown]
# We run it on 200 images, whose values are random here. The mean of the 16 tokens has ten
# numbers, and the largest of them names the class.

# %%
def name_classes(rng, rate=0.2):
    """Returns the classes (200,) that are named when nothing is trained."""
    noise = rng.uniform(size=(200, 16, 16))
    pairs = zip(values, noise, strict=True)
    tokens = [
        mix(uniform, image, chance, rate, False) for image, chance in pairs
    ]
    return np.mean(tokens, axis=1).argmax(axis=1)


uniform = np.full((16, 16), 1 / 16)
values = rng.normal(size=(200, 16, 10))
answers = name_classes(rng)
right = values.mean(axis=1).argmax(axis=1)
print(f"share of right answers: {np.mean(answers == right):.2f}")


# %% [markdown]
# Most answers are those of the plain mean, and nobody would doubt a test accuracy like
# this.
#
# :::{exercise} The dropout
# :label: ex-debugging-mix
#
# ★ · 10 minutes
#
# The promise: when nothing is trained, nothing is left to chance. Which of the instruments
# needs no knowledge of the right answers? Then write
# `repaired_mix(weights, values, noise, rate, training)`; you may use `drop`.
# `checks.check_repaired_mix(repaired_mix)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# You need not know the right answer to notice that something is wrong with two answers. Call
# `name_classes` more than once, and count.
# :::

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask here who would have found this one by reading. Where one of two
# > lines obeys a switch, a reader takes it that both do. The defect shows when the same question
# > is asked twice, and that takes no knowledge of the code at all.

# %% [markdown]
# ## Program 8: how fast does it learn?
#
# A schedule with {term}`learning-rate warm-up` and a cosine is made and drawn in many programs.
# Here the model is a single number, and the loss is half its squared distance to a target. So the
# gradient is the number minus the target.

# %%
def path(target, peak, warmup, steps):
    """Returns where the number is, before the first and after each step."""
    schedule = WarmupSchedule(peak, warmup, steps, cosine=True)
    print(f"the rate rises to {float(schedule(warmup)):.2f} and falls")
    optimizer = keras.optimizers.SGD(learning_rate=peak)
    number = keras.Variable([0.0])
    optimizer.build([number])
    places = [0.0]
    for _ in range(steps):
        optimizer.apply([number - target])
        places.append(float(number.numpy()[0]))
    return places


places = path(target=3.0, peak=0.1, warmup=20, steps=60)

# %% mystnb={"figure": {"caption": "The number that is learned, step after step. Dotted: the target.", "name": "fig-debugging-path"}, "image": {"alt": "A curve that starts at zero, rises quickly and then ever more slowly, and ends close to the dotted line at three."}}
fig, ax = plt.subplots(figsize=(6.4, 2.6))
ax.plot(places)
ax.axhline(3, color="black", linestyle=":")
ax.set(xlabel="step", ylabel="number")
plt.show()


# %% [markdown]
# The number arrives at its target. The message about the rate is true, too: that is what
# the schedule says.
#
# :::{exercise} The learning rate
# :label: ex-debugging-path
#
# ★★ · 15 minutes
#
# The promise: each step has the rate of the schedule. What does the curve say about the
# first steps? One step of gradient descent is the rate times the gradient, with a minus.
# Work out from `places` which rate was used, and compare. Then write
# `repaired_path(target, peak, warmup, steps)`, which returns the places.
# `checks.check_repaired_path(repaired_path)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# `np.diff(places)` are the steps. The gradient of a step is taken where the number is *before*
# it. Divide, and draw the result beside the schedule.
# :::
#
# ## Program 9: why is the loss so high?
#
# A classifier ends in probabilities, so that one can read them, and its loss is computed
# with `tasks.score`. We skip the training: the features name the right class without a
# doubt, and the weights grow, as they do in a training that goes well.

# %%
def classify(features, kernel):
    """Returns the probability of each class, (B, C)."""
    return softmax(features @ kernel)


def loss(features, kernel, labels):
    """Returns the mean cross-entropy of the classifier."""
    return tasks.score(classify(features, kernel), labels)["loss"]


labels = data.validation.labels[:500]
features = np.eye(100)[labels]
for strength in (1, 3, 5, 10, 20):
    value = loss(features, strength * np.eye(100), labels)
    print(f"weights of {strength:2}: loss {value:.2f}")


# %% [markdown]
# The loss begins near $\ln 100 = 4.61$ and falls, in the end ever more slowly, as losses do at the
# end of a training. The author concludes that the model needs more data.
#
# :::{exercise} The loss
# :label: ex-debugging-loss
#
# ★★★ · 15 minutes
#
# The promise: this is the {term}`cross-entropy`, the mean of $-\ln p$ over the images,
# where $p$ is the probability of the right class. Read the loss together with the accuracy,
# and with the probability that `classify` gives to the right class. Which loss belongs to
# that probability? What is the lowest number that `loss` can ever return for 100 classes?
# Then write `repaired_loss(features, kernel, labels)`.
# `checks.check_repaired_loss(repaired_loss)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Begin with weights of 20: how often is the answer right, how sure is it, and what is minus
# the logarithm of that? For the lowest loss, take the best output that `classify` can have,
# and follow it through the rest of the program.
# :::
#
# ## Program 10: how good is the model?
#
# A test set has 25 images of a pizza, 19 of a steak and 31 of sushi, in this order. The
# accuracy is measured in {term}`batches <batch>` of 32 images, and the mean is taken.

# %%
def accuracy(answers, labels, batch_size):
    """Returns the accuracy, measured batch after batch."""
    shares = []
    for first in range(0, len(labels), batch_size):
        batch = slice(first, first + batch_size)
        shares.append(np.mean(answers[batch] == labels[batch]))
    return np.mean(shares)


test_labels = np.repeat([0, 1, 2], [25, 19, 31])
models = {"A": np.full(75, 0), "B": np.full(75, 1), "C": np.full(75, 2)}
for name, answers in models.items():
    print(f"model {name}: {accuracy(answers, test_labels, 32):.4f}")

# %% [markdown]
# Three models with three accuracies. A guess is right for one image in three, so that model
# C seems to have learned something, and the others less than nothing.
#
# :::{exercise} The accuracy
# :label: ex-debugging-accuracy
#
# ★ · 10 minutes
#
# The promise: this is the share of the images that are named correctly. Measure with
# another batch size. What did the three models learn? Then write
# `repaired_accuracy(answers, labels, batch_size)`, which still goes through the batches.
# `checks.check_repaired_accuracy(repaired_accuracy)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Count the right answers of model A by hand. For which batch sizes does the program agree with
# you? And what does each model say about the individual images?
# :::

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Before the table, let the class sort the ten programs by what the
# > defect costs: accuracy, a true result, or nothing that we know. Expect a quarrel about the
# > fourth and the tenth.
# > The fourth builds a sound model, only not ViT-Base; the tenth says something untrue about
# > models that are as good as before.

# %% [markdown]
# ## Which instrument finds which defect?
#
# When you have tried the exercises, write down for each of the ten programs its symptom, the
# instrument that finds the defect, and the defect.

# %% [markdown] tags=["answers"]
# The folded table has all answers.
#
# :::{admonition} The ten defects
# :class: dropdown
#
# | program | symptom | instrument | defect |
# |---|---|---|---|
# | 1 normalisation | none; the numbers look usual | mean and deviation of what comes out | deviation inside each image, not over all |
# | 2 augmentation | none; the pictures differ | spread, one random number at a time | a cut as large as the image leaves one place |
# | 3 patches | none; shapes and numbers fit | labels for pixels | colours in front: a patch mixes three squares |
# | 4 block | small and fast | count | a token as long as one head |
# | 5 attention | none; the right key wins | sum of the weights | the scale comes after the softmax |
# | 6 first weights | none; deviation as on paper | spread over the blocks | all blocks draw with the same seed |
# | 7 dropout | a slightly low accuracy | ask twice | dropout goes on when nothing is trained |
# | 8 learning rate | large first steps | step divided by gradient | the schedule is made and not used |
# | 9 loss | a loss that stops at 3.62 | loss and accuracy together | softmax twice |
# | 10 accuracy | below a guess, or well above | another batch size | a mean of means of unequal batches |
# :::
#
# **Half of them have no symptom.** They are not found by waiting for one.
#
# Not all ten cost accuracy. Programs 2, 5, 7, 8 and 9 may, and a wrong learning rate can cost
# everything: of two narrow copies of the report's ViT that differ in the learning rate alone, one
# learned and the other kept a dead head for 30 epochs ([](#sec-findings)). Programs 3 and 4 make
# another model than the one that is named; whether it is worse, nobody has measured here. Of
# programs 1 and 6 we know no cost. Program 10 has none: the model is as good as before, and only
# what is said about it is untrue.

# %% [markdown]
# ## What this chapter does not show
#
# * Each program has one defect, and you know that it has one. A real program may have
#   none, or three that hide each other.
# * The programs are as short as they can be. In the sources the same lines are scattered over
#   files of hundreds of lines, and some have been repaired since.
# * We say what a defect does, not what it costs on CIFAR-100. That takes a study with
#   several seeds for each.
# * Four more defects are in other chapters: a shear of 0.2 degrees, and an epoch picked on the
#   {term}`test set`, in [](#sec-data); in [](#sec-positions), steps that share an offset; in
#   [](#sec-training), a {term}`weight decay` that means something else in another library.
#
# ## Key points
#
# * A program that runs, with shapes that fit and a loss that falls, is not yet right.
# * Say first what a number must be. Then measure it.
# * Change one input, and see whether the output follows. An input without an effect does not do
#   what its name says.
# * Ask the same question twice, with another seed or another batch size. Where these must not
#   matter, the answer must be the same.
# * Read two numbers together: a model that is right and sure does not have a loss of 3.62.
# * Repair, and read the same instrument again. A change that looks right is not yet a
#   repair.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-debugging-deviation
# :class: dropdown
# :::
#
# The instrument is the mean and the deviation of what comes out.

# %%
normalised = (pixels - pixels.mean(axis=(0, 1, 2))) / deviation(pixels)
spread_of_means = normalised.mean(axis=(1, 2)).std(axis=0)
print("mean:     ", abs(normalised.mean(axis=(0, 1, 2))).round(2))
print("deviation:", normalised.std(axis=(0, 1, 2)).round(2))
print("deviation of the means of the images:", spread_of_means.round(2))


# %% [markdown]
# The deviation comes out above 1, so the divisor was too small. Some images are bright as
# a whole and some dark. The deviation *inside* an image does not know of that, because it
# is measured from the image's own mean. The variance over all pixels has both parts: the
# mean of the variances inside the images, and the variance of their means. (A mean of deviations
# is also a little less than the root of the mean variance.)

# %% tags=["solution"]
def repaired_deviation(images):
    """Takes images (B, H, W, 3); returns three deviations, (3,)."""
    return images.std(axis=(0, 1, 2))


# %% tags=["check"]
checks.check_repaired_deviation(repaired_deviation)

# %% [markdown]
# *Source.* The deviations 0.2023, 0.1994 and 0.2010 are in many programs for CIFAR-10, among them
# a Vision Transformer {cite:p}`equinoxvit`. A reader of another program found how they come about
# {cite:p}`cifarstd`: they are means of the deviations inside the images. Over all pixels the
# deviations are 0.2470, 0.2435 and 0.2616.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-variant
# :class: dropdown
# :::
#
# We hold two of the three numbers, and let the third one vary.

# %%
for place, name in enumerate(("row", "column", "flip")):
    changed = np.full((200, 3), 0.9)
    changed[:, place] = draws[:, place]
    rows = [variant(images[0], draw).ravel() for draw in changed]
    print(f"{name}: spread {instruments.spread(rows):.0f}")
print("different pictures:", len(np.unique(variants, axis=0)))


# %% [markdown]
# The first two numbers have no effect. A cut of 32 pixels out of 32 has one place only:
# `height - size + 1` is 1, and `int` makes 0 of every number below 1. What is left is the
# flip. It makes two pictures of an image, and it makes the defect hard to see.

# %% tags=["solution"]
def repaired_variant(image, random):
    """Takes an image (S, S, 3), 3 numbers in [0, 1); returns (S, S, 3)."""
    size = len(image)
    wide = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    top, left = int(random[0] * 9), int(random[1] * 9)
    cut = wide[top : top + size, left : left + size]
    return cut[:, ::-1] if random[2] < 0.5 else cut


# %% tags=["check"]
checks.check_repaired_variant(repaired_variant)

# %%
repaired = [repaired_variant(images[0], draw) for draw in draws]
print("different pictures:", len(np.unique(repaired, axis=0)))

# %% [markdown]
# *Source.* The Keras example of a compact Transformer {cite:p}`paul2021` crops images of
# 32 x 32 pixels to 32 x 32, and flips them.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-patches
# :class: dropdown
# :::
#
# On the image of labels, each patch must hold one number alone, that of its square.

# %%
row, column = np.divmod(np.arange(32 * 32), 32)
square = (row // 8 * 4 + column // 8).reshape(32, 32)
labelled = np.repeat(square[:, :, None], 3, axis=2)
for number, patch in enumerate(make_patches(labelled, 8)[:3]):
    print(f"patch {number} has pixels of squares", np.unique(patch))

# %% mystnb={"figure": {"caption": "Where the first patch comes from: in each of the 16 squares of the image, how many of the three colours of a pixel the patch holds. Yellow: the squares that it is made of.", "name": "fig-debugging-owners"}, "image": {"alt": "Two tables of four by four squares. In that of the program the first three squares of the top row hold a 1, all others a 0. In that of the promise the first square holds a 3, all others a 0."}}
own = np.arange(32 * 32 * 3).reshape(32, 32, 3)
taken = np.isin(own, make_patches(own, 8)[0]).sum(axis=2)
promised = 3 * (square == 0)
fig, axes = plt.subplots(1, 2, figsize=(5, 2.8))
names = "the program", "as promised"
for ax, counts, name in zip(axes, (taken, promised), names, strict=True):
    pictures.show_numbers(ax, counts[::8, ::8])  # one pixel a square
    ax.set_xlabel(name)
plt.show()


# %% [markdown]
# The first patch has the red values of three squares, and no green or blue ones. The
# colours are in front, so that the first 192 numbers are all red. The axis of the colours
# has to move to the end before the patches are laid out.

# %% tags=["solution"]
def repaired_patches(image, size):
    """Takes an image (H, W, 3); returns patches (N, size * size * 3)."""
    height, width, channels = image.shape
    shape = (height // size, size, width // size, size, channels)
    tiles = image.reshape(shape).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, size * size * channels)


# %% tags=["check"]
checks.check_repaired_patches(repaired_patches)


# %% [markdown]
# *Source.* A ViT in PyTorch unfolded the image and flattened it with the colours still in
# front, until a reader asked {cite:p}`pytorchvit7`. He writes that this order need not hurt a
# model of one image size. But what is drawn over a patch afterwards, an attention map for
# instance, lies over the wrong place.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-block
# :class: dropdown
# :::
#
# The paper gives a token of ViT-Base the length 768, which is 12 heads of 64. We count.

# %%
def dense(inputs, outputs):
    """Returns the number of parameters of a dense layer."""
    return inputs * outputs + outputs


for length in (64, 768):
    projections = 3 * dense(length, 768) + dense(768, length)
    hidden_layer = dense(length, 3072) + dense(3072, length)
    total = 4 * length + projections + hidden_layer
    print(f"token of {length}: {total:,} a block, {12 * total:,} in all")
print(f"the program: {block(64, 12, 3072):,} a block")


# %% [markdown]
# The program has the first count: it makes a token as long as *one* head, so that every layer
# that takes or returns tokens is too small. With the length of all heads, the twelve blocks have
# 85 million parameters. The patch embedding, the positions and the classifier make up the rest of
# the 86 million.

# %% tags=["solution"]
def repaired_block(head_size, heads, hidden):
    """Takes three sizes; returns the number of parameters of a block."""
    width = heads * head_size
    tokens = keras.Input((197, width))  # 14 * 14 patches, 1 class token
    y = layers.LayerNormalization()(tokens)
    x = tokens + layers.MultiHeadAttention(heads, head_size)(y, y)
    y = layers.LayerNormalization()(x)
    y = layers.Dense(hidden, activation="gelu")(y)
    y = x + layers.Dense(width)(y)
    return keras.Model(tokens, y).count_params()


# %% tags=["check"]
checks.check_repaired_block(repaired_block)

# %% [markdown]
# *Source.* Five Keras examples used one number as the length of a token and as the length of
# a query in one head. A reader built ViT-Base in this way, and counted 15 million parameters in
# the whole model {cite:p}`kerasio1907`; our 7 million are the twelve blocks alone. The report
# extends one of these examples {cite:p}`salama2021`: that is where its 527,488 parameters for one
# attention come from ([](#sec-training)).
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-attention
# :class: dropdown
# :::
#
# The weights of a mean sum to 1. And where a softmax gives everything to one key, the
# largest weight is near that sum.

# %%
sums = weights.sum(axis=-1)
print(f"sum of the weights of a query: {sums.min():.3f} to {sums.max():.3f}")
products = queries @ keys.swapaxes(-1, -2)
for name, scale in (("without the scale", 1), ("with it", 8)):
    largest = softmax(products / scale).max(axis=-1).mean()
    print(f"largest weight {name}, on average: {largest:.2f}")


# %% [markdown]
# The sum is 1/8, and 8 is the root of 64. The program divides the weights by the scale, and not
# the products. So both halves of the promise are broken. The token gets an eighth of a mean, which
# the layers after it can make up for. And the softmax works on products with a deviation of 8, as
# each is a sum of 64 random terms of deviation 1: most of the weight goes to one key, and little
# gradient flows to the others. That is what the scale is there to prevent {cite:p}`vaswani2017`.

# %% tags=["solution"]
def repaired_attention(queries, keys):
    """Takes queries and keys (heads, N, d); returns weights (heads, N, N)."""
    products = queries @ keys.swapaxes(-1, -2)
    return softmax(products / np.sqrt(queries.shape[-1]))


# %% tags=["check"]
checks.check_repaired_attention(repaired_attention)

# %% [markdown]
# *Source.* A tutorial on the ViT, with code that others have copied, divided after the
# softmax. Readers asked about it, and the author agreed {cite:p}`zuppichini2`.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-weights
# :class: dropdown
# :::
#
# The spread over the blocks: how much does one and the same weight differ from block to
# block?

# %%
by_block = start.reshape(6, -1)
others = rng.uniform(by_block.min(), by_block.max(), by_block.shape)
print(f"spread over the blocks: {instruments.spread(by_block):.2f}")
print(f"over independent draws: {instruments.spread(others):.2f}")


# %% [markdown]
# All six blocks start as the same block. (Independent draws have 0.11 and not 0.125, as six draws
# lie closer to their own mean than to the true one.) An initialiser of Keras that was given a
# whole number as its seed returns the same numbers at each call, as JAX does for the same *key*,
# which is its word for a seed. What is needed is a *source* of seeds, which the seed sets once.
#
# Counting the seeds up, `seed + block`, is no repair. Block 1 of the run with seed 0 and
# block 0 of the run with seed 1 are then the same, and the two runs are not independent.

# %% tags=["solution"]
def repaired_weights(width, blocks, seed):
    """Takes three whole numbers; returns weights (blocks, width, width)."""
    source = keras.random.SeedGenerator(seed)
    start = keras.initializers.GlorotUniform(seed=source)
    drawn = [start((width, width)) for _ in range(blocks)]
    return np.stack([keras.ops.convert_to_numpy(one) for one in drawn])


# %% tags=["check"]
checks.check_repaired_weights(repaired_weights)

# %% [markdown]
# *Source.* The ViT among the examples of Equinox makes all its blocks with one key of JAX
# {cite:p}`equinoxvit`. It prints an accuracy of 76.2 % on CIFAR-10. The blocks see different
# inputs, so that training can make them differ. A defect need not show in an accuracy. Nobody has
# measured there whether the blocks learn better from a start of their own.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-mix
# :class: dropdown
# :::
#
# Ask twice. The images and the weights are the same, so the answers must be.

# %%
for rate in (0.2, 0):
    first, second = (name_classes(rng, rate) for _ in range(2))
    changed = (first != second).sum()
    print(f"rate {rate}: the answer changes for {changed} of 200 images")


# %% [markdown]
# The rate matters, and it must not when nothing is trained. The second dropout looks at
# `training`; the first does not.

# %% tags=["solution"]
def repaired_mix(weights, values, noise, rate, training):
    """Takes (N, N), (N, d), (N, N), a share, True or False; returns (N, d)."""
    if not training:
        return weights @ values
    mixed = drop(weights, noise, rate) @ values
    return drop(mixed, noise[:, : mixed.shape[1]], rate)


# %% tags=["check"]
checks.check_repaired_mix(repaired_mix)

# %% [markdown]
# *Source.* A fused attention of PyTorch takes the rate of dropout as an argument and does
# not know whether the model is being trained. PyTorch Image Models, from which many take
# their ViT, always handed over the rate {cite:p}`timm1978`. In its own models the rate was 0,
# so that nothing happened to them.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-path
# :class: dropdown
# :::
#
# The first step of the curve is the longest, and a warm-up begins with short ones. The rate is
# minus the step divided by the gradient.

# %%
used = np.diff(places) / (3.0 - np.array(places[:-1]))
schedule = WarmupSchedule(0.1, 20, 60, cosine=True)
planned = [float(schedule(step)) for step in range(60)]
print(f"planned: {planned[0]:.3f} at first, {max(planned):.3f} at most")
print(f"used:    {used[0]:.3f} at first, {used.max():.3f} at most")
print(f"used in the last step: {used[-1]:.3f}, planned: {planned[-1]:.3f}")

# %% mystnb={"figure": {"caption": "The learning rate that the schedule says (dashed), and the one that the steps show.", "name": "fig-debugging-rates"}, "image": {"alt": "Two lines against the step. The dashed one rises in a straight line to 0.1 and falls along a cosine to zero. The other stays at 0.1 throughout."}}
fig, ax = plt.subplots(figsize=(6.4, 2.6))
ax.plot(used, label="used")
ax.plot(planned, "--", color="C2", label="planned")
ax.set(xlabel="step", ylabel="learning rate", ylim=(0, 0.11))
ax.legend()
plt.show()


# %% [markdown]
# The schedule is made, and a line about it is printed. But the optimiser gets `peak`.

# %% tags=["solution"]
def repaired_path(target, peak, warmup, steps):
    """Takes two numbers and two counts; returns `steps + 1` places."""
    schedule = WarmupSchedule(peak, warmup, steps, cosine=True)
    optimizer = keras.optimizers.SGD(learning_rate=schedule)
    number = keras.Variable([0.0])
    optimizer.build([number])
    places = [0.0]
    for _ in range(steps):
        optimizer.apply([number - target])
        places.append(float(number.numpy()[0]))
    return places


# %% tags=["check"]
checks.check_repaired_path(repaired_path)

# %% [markdown]
# *Source.* The Keras example on ViTs for small data sets {cite:p}`gosthipaty2022` builds a
# schedule with warm-up and cosine, and hands the constant rate to its optimiser.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-loss
# :class: dropdown
# :::
#
# We put the accuracy and the probability of the right class next to the loss.

# %%
rows = []
for strength in (5, 10, 20):
    probability = classify(features, strength * np.eye(100))
    score = tasks.score(probability, labels)
    sure = probability[np.arange(500), labels].mean()
    rows.append((strength, score["loss"], score["top1"], sure, -np.log(sure)))
columns = ("weights", "loss", "accuracy", "probability", "minus its logarithm")
Table(columns, tuple((n, *(f"{x:.2f}" for x in rest)) for n, *rest in rows))

# %% [markdown]
# With weights of 20 the model is right for every image, and as good as sure. Its loss should be 0,
# but it is 3.62. `tasks.score` takes {term}`logits <logit>` and applies the softmax itself, so
# that the softmax is taken twice. The second one gets numbers between 0 and 1. At best they are a
# 1 and 99 zeros, and then the loss is
#
# $$
# -\ln \frac{e}{e + 99} = \ln (e + 99) - 1 = 3.62 .
# $$
#
# Training can lower this loss, from $\ln 100$ towards 3.62, and no further. A loss that
# stops there, on 100 classes, says nothing about the data.

# %%
floor = np.log(np.e + 99) - 1
print(f"lowest loss: {floor:.4f}")
reached = loss(features, 40 * np.eye(100), labels)
print(f"reached with weights of 40: {reached:.4f}")

# %% mystnb={"figure": {"caption": "Loss of the classifier that is always right, against the size of its weights, with the softmax taken twice and once.", "name": "fig-debugging-floor"}, "image": {"alt": "Two lines that start together near 4.6. That of one softmax falls to zero. That of two falls to the dotted line at 3.62 and stays there."}}
strengths = np.linspace(0, 20, 41)
once, twice = (
    [
        tasks.score(make(features, s * np.eye(100)), labels)["loss"]
        for s in strengths
    ]
    for make in (np.matmul, classify)
)
fig, ax = plt.subplots(figsize=(6.4, 2.8))
ax.plot(strengths, twice, label="softmax twice")
ax.plot(strengths, once, "--", color="C2", label="softmax once")
ax.axhline(floor, color="black", ls=":", label=f"floor: {floor:.2f}")
ax.set(xlabel="size of the weights", ylabel="loss (nats)")
ax.legend()
plt.show()


# %% tags=["solution"]
def repaired_loss(features, kernel, labels):
    """Takes (B, D), (D, C) and B labels; returns the mean cross-entropy."""
    return tasks.score(features @ kernel, labels)["loss"]


# %% tags=["check"]
checks.check_repaired_loss(repaired_loss)

# %% [markdown]
# *Source.* A ViT for handwritten digits, made for teaching, ends in a softmax and is trained with
# a loss that applies one {cite:p}`pulfer`. It has ten classes: its loss cannot fall below
# $\ln (e + 9) - 1 = 1.46$. Keras on TensorFlow notices some such cases and takes the logits that
# went into the softmax; do not count on it.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-debugging-accuracy
# :class: dropdown
# :::
#
# The share of right answers has nothing to do with batches, so another batch size must not
# change it.

# %%
rows = []
for batch_size in (75, 32, 16, 1):
    measured = [accuracy(a, test_labels, batch_size) for a in models.values()]
    rows.append((str(batch_size), *(f"{value:.4f}" for value in measured)))
for name, answers in models.items():
    print(f"model {name}: different answers: {len(np.unique(answers))}")
Table(("batch size", *models), tuple(rows))


# %% [markdown]
# With batches of 32 the third batch has 11 images, and counts as much as the others. Its images
# are all sushi, because the images are in the order of their classes. The mean is right where all
# batches are equally large.
#
# And each model has one answer. They are {term}`constant predictors <constant predictor>`: A says
# pizza, B steak, C sushi. None has learned anything. Model A is right for one image in three, as a
# guess is; it only looked worse because of the mean. Model C has 0.41 because 31 of the 75 images
# are sushi.

# %% tags=["solution"]
def repaired_accuracy(answers, labels, batch_size):
    """Takes B answers, B labels, a size; returns the share of right ones."""
    right = 0
    for first in range(0, len(labels), batch_size):
        batch = slice(first, first + batch_size)
        right += np.sum(answers[batch] == labels[batch])
    return right / len(labels)


# %% tags=["check"]
checks.check_repaired_accuracy(repaired_accuracy)

# %% [markdown]
# *Source.* A course that rebuilds the ViT paper takes the mean of the means of its batches
# {cite:p}`bourke`; elsewhere the same has been found and repaired {cite:p}`udacity74`. The
# course's test set has 25, 19 and 31 images of pizza, steak and sushi. What it prints while it
# trains its ViT from scratch ends with a test accuracy of 0.26. You have just met this number. The
# three numbers 0.2604, 0.1979 and 0.5417 are what a model scores that gives one answer to every
# image, as 0.0100 was in the report. Other answers can reach them as well: to be sure, count the
# different answers.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# ViT-Base and its sizes are in {cite:t}`dosovitskiy2021`, table 1, the scale of attention and its
# reason in {cite:t}`vaswani2017`, section 3.2.1. The defects were found in, or by readers of,
# {cite:t}`salama2021`, {cite:t}`gosthipaty2022`, {cite:t}`paul2021`, {cite:t}`equinoxvit`,
# {cite:t}`pulfer` and {cite:t}`bourke`; the discussions are {cite:t}`cifarstd`,
# {cite:t}`pytorchvit7`, {cite:t}`kerasio1907`, {cite:t}`zuppichini2`, {cite:t}`timm1978` and
# {cite:t}`udacity74`. They are quoted as they were when we read them. Full entries are in the
# [references](#sec-references).
