# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: nbgrader,-all
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
# # From images to evidence
#
# Six functions, one for each of the first six chapters, and two short answers: 24 points in
# all, 3 for each function and 3 for each answer.
#
# Replace `raise NotImplementedError()` by your code, and leave the names and arguments
# as they are. Below each function stand the two cells that grade it. The first tries an
# example, for 1 point. The second asks `vitlib.checks` whether the function is right,
# for 2 points; if it is not, the last line of the error says what to look at. Run them
# as often as you like. When you have handed in, the same check asks with other numbers,
# too. A cell or a function that takes longer than a minute is stopped and gets no
# points.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from vitlib import checks

# %% [markdown]
# ## 1. A split
#
# `labels` holds the class of each image. Take `per_class` random images of each class
# for the validation set. All others are for training. The same state of the generator
# `rng` must give the same split.


# %% nbgrader={"grade": false, "grade_id": "split", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split(labels, per_class, rng):
    """Returns two arrays of row numbers: of the validation images, of the others."""
    ### BEGIN SOLUTION
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # class by class
    starts = np.searchsorted(labels[order], np.unique(labels))
    chosen = starts[:, None] + np.arange(per_class)
    return order[chosen.ravel()], np.delete(order, chosen.ravel())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "split-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
validation, rest = split(np.arange(12) % 3, 2, np.random.default_rng(0))
assert sorted([*validation, *rest]) == list(range(12)), "each image once"
assert len(validation) == 6, "2 images of each of 3 classes"

# %% nbgrader={"grade": true, "grade_id": "split-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_stratified_split(split)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_stratified_split(split, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 2. The way back from patches
#
# Patches are cut from left to right, row by row. A patch lists its pixels in the same
# order, and the channels of a pixel next to each other. Join them, for any number of
# channels.


# %% nbgrader={"grade": false, "grade_id": "join", "locked": false, "schema_version": 3, "solution": true, "task": false}
def join(patches, height, width, size):
    """Joins patches `(B, N, size * size * C)` into images `(B, height, width, C)`."""
    ### BEGIN SOLUTION
    grid = (height // size, width // size)
    images = patches.reshape(len(patches), *grid, size, size, -1)
    images = np.swapaxes(images, 2, 3)  # (B, rows, size, columns, size, C)
    return images.reshape(len(patches), height, width, -1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "join-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
patches = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
joined = join(np.array([patches]), 4, 4, 2)
assert np.array_equal(joined, np.arange(16).reshape(1, 4, 4, 1)), joined

# %% nbgrader={"grade": true, "grade_id": "join-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_join(join)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_join(join, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Distances on a grid
#
# A relative model looks up a vector for each step from a query to a key. Number the
# steps on a grid of patches, which are counted row by row: two pairs get the same
# integer if and only if the key is as many rows down *and* as many columns to the right
# of the query.


# %% nbgrader={"grade": false, "grade_id": "grid_offsets", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grid_offsets(rows, columns):
    """Returns the integers of the steps from each query to each key, `(N, N)`."""
    ### BEGIN SOLUTION
    row, column = np.divmod(np.arange(rows * columns), columns)
    down = row[None, :] - row[:, None]  # (query, key)
    right = column[None, :] - column[:, None]
    return (down + rows - 1) * (2 * columns - 1) + right + columns - 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "grid_offsets-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
offsets = np.asarray(grid_offsets(2, 3))
assert offsets.shape == (6, 6), offsets.shape
assert len(set(np.diag(offsets))) == 1, "from a patch to itself it is the same step"

# %% nbgrader={"grade": true, "grade_id": "grid_offsets-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_grid_offsets(grid_offsets)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_grid_offsets(grid_offsets, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Dead units
#
# A unit is dead when its activation is smaller than the threshold, in size, for *every*
# image.


# %% nbgrader={"grade": false, "grade_id": "dead_units", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dead_units(activations, threshold):
    """Returns the share of dead units, 0 to 1, from activations `(B, units)`."""
    ### BEGIN SOLUTION
    silent = np.abs(activations) < threshold
    return float(silent.all(axis=0).mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "dead_units-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
activations = np.array([[0.0, -2.0], [0.0, 0.0]])  # 2 images, 2 units
assert dead_units(activations, 0.001) == 0.5, "the first unit is dead"

# %% nbgrader={"grade": true, "grade_id": "dead_units-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_dead_units(dead_units)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_dead_units(dead_units, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 5. The same test images
#
# Two models are tested on the same images. `first_only` images are right with the first
# model alone, `second_only` with the second alone. How far may the difference of the
# two accuracies be off? Accuracies are shares here, from 0 to 1.


# %% nbgrader={"grade": false, "grade_id": "paired_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired_error(first_only, second_only, images):
    """Returns the standard error of the difference of the two accuracies."""
    ### BEGIN SOLUTION
    difference = (first_only - second_only) / images
    variance = (first_only + second_only) / images - difference**2  # of one image
    return np.sqrt(variance / images)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "paired_error-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert paired_error(0, 0, 100) == 0, "two models that always agree"
assert np.isclose(paired_error(50, 50, 100), 0.1), "two that never do"

# %% nbgrader={"grade": true, "grade_id": "paired_error-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_paired_error(paired_error)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_paired_error(paired_error, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 6. A head that looks left
#
# Write the attention weights of a head in which each patch looks at its left neighbour
# alone. A patch of the first column has none, and looks at itself.


# %% nbgrader={"grade": false, "grade_id": "look_left", "locked": false, "schema_version": 3, "solution": true, "task": false}
def look_left(rows, columns):
    """Returns attention weights `(N, N)`, a row for each query."""
    ### BEGIN SOLUTION
    patch = np.arange(rows * columns)
    left = np.where(patch % columns, patch - 1, patch)
    return np.eye(rows * columns)[left]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "look_left-example", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
weights = np.asarray(look_left(2, 2))
assert weights.shape == (4, 4), weights.shape
assert np.allclose(weights.sum(axis=1), 1), "the weights of a query add up to 1"

# %% nbgrader={"grade": true, "grade_id": "look_left-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
verdict = checks.check_look_left(look_left)
assert verdict, verdict
### BEGIN HIDDEN TESTS
for seed in hidden:
    verdict = checks.check_look_left(look_left, seed=seed)
    assert verdict, verdict
### END HIDDEN TESTS

# %% [markdown]
# ## 7. A loss that does not move
#
# A classifier of 100 equally frequent classes is trained for 30 epochs. From the first
# epoch to the last its training loss stays at 4.605. Which *two* measurements do you
# make next? Say for each what you would conclude from either outcome. Five sentences at
# most.
#
# *Points:* 1 for what the loss says, 1 for two measurements that tell causes apart, 1
# for a conclusion from either outcome of both.

# %% [markdown] nbgrader={"grade": true, "grade_id": "stuck-answer", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# 4.605 is ln 100, so the model gives every class nearly the same probability, whatever
# the image. I measure the share of dead units in the last hidden layer: if nearly all
# are dead, the answer cannot depend on the image, and the step size or the inputs of
# that layer are to blame; if they live, the fault lies elsewhere. I train the same
# model on the same data with another head: if it learns, data, labels, loss and the
# blocks are cleared; if not, one of them is broken.

# %% [markdown]
# ## 8. One run each
#
# A paper reports 47.9 % for its network and 48.4 % for yours, on the same 10,000 test
# images, one seed each. Your network got 20 settings of the learning rate, the other
# one. What may the paper conclude, and what would you need to know to conclude more?
# Five sentences at most.
#
# *Points:* 1 for comparing the difference with an error that you name and estimate, 1
# for what 20 settings against one do to the comparison, 1 for what is missing.

# %% [markdown] nbgrader={"grade": true, "grade_id": "one-run-answer", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# The difference is half a point. One accuracy of about 48 % on 10,000 images has a
# standard error of half a point, so two independent ones differ by 0.7 points by
# chance; as the images are the same, the paired error may be smaller, but it needs the
# counts. Twenty tries against one favour my network even if both are equally good, so
# the paper may only say that no difference was shown. I need several seeds for each, as
# many settings for either side, chosen on validation images, and on which images the
# two disagree.
