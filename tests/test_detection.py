"""Detection: losses by hand, boxes there and back, the best matching, a training."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
from keras import ops
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, log_expit, log_softmax, logit
from small_scenes import draw_split, small_scenes
from test_segmentation import PATCH, PIXELS, SMALL, TRAINING, build

from vitlib import build_model, count_flops, evaluate, train
from vitlib.config.dense import DetectionConfig
from vitlib.data.moves import draw_moves, move_planes
from vitlib.models.vit import build_encoder
from vitlib.training.average_precision import average_precision, box_iou
from vitlib.training.cells import CellsLoss, decode_cells, find_peaks
from vitlib.training.detection import Detection
from vitlib.training.set_prediction import (
    SetLoss,
    assign,
    decode_set,
    generalized_iou,
)

pytestmark = pytest.mark.backend

CELLS = DetectionConfig(**asdict(replace(SMALL, num_classes=2)), num_queries=5)
SET = replace(CELLS, head="set")
HEADS = pytest.mark.parametrize("config", [CELLS, SET], ids=["cells", "set"])
SPLIT = draw_split(60, 0)
THINGS = Detection(CELLS).targets(SPLIT)
THERE = THINGS[..., 4] >= 0
G, CELL = 8, 4


def in_cells(box):
    """Centre, sides, and the cell of the centre of a box."""
    start, end = np.array(box[:2]) / CELL, np.array(box[2:]) / CELL
    return (start + end) / 2, end - start, ((start + end) / 2).astype(int)


def right_answers():
    """What cells would have to say, with logits of 20."""
    answers = np.zeros((len(THINGS), G, G, 2 + 4), "float32")
    answers[..., :2] = -20
    for i, j in np.argwhere(THERE):
        *box, kind = THINGS[i, j]
        centre, sides, (row, column) = in_cells(box)
        answers[i, row, column, kind] = 20
        answers[i, row, column, 2:] = [*(centre - (row, column) - 0.5), *np.log(sides)]
    return answers


def test_cells_say_boxes_that_come_back():
    found = decode_cells(right_answers(), CELL)
    for i, things in enumerate(THINGS):
        things = things[things[:, 4] >= 0]
        sure = found.scores[i] > 0.5
        assert sure.sum() == len(things)
        shown = np.column_stack([found.boxes[i], found.kinds[i]])[sure]
        order, wanted = np.lexsort(shown.T), np.lexsort(things.T)
        np.testing.assert_allclose(shown[order], things[wanted], atol=1e-4)
    scores = Detection(CELLS).score(right_answers(), THINGS)
    assert scores["ap"] == scores["ap50"] == 1
    bumps = scores["loss"]  # beside a centre the map to be met is not quite 0
    answers = right_answers()
    answers[..., -4:] += 0.5
    assert Detection(CELLS).score(answers, THINGS)["loss"] == pytest.approx(
        bumps + 2.0 * THERE.any(axis=1).mean()
    )


def tensors(things, answers):
    return map(ops.convert_to_tensor, (things.astype("float32"), answers))


def cells_loss_by_hand(things, answers):
    """Zhou et al., equations 1 to 4, cell by cell: a side is 6 deviations."""
    things, total = things[things[:, 4] >= 0], 0.0
    heat = np.zeros((G, G, 2))
    for *box, kind in things:
        centre, sides, cell = in_cells(box)
        for place in np.ndindex(G, G):
            far = (np.array(place) - cell) / (sides / 6)
            heat[(*place, kind)] = max(heat[(*place, kind)], np.exp(-(far @ far) / 2))
        says = answers[(*cell, slice(2, None))]
        total += abs(says - [*(centre - cell - 0.5), *np.log(sides)]).sum()
    for place in np.ndindex(G, G, 2):
        x = float(answers[place])
        if heat[place] == 1:
            total -= (1 - expit(x)) ** 2 * log_expit(x)
        else:
            total -= (1 - heat[place]) ** 4 * expit(x) ** 2 * log_expit(-x)
    return total / max(len(things), 1)


def test_the_loss_of_cells_is_that_of_the_paper():
    answers = np.random.default_rng(1).normal(size=(12, G, G, 6)).astype("float32")
    things = THINGS[:12]
    assert (things[..., 4] < 0).all(axis=1).any()  # an image without a thing
    loss = CellsLoss(CELL).call(*tensors(things, answers))
    expected = [cells_loss_by_hand(*pair) for pair in zip(things, answers, strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-4)


def peaks_by_hand(heat):
    found = []
    for place in np.ndindex(*heat.shape):
        row, column, kind = place
        near = [(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)]
        near = [p for p in near if min(p) >= 0 and max(p) < len(heat)]
        before = [heat[(*p, kind)] for p in near if p < place[:2]]
        after = [heat[(*p, kind)] for p in near if p > place[:2]]
        if all(heat[place] > x for x in before) and all(
            heat[place] >= x for x in after
        ):
            found.append((-heat[place], *place))
    return [place[1:] for place in sorted(found)]


@pytest.mark.parametrize("levels", [2, 4, 1000])
def test_peaks_are_the_cells_that_no_neighbour_exceeds(levels):
    heat = np.random.default_rng(levels).integers(1, levels + 1, (6, 5, 5, 2)) / levels
    *places, values = find_peaks(heat)
    for i, image in enumerate(heat):
        expected = peaks_by_hand(image)
        rows = np.transpose([place[i] for place in places])
        assert rows[: len(expected)].tolist() == list(map(list, expected))
        assert (places[2][i, len(expected) :] == -1).all()
        assert values[i, len(expected) :].sum() == 0
    best = find_peaks(heat, most=3)
    np.testing.assert_array_equal(best[3], values[:, :3])


def test_of_equal_cells_one_is_a_peak():
    _, _, kinds, values = find_peaks(np.full((1, 5, 5, 2), 0.5))
    assert sorted(kinds[0][kinds[0] >= 0]) == [0, 1]
    assert values.sum() == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (3, 8), (4, 8), (4, 5)])
def test_the_matching_is_the_best_of_all(shape):
    """Also with ties and with things that are not there, whose costs are 0."""
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(50, *shape)).astype("float32")
    costs[20:35] = rng.integers(-2, 3, (15, *shape))
    costs[35:] *= rng.integers(0, 2, (15, shape[0], 1))
    found = ops.convert_to_numpy(assign(ops.convert_to_tensor(costs)))
    for cost, columns in zip(costs, found, strict=True):
        assert len(set(columns)) == shape[0]
        best = cost[linear_sum_assignment(cost)].sum()
        assert cost[np.arange(shape[0]), columns].sum() == pytest.approx(best, abs=1e-5)


def test_more_things_than_queries_are_refused():
    with pytest.raises(ValueError, match=r"of its own\. Received: 3 things, 2 queries"):
        assign(ops.zeros((1, 3, 2)))
    with pytest.raises(ValueError, match=r"Received: 3 things, 2 queries\."):
        Detection(replace(SET, num_queries=2)).require(SPLIT, "train", None)


def as_centres(boxes):
    start, end = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(start + end) / 2, end - start], axis=-1)


def giou_by_hand(boxes, others):
    around = np.maximum(boxes[:, 2:], others[:, 2:])
    around = (around - np.minimum(boxes[:, :2], others[:, :2])).prod(axis=1)
    iou = np.diag(box_iou(boxes, others))
    areas = sum((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (boxes, others))
    return iou - (around - areas / (1 + iou)) / around


def test_the_generalized_iou_is_the_iou_less_what_is_empty_around_both():
    rng = np.random.default_rng(0)
    boxes, others = rng.random((2, 200, 4))
    boxes[:, 2:] += boxes[:, :2] + 0.01
    others[:, 2:] += others[:, :2] + 0.01
    others[:10] = boxes[:10]
    pair = (as_centres(x).astype("float32") for x in (boxes, others))
    found = ops.convert_to_numpy(generalized_iou(*map(ops.convert_to_tensor, pair)))
    np.testing.assert_allclose(found, giou_by_hand(boxes, others), atol=1e-5)
    assert found[:10].tolist() == pytest.approx([1] * 10) and found.min() < 0


def set_loss_by_hand(things, answers):
    """Carion et al., equations 1 and 2, with the weights of their appendix A.4."""
    logits, guess = answers[:, :3].astype("float64"), expit(answers[:, 3:])
    things = things[things[:, 4] >= 0]
    boxes, kinds = things[:, :4] / 32, things[:, 4]
    start, end = guess[:, :2] - guess[:, 2:] / 2, guess[:, :2] + guess[:, 2:] / 2
    corners = np.concatenate([start, end], axis=1)
    apart = np.array(
        [
            5 * abs(as_centres(box) - guess).sum(axis=1)
            + 2 * (1 - giou_by_hand(np.tile(box, (len(guess), 1)), corners))
            for box in boxes
        ]
    ).reshape(-1, len(guess))
    log_shares = log_softmax(logits, axis=1)
    rows, columns = linear_sum_assignment(apart - np.exp(log_shares)[:, kinds].T)
    classes, weights = np.full(len(guess), 2), np.full(len(guess), 0.1)
    classes[columns], weights[columns] = kinds[rows], 1
    wrong = -log_shares[np.arange(len(guess)), classes]
    found = apart[rows, columns].sum() / max(len(things), 1)
    return found + (weights * wrong).sum() / weights.sum()


def test_the_loss_of_a_set_is_that_of_the_paper():
    answers = np.random.default_rng(1).normal(size=(12, 5, 7)).astype("float32")
    things = THINGS[:12]
    loss = SetLoss(32).call(*tensors(things, answers))
    expected = [set_loss_by_hand(*pair) for pair in zip(things, answers, strict=True)]
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-4)


def test_queries_say_boxes_that_come_back():
    answers = np.full((len(THINGS), 5, 7), -20.0)
    answers[..., 2] = 20
    for i, j in np.argwhere(THERE):
        box, kind = THINGS[i, j, :4], THINGS[i, j, 4]
        answers[i, 4 - j, :3] = 20 * (2 * np.eye(3)[kind] - 1)
        answers[i, 4 - j, 3:] = logit(as_centres(box / 32))
    found = decode_set(answers, 32)
    boxes = np.where(THERE[..., None], found.boxes[:, :1:-1], 0)
    np.testing.assert_allclose(boxes, SPLIT.boxes, atol=1e-4)
    assert (found.scores > 0.5).sum() == THERE.sum()
    precision = average_precision(found, SPLIT.boxes, SPLIT.kinds)
    np.testing.assert_array_equal(precision, 1)
    scores = Detection(SET).score(answers.astype("float32"), THINGS)
    assert scores == pytest.approx({"loss": 0, "ap50": 1, "ap": 1}, abs=1e-3)


def test_boxes_are_varied_with_their_images():
    """A moved box is the tight one around the moved pixels, as far as it was whole."""
    task = Detection(replace(CELLS, moves=6))
    planes, moves = SPLIT.masks, draw_moves(60, np.random.default_rng(7), 6)
    _, things = task.vary(SPLIT.images, THINGS, np.random.default_rng(7))
    moved = np.stack([move_planes(planes[:, j], moves) for j in range(3)], axis=1)
    rows, columns = moved.any(axis=3), moved.any(axis=2)
    inside = ~(rows[..., [0, -1]] | columns[..., [0, -1]]).any(axis=-1) & THERE
    assert inside.sum() > 30
    for i, j in np.argwhere(inside):
        down, right = np.flatnonzero(rows[i, j]), np.flatnonzero(columns[i, j])
        tight = [down[0], right[0], down[-1] + 1, right[-1] + 1]
        assert things[i, j].tolist() == [*tight, THINGS[i, j, 4]]
    assert (things[..., 4][~THERE] == -1).all()
    assert ((things[..., 4] < 0) == (things[..., :4] == 0).all(axis=-1)).all()


@HEADS
def test_a_training_finds_the_things_and_says_so(config):
    data, said, task = small_scenes(), [], Detection(config)
    training = replace(TRAINING, epochs=6, clip_norm=1.0)
    model = build_model(config, training)
    run = train(model, data, training, report=said.append, task=task)
    assert run.task == "detection" and set(run.test) == {"loss", "ap50", "ap"}
    scores = {"loss", "val_loss", "val_ap50", "val_ap"}
    assert set(run.history) == scores | {"learning_rate", "seconds"}
    losses, found = run.history["val_loss"], run.history["val_ap50"]
    assert losses[-1] < 0.8 * losses[0]
    assert run.best_epoch == 1 + int(np.argmax(run.history["val_ap"]))
    assert max(found) > (0.4 if config is CELLS else 0.0)
    assert evaluate(model, data.test, task) == run.test
    assert f"AP50 {found[-1]:.3f}, AP " in said[-1]


@pytest.mark.parametrize("config", [PIXELS, PATCH, CELLS, SET])
def test_half_precision_ends_before_the_answer(config):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(config)
    finally:
        keras.config.set_dtype_policy("float32")
    assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    assert model.output.dtype == "float32"


@HEADS
def test_a_model_is_saved_and_loaded(config, tmp_path):
    model = build_model(config, TRAINING)
    model.compile("sgd", Detection(config).loss(TRAINING))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = SPLIT.images[:3]
    outputs = (each.predict_on_batch(images) for each in (model, loaded))
    np.testing.assert_array_equal(*outputs)
    assert loaded.loss.get_config() == model.loss.get_config()


def test_the_operations_of_queries_are_counted():
    encoder, queries, tokens, width = build_encoder(SET), 5, 64, 32
    inner = SET.num_heads * SET.key_dim
    crossing = 2 * queries * width * inner + 2 * tokens * width * inner
    crossing += 2 * queries * tokens * inner
    looking = 4 * queries * width * inner + 2 * queries**2 * inner
    block = crossing + looking + 2 * queries * width * 64
    head = queries * width * (3 + 4)
    added = count_flops(build(SET)) - count_flops(encoder)
    assert added == 2 * (SET.decoder_layers * block + head)
    added = count_flops(build(CELLS)) - count_flops(encoder)
    assert added == 2 * tokens * width * (2 + 4)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"head": "pixels"}, r"head must be one of \('cells', 'set'\)\. Received: 'pi"),
        ({"num_queries": 0}, r"num_queries must be an integer of at least 1\. .* 0\."),
        ({"decoder_layers": 1.0}, r"decoder_layers must be an integer .* 1\.0\."),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(change, rule):
    with pytest.raises(ValueError, match=rf"^DetectionConfig\.{rule}"):
        replace(CELLS, **change)
