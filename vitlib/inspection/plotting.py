"""Plot trainings and recorded runs on axes that the caller gives.

The look of a figure is `plt.style.use("vitlib.course")`. It has no title: the book
gives it a caption.
"""

import numpy as np

from vitlib.records.intervals import mean_interval

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


def plot_test_accuracies(ax, runs, names, metric="top1"):
    """Draws the test accuracy of recorded runs: the seeds, their mean, its interval.

    A circle is a seed, the dot the mean. The line is the 95 % interval of the mean,
    where there are seeds enough for one. Where no run is finished, the axes say so.

    Args:
        ax: Axes to draw on.
        runs: List of `Run`; those that failed are left out.
        names: Dict from the name of an experiment to the words of its row, from the top
            row down; other experiments are left out.
        metric: `"top1"` or `"top5"`.
    """
    groups = _group(runs, lambda run: run.name)
    rows = [name for name in names if name in groups]
    for place, name in enumerate(rows):
        values = _accuracies(groups[name], metric)
        if len(values) > 1:
            ax.plot(mean_interval(values), [place, place], color="C0")
        ax.plot(values, [place] * len(values), "o", color="C0", fillstyle="none")
        ax.plot(np.mean(values), place, "o", color="C0")
    ax.set(xlabel=f"test {metric.replace('top', 'top-')} accuracy (%)")
    ax.set_yticks(range(len(rows)), [names[name] for name in rows])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)  # the first row on top
    return ax if rows else _say_that_nothing_is_recorded(ax)


def _group(runs, key):
    """The finished runs by a key, in their order."""
    groups = {}
    for run in runs:
        if run.status == "finished":
            groups.setdefault(key(run), []).append(run)
    return groups


def _accuracies(runs, metric="top1"):
    return [PERCENT * run.test[metric] for run in runs]


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
