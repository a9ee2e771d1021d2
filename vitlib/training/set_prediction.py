"""Queries that find things: matched to them one to one, by the least cost."""

from itertools import permutations

import keras
import numpy as np
from keras import ops
from scipy.special import expit, softmax

from vitlib.training.average_precision import Detections

# Weights of the parts of cost and loss, and of a query that is to find nothing: Carion
# et al., 2020, appendix A.4.
DISTANCE, OVERLAP, NOTHING = 5.0, 2.0, 0.1
TINY = 1e-7  # of an area


@keras.saving.register_keras_serializable(package="vitlib")
class SetLoss(keras.losses.Loss):
    """What queries get wrong, each thing with the query that is matched to it.

    The matching has the least cost of all: the query should be sure of the kind, and
    its box near. Queries that are left are to say that they found nothing.

    Args:
        image_size: Integer, the side of the images in pixels.
        **kwargs: Passed to `keras.losses.Loss` (`name`, `dtype`, ...).

    Input shape:
        Things `(B, T, 5)`: top, left, bottom, right in pixels, and the kind, -1 where
        there is none. Answers `(B, Q, C + 1 + 4)`: a logit for each kind and for
        nothing; and the logits of centre, height and width, shares of the image.

    Raises:
        ValueError: When there are more things than queries.

    Reference:
        Carion et al., 2020, equations 1 and 2 (https://arxiv.org/abs/2005.12872).
    """

    def __init__(self, image_size, **kwargs):
        super().__init__(**kwargs)
        self.image_size = image_size

    def get_config(self):
        return super().get_config() | {"image_size": self.image_size}

    def call(self, things, answers):
        logits, guess = answers[..., :-4], ops.sigmoid(answers[..., -4:])
        there = ops.cast(things[..., 4] >= 0, "float32")  # (B, T)
        kind = ops.one_hot(ops.cast(things[..., 4], "int32"), logits.shape[-1])
        kind = kind * there[..., None]
        start, end = (
            things[..., :2] / self.image_size,
            things[..., 2:4] / self.image_size,
        )
        boxes = ops.concatenate([(start + end) / 2, end - start], axis=-1)
        sure = ops.einsum("btk,bqk->btq", kind, ops.softmax(logits))
        apart = _apart(boxes[:, :, None], guess[:, None])  # (B, T, Q)
        query = assign(ops.stop_gradient((apart - sure) * there[..., None]))
        pairs = ops.one_hot(query, logits.shape[1]) * there[..., None]
        count = ops.maximum(ops.sum(there, axis=1), 1.0)
        wrong = ops.sum(pairs * apart, axis=(1, 2)) / count
        return wrong + _kinds_wrong(logits, ops.einsum("btq,btk->bqk", pairs, kind))


def _kinds_wrong(logits, kind):
    """The weighted cross-entropy of what each query says, `(B,)`."""
    idle = 1 - ops.sum(kind, axis=-1, keepdims=True)
    target = ops.concatenate([kind[..., :-1], idle], axis=-1)
    weight = 1 - (1 - NOTHING) * idle[..., 0]
    wrong = -ops.sum(target * ops.log_softmax(logits), axis=-1)
    return ops.sum(weight * wrong, axis=1) / ops.sum(weight, axis=1)


def assign(costs):
    """Matches each row with a column of its own, so that the sum is the least.

    All ways are tried: 1,680 for 4 rows and 8 columns, at once for the whole batch.

    Args:
        costs: Tensor of shape `(B, T, Q)`, with at most as many rows as columns.

    Returns:
        Integer tensor of shape `(B, T)`, the column of each row.

    Raises:
        ValueError: When there are more rows than columns.

    Reference:
        Carion et al., 2020, equation 1, whose Hungarian algorithm finds the same.
    """
    rows, columns = costs.shape[1:]
    require_queries(rows, columns)
    ways = np.array(list(permutations(range(columns), rows)), "int32")
    sums = sum(ops.take(costs[:, row], ways[:, row], axis=1) for row in range(rows))
    return ops.take(ways, ops.argmin(sums, axis=1), axis=0)


def require_queries(things, queries):
    """Refuses fewer queries than there may be things in an image."""
    if things > queries:
        raise ValueError(
            "Each thing in an image must have a query of its own. "
            f"Received: {things} things, {queries} queries."
        )


def _apart(boxes, guess):
    """How far guesses are from boxes, both as centre and sides, and how little on."""
    distance = ops.sum(ops.abs(boxes - guess), axis=-1)
    return DISTANCE * distance + OVERLAP * (1 - generalized_iou(boxes, guess))


def generalized_iou(boxes, others):
    """The IoU, less the share of the smallest box around both that neither fills.

    Args:
        boxes: Tensor of shape `(..., 4)`: centre down and right, height, width.
        others: Tensor of a shape that goes with it.

    Returns:
        Tensor of shape `(...)`, from -1 to 1.

    Reference:
        Rezatofighi et al., 2019 (https://arxiv.org/abs/1902.09630).
    """
    (start, end), (start2, end2) = map(_corners, (boxes, others))
    sides = ops.maximum(ops.minimum(end, end2) - ops.maximum(start, start2), 0.0)
    both = ops.prod(sides, axis=-1)
    areas = ops.prod(boxes[..., 2:], axis=-1) + ops.prod(others[..., 2:], axis=-1)
    around = ops.maximum(end, end2) - ops.minimum(start, start2)
    around = ops.maximum(ops.prod(around, axis=-1), TINY)
    either = ops.maximum(areas - both, TINY)
    return both / either - (around - either) / around


def _corners(boxes):
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return middle - half, middle + half


def decode_set(answers, image_size):
    """Reads the boxes off the answers of queries.

    Args:
        answers: Array of shape `(N, Q, C + 1 + 4)`: see `SetLoss`.
        image_size: Integer, the side of the images in pixels.

    Returns:
        `Detections`, one a query, with boxes inside the image.
    """
    answers = np.asarray(answers, "float64")
    shares = softmax(answers[..., :-4], axis=-1)[..., :-1]
    start, end = _corners(expit(answers[..., -4:]))
    boxes = image_size * np.concatenate([start, end], axis=-1)
    kinds, scores = shares.argmax(axis=-1), shares.max(axis=-1)
    return Detections(np.clip(boxes, 0, image_size), kinds, scores)
