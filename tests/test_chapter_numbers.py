"""What the chapters say is what records and sums say."""

import ast
import math
import re
from dataclasses import replace
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from plain import CHAPTERS

from vitlib import PRESETS, build_model, count_flops, load_runs
from vitlib.records.intervals import welch_interval

ROOT = Path(__file__).parents[1]
NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
EPSILON = 1e-7  # of Keras' Adam
MAX_VERDICTS = 5  # printed lines of a chapter that end in a bare True or False


def printed(chapter):
    """The lines that the cells of a chapter have printed."""
    cells = nbformat.read(ROOT / f"notebooks/{chapter}.ipynb", as_version=4).cells
    outputs = [out for cell in cells for out in cell.get("outputs", [])]
    texts = [out.text for out in outputs if out.output_type == "stream"]
    return "".join(texts).splitlines()


def number(chapter, label):
    """The first number after a label, of each printed line that begins with it."""
    pattern = re.compile(re.escape(label) + r"\D*?" + NUMBER)
    found = [pattern.match(line) for line in printed(chapter)]
    return [float(match[1].replace(",", "")) for match in found if match]


def prose(chapter):
    text = (ROOT / f"notebooks/{chapter}.py").read_text("utf-8")
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    return " ".join(" ".join(lines).split())


@pytest.fixture(scope="module")
def runs():
    """All runs by name and seed."""
    return {(run.name, run.seed): run for run in load_runs(ROOT / "results")}


@pytest.fixture(scope="module")
def top1(runs):
    """Test accuracy of the small ViT in points, an array over the seeds by kind."""
    kinds = {"1d": "small-vit", "none": "small-vit-position-none"}
    kinds |= {kind: f"small-vit-position-{kind}" for kind in ("2d", "relative")}
    return {
        kind: np.array([100 * runs[name, seed].test["top1"] for seed in range(3)])
        for kind, name in kinds.items()
    }


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_reader_sees_numbers_and_seldom_a_bare_verdict(chapter):
    verdicts = [
        line for line in printed(chapter) if re.search(r"\b(True|False)$", line)
    ]
    assert len(verdicts) <= MAX_VERDICTS, verdicts


# The chapter on the data.


def tables(chapter):
    """The tables of a chapter as a reader of plain text sees them."""
    cells = nbformat.read(ROOT / f"notebooks/{chapter}.ipynb", as_version=4).cells
    outputs = [out for cell in cells for out in cell.get("outputs", [])]
    return [
        out.data["text/plain"] for out in outputs if "text/html" in out.get("data", {})
    ]


def test_the_models_of_the_embedded_set_do_without_augmentation():
    tiny = [preset for preset in PRESETS.values() if preset.data == "shapes"]
    assert tiny and {preset.model.augmentation for preset in tiny} == {"none"}


def test_a_sum_of_float32_numbers_runs_ahead_and_then_stops():
    ahead, stopped = np.float32(2**31), np.float32(2**32)
    assert ahead + np.float32(129) == 2**31 + 256
    assert ahead + np.float32(127) == 2**31
    assert stopped + np.float32(255) == 2**32
    (table,) = (t for t in tables("data") if "mean in one line" in t)
    last = [line.split()[-1] for line in table.splitlines()[1:]]
    assert last == [f"{2**32 / (20_000 * 32 * 32):.0f}"] * 3
    right = [float(line.split()[-2]) for line in table.splitlines()[1:]]
    assert max(right) < 210  # "too large in each row"


# The chapter on positions.


def test_what_a_shuffle_changes_and_what_it_does_not():
    (gap,) = number("positions", "difference of the outputs:")
    assert gap > 0.5
    assert number("positions", "with the output shuffled:") == [0]
    assert number("positions", "of the means:") == [0]
    silent, *heard = (
        number("positions", f"{kind}: the logits change by up to")
        for kind in ("none", "1d", "2d", "relative")
    )
    assert silent == [0, 0] and all(min(change) > 0 for change in heard)
    assert number("positions", "equal blocks: shuffling") == [0]
    assert min(number("positions", "own blocks: shuffling")) > 1


def test_what_is_computed_twice_is_the_same():
    for label in ("1-D, difference", "2-D, difference", "equal blocks, difference"):
        values = [
            line.rsplit(" ", 1)[1]
            for line in printed("positions")
            if line.startswith(label)
        ]
        assert len(values) == 1 and float(values[0]) == 0, label
    assert number("positions", "difference of the weights:") == [0]
    assert number("positions", "difference of the tokens:") == [0]
    assert number("positions", "different sets of tiles:") == [1]
    for move in ("mirrored", "swapped", "both"):
        assert f"{move}: 24 of 24 choices are the same" in printed("positions")


def test_a_set_stays_at_its_ceiling_and_positions_pass_it():
    (none,) = number("positions", "none: test top-1")
    assert abs(none - 25) <= 3
    for label in ("1-D", "2-D", "relative", "none, flatten head"):
        (accuracy,) = number("positions", f"{label}: test top-1")
        assert accuracy > 25 + 25, label
    assert min(number("positions", "right pair in")) > 90
    (none,) = number("positions", "none: different answers:")
    assert none == 1
    for words in ("1-D table", "2-D tables", "relative"):
        (answers,) = number("positions", f"{words}: different answers:")
        assert answers > 1, words


def test_a_trained_table_has_found_rows_and_columns():
    before, after = (
        number("positions", f"1-D {when}: neighbours more alike by")[0]
        for when in ("before", "after")
    )
    assert before < 0.2 and after > 0.5
    before, after = (
        number("positions", f"{when}: two directions hold")[0]
        for when in ("before", "after")
    )
    assert before < 50 and after > 80


def test_a_small_vit_has_finished_its_eight_epochs(runs):
    small = [run for run in runs.values() if run.preset == "small-vit"]
    small = [run for run in small if "positions" in run.study]
    last = [100 * np.diff(run.history["val_top1"])[-1] for run in small]
    assert len(last) == 12 and all(run.training["epochs"] == 8 for run in small)
    assert all(run.training["schedule"] == "cosine" for run in small)
    assert max(np.abs(last)) < 1  # "changed by less than a point"


def test_what_the_kinds_are_worth_on_photographs(top1):
    gains = {kind: welch_interval(top1[kind], top1["none"]) for kind in top1}
    for kind in ("1d", "2d"):
        assert gains[kind][0] > 1  # "worth about four points"
        assert round(np.mean(gains[kind])) == 4
    low, high = gains["relative"]
    assert low < 0 < high and 0 < (low + high) / 2 < 1
    low, high = welch_interval(top1["1d"], top1["2d"])
    assert low < 0 < high  # "cannot tell these two apart"


def test_the_table_of_differences_is_as_long_as_the_sentence_before_it_says(runs):
    text = (ROOT / "notebooks/positions.py").read_text("utf-8")
    _, table = text.split("# | | published | here |\n# |---|---|---|\n")
    rows = re.match(r"(# \|.*\n)+", table)[0].splitlines()
    cells = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in rows}
    words = {6: "six", 7: "seven", 8: "eight"}
    assert f"At least {words[len(rows)]} things are different" in prose("positions")
    run = runs["small-vit-position-relative", 0]
    assert cells["blocks"] == str(run.model["num_layers"])
    assert cells["epochs"] == str(run.training["epochs"])
    side = run.model["image_size"] // run.model["patch_size"]
    assert cells["largest offset"].startswith(f"{side**2 - 1},")
    assert run.model["pooling"] == "mean"


def test_the_right_neighbour_of_a_sinusoid_is_more_alike_as_a_sum_alone():
    omega = 10000.0 ** (-np.arange(0, 128, 2) / 128)
    right, below = np.cos(omega), np.cos(12 * omega)
    assert right.sum() > below.sum()
    line = f"sum of the cosines: right {right.sum():.1f}, below {below.sum():.1f}"
    assert line in printed("positions")
    assert (right < below).sum() == 3  # "three of the 64 terms"
    slow = 12 * omega < np.pi
    assert (right > below)[slow].all() and slow.sum() > 32


# The chapter on training.


def test_two_rules_for_the_rate_of_a_smaller_batch():
    linear, root = 1e-3 * 32 / 256, 1e-3 * math.sqrt(32 / 256)
    assert number("training", "rate for 32 images, in proportion:") == [linear]
    assert number("training", "by the square root:") == [round(root, 6)]
    assert round(1e-3 / linear, 1) == 8 and round(1e-3 / root, 1) == 2.8


def gelu_slope(x):
    normal = (1 + math.erf(x / math.sqrt(2))) / 2
    return normal + x * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def test_the_gelu_falls_left_of_three_quarters():
    assert gelu_slope(-0.75) > 0 > gelu_slope(-0.76)
    assert all(gelu_slope(x) < 0 for x in np.arange(-6, -0.76, 0.01))
    assert number("training", "its slope is negative up to") == [-0.75]


@pytest.mark.backend
@pytest.mark.parametrize(("gradient", "share"), [(1, 1), (1e-5, 0.95), (1e-9, 0)])
def test_adam_moves_by_the_rate_until_the_gradient_is_under_epsilon(gradient, share):
    weight = keras.Variable([0.0])
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build([weight])
    for _ in range(100):
        optimizer.apply([keras.ops.full((1,), gradient)])
    moved = -float(keras.ops.convert_to_numpy(weight)[0]) / 100 / 1e-3
    assert moved == pytest.approx(share, abs=0.01)
    assert f"gradient {gradient:g}: {moved:.2f} of the rate a step" in printed(
        "training"
    )


def test_the_step_of_the_chapter_is_that_of_keras():
    (moved,) = number("training", "our weights moved by up to")
    assert 0.009 < moved < 0.0105  # "about ten times the rate"
    assert number("training", "our weights differ from Keras' by up to") == [0]


def test_no_image_had_come_twice_when_the_head_was_dead(runs):
    for seed in (0, 1):
        run = runs["first-steps", seed]
        assert 200 * run.training["batch_size"] < run.data["train"] / 5
        assert run.history["dead"][-1][1] > 0.98
        assert abs(run.history["val_loss"][-1] - math.log(100)) < 0.01


def test_too_few_images_are_known_by_heart_and_the_loss_rises(runs):
    for seed in (0, 1):
        run = runs["small-vit-train-images-2500", seed]
        assert run.data["train"] == 2_500 and run.history["top1"][-1] > 0.98
        assert all(np.diff(run.history["val_loss"]) > 0)
        assert run.test["loss"] > math.log(100) + 1
        assert 0.145 < run.test["top1"] < 0.155  # "fifteen times as often as a guess"
        assert run.model == runs["small-vit", seed].model


# Which layer of the head is dead at the end, the first or the last, with each seed.
DEAD_AT_THE_END = {
    "first-steps": ["last", "last"],
    "first-steps-clipped": ["last", "last"],
    "first-steps-decay": ["last", "last"],
    "first-steps-warmup": ["first", "first"],
    "first-steps-small-init": ["first", ""],
    "bfloat16-steps-batch-256": ["first", "first"],
    "first-steps-low-rate": ["", ""],
    "first-steps-no-dropout": ["", ""],
    "first-steps-pooled": ["", ""],
}


@pytest.mark.parametrize("name", DEAD_AT_THE_END)
def test_the_rows_of_the_figure_say_which_layer_is_dead(runs, name):
    ends = [runs[name, seed].history["dead"][-1] for seed in (0, 1)]
    found = ["first" * (a > 0.9) + "last" * (b > 0.9) for a, b in ends]
    assert found == DEAD_AT_THE_END[name]
    titles = re.findall(
        r'^    "(.+)": ".+",$',
        (ROOT / "notebooks/training.py").read_text("utf-8"),
        re.MULTILINE,
    )
    place = list(DEAD_AT_THE_END).index(name)
    assert titles[titles.index("first-steps") :][place] == name


def test_what_the_text_says_beside_the_figure(runs):
    for seed in (0, 1):
        assert np.max(runs["first-steps-pooled", seed].history["dead"]) == 0
        warming = runs["first-steps-warmup", seed].history["dead"][:4]  # 100 steps
        assert warming[2][0] > 0.7 and warming[3][0] > 0.9  # "during a short warm-up"
        wide = runs["bfloat16-steps-batch-256", seed]
        assert wide.history["dead"][-1][0] < 1  # "a few of its units are left"
        assert wide.training["precision"] == "mixed_bfloat16"
        half = runs["bfloat16-steps", seed]  # the same with 32 images
        assert half.training["precision"] == "mixed_bfloat16"
        assert half.training["batch_size"] == 32 and half.history["dead"][-1][1] > 0.98
        dry = runs["first-steps-no-dropout", seed]
        assert max(run.history["val_loss"][-1] for run in (wide, dry)) < 4.5
        more = runs["first-steps-decay", seed].training["weight_decay"]
        plain = runs["first-steps", seed].training["weight_decay"]
        assert more == pytest.approx(1_000 * plain)


def test_a_constant_answer_can_be_as_loud_as_the_one_of_the_report(runs):
    warm = runs["first-steps-warmup", 0].history
    assert min(first for first, _ in warm["dead"][3:6]) > 0.9
    losses = warm["val_loss"][3:6]
    assert max(abs(loss - 4.6079) for loss in losses) < 0.001
    assert ", ".join(f"{loss:.3f}" for loss in losses) in "\n".join(printed("training"))
    other = runs["first-steps-warmup", 1].history["val_loss"][3:6]
    assert min(other) < math.log(100) - 0.02  # "one of two seeds"


def test_the_long_sum_at_a_high_rate_makes_its_layer_say_the_same():
    low, short, high = (
        number("training", f"{name}:")[0]
        for name in ("low rate", "mean of the tokens", "high rate")
    )
    assert high > 60 and max(low, short) < 40


def test_the_first_layer_never_dies_as_a_whole_in_the_grid(runs):
    grid = load_runs(ROOT / "results", "dead-units")
    first, last = np.array([run.history["dead"][-1] for run in grid]).T
    assert max(first) < 0.65 and max(last) == 1 and len(grid) == 75


def test_a_step_that_raises_the_activation_lowers_the_input_of_a_silent_unit():
    assert all(gelu_slope(x) < 0 for x in (-1, -2, -4))
    words = "to *raise* the activation pushes the pre-activation further *down*"
    assert words in prose("training")


def test_the_repaired_recipe_learns_with_a_first_layer_nearly_dead(runs):
    run = runs["repaired-vit-hour", 0]
    assert run.training["epochs"] == 2 and run.training["warmup_epochs"] == 1
    assert f"test top-1 {100 * run.test['top1']:.1f} %" in printed("training")
    assert 0.095 < run.test["top1"] < 0.105  # "ten times as often as a guess"
    first, last = run.history["dead"][-1]
    assert 0.85 < first < 0.95 and last == 0


def test_a_layer_of_the_exact_model_dies_comes_back_and_dies_again(runs):
    clipped = runs["first-steps-clipped", 0]
    first = [100 * share for share, _ in clipped.history["dead"]]
    assert ", ".join(f"{share:.0f}" for share in first) in printed("training")
    assert first[1] > 50 and first[2] < 5 and first[3] > 60


def test_the_copy_of_the_chapter_is_the_narrow_vit_which_comes_back(runs):
    tree = ast.parse((ROOT / "notebooks/training.py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    (call,) = (c for c in calls if "head_units" in {k.arg for k in c.keywords})
    values = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    narrow = PRESETS["narrow-vit"]
    copy = replace(PRESETS["report-vit"].model, **values)
    assert copy == replace(narrow.model, augmentation="none")
    assert narrow.train == PRESETS["report-vit"].train
    run = runs["narrow-vit", 0]
    last = [late for _, late in run.history["dead"]]
    assert min(last[:2]) > 0.8 and max(last[2:]) == 0
    assert f"after 30 epochs: test top-1 {100 * run.test['top1']:.1f} %" in printed(
        "training"
    )


def test_a_small_spread_of_the_tokens_is_no_alarm(runs):
    healthy, dead = (runs[f"narrow-vit{end}", 0] for end in ("", "-high-rate"))
    small, large = (run.history["token_spread"][-1] for run in (healthy, dead))
    assert healthy.test["top1"] > 0.3 and dead.test["top1"] == 0.01
    assert small == pytest.approx(large / 10, rel=0.1)  # "a tenth"
    assert max(dead.history["logit_spread"]) < 1e-4 < healthy.history["logit_spread"][0]


def pairs(norm):
    return ((norm**2 + 0.01) * 1024 - 32) / 2


def gradient_of_biases(biases, labels):
    p = np.exp(biases) / np.exp(biases).sum()
    return p - np.bincount(labels, minlength=100) / len(labels)


def test_the_gradient_of_the_biases_alone_counts_pairs():
    rng = np.random.default_rng(0)
    counts = []
    for labels in rng.integers(100, size=(2_000, 32)):
        norm = np.linalg.norm(gradient_of_biases(np.zeros(100), labels))
        same = (labels[:, None] == labels).sum() - 32
        assert pairs(norm) == pytest.approx(same / 2, abs=1e-9)
        counts.append(same / 2)
    assert np.mean(counts) == pytest.approx(32 * 31 / 200, abs=0.2)  # "about 5"
    # If anything else moves, or the softmax is not uniform, it is no whole number.
    rest = math.hypot(norm, 0.02)
    assert abs(pairs(rest) - round(pairs(rest))) > 0.1
    norm = np.linalg.norm(gradient_of_biases(rng.normal(0, 0.3, 100), labels))
    assert abs(pairs(norm) - round(pairs(norm))) > 0.02


def test_in_the_last_step_of_one_seed_only_the_biases_had_a_gradient(runs):
    zero, one = (
        pairs(runs["report-vit-hour", seed].history["gradient_norm"][-1])
        for seed in (0, 1)
    )
    assert abs(one - 5) < 0.01 and zero > 1_000
    assert f"{one:.3f} pairs" in "\n".join(printed("training"))
    twin = pairs(np.array(runs["narrow-vit-high-rate", 0].history["gradient_norm"]))
    away = np.abs(twin - np.rint(twin)).max()
    line = f"narrow-vit-high-rate: 30 norms, at most {away:.2f} from whole"
    assert line in printed("training") and away < 0.25


def test_the_exact_model_gives_one_answer_after_two_epochs_and_not_after_one(runs):
    for seed, epoch in ((0, 1), (1, 2)):
        run = runs["report-vit-hour", seed]
        assert run.history["dead"][1][1] == 1 and run.history["answers"][1] == 1
        # All classes have as many images, so a single answer has exactly 1 %.
        assert run.history["val_top1"][1] == pytest.approx(0.01, abs=1e-9)
        assert run.history["answers"][0] > 1
        assert run.best_epoch == epoch  # of the weights that were tested
    assert runs["report-vit-hour", 0].test["top1"] == pytest.approx(0.0102)
    assert runs["report-vit-hour", 0].history["dead"][0][1] == 1 - 1 / 1024
    assert "takes the weights of the *first* epoch, when one unit" in prose("training")


def test_findings_shows_the_larger_share_of_dead_units_and_not_the_larger_count(runs):
    # The layers differ in size: one may have more dead units and the smaller share.
    first, last = runs["first-steps", 0].history["dead"][-1]
    assert last > first and 2_048 * first > 1_024 * last
    assert prose("findings").count("the one with the larger share of them") == 2


def test_no_page_gives_the_report_a_rate_for_its_resnet(runs):
    names = ("first-pass", "first-pass-no-dropout", "first-pass-normalized")
    assert {runs[name, 0].training["learning_rate"] for name in names} == {0.001}
    assert "At a rate of 0.001, that of the report's ViT," in prose("findings")
    assert "The report names no rate for its ResNet." in prose("training")


def test_the_loss_of_two_softmaxes_has_the_floor_that_the_chapter_names():
    sure = np.zeros(100)
    sure[0] = 1  # the best that a first softmax can hand to a second
    floor = -math.log(math.e / np.exp(sure).sum())
    assert number("training", "floor of a softmax too many:") == [round(floor, 2)]
    assert "3.62" in prose("training") and round(floor, 2) == 3.62
    (loss,) = (
        float(re.search(r"loss (\S+)", line)[1])
        for line in printed("training")
        if line.startswith("mean: ")
    )
    assert loss < floor - 0.1


def test_at_equal_distance_the_rates_do_not_differ(runs):
    """200 steps at a tenth of the rate go as far as 20: compare with these."""
    assert number("training", "high rate, after 20 steps:") == [0]
    for seed in (0, 1):
        (_, early), *_ = runs["first-steps", seed].history["dead"]
        assert early < 0.06  # of the exact model after 25 steps, the last layer
        assert runs["first-steps-low-rate", seed].history["dead"][-1][1] == 0


def test_the_head_of_the_copy_dies_and_that_of_the_mean_does_not():
    dead, low, mean = number("training", "dead in the last hidden layer:")
    assert dead > 70 and low < 5 and mean < 5
    high, *_ = number("training", "spread of the logits:")
    assert high < 0.1


def test_the_class_reaches_the_head_of_the_copy_and_is_lost_in_it():
    tokens, last = (
        number("training", f"{place}:")[0] for place in ("tokens", "last hidden layer")
    )
    assert tokens >= 5 and last <= 3


def test_the_layer_with_the_most_inputs_is_not_the_one_that_dies_as_a_whole(runs):
    model = PRESETS["report-vit"].model
    assert (model.head_inputs, model.head_units[0]) == (18_432, 2_048)
    for seed in (0, 1):
        first, last = runs["first-steps", seed].history["dead"][-1]
        assert 0.2 < 1 - first < 0.35 and last > 0.98  # "a quarter of it is alive"
        first, last = runs["report-vit-hour", seed].history["dead"][-1]
        assert 1 - first > 0.2 and last == 1


def test_the_only_warm_up_without_other_changes_has_100_steps(runs):
    names = {
        name
        for (name, _), run in runs.items()
        if run.training["warmup_epochs"] and run.training["schedule"] == "constant"
        if run.parameters["total"] > 40_000_000
    }
    assert names == {"first-steps-warmup"}
    warm = runs["first-steps-warmup", 0].training
    assert warm["warmup_epochs"] * warm["steps_per_epoch"] == 100
    assert PRESETS["repaired-vit"].train.warmup_epochs == 2


def test_the_biases_alone_do_not_make_the_loss_of_the_report(runs):
    asked = math.sqrt(2 * (4.6079 - math.log(100)))
    low, high = (
        number("training", f"noise alone, rate {rate}: s =")[0]
        for rate in (0.001, 0.0045)
    )
    assert low < asked / 2 and high < asked  # "less than half"
    for seed in (0, 1):
        above = runs["report-vit-hour", seed].history["val_loss"][-1] - math.log(100)
        assert 0 <= above < 1e-4


def width_after(epochs, replacement):
    """The width of 100 biases after some epochs of balanced labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(100), 400)
    b, m, v, t = np.zeros(100), np.zeros(100), np.zeros(100), 0
    for _ in range(epochs):
        order = rng.choice(labels, len(labels), replace=replacement)
        for batch in order.reshape(-1, 32):
            t, grad = t + 1, gradient_of_biases(b, batch)
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
            b -= 1e-3 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + EPSILON)
    return b.std()


def test_an_epoch_in_which_all_classes_come_equally_often_ends_with_less_width():
    whole, drawn = width_after(2, False), width_after(2, True)
    assert 0.002 < whole < 0.01 < drawn < 0.037


def test_a_random_split_adds_little_to_the_loss_of_a_constant_answer():
    """40,000 of 50,000 images, 500 a class: what the shares of the rest cost."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(100), 500)
    above = []
    for _ in range(20):
        chosen = rng.permutation(classes)[:40_000]
        shares = np.bincount(chosen, minlength=100) / 40_000
        above.append(-np.log(shares).mean() - math.log(100))
    assert np.mean(above) == pytest.approx(0.00025, abs=0.00003)


# The chapter on defects.


def test_the_outputs_of_the_ten_programs_look_fine():
    assert number("debugging", "numbers that are lost:") == [0]
    assert number("debugging", "(3, 16, 16) negative weights:") == [0]
    assert number("debugging", "weights that differ in a second run:") == [0]
    (deviation,) = number("debugging", "deviation of a weight:")
    assert deviation == pytest.approx(1 / 8, rel=0.02)


def test_each_reading_of_the_chapter_on_defects_is_as_its_text_says():
    moves = [number("debugging", f"{name}: spread") for name in ("row", "column")]
    assert moves == [[0], [0]] and number("debugging", "flip: spread")[0] > 1
    before, after = number("debugging", "different pictures:")
    assert before == 2 and after > 100
    assert number("debugging", "spread over the blocks:") == [0]
    assert number("debugging", "over independent draws:")[0] > 0.05
    assert number("debugging", "rate 0: the answer changes for") == [0]
    assert number("debugging", "rate 0.2: the answer changes for")[0] > 10
    assert number("debugging", "used in the last step:") == [0.1]
    answers = [
        number("debugging", f"model {name}: different answers:") for name in "ABC"
    ]
    assert answers == [[1]] * 3


def test_training_lowers_the_loss_of_two_softmaxes_down_to_its_floor():
    losses = [number("debugging", f"weights of {n:2}: loss")[0] for n in (1, 3, 5, 10)]
    floor = math.log(math.e + 99) - 1
    assert losses == sorted(losses, reverse=True)
    assert math.log(100) > losses[0] and losses[-1] < floor + 0.02
    for label in ("lowest loss:", "reached with weights of 40:"):
        assert number("debugging", label) == [round(floor, 4)]


def test_a_masked_step_saves_work_only_with_a_small_decoder():
    work = []
    for name in ("masked-tiny", "tuned-tiny", "masked", "pure-vit"):
        plain = replace(PRESETS[name].train, precision="float32")  # as other tests
        work.append(count_flops(build_model(PRESETS[name].model, plain)))
    assert 1 <= work[0] / work[1] < 1.05 and work[2] < 0.3 * work[3]
