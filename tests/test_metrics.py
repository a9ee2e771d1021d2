"""The metrics of dense tasks against those that others compute and trust."""

import contextlib
import io
from itertools import product

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn import metrics

from vitlib.training.average_precision import (
    Detections,
    average_precision,
    box_iou,
)
from vitlib.training.confusion import (
    confusion_matrix,
    grid_ceiling,
    majority_iou,
    mean_iou,
)

AREAS = {
    "all": (0, 1e10),
    "small": (0, 144),
    "medium": (144, 256),
    "large": (256, 1e10),
}
KINDS = 3


def boxes_around(rng, shape, size=64):
    """Random boxes, some of them partly or wholly outside the image."""
    start = rng.integers(-8, size, (*shape, 2))
    return np.concatenate([start, start + rng.integers(1, 24, (*shape, 2))], axis=-1)


def scenes(seed, images=40, most=6, guesses=12, ties=False):
    """Truths, and guesses of which some are near a truth, some double, some nowhere."""
    rng = np.random.default_rng(seed)
    boxes = boxes_around(rng, (images, most))
    kinds = rng.integers(-1, KINDS, (images, most))
    near = rng.integers(0, most, (images, guesses))
    found = np.take_along_axis(boxes, near[..., None], axis=1).astype("float64")
    found += rng.integers(-3, 4, found.shape) / (1 if ties else 2)
    found[..., 2:] = np.maximum(found[..., 2:], found[..., :2] + 1)
    anywhere = rng.random((images, guesses)) < 0.3
    found[anywhere] = boxes_around(rng, (int(anywhere.sum()),))
    guessed = np.take_along_axis(kinds, near, axis=1)
    guessed[rng.random(guessed.shape) < 0.1] = 0
    scores = rng.integers(1, 4, guessed.shape) / 4 if ties else rng.random(near.shape)
    return Detections(found, guessed, scores), boxes, kinds


def as_coco(boxes):
    """Left, top, width and height, as COCO's files have them."""
    top, left, bottom, right = np.moveaxis(np.asarray(boxes, "float64"), -1, 0)
    return np.stack([left, top, right - left, bottom - top], axis=-1)


def by_coco(found, boxes, kinds):
    """The table of precisions that pycocotools makes: AP a threshold and an area."""
    names = ("images", "categories", "annotations")
    truth = COCO()
    truth.dataset = {name: [] for name in names} | {"info": {}}
    truth.dataset["images"] = [{"id": i} for i in range(len(boxes))]
    truth.dataset["categories"] = [{"id": k} for k in range(KINDS)]
    for i, j in np.argwhere(kinds >= 0):
        box = as_coco(boxes[i, j])
        entry = {"image_id": int(i), "category_id": int(kinds[i, j]), "iscrowd": 0}
        entry |= {"bbox": box.tolist(), "area": float(box[2] * box[3])}
        entry["id"] = len(truth.dataset["annotations"]) + 1
        truth.dataset["annotations"].append(entry)
    rows = [
        [i, *as_coco(found.boxes[i, j]), found.scores[i, j], found.kinds[i, j]]
        for i, j in np.argwhere(found.kinds >= 0)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = truth.loadRes(np.reshape(rows, (-1, 7)).astype("float64"))
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.params.areaRng = list(map(list, AREAS.values()))
        evaluation.params.areaRngLbl = list(AREAS)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]  # (T, R, K, A), of 100 detections
    found = np.where(precision > -1, precision, np.nan)
    return {name: found[..., n] for n, name in enumerate(AREAS)}


def nothing_found(detections):
    return detections._replace(kinds=np.full_like(detections.kinds, -1))


def crowd():
    """Two hundred things of one kind, and a guess at each: a hundred may count."""
    rng = np.random.default_rng(5)
    corners = np.stack(np.divmod(np.arange(200), 20), axis=-1) * 10
    boxes = np.concatenate([corners, corners + 9], axis=-1)[None]
    kinds = np.zeros((1, 200), int)
    guesses = boxes + rng.integers(-1, 2, boxes.shape)
    return Detections(guesses, kinds, rng.random((1, 200))), boxes, kinds


def hostile():
    found, boxes, kinds = scenes(9)
    none = np.full_like(kinds, -1)
    late = np.arange(len(kinds))[:, None] >= len(kinds) - 4
    rare = np.where(late, kinds, none)
    same = Detections(np.tile(boxes, (1, 2, 1)), np.tile(kinds, (1, 2)), 0)
    same = same._replace(scores=np.ones(same.kinds.shape))
    half = boxes + np.array([0, 0, 1, 0]) * (boxes[..., 2:3] - boxes[..., :1])
    return {
        "no object in most images": (found, boxes, rare),
        "nothing predicted in most images": (
            found._replace(kinds=np.where(late, found.kinds, -1)),
            boxes,
            kinds,
        ),
        "equal scores, each box twice": (same, boxes, kinds),
        "an overlap of exactly one half": (
            Detections(half, kinds, np.ones(kinds.shape)),
            boxes,
            kinds,
        ),
        "equal boxes": (found, np.repeat(boxes[:, :1], 6, axis=1), kinds),
        "a kind that never occurs": (found, boxes, np.where(kinds == 1, 2, kinds)),
        "boxes far outside": (found, boxes - 100, kinds),
        "a crowd of 200": crowd(),
    }


CASES = {f"seed {n}": scenes(n) for n in range(4)}
CASES |= {f"seed {n} with ties": scenes(n, ties=True) for n in range(4)} | hostile()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_average_precision_is_that_of_pycocotools(case):
    expected = by_coco(*case)
    for name, area in AREAS.items():
        table = expected[name]
        occurring = ~np.isnan(table).all(axis=(0, 1))
        mine = average_precision(*case, area=area)
        if not occurring.any():
            assert np.isnan(mine).all()
            continue
        means = table[:, :, occurring].mean(axis=(1, 2))
        np.testing.assert_allclose(mine, means, atol=1e-6, err_msg=name)
        if name == "all":
            (half,) = average_precision(*case, thresholds=[0.5], area=area)
            assert half == pytest.approx(means[0], abs=1e-6)


def test_the_cases_are_neither_all_right_nor_all_wrong():
    values = [average_precision(*case).mean() for case in CASES.values()]
    assert len(np.unique(np.round(values, 3))) > len(values) // 2
    assert average_precision(*crowd())[0] == pytest.approx(0.5, abs=0.01)


def test_without_a_guess_nothing_is_precise_and_without_a_thing_there_is_no_value():
    found, boxes, kinds = scenes(0)
    assert average_precision(nothing_found(found), boxes, kinds).tolist() == [0.0] * 10
    assert np.isnan(average_precision(found, boxes, np.full_like(kinds, -1))).all()


def test_boxes_without_an_overlap_or_an_area_have_an_iou_of_zero():
    boxes = np.array([[0, 0, 4, 4], [4, 0, 8, 4], [2, 2, 2, 2], [0, 0, 4, 8]])
    expected = np.eye(4) * [1, 1, 0, 1]
    expected[0, 3] = expected[3, 0] = 0.5
    np.testing.assert_array_equal(box_iou(boxes, boxes), expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kinds", [1, 2, 5])
def test_confusion_matrix_and_iou_are_those_of_scikit_learn(seed, kinds):
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, kinds + 1, (2, 7, 16, 16), dtype="uint8")
    truth[truth == seed] = 0  # with a seed from 1 to 3 a kind does not occur
    guess = np.where(rng.random(truth.shape) < 0.6, truth, guess)
    matrix = confusion_matrix(truth, guess, kinds + 1)
    pair = truth.ravel(), guess.ravel()
    classes = np.arange(kinds + 1)
    np.testing.assert_array_equal(
        matrix, metrics.confusion_matrix(*pair, labels=classes)
    )
    occurring = np.unique(truth[truth > 0])
    if not occurring.size:
        assert np.isnan(mean_iou(matrix))
        return
    options = {"labels": occurring, "average": None}
    ious = metrics.jaccard_score(*pair, **options)
    assert mean_iou(matrix) == pytest.approx(ious.mean(), abs=1e-6)
    everything = metrics.jaccard_score(*pair, labels=np.unique(truth), average="macro")
    assert mean_iou(matrix, background=None) == pytest.approx(everything, abs=1e-6)


def test_maps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"same shape\. Received: \(2, 3\) and \(3,"):
        confusion_matrix(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
    with pytest.raises(ValueError, match=r"of predicted .* 0 to 1\. Received: 0 to 2"):
        confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 2]), 2)
    with pytest.raises(ValueError, match=r"divide the 8 x 6 pixels .* Received: 4\."):
        grid_ceiling(np.zeros((1, 8, 6), int), 4)


def best_of_all(maps, patch_size):
    """The best mean IoU of all answers of one class a patch."""
    classes, rows = maps.max() + 1, maps.shape[1] // patch_size
    answers = product(range(classes), repeat=rows**2)
    grids = (np.reshape(answer, (1, rows, rows)) for answer in answers)
    blown = (grid.repeat(patch_size, 1).repeat(patch_size, 2) for grid in grids)
    return max(mean_iou(confusion_matrix(maps, map, classes)) for map in blown)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("classes", [2, 3])
def test_no_answer_of_one_class_a_patch_exceeds_the_ceiling(seed, classes):
    """With one kind the ceiling is reached; with more no patch may be wanted twice."""
    maps = np.random.default_rng(seed).integers(0, classes, (1, 6, 6))
    maps[:, 3:, :3] = 0
    ceiling, best = grid_ceiling(maps, 2), best_of_all(maps, 2)
    assert majority_iou(maps, 2) <= best <= ceiling + 1e-9
    if classes == 2:
        assert best == pytest.approx(ceiling)
    else:
        assert ceiling - best < 0.1
    assert grid_ceiling(maps, 1) == majority_iou(maps, 1) == 1


def test_the_majority_of_a_patch_is_not_always_best():
    maps = np.zeros((1, 4, 4), int)
    maps[0, :, :3] = 1  # 2 x 2: full patches on the left, half ones on the right
    maps[0, 3, 2] = 0
    assert majority_iou(maps, 2) == pytest.approx(8 / 11)
    assert grid_ceiling(maps, 2) == pytest.approx(10 / 13)
    assert best_of_all(maps, 2) == pytest.approx(10 / 13)
