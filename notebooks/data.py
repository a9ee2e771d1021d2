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
# (sec-data)=
# # Look at the data first
#
# The authors of a report trained two models on the same images. One got 47.93 % of the test
# images right, the other 1.0 %. Before we ask what went wrong, we look at what both were
# given. No model is trained in this chapter, and yet you will find out what 1.0 % means,
# and which line of the recipe does next to nothing.
#
# :::{admonition} Before you start
# **You will learn to**
#
# * say what CIFAR-100 holds, and what stands in for it on this page;
# * tell guessing from learning by counting labels;
# * split a data set so that the test is worth something, and find images that are in
#   two parts of it;
# * read an augmentation in degrees and pixels, and tell when it is wrong;
# * normalise images, and notice when the computer gets their mean wrong.
#
# **Time:** about 45 minutes to read and run, 90 for all exercises; the cells run in half
# a minute.
#
# **You need:** NumPy arrays, percentages, the natural logarithm, the product of a matrix and
# a vector, and for one section the binomial distribution (how often coins show heads). You
# have called a Keras layer before. No earlier chapter.
# :::
#
# Throughout, the *report* is the student report that this course re-runs. It compares a
# {term}`Vision Transformer` (ViT) {cite:p}`dosovitskiy2021` with a
# {term}`residual network` called ResNet101V2.

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
from keras import ops
from matplotlib.cbook import get_sample_data

import vitlib
from vitlib import Table, check_parameters, checks
from vitlib.data import shapes
from vitlib.inspection import pictures
from vitlib.layers import augment

check_parameters(globals())
keras.utils.set_random_seed(seed)
plt.style.use("vitlib.course")

# %% [markdown]
# ## What is CIFAR-100?
#
# CIFAR-100 is a collection of 60,000 small colour photographs {cite:p}`krizhevsky2009`.
# Each has 32 x 32 pixels, and each shows one of 100 things: an orchid, a bicycle, a shark.
# That is its {term}`fine label`. Five fine labels that belong together form a
# {term}`superclass`: the superclass "flowers" holds orchids, poppies, roses, sunflowers
# and tulips. There are 20 superclasses.
#
# The collection comes in two parts, 50,000 images to train on and 10,000 to test with. The
# report divides the first part again, into 40,000 and 10,000. Each of the three parts is
# called a {term}`split`. In the file all classes are equally frequent, and `vitlib` refuses
# a file in which they are not. The splits of `vitlib` have 400, 100 and 100 images of each
# class, for training, validation and test.
#
# An image is $32 \cdot 32 \cdot 3 = 3{,}072$ whole numbers from 0 to 255. Each pixel has
# three of them: how much red, green and blue light it gives.
#
# ## What stands in for CIFAR-100 here?
#
# The photographs belong to other people and are not part of this course. This page was made
# in the *quick* {term}`profile`, without them: its images come from an *embedded* data set,
# which `vitlib` draws with NumPy. It needs no file and no network, and has the same pixels
# on every machine. To run the chapter with CIFAR-100, write `"cifar100"` in place of
# `"shapes"` in the cell that begins with `data_set`. `vitlib` then downloads the
# photographs and checks every byte.

# %%
dataset = vitlib.load_data_set(data_set)
splits = {
    "training": dataset.train,
    "validation": dataset.validation,
    "test": dataset.test,
}
rows = []
for name, split in splits.items():
    counts = np.bincount(split.labels)  # images of each class
    rows.append((name, len(split.images), counts.min(), counts.max()))
print(dataset.name, dataset.train.images.dtype, dataset.train.images[0].shape)
columns = ("split", "images", "of the rarest class", "of the commonest")
Table(columns, tuple(rows))

# %% mystnb={"figure": {"caption": "The first ten training images of the data set of this run, and the names of their classes.", "name": "fig-data-images"}, "image": {"alt": "Ten small images in two rows. Each shows one red and one blue shape among a few small dots on a pale ground, and below it is the name of its class, such as triangle above cross."}}
fig, axes = plt.subplots(2, 5, figsize=(7.2, 3.7))
names = [dataset.class_names[label] for label in dataset.train.labels[:10]]
names = [name.replace(" ", "\n", 1) for name in names]
pictures.show_images(axes, dataset.train.images[:10], names)
plt.show()

# %% [markdown]
# An image of the embedded set shows one red and one blue shape. The name of its class
# begins with the red shape and says where that is, seen from the blue one. With five kinds
# of shape there are $5 \cdot 5$ pairs, and with four arrangements of each there are 100
# classes. To name the class, a model must see *what* is in the image and *where* it is.
# Small dots, changing colours and noise make that harder.
#
# The pair of kinds plays the part of CIFAR-100's superclass: it is the coarse half of the
# answer, and the arrangement is the fine half. A label is a number that holds both. It is
# four times the number of the pair, plus 0 to 3 for the arrangement.
#
# ## What does guessing score?
#
# A model gives each class a number, and the classes can be ranked by it. Two scores are in
# use. {term}`Top-1 <top-1>` {term}`accuracy` is the share of images whose class is ranked
# first. {term}`Top-5 <top-5>` accuracy is the share of images whose class is among the
# first five.
#
# The least that a model can do is to rank the classes in the same order for every image,
# whatever it shows. We call this a {term}`constant predictor`. It has a choice of 100
# classes for its first place. Which choice scores best?

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Take a vote before the cell with the dice: who gets *exactly* 100 of
# > 10,000 right, the die or the constant answer? The die is a likely vote: its mean is 100, and
# > the mean is taken for the result. Ask what differs between two throws. Leave the vote on
# > the board: *What do 1.0, 5.0 and 4.6079 say together?* in the chapter on training comes back
# > to it. Short of time: show the two lines, leave out the formula.

# %%
counts = np.bincount(dataset.test.labels, minlength=100)
top1 = 100 * counts / counts.sum()  # of each of the 100 first choices
print(f"top-1 accuracy, worst: {top1.min():.2f} %, best: {top1.max():.2f} %")

# %% [markdown]
# They all score the same. Each class has 1 % of the test images, so any first choice is
# right for exactly 1 % of them, and any five choices are right for 5 %. The coarse label is
# easier to guess, because there are fewer to choose from: a guess is right for one image in
# 20 if it is a superclass, and for one in 25 if it is a pair of the embedded set.
#
# Now look at what the report prints for its ViT: accuracy 0.0100, top-5 accuracy 0.0500.
# Could that be a model that rolls dice for each image? On average it would score the same,
# but its score would vary. With $n$ images and a chance of $p$ for each, the number of
# hits $k$ follows
#
# $$
# P(k) = \binom{n}{k} \, p^k (1 - p)^{n - k}.
# $$ (eq-data-hits)
#
# The report has 10,000 test images, so 0.0100 means 100 hits and 0.0500 means 500. How
# often would dice give exactly that?

# %%
from math import comb

n = 10_000
exactly_100 = comb(n, 100) * 99 ** (n - 100) / 100**n
exactly_500 = comb(n, 500) * 5**500 * 95 ** (n - 500) / 100**n
print(f"exactly 100 hits at p = 1 %: {100 * exactly_100:.1f} % of all tries")
print(f"exactly 500 hits at p = 5 %: {100 * exactly_500:.1f} % of all tries")

# %% [markdown]
# Dice would rarely hit either number. A constant predictor hits both, always. So the two
# scores point to a model that ranks the classes in the same order for every image.
#
# The third number of the report is its loss, 4.6079. The loss is the
# {term}`cross-entropy`: the mean of $-\ln p$, where $p$ is the probability that the model
# gave to the true class. A constant predictor gives the classes the probabilities $p_1$ to
# $p_{100}$, the same for every image. As all classes are equally frequent, its loss is
#
# $$
# -\frac{1}{100} \sum_{k=1}^{100} \ln p_k \;\ge\; \ln 100 .
# $$ (eq-data-constant)
#
# It is smallest when all $p_k$ are equal to 1/100. The next cell makes them a little
# unequal: the {term}`logits <logit>`, which the {term}`softmax` turns into probabilities,
# are spread evenly over an interval, and we widen it.

# %%
print(f"ln 100 = {np.log(100):.4f}")
rows = []
for width in (0.0, 0.25, 1.0, 4.0):
    logits = width * np.linspace(0, 1, 100)
    probabilities = np.exp(logits) / np.exp(logits).sum()
    loss = -np.log(probabilities[dataset.test.labels]).mean()
    rows.append((width, f"{loss:.4f}"))
Table(("width of the logits", "loss of the constant predictor"), tuple(rows))

# %% [markdown]
# The report's 4.6079 is just above $\ln 100$, and close to the loss of a constant predictor
# whose logits are spread over an interval of 0.25. All three numbers fit one story: the ViT
# gives every image the same answer, and gives all classes nearly the same probability.
# *Why* it does so cannot be seen in the data. The [chapter on training](#sec-training) asks
# the model.
#
# :::{exercise} Half of the answer
# :label: ex-data-half
#
# ★★ · 10 minutes
#
# 1. A model of CIFAR-100 always finds the superclass, and guesses among its five fine
#    labels. What are its top-1 and top-5 accuracy? What are they for a model of the
#    embedded set that always finds the pair of kinds, and guesses the arrangement?
# 2. The report's ResNet gets 47.93 % of the fine labels right. Suppose that its wrong
#    answers fall on all other classes equally often. How often is its *superclass* right?
#
# Write the second answer as a function, `superclass_accuracy(accuracy, classes, members)`.
# It takes the share of right fine labels in %, the number of fine labels, and the number
# of fine labels in each superclass. It returns how often the superclass is right, in %.
# `checks.check_superclass_accuracy(superclass_accuracy)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Sort 100 answers into three heaps: right fine label, wrong fine label but right
# superclass, wrong superclass. How many labels can a wrong answer fall on?
# :::
#
# ## What can 32 x 32 pixels show?
#
# We cut a square out of a photograph that comes with matplotlib, and shrink it. It shows
# Grace Hopper, a pioneer of compilers. The report's ViT enlarges every image to 72 x 72
# pixels before it looks at it, so we also do that.

# %%
with get_sample_data("grace_hopper.jpg") as file:
    picture = plt.imread(file)[:400, 60:460].astype("float32")
small = {}
for side in (256, 32, 72):
    image = ops.image.resize(picture, (side, side), antialias=True)
    small[side] = ops.convert_to_numpy(image)
enlarged = ops.image.resize(small[32], (72, 72))
enlarged = ops.convert_to_numpy(enlarged)

# %% mystnb={"figure": {"caption": "What a model gets to see. Above: a photograph of 256 x 256 pixels, and what 32 x 32 pixels keep of it. Below: two images of 72 x 72 pixels, one made from the photograph, the other from the 32 x 32 pixels above it.", "name": "fig-data-sizes"}, "image": {"alt": "Four portraits of the same woman in uniform, two by two. The one of 256 pixels is sharp. At 32 pixels it consists of visible squares: the eyes are dark spots, the badge on the cap is a light patch. The photograph at 72 pixels shows eyes, glasses and badge. The enlarged one of the same size is a blur without them."}}
fig, axes = plt.subplots(2, 2, figsize=(5, 5.4))
shown = [*small.values(), enlarged]
labels = ["photograph, 256 x 256", "32 x 32, as in CIFAR-100"]
labels += ["72 x 72, from the photograph", "72 x 72, from the 32 x 32"]
pictures.show_images(axes, shown, labels)
plt.show()

# %% [markdown]
# At 32 pixels the cap, the face and the dark jacket can still be told apart. The badge on
# the cap is a light patch, and the glasses are a grey band. This is all that a model of
# CIFAR-100 ever gets: 3,072 numbers, a sixty-fourth of the first picture.
#
# The two pictures in the lower row have the same size. How different are they?

# %%
difference = np.abs(enlarged - small[72])
print("shapes:", enlarged.shape, small[72].shape)
print(f"mean difference of a pixel value: {difference.mean():.0f} of 255")
print(f"largest difference of a pixel value: {difference.max():.0f} of 255")

# %% [markdown]
# One was made from the square in full, $400 \cdot 400 = 160{,}000$ pixels, the other from
# 1,024. Enlarging makes new pixels out of the old ones, each a mean of its neighbours, and
# brings no detail back. [](#sec-patches) shows that it adds no information.
#
# ## Why three parts?
#
# Each split answers one question. The *training* images are there to learn from. The
# {term}`validation set` is there to choose with: which learning rate, which model, when to
# stop. The {term}`test set` is there to say, once, how good the chosen model is.
#
# Why not choose on the test set, and save 10,000 images? Because the best of many scores is
# too good to be true. To see it, we take 1,000 "models" that know nothing and guess a class
# for each image. We choose the one that is best on the validation set, and then look at its
# test accuracy.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask who has ever changed a model after a look at the test result.
# > Then run the cell with models that know nothing. A likely mistake in {ref}`ex-data-stratified`:
# > all rows are drawn at once, so that the number is right and the classes are not. The check
# > names it; let them read that before you help.

# %%
rng = np.random.default_rng(seed)


def guess(labels, models=1000):
    """Returns the accuracy of models that guess, in %, `(models,)`."""
    guesses = rng.integers(100, size=(models, len(labels)))
    return 100 * (guesses == labels).mean(axis=1)


validation = guess(dataset.validation.labels)
test = guess(dataset.test.labels)
best = validation.argmax()

# %% mystnb={"figure": {"caption": "Validation accuracy of 1,000 models that guess (grey), and the two accuracies of the one that is best in validation.", "name": "fig-data-chosen"}, "image": {"alt": "A bell-shaped histogram of accuracies around one per cent. A solid line marks the best validation accuracy at the right end. A dashed line marks the test accuracy of the same model, inside the bell."}}
fig, ax = plt.subplots(figsize=(6.4, 2.8))
ax.hist(validation, bins=np.arange(0.025, 1.9, 0.1), color="0.8")
ax.axvline(validation[best], color="C2", label="the best: validation")
ax.axvline(test[best], color="C2", ls="--", label="the same model: test")
ax.set(xlabel="top-1 accuracy (%)", ylabel="models")
fig.legend(loc="outside upper center", ncols=2)
plt.show()


# %% [markdown]
# How far apart are the two lines? The spread of such scores is known. When each of $n$
# images is right with probability $a$, the accuracy varies with the *standard error*
#
# $$
# \sigma = \sqrt{\frac{a \, (1 - a)}{n}} .
# $$ (eq-data-error)

# %%
def standard_error(accuracy, images):
    """Returns the standard error of an accuracy, both in %."""
    return 100 * np.sqrt(accuracy / 100 * (1 - accuracy / 100) / images)


chosen = {"validation": validation[best], "test": test[best]}
for name, accuracy in chosen.items():
    sigma = standard_error(1, len(splits[name].labels))
    far = (accuracy - 1) / sigma
    print(f"{name}: {accuracy:.2f} %, {far:.1f} standard errors above chance")
resnet = standard_error(47.93, 10_000)
print(f"47.93 % on 10,000 images, standard error: {resnet:.1f} points")

# %% [markdown]
# The chosen model knows nothing, and yet its validation accuracy is several standard errors
# above chance. Its test accuracy tells the truth, because nobody chose by it. Every
# choice made on the test set takes away some of that.
#
# The last line is worth remembering: another test set of the same size could have given the
# report's ResNet half a point more or less. That is the error of *one* accuracy. Two models
# that see the same test images are often right and wrong on the same ones, so that their
# *difference* has an error of its own. The [chapter on the comparison](#sec-comparison)
# computes it.
#
# :::{exercise} Which number may be printed?
# :label: ex-data-final
#
# ★ · 5 minutes
#
# A training program notes three accuracies after each epoch: of the training, the
# validation and the test images. Its author wants to say in one number how good the model
# is. Write `final_accuracy(history)`, which picks that number. `history` is a dict of three
# lists, `top1`, `val_top1` and `test_top1`, in this order, with one accuracy an epoch. Why
# would it be better if the program had not noted the third?
# `checks.check_final_accuracy(final_accuracy)` tells you whether your choice is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Two decisions are hidden in one number: which epoch, and which list is read there. Give
# each of the three splits the job that it has in the first paragraph of this section.
# :::
#
# ### Why equally many of each class?
#
# The 10,000 validation images could be drawn at random from the 50,000. `vitlib` draws
# class by class instead, equally many of each. Such a split is called *stratified*.

# %%
together = [dataset.train.labels, dataset.validation.labels]
labels = np.concatenate(together)
drawn = rng.permutation(labels)[: len(dataset.validation.labels)]

stratified = np.bincount(dataset.validation.labels)
at_random = np.bincount(drawn)
print("stratified, images of a class:", np.unique(stratified))
least, most = at_random.min(), at_random.max()
print(f"at random, images of a class: {least} to {most}")

# %% [markdown]
# In the random draw the largest class is well above the smallest, so that a constant
# predictor scores more than 1 % with one class and less with another. In the stratified
# split the chance level is exact, and every class has the same weight.
#
# :::{exercise} Three lines for a split
# :label: ex-data-stratified
#
# ★★ · 15 minutes
#
# Write a stratified split by hand: `stratified_split(labels, per_class, rng)`. `labels` is
# an array of the labels, with equally many of each class, and `rng` a generator of random
# numbers such as `np.random.default_rng(0)`. Return two arrays: the rows of a validation
# set with `per_class` random images of each class, and the rows of the rest. It takes about
# three lines with NumPy. Split the `labels` above with `per_class=10`, and check that the two
# have no row in common and that each class has 10 rows in the first.
# `checks.check_stratified_split(stratified_split)` tells you whether it is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Solve it for one class first: which rows does it have (`np.flatnonzero`), and how do you
# mix them (`rng.permutation`)? A loop over the classes is a fine answer, too.
# :::
#
# ## Is a test image also a training image?
#
# A model can know a training image by heart. If the same image is in the test set, the
# model gets it right without having learned anything. That is called *leakage*. Comparing
# each of 10,000 test images with each of 50,000 others takes 500 million comparisons. A
# fingerprint is quicker: SHA-256 turns the bytes of an image into 32 bytes, the same for
# equal images, and nobody has ever found two different inputs with the same 32. A
# dictionary then finds an equal image at once.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Before the finder runs, let pairs list copies that it will miss:
# > shifted, mirrored, brightened, cut out of one photograph. The point is not the number but
# > that somebody has to look.

# %%
import hashlib


def fingerprints(images):
    """Returns the SHA-256 of the bytes of each image."""
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def find_copies(images, others):
    """Returns pairs of rows: an image, and an equal one among the others."""
    rows = {key: row for row, key in enumerate(fingerprints(others))}
    keys = enumerate(fingerprints(images))
    return [(row, rows[key]) for row, key in keys if key in rows]


# %% [markdown]
# An instrument that has only ever shown zero is no instrument. So we *plant* three training
# images in a thousand test images, and see whether it finds just these. Then we change two
# training images slightly: in the first, one number changes by one; the second is mirrored.

# %%
pairs = [(7, 100), (500, 200), (999, 300)]  # row of the test, of training
planted = dataset.test.images[:1000].copy()
for row, other in pairs:
    planted[row] = dataset.train.images[other]
print("planted:", pairs)
print("found:  ", find_copies(planted, dataset.train.images))

changed = dataset.train.images[:2].copy()
changed[0, 0, 0, 0] ^= 1  # the last bit of one number
changed[1] = changed[1, :, ::-1]  # the mirror image
print("of two changed copies:", find_copies(changed, dataset.train.images))

# %% [markdown]
# It finds what was planted, and is blind to the smallest change.
#
# Now for the data at hand. In the next table, the numbers for CIFAR-100 were counted with
# this very function; those in the last column are counted here, in the data set of this
# run. When the chapter is run with CIFAR-100, the cell stops with an error if the two
# differ.

# %%
known = np.concatenate([dataset.train.images, dataset.validation.images])
copies = find_copies(dataset.test.images, known)
alike = [dataset.test.labels[row] == labels[other] for row, other in copies]
mixed = find_copies(dataset.validation.images, dataset.train.images)
facts = {
    "test images that equal one of the first part": (10, len(copies)),
    "of these, with the same fine label there": (4, sum(alike)),
    "validation images that equal a training image": (6, len(mixed)),
}
for fact, (stated, counted) in facts.items():
    if data_set == "cifar100" and stated != counted:
        raise ValueError(f"{fact}: stated {stated}, counted {counted}")
rows = [(fact, *numbers) for fact, numbers in facts.items()]
Table(("", "CIFAR-100, stated", f"{dataset.name}, counted"), tuple(rows))

# %% [markdown]
# CIFAR-100 has ten test images that are also in its first part, pixel for pixel. Six of the
# ten have another label there. Perhaps one of the two labels is wrong, for people gave
# them; perhaps the photograph shows both things, and one label cannot say so. The last row
# is about our own split: the file holds some images twice, and six validation images have
# their other copy in the training split. The embedded set has no copies, because the
# noise makes every image different.
#
# How much can ten images change? Let $n$ be the number of test images, $h$ the number of
# hits, and $d$ the number of copies. At worst, all copies are hits. Without them the
# accuracy is $(h - d) / (n - d)$ in place of $h / n$, and
#
# $$
# \frac{h}{n} - \frac{h - d}{n - d} = \frac{d}{n} \cdot \frac{n - h}{n - d}
# \;\le\; \frac{d}{n} ,
# $$ (eq-data-copies)
#
# because $h \ge d$. With $d = 10$ and $n = 10{,}000$ this is at most 0.1 points, a fifth of
# the standard error above. No comparison in this course has to be thrown away for these ten.
#
# *Near*-duplicates are another matter: other sizes, other colours, another cut of the same
# photograph. {cite:t}`barz2020` found that 10 % of the test images of CIFAR-100 have one in
# the training set. That is no longer few, and our finder cannot see them.
#
# :::{exercise} A model that is a table
# :label: ex-data-table
#
# ★★★ · 20 minutes
#
# A "model" is a table of all images outside the test set, and of their labels. It looks up
# each test image. If the image is there, the answer is its label in the table. Otherwise the
# answer is class 0. What top-1 accuracy do you expect on CIFAR-100 if all ten copies have
# the right label? And if only four have it, as counted above?
#
# Answer with a function, `table_accuracy(images, copies, right, classes)`: of `images` test
# images, `copies` are in the table, `right` of these with the right label, and the
# `classes` classes are equally frequent among the others. It returns the accuracy that you
# expect, in %. Then write the model, plant 20 training images with their labels in the test
# set of this run, and compare with your function.
# `checks.check_table_accuracy(table_accuracy)` tells you whether the function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Count hits before you think of per cent. Where do they come from: among the copies, and
# among all the others? For the model, a `dict` from fingerprints to labels is enough.
# :::
#
# ## What does augmentation do to an image?
#
# {term}`Augmentation <augmentation>` changes the training images at random, anew in every
# epoch, so that a model never sees quite the same image twice. The label stays. The report
# uses one recipe for each model, and `vitlib` has both as a layer that acts in training
# alone.

# %% mystnb={"figure": {"caption": "The report's two augmentations. ViT: flip, rotation and zoom, after the image is enlarged to 72 pixels. ResNet: rotation, shift, shear, zoom and flip at 32 pixels.", "name": "fig-data-augmented"}, "image": {"alt": "Two rows of five portraits, the original and four variants. In the row of the ViT the variants are slightly turned, stretched or mirrored. In that of the ResNet they are turned further and moved, some so far that a part of the head is cut off and the border is filled with streaks."}}
keras.utils.set_random_seed(seed)
recipes = {"report_vit": enlarged, "report_resnet": small[32]}
fig, axes = plt.subplots(2, 5, figsize=(6.4, 3))
for row, (recipe, image) in zip(axes, recipes.items(), strict=True):
    batch = np.repeat(image[None], 4, axis=0)
    varied = augment.Augmentation(recipe)(batch, training=True)
    labels_below = ["original", *(f"variant {i}" for i in range(1, 5))]
    shown = [image, *ops.convert_to_numpy(varied)]
    pictures.show_images(row, shown, labels_below)
axes[0, 0].set_ylabel("ViT")
axes[1, 0].set_ylabel("ResNet")
plt.show()


# %% [markdown]
# How strong is each change? The recipes give their ranges in different units: a share of a
# turn, degrees, a share of the side. To compare them, we ask one thing of all: how many
# pixels does the corner of a 32 x 32 image move at the end of the range? A corner pixel is
# 15.5 pixels to the side of the middle, and 15.5 above it. A rotation and a zoom are
# matrices, and the shift is added. A zoom of 0.2 shows between 0.8 and 1.2 times the side of
# the image; the corner moves farthest at 0.8, where all becomes 1 / 0.8 times as wide and high.

# %%
def rotation(degrees):
    """Returns the matrix of a rotation."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def move(matrix, shift=(0, 0)):
    """Returns how far the corner of a 32 x 32 image moves, in pixels."""
    corner = np.array([15.5, 15.5])
    return np.linalg.norm(matrix @ corner + shift - corner)


# %%
side = 32
rows = [
    ("ViT", "rotation 0.02", "of a turn", move(rotation(0.02 * 360))),
    ("ViT", "zoom 0.2", "of the side", move(np.eye(2) / 0.8)),
    ("ResNet", "rotation 20", "degrees", move(rotation(20))),
    ("ResNet", "shift 0.2", "of the side", move(np.eye(2), 0.2 * side)),
    ("ResNet", "zoom 0.2", "of the side", move(np.eye(2) / 0.8)),
]
columns = ("model", "range", "unit", "corner moves by (pixels)")
Table(columns, tuple(rows))

# %% [markdown]
# The two recipes are not equally strong: the ResNet's images vary much more. The ViT's 0.02
# of a turn is 7.2 degrees, about a third of the ResNet's 20. The ResNet's shift of 0.2 is
# 6.4 pixels in each direction, so that more than a third of the image can leave the frame.
# To compare the two models is also to compare the two recipes.
#
# One range is missing from the table: `shear_range=0.2`, for the ResNet.
#
# ## 0.2 of what?
#
# A shear pushes the rows of an image sideways, each in proportion to its height above the
# middle. A square becomes a slanted box. The recipe gives 0.2 without a unit, between
# other ranges of 0.2 that are shares of the side. A reader might think of three meanings.

# %%
readings = {
    "share of the height": np.degrees(np.arctan(0.2)),
    "radians": np.degrees(0.2),
    "degrees": 0.2,
}
rows = []
for reading, degrees in readings.items():
    push = 15.5 * np.tan(np.radians(degrees))  # of the first row
    rows.append((reading, degrees, push))
columns = ("0.2 read as", "angle (degrees)", "top row moves by (pixels)")
Table(columns, tuple(rows))

# %% [markdown]
# The first two move the top row by three pixels, the third by a twentieth of one. Which is
# it? The report's ranges have the names of Keras' old `ImageDataGenerator`, whose code is
# still inside Keras. Instead of reading it, we ask it. We give it a black image with one
# bright column, and look where the column is after a shear of 0.2.

# %%
from keras.src.legacy.preprocessing.image import apply_affine_transform

axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
line = np.zeros((32, 32, 1))
line[:, 16] = 1
sheared = apply_affine_transform(line, shear=0.2, **axes)
column = sheared[:, :, 0] @ np.arange(32)  # where the line is, in each row
print(f"top row: {column[0]:.2f}, bottom row: {column[31]:.2f}")

# %% [markdown]
# The column was at 16, and its top has moved by a twentieth of a pixel. **The unit is the
# degree.** The line `shear_range=0.2` is in the report's recipe, and nobody would see what
# it does.

# %% mystnb={"figure": {"caption": "Left: the photograph at 32 x 32 pixels. Middle: with the shear that shear_range=0.2 gives at most, 0.2 degrees. Right: with a shear of 0.2 radians.", "name": "fig-data-shear"}, "image": {"alt": "Three portraits. The left and the middle one look the same. In the right one the head leans to the left and the shoulders have moved to the right."}}
variants = [small[32]]
for degrees in (0.2, np.degrees(0.2)):
    variant = apply_affine_transform(small[32], shear=degrees, **axes)
    variants.append(variant)

fig, panels = plt.subplots(1, 3, figsize=(6.4, 2.4))
names = ["no shear", "0.2 degrees", "0.2 radians"]
pictures.show_images(panels, variants, names)
plt.show()


# %% [markdown]
# Look at what the augmentation does to an image, one step at a time. A step that you cannot
# see is a mistake or a waste.
#
# :::{admonition} How does such a line get into a program?
# :class: dropdown
#
# Until December 2017 the argument was an angle in *radians*; then Keras changed it to degrees
# {cite:p}`zabluda2017`. A tutorial of 2016 on the blog of Keras has `shear_range=0.2` between
# shifts of 0.2 and a zoom of 0.2 {cite:p}`chollet2016`; at that time this was 11.5 degrees.
# The number is still found in many programs. Its meaning has changed under it, and no error
# was raised.
# :::
#
# :::{exercise} A shear that shows
# :label: ex-data-shear
#
# ★★ · 10 minutes
#
# How many degrees does it take for the top row of a 32 x 32 image to move by one whole
# pixel? Write `shear_angle(pixels, side)`, which returns the angle of the shear in degrees:
# at this angle the top row of an image of `side` x `side` pixels moves by `pixels` pixels.
# Check it with the bright column, for one pixel: the old function takes the sine in place
# of the tangent, which differs little there. And which `shear_range` gives the 0.2 radians
# of the old tutorial? `checks.check_shear_angle(shear_angle)` tells you whether your
# function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Draw the triangle: the middle of the image, the middle of the top row, and where the shear
# takes it. You know two sides. The cell with the three readings goes the other way.
# :::
#
# ## When is a flip wrong?
#
# Both recipes flip images from left to right. For photographs of things this is
# harmless: a mirrored orchid is an orchid. In the embedded set a class says *left of* or
# *right of*. What happens to the label?
#
# `vitlib.data.shapes.draw_shapes` also returns a box of top, left, bottom and right for each
# shape. From the boxes we can read the arrangement without looking at the label, and we can
# mirror them as the image is mirrored.

# %% [markdown] tags=["instructor", "remove-cell"]
# > **For the instructor.** Ask for the flip in three tasks before the figure: digits, road
# > signs, X-rays of a chest. Then let them say which of the embedded classes survive.

# %%
def read_arrangement(boxes):
    """Returns 0 to 3, the place of the red shape in `shapes.ARRANGEMENTS`."""
    middle = (boxes[:, :, :2] + boxes[:, :, 2:]) / 2  # (N, 2, row and column)
    down, right = (middle[:, 1] - middle[:, 0]).T  # from the red to the blue
    sideways = np.abs(right) > np.abs(down)
    return np.where(sideways, right < 0, 2 + (down < 0))


scenes = shapes.draw_shapes(num_images=1000, seed=seed)
before = read_arrangement(scenes.boxes)
top, left, bottom, right = np.moveaxis(scenes.boxes, -1, 0)
mirrored = np.stack([top, 32 - right, bottom, 32 - left], axis=-1)
after = read_arrangement(mirrored)

# %%
right = (before == scenes.labels % 4).sum()
print(f"labels read correctly: {right} of {len(before)}")
for code, name in enumerate(shapes.ARRANGEMENTS):
    (new,) = np.unique(after[before == code])
    print(f"{name:8} -> {shapes.ARRANGEMENTS[new]}")
print(f"images that change their class: {100 * (before != after).mean()} %")

# %% mystnb={"figure": {"caption": "Two images and their mirror images, with the names of the classes that they show.", "name": "fig-data-flip"}, "image": {"alt": "Four pictures. A portrait and its mirror image, both named portrait. An image of a red and a blue shape, and its mirror image: left of has become right of in the name."}}
row = np.flatnonzero(before == 0)[0]
scene, label = scenes.images[row], scenes.labels[row]
names = ["portrait", "portrait"]
for number in (label, label + 1):  # left of, right of
    names.append(shapes.CLASS_NAMES[number].replace(" ", "\n", 1))
fig, panels = plt.subplots(1, 4, figsize=(7.2, 2.3))
shown = [small[32], small[32][:, ::-1], scene, scene[:, ::-1]]
pictures.show_images(panels, shown, names)
plt.show()

# %% [markdown]
# Half of the images change their class. If the images are flipped with a probability of 1/2
# and the labels stay, the training set is full of contradictions: of the images that show
# *left of*, half are labelled *right of*. A model cannot do better than guess between the
# two, because each of the five kinds looks the same in a mirror and nothing in an image
# tells whether it was flipped. At best, then, the model is right for all images of *above*
# and *below*, and for half of the others: the {term}`ceiling` is
# $\frac{1}{2} + \frac{1}{2} \cdot \frac{1}{2} = 75$ %, whatever the model.
#
# An augmentation is a statement: *this change does not matter*. It is true or false of a
# task, not of a layer. The models that this course trains on the embedded set therefore do
# without any.
#
# :::{exercise} Which changes break the labels?
# :label: ex-data-break
#
# ★★★ · 20 minutes
#
# 1. Someone flips the embedded images from left to right *and* from top to bottom, each
#    with a probability of 1/2. What is the ceiling now? Look at the five kinds first:
#    `shapes.STAMPS[:, -1]` holds a picture of each. Write the ceiling as a function,
#    `flip_ceiling(left_right, top_bottom)`. Each argument is `True` if that flip is in use,
#    and `False` if not. The function returns the ceiling in %.
# 2. Does the ResNet's rotation, 20 degrees at most, change an arrangement? Turn the middles
#    of the boxes about the middle of the image, and read the arrangement again.
# 3. Does a shift of 6 pixels to the right keep both shapes whole?
#
# `checks.check_flip_ceiling(flip_ceiling)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# For each flip, ask two things of each class: does its name change, and is there anything
# in the image that gives the flip away? A model has to guess only where both the name
# changes and nothing gives it away. For the second part, `read_arrangement` takes boxes
# without size, too: top and bottom may be equal, and so may left and right.
# :::
#
# ## Where do the mean and the standard deviation come from?
#
# A network trains better when its inputs are numbers around 0 with a spread near 1. Pixels
# are numbers from 0 to 255. *Normalisation* subtracts the mean $\mu$ of the channel and
# divides by its standard deviation $\sigma$:
#
# $$
# x' = \frac{x - \mu}{\sigma} .
# $$ (eq-data-normalise)
#
# Both are learned from data, like a weight, so they come from the training split alone. If
# the test images were included, they would have been used before the test.
#
# Keras has a layer for this, and `vitlib` a faster one with the same weights. Its method
# `adapt` computes both numbers, from 1,000 images at a time. The table has them, and beside
# them the same mean in one line of NumPy.

# %%
images = dataset.train.images
layer = vitlib.Normalization()
layer.adapt(images)
for weight in layer.weights:
    print(f"numbers in {weight.name}: {np.prod(weight.shape):.0f}")
rows = zip(
    ("red", "green", "blue"),
    np.sqrt(layer.variance).ravel(),
    np.ravel(layer.mean),
    images.astype("float32").mean(axis=(0, 1, 2)),
    strict=True,
)
columns = ("channel", "standard deviation", "mean", "mean in one line")
Table(columns, tuple(rows))

# %% tags=["remove-cell"]
exact = images.mean(axis=(0, 1, 2))  # of whole numbers, added up in float64
np.testing.assert_allclose(np.ravel(layer.mean), exact, rtol=1e-4)


# %% [markdown]
# The last column is wrong, and no error was raised: on the embedded set it is too large in
# each row. Three channels with exactly the same mean should make you look.
#
# :::{admonition} How can a mean be wrong?
# :class: dropdown
#
# NumPy adds up each channel of `float32` numbers one by one, and such a number has 24 binary
# digits. Once the sum has passed $2^{31}$, two neighbouring numbers are 256 apart, and the sum
# can grow by 0 or 256 only: most pixel values here are above 128 and count as 256, so that it
# runs ahead of the truth. From $2^{32}$ on they are 512 apart. A value of at most 255 is then
# rounded away, so that all three sums stop at $2^{32}$. Divided by the $20{,}000 \cdot 1{,}024$
# pixels of the embedded set this is 210. In 1,000 images at a time no sum becomes that large.
# Keras' own `adapt` goes wrong in the same way if it gets `float32` numbers as one array.
# :::
#
# Three means, three variances and one counter: these are the 7 parameters that the summary
# of the report's ViT lists as not trained.
#
# And the ResNet? The report says that its data "were not normalized". We take this to mean
# the pixels, which then enter as whole numbers from 0 to 255. That is an inference: the
# sentence does not name the pixels, and could mean something else, such as the labels.
#
# :::{exercise} Around zero
# :label: ex-data-normalize
#
# ★★ · 10 minutes
#
# Write `normalize(images, training)`. Both are arrays of the shape `(B, H, W, 3)`: images
# of any split, and the training images. The function returns `images`, normalised by
# {eq}`eq-data-normalise`, each channel by itself. Make sure that your means do not go wrong
# as those of the last column do. Do the test images have a mean of exactly 0 then?
# `checks.check_normalize(normalize)` tells you whether your function is right.
# :::
#
# :::{admonition} A first hint
# :class: dropdown hint
#
# Over which axes do you average so that three numbers are left? `mean` and `std` take an
# argument that says in which kind of number they add up.
# :::
#
# ## What this chapter does not show
#
# * The embedded set is no small CIFAR-100. It has no photographs, and its 100 classes are
#   hard for another reason: the arrangement.
# * We took the labels as true. {cite:t}`northcutt2021` found wrong labels in the test sets
#   of ten data sets, CIFAR-100 among them.
# * We did not ask where the photographs come from. CIFAR-100 is a part of a larger collection
#   that was gathered from the web without asking anyone. The makers of the larger one
#   withdrew it after {cite:t}`birhane2021` had shown what it contained. That everybody uses
#   a data set does not make it a good one.
# * We saw what an augmentation does to an image, not whether it helps a model. Nor did we
#   measure what missing normalisation costs.
#
# ## Key points
#
# * CIFAR-100 has 100 equally frequent classes. Any constant predictor scores 1 % top-1,
#   5 % top-5 and a loss of at least $\ln 100 = 4.6052$. The report's ViT did just that.
# * Choose on the validation set, and touch the test set once. The best of many scores is
#   too good.
# * Look for copies, and test the instrument that looks. Ten copies in 10,000 images
#   change an accuracy by 0.1 points at most.
# * Translate every range of an augmentation into pixels. `shear_range=0.2` is 0.2 degrees:
#   a twentieth of a pixel.
# * An augmentation says what does not matter. A flip is harmless for photographs of things
#   and wrong for *left of*.
# * Mean and standard deviation come from the training split, and deserve a check.
#
# ## Solutions
#
# Try each exercise before you unfold its solution.

# %% [markdown]
# :::{solution-start} ex-data-half
# :class: dropdown
# :::
#
# 1. One of five fine labels is the right one, so top-1 is 20 %. The five best guesses are
#    all five, so top-5 is 100 %. On the embedded set, top-1 is 25 %, and top-5 is 100 %.
# 2. Of the 99 wrong classes, 4 belong to the right superclass. With a share $a$ of right
#    fine labels, the superclass is right for $a + (1 - a) \cdot 4 / 99$. We expect a
#    real model to do better than that: an oak looks more like a maple than like a shark.

# %% tags=["solution"]
def superclass_accuracy(accuracy, classes, members):
    """Takes a share in % and two numbers of labels; returns a share in %."""
    siblings = (members - 1) / (classes - 1)  # share of the wrong labels
    return accuracy + (100 - accuracy) * siblings


# %% tags=["check"]
checks.check_superclass_accuracy(superclass_accuracy)

# %%
print(f"superclass: {superclass_accuracy(47.93, 100, 5):.2f} %")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-final
# :class: dropdown
# :::
#
# The validation images choose the epoch, and the test images tell how good it is. The
# highest test accuracy of all epochs would be a choice made on the test set, and too
# good. If the program had looked at the test images only once, after the choice, nobody
# could be tempted.

# %% tags=["solution"]
def final_accuracy(history):
    """Takes a dict of lists, an accuracy an epoch; returns one accuracy."""
    return history["test_top1"][np.argmax(history["val_top1"])]


# %% tags=["check"]
checks.check_final_accuracy(final_accuracy)

# %% [markdown]
# Think of the 1,000 guessing models as 1,000 epochs. The honest number is the one at the
# dashed line in {numref}`fig-data-chosen`. The highest test accuracy promises more, and
# means nothing.

# %%
history = {"val_top1": validation, "test_top1": test}
honest = final_accuracy(history)
sigma = standard_error(1, len(dataset.test.labels))
for name, accuracy in ("honest", honest), ("highest", test.max()):
    far = (accuracy - 1) / sigma
    print(f"{name}: {accuracy:.2f} %, {far:.1f} standard errors above chance")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-stratified
# :class: dropdown
# :::
#
# Mix the rows, sort them by label without changing the order inside a class, and cut. All
# classes have the same size, so that a reshape puts each in a row of its own.

# %% tags=["solution"]
def stratified_split(labels, per_class, rng):
    """Takes labels `(N,)`; returns rows for validation, and all others."""
    order = rng.permutation(len(labels))
    order = order[labels[order].argsort(kind="stable")]
    order = order.reshape(len(np.unique(labels)), -1)  # a row for each class
    return order[:, :per_class].ravel(), order[:, per_class:].ravel()


# %% tags=["check"]
checks.check_stratified_split(stratified_split)

# %%
ten, rest = stratified_split(labels, 10, rng)
print("rows in common:", len(np.intersect1d(ten, rest)))
print(f"rows used: {len(ten) + len(rest)} of {len(labels)}")
print("images of each class:", np.unique(np.bincount(labels[ten])))


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-table
# :class: dropdown
# :::
#
# Copies with the right label are hits, and of the other images one in a hundred is of class
# 0. With ten right copies this makes $10 + 9{,}990 / 100 = 109.9$ hits, 1.10 %. With four it
# makes $4 + 99.9$ hits, 1.04 %. Both are within a tenth of a point of chance.
#
# The code plants 20 images in random places. The formula gives $20 + (n - 20) / 100$ hits
# for $n$ test images, on average over the places.

# %% tags=["solution"]
def table_accuracy(images, copies, right, classes):
    """Takes three numbers of images, one of classes; returns a share in %."""
    hits = right + (images - copies) / classes
    return 100 * hits / images


# %% tags=["check"]
checks.check_table_accuracy(table_accuracy)

# %%
print(f"ten right copies: {table_accuracy(10_000, 10, 10, 100):.2f} %")
print(f"four of the ten:  {table_accuracy(10_000, 10, 4, 100):.2f} %")

# %%
table = dict(zip(fingerprints(known), labels, strict=True))
images, truth = dataset.test.images.copy(), dataset.test.labels.copy()
rows = rng.choice(len(images), 20, replace=False)
images[rows], truth[rows] = known[:20], labels[:20]

answers = [table.get(key, 0) for key in fingerprints(images)]
hits = np.sum(answers == truth)
formula = table_accuracy(len(images), 20, 20, 100) / 100 * len(images)
print("planted images that are hits:", np.sum((answers == truth)[rows]))
print(f"hits: {hits}, by the formula: {formula:.1f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-shear
# :class: dropdown
# :::
#
# The top row is 15.5 pixels above the middle, so a move by one pixel takes an angle of
# $\arctan(1 / 15.5)$. The tutorial's 0.2 radians are $0.2 \cdot 180 / \pi$ degrees.

# %% tags=["solution"]
def shear_angle(pixels, side):
    """Takes a move and a side, both in pixels; returns an angle in degrees."""
    height = (side - 1) / 2  # of the top row above the middle
    return np.degrees(np.arctan(pixels / height))


# %% tags=["check"]
checks.check_shear_angle(shear_angle)

# %%
print(f"one pixel: {shear_angle(1, 32):.2f} degrees")
print(f"0.2 radians: shear_range={np.degrees(0.2):.1f}")
sheared = apply_affine_transform(line, shear=shear_angle(1, 32), **axes)
print(f"the line in the top row: {sheared[0, :, 0] @ np.arange(32):.1f}")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-break
# :class: dropdown
# :::
#
# 1. Four kinds also look the same upside down. The triangle does not. An upside-down
#    triangle is no shape of the set, so it betrays the flip: a model learns to read *above*
#    and *below* from the images whose triangle is upright, and all test images with a
#    triangle are of that sort. A triangle is in 9 of the 25 pairs of kinds, which is 36 %
#    of the classes. In the other 64 %, *above* and *below* cannot be told apart, so that
#    the flip from top to bottom takes $25 \cdot 0.64 = 16$ points away and leaves 84 %. The
#    flip from left to right spoils the other half of the classes, whatever the kinds, and
#    takes 25 points away. With both flips 59 % are left.
# 2. No. The red and the blue shape move together, and 20 degrees are not enough to turn
#    *left of* into *above*.
# 3. No. A shape near the right border loses columns, or leaves the image.

# %% tags=["solution"]
def flip_ceiling(left_right, top_bottom):
    """Takes True or False for each flip; returns an accuracy in %."""
    symmetric = (4 / 5) ** 2  # share of the pairs of kinds without a triangle
    return 100 - 25 * left_right - 25 * symmetric * top_bottom


# %% tags=["check"]
checks.check_flip_ceiling(flip_ceiling)

# %%
rows = []
for kind, stamp in zip(shapes.KINDS, shapes.STAMPS[:, -1], strict=True):
    mirrored, on_its_head = stamp != stamp[:, ::-1], stamp != stamp[::-1]
    rows.append((kind, mirrored.sum(), on_its_head.sum()))
columns = ("pixels that change, of 64", "mirrored", "upside down")
Table(columns, tuple(rows))

# %%
middle = (scenes.boxes[:, :, :2] + scenes.boxes[:, :, 2:]) / 2 - 16
for degrees in (-20, 20):
    turned = middle @ rotation(degrees)
    turned = np.concatenate([turned, turned], axis=-1)  # boxes without size
    changed = (read_arrangement(turned) != before).sum()
    print(f"{degrees} degrees: {changed} of {len(before)} arrangements change")
cut = (scenes.boxes[:, :, 3] + 6 > 32).any(axis=1)
print(f"images with a shape cut or lost: {100 * cut.mean():.0f} %")


# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# :::{solution-start} ex-data-normalize
# :class: dropdown
# :::
#
# The mean is taken over images, rows and columns, so that each channel keeps its own. With
# `float64` the sums are exact enough. The mean of the test images is not quite that of the
# training images, so that what is left is near 0, but not 0.

# %% tags=["solution"]
def normalize(images, training):
    """Takes `(B, H, W, 3)` twice; returns the first, with numbers around 0."""
    mean = training.mean(axis=(0, 1, 2), dtype="float64")
    deviation = training.std(axis=(0, 1, 2), dtype="float64")
    return (images - mean) / deviation


# %% tags=["check"]
checks.check_normalize(normalize)

# %%
training = dataset.train.images[:4000]
some = normalize(dataset.test.images[:1000], training)
left = some.mean(axis=(0, 1, 2))
print("means of red, green, blue:", *(f"{mean:.3f}" for mean in left))

# %% [markdown]
# :::{solution-end}
# :::

# %% [markdown]
# ## References
#
# CIFAR-100 and its classes are described by {cite:t}`krizhevsky2009`. The search for
# near-duplicates is by {cite:t}`barz2020`, who also offer a test set without them. The
# tutorial with the 0.2 is by {cite:t}`chollet2016`, the change of its unit by
# {cite:t}`zabluda2017`. On labels and on where images come from, read
# {cite:t}`northcutt2021` and {cite:t}`birhane2021`. Full entries are in the
# [references](#sec-references).
