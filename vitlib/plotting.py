"""Draw pictures, patches and numbers on axes that the caller gives.

The look of a figure is `plt.style.use("vitlib.course")`. It has no title: the book
gives it a caption.
"""

import numpy as np

GAP = 1 / 3  # white space between patches, in patches
MAX_PIXEL = 255
PERCENT = 100
EDGE = 0.5  # pixels, from the middle of a pixel, where `imshow` counts, to its border


def show_image(ax, image):
    """Draws an image `(H, W)` or `(H, W, C)` without ticks, a square for each pixel."""
    image = np.asarray(image)
    if image.ndim == 3 and image.dtype != np.uint8:
        image = image.clip(0, MAX_PIXEL).astype(np.uint8)
    ax.imshow(image)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def show_numbers(ax, values, colors=None):
    """Draws a small table of integers `(rows, columns)`, each number in its cell.

    Args:
        ax: Axes to draw on.
        values: Array of shape `(rows, columns)`, what is written.
        colors: Array of the same shape, what is shown as colour; the values by default.
    """
    values = np.asarray(values)
    colors = values if colors is None else np.asarray(colors)
    show_image(ax, colors)
    middle = (colors.min() + colors.max()) / 2
    for (row, column), value in np.ndenumerate(values):
        ink = "black" if colors[row, column] > middle else "white"
        ax.text(column, row, value, ha="center", va="center", color=ink)
    return ax


def draw_patch_grid(ax, image_size, patch_size, color="white"):
    """Draws the borders of the patches over an image that is already there.

    Args:
        ax: Axes that show the image.
        image_size: `(H, W)` in pixels.
        patch_size: P, in pixels.
        color: Colour of the lines.
    """
    height, width = image_size
    lines = {"color": color, "linewidth": 1}
    ax.hlines(
        np.arange(patch_size, height, patch_size) - 0.5, -0.5, width - 0.5, **lines
    )
    ax.vlines(
        np.arange(patch_size, width, patch_size) - 0.5, -0.5, height - 0.5, **lines
    )
    return ax


def show_patches(ax, patches, columns=None):
    """Draws a sequence of flattened patches as squares, left to right, row by row.

    Args:
        ax: Axes to draw on.
        patches: Array of shape `(N, P * P * C)` with C = 3, values 0 to 255.
        columns: Patches in a row of the drawing; all of them by default.
    """
    patches = np.asarray(patches)
    columns = columns or len(patches)
    size = int(np.sqrt(patches.shape[1] // 3))
    gap = max(1, round(GAP * size))
    step = size + gap
    rows = -(-len(patches) // columns)
    shape = (rows * step - gap, columns * step - gap, 3)
    canvas = np.full(shape, MAX_PIXEL, np.uint8)
    for index, patch in enumerate(patches):
        top, left = (index // columns) * step, (index % columns) * step
        square = patch.reshape(size, size, 3).clip(0, MAX_PIXEL)
        canvas[top : top + size, left : left + size] = square
    return show_image(ax, canvas)


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
