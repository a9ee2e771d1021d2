"""Plot trainings and recorded runs on axes that the caller gives.

The look of a figure is `plt.style.use("vitlib.course")`. It has no title: the book
gives it a caption.
"""

import numpy as np

from vitlib.records.run import images_at_epochs

PERCENT = 100
READING_LABELS = {  # of the instruments, on an axis
    "train_loss": "training loss (nats)",
    "gradient_norm": "gradient norm",
    "loss": "loss (nats)",
    "top1": "top-1 accuracy (share)",
    "top5": "top-5 accuracy (share)",
    "dead": "dead units (share)",
    "token_spread": "spread of the tokens",
    "logit_spread": "spread of the logits",
    "answers": "distinct answers",
}
FORWARD_PASSES = 3  # what a training step costs: forward, and back twice as much
PETA = 1e15
NEAR = 5  # per cent, between two points whose names would overlap


def plot_learning_curve(ax, history, metric="top1", label="", color=None):
    """Draws an accuracy against epochs: validation solid, training dashed.

    Args:
        ax: Axes to draw on.
        history: Dict as in `Run.history`.
        metric: `"top1"` or `"top5"`.
        label: Name of the run in the legend.
        color: Colour of both lines; the next of the cycle by default.
    """
    epochs = range(1, len(history[metric]) + 1)
    training = [PERCENT * value for value in history[metric]]
    validation = [PERCENT * value for value in history[f"val_{metric}"]]
    (line,) = ax.plot(epochs, validation, label=f"{label} validation".strip())
    line.set_color(color or line.get_color())
    name = f"{label} training".strip()
    ax.plot(epochs, training, "--", color=line.get_color(), label=name)
    ax.set(xlabel="epoch", ylabel=f"{metric.replace('top', 'top-')} accuracy (%)")
    return ax


def plot_test_accuracies(ax, runs, metric="top1"):
    """Draws the test accuracy of recorded runs: a dot at the mean, a line over seeds.

    The line goes from the lowest to the highest seed. Experiments stand below each
    other in the order of the runs. Where no run is finished, the axes say so.

    Args:
        ax: Axes to draw on.
        runs: List of `Run`; those that failed are left out.
        metric: `"top1"` or `"top5"`.
    """
    groups = _group(runs, lambda run: run.name)
    for place, members in enumerate(groups.values()):
        values = _accuracies(members, metric)
        ax.plot([min(values), max(values)], [place, place], color="C0")
        ax.plot(np.mean(values), place, "o", color="C0")
    ax.set(xlabel=f"test {metric.replace('top', 'top-')} accuracy (%)")
    ax.set_yticks(range(len(groups)), groups)
    ax.invert_yaxis()
    return ax if groups else _say_that_nothing_is_recorded(ax)


def plot_accuracy_by_images(ax, runs):
    """Draws test top-1 against the number of training images.

    A family has a line at each scale: solid at laptop scale, dashed at the others. A
    point is the mean over seeds, its bar goes from the lowest to the highest. Where no
    run is finished, the axes say so.

    Args:
        ax: Axes to draw on.
        runs: List of `Run`; those that failed are left out.
    """
    ax.set(xlabel="training images", ylabel="test top-1 accuracy (%)")
    lines = _group(runs, lambda run: (run.model["family"], run.scale))
    for (family, scale), members in lines.items():
        sizes = _group(members, lambda run: run.data["train"])
        values = [_accuracies(sizes[count]) for count in sorted(sizes)]
        style = "o-" if scale == "laptop" else "s--"
        look = {"color": _color(family), "label": f"{family}, {scale}"}
        _draw_means(ax, sorted(sizes), values, style, **look)
    if not lines:
        return _say_that_nothing_is_recorded(ax)
    counts = sorted({run.data["train"] for group in lines.values() for run in group})
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.minorticks_off()
    ax.legend()
    return ax


def plot_accuracy_by_cost(ax, runs):
    """Draws test top-1 against the arithmetic of a training, a named point a run name.

    A point is the mean over seeds, its bar goes from the lowest to the highest. A step
    counts as three forward passes of its images. Where no run is finished, the axes say
    so.

    Args:
        ax: Axes to draw on.
        runs: List of `Run`; those that failed are left out.
    """
    groups, spots = _group(runs, lambda run: run.name), []
    for name, members in groups.items():
        run, values = members[0], _accuracies(members)
        passes = FORWARD_PASSES * images_at_epochs(run)[-1]
        place, family = passes * run.flops_per_image / PETA, run.model["family"]
        _draw_means(ax, [place], [values], "o", color=_color(family))
        spots.append((family, place, np.mean(values), name))
    ax.set(xlabel="arithmetic of the training (PFLOP)")
    ax.set(ylabel="test top-1 accuracy (%)")
    if not groups:
        return _say_that_nothing_is_recorded(ax)
    ax.set_xscale("log")
    ax.margins(0.3)
    ax.set_ylim(bottom=0)
    _name_spots(ax, spots)
    return ax


def _name_spots(ax, spots):
    """Names points: a ViT above, a ResNet below, neighbours in one block.

    Args:
        ax: Axes that have the points already.
        spots: A tuple a point: the model's family, x, y, and the name.
    """
    blocks = []
    for family, place, height, name in sorted(spots, reverse=True):
        last = blocks[-1] if blocks else (None, None, [], [])
        near = last[:2] == (family, place) and last[2][-1] - height < NEAR
        if not near:
            blocks.append(last := (family, place, [], []))
        last[2].append(height)
        last[3].append(name)
    for family, place, heights, names in blocks:
        spot, up, align = (place, heights[0]), 4, "bottom"
        if family != "vit":
            spot, up, align = (place, heights[-1]), -4, "top"
        look = {"textcoords": "offset points", "va": align, "fontsize": "small"}
        ax.annotate("\n".join(names), spot, xytext=(6, up), **look)


def _group(runs, key):
    """The finished runs by a key, in their order."""
    groups = {}
    for run in runs:
        if run.status == "finished":
            groups.setdefault(key(run), []).append(run)
    return groups


def _accuracies(runs, metric="top1"):
    return [PERCENT * run.test[metric] for run in runs]


def _color(family):
    """The same colour for a family in the whole book."""
    return "C0" if family == "vit" else "C1"


def _draw_means(ax, places, values, style, **look):
    means = [np.mean(group) for group in values]
    below = [mean - min(group) for mean, group in zip(means, values, strict=True)]
    above = [max(group) - mean for mean, group in zip(means, values, strict=True)]
    ax.errorbar(places, means, [below, above], fmt=style, capsize=3, **look)


def _say_that_nothing_is_recorded(ax):
    note = {"ha": "center", "va": "center", "transform": ax.transAxes}
    ax.text(0.5, 0.5, "no finished run is recorded yet", **note)
    ax.set(xticks=[], yticks=[])
    return ax


def plot_readings(ax, readings, name, fmt="o-", label=None):
    """Draws one instrument against the steps of a training.

    Args:
        ax: Axes to draw on.
        readings: Dict as `vitlib.inspection.first_steps.observe` returns it.
        name: Key of the dict; of `"dead"`, the last hidden layer is drawn.
        fmt: Marker, line and colour, as `Axes.plot` takes them.
        label: Name of the training in the legend.
    """
    values = readings[name]
    if name == "dead":
        values = [shares[-1] for shares in values]
    ax.plot(readings["step"], values, fmt, label=label)
    ax.set(xlabel="step", ylabel=READING_LABELS[name])
    return ax
