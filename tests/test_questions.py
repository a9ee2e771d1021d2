"""The bank of questions: whole, with right answers, and the same in all files."""

import html
import itertools
import math
import re
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import bank
import keras
import moodle
import numpy as np
import pytest
import qti
import questions
import yaml
from flips import ceiling
from keras import ops
from students import dense, scaling

import vitlib
from vitlib import checks
from vitlib.data import archive
from vitlib.data.shapes import KINDS
from vitlib.inspection import introspect, probes
from vitlib.layers import masking
from vitlib.records.scaling_law import ScalingLaw
from vitlib.training import instruments, tasks

ROOT = Path(__file__).resolve().parents[1]
BANK = yaml.safe_load((ROOT / "teaching/questions.yml").read_text("utf-8"))
BY_ID = {question["id"]: question for question in BANK}
each_question = pytest.mark.parametrize("question", BANK, ids=lambda q: q["id"])


def right(question):
    return [choice["right"] for choice in question["choices"] if "right" in choice]


def wrong(question):
    return [choice["wrong"] for choice in question["choices"] if "wrong" in choice]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("editions")
    assert questions.main(["--out", str(out)]) == 0
    return out


def test_there_are_enough_questions_on_each_chapter():
    of = Counter(question["chapter"] for question in BANK)
    assert len(BANK) >= 48
    assert all(of[chapter] >= 7 for chapter in bank.CHAPTERS)
    assert len(BY_ID) == len(BANK)


def test_few_questions_ask_for_memory_alone():
    levels = Counter(question["level"] for question in BANK)
    assert levels["recall"] <= len(BANK) / 6
    assert min(levels["apply"], levels["analyse"]) >= len(BANK) / 4


@each_question
def test_a_question_has_one_right_choice_and_a_reason_for_each_wrong_one(question):
    assert len(right(question)) == 1
    assert 3 <= len(question["choices"]) <= 5
    reasons = [c["misconception"] for c in question["choices"] if "wrong" in c]
    assert len(reasons) == len(wrong(question)) >= 2
    assert all(reason.endswith(".") and len(reason) > 25 for reason in reasons)


@each_question
def test_section_and_objective_stand_in_the_sources(question):
    notebook = ROOT / f"notebooks/{question['chapter']}.py"
    heading = rf"^# ##+ {re.escape(question['section'])}$"
    assert re.search(heading, notebook.read_text("utf-8"), re.MULTILINE)
    if objective := question.get("objective"):
        guide = (ROOT / "book/objectives.yml").read_text("utf-8").replace("*", "")
        assert f'can: "{objective}"' in guide


def test_every_objective_of_a_chapter_is_asked_for():
    asked = {question.get("objective") for question in BANK}
    for name in bank.CHAPTERS:
        objectives = bank.read_chapter(name).objectives
        assert len(objectives) >= 4
        assert asked >= set(objectives), name


@each_question
def test_the_choices_of_a_question_are_about_equally_long(question):
    lengths = [len(text) for text in right(question) + wrong(question)]
    assert max(lengths) <= 1.5 * min(lengths) or max(lengths) - min(lengths) < 15


def test_the_right_choice_is_not_told_by_its_length():
    longest = [q for q in BANK if len(right(q)[0]) > max(map(len, wrong(q)))]
    shortest = [q for q in BANK if len(right(q)[0]) < min(map(len, wrong(q)))]
    assert len(longest) <= 0.4 * len(BANK)
    assert len(shortest) <= 0.4 * len(BANK)


def test_the_right_choice_is_not_told_by_its_place():
    four = [q for q in BANK if len(q["choices"]) == 4]
    places = Counter(["right" in c for c in bank.mixed(q)].index(True) for q in four)
    assert len(four) >= 40
    assert all(
        0.15 * len(four) <= places[place] <= 0.35 * len(four) for place in range(4)
    )


# What the code of the course computes, as the right choice has it.


def tokens():
    patches = vitlib.Patches(patch_size=6)(np.zeros((1, 72, 72, 3), "float32"))
    return "{1} vectors of {2} numbers".format(*patches.shape)


def patch_of_a_pixel():
    image = np.zeros((1, 72, 72, 1), "float32")
    image[0, 20, 50] = 1
    patches = ops.convert_to_numpy(vitlib.Patches(patch_size=6)(image))
    return f"Patch {patches[0].any(axis=-1).argmax()}"


def pairs_of_tokens():
    before, after = (questions_and_keys((72 // side) ** 2) for side in (6, 3))
    return f"{after // before} times"


def questions_and_keys(num_tokens):
    queries = np.ones((num_tokens, 1))
    return (queries @ queries.T).size


def overlapping_windows():
    convolution = keras.layers.Conv2D(1, kernel_size=6, strides=3)
    return str(math.prod(convolution.compute_output_shape((1, 72, 72, 3))))


def two_dimensions():
    layer = vitlib.PositionEmbedding2D(grid_size=(12, 12))
    layer.build((None, 144, 128))
    return f"{layer.count_params():,}"


def distances():
    return str(len(np.unique(vitlib.relative_offsets(64))))


def versions():
    return f"{100 / 6:.0f} % top-1, whatever its size; top-5 can be {500 / 6:.0f} %"


def flipped():
    (kind,) = {kind for kind in KINDS if kind in BY_ID["data-flip-down"]["question"]}
    return f"{ceiling(False, True, [kind]):.0f} %"


def superclasses():
    one, five = archive.NUM_CLASSES / archive.NUM_SUPERCLASSES, 5
    return f"{100 / one:.0f} % and {100 * five / one:.0f} %"


def copies():
    hits = np.arange(10, 10_001)
    gained = 100 * (hits / 10_000 - (hits - 10) / 9_990)
    assert (np.diff(gained) < 0).all()
    return f"{gained.max():.1f} points at most, and by less"


def sheared():
    return f"about {15.5 * math.tan(math.radians(0.2)):.2f} pixels"


def head_of_a_larger_image():
    config = vitlib.REPORT_VIT
    first, second = (
        (side // config.patch_size) ** 2 * config.projection_dim * config.head_units[0]
        for side in (72, 144)
    )
    assert (first, second) == (37_748_736, 150_994_944)
    return {4: "fourfold"}[second // first]


def uniform_loss():
    return f"{tasks.score(np.zeros((100, 100)), np.arange(100))['loss']:.2f}"


def first_jump():
    layer = keras.layers.Dense(1)
    x = np.full((1, 18_432), 0.8, "float32")
    before = float(layer(x)[0, 0])
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(layer.trainable_variables)
    optimizer.apply([ops.full(v.shape, -1e-3) for v in layer.trainable_variables])
    return f"about {float(layer(x)[0, 0]) - before:.0f},"


def dead():
    units = [[0, 0, 0], [0, 0, 2], [-0.1, -0.1, -0.1], [2, 2, 2]]
    return {0.25: "A quarter: A alone"}[instruments.dead_units(np.transpose(units))]


def decay():
    weight = keras.Variable([1.0])
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.1)
    optimizer.build([weight])
    optimizer.apply([ops.zeros(1)])
    left = float(ops.convert_to_numpy(weight)[0])
    assert left == pytest.approx(1 - 1e-4, abs=1e-6)
    return "0.1"


def updates():
    often = 40_000 / 32 / math.ceil(40_000 / 256)
    return {8: "Eight times as many updates, each from a noisier"}[round(often)]


def weights_that_learn():
    kernel = np.eye(9).reshape(3, 3, 1, 9)  # one weight in each filter
    output = ops.conv(np.ones((1, 1, 1, 1)), kernel, padding="same")
    return {1: "One:"}[int(ops.convert_to_numpy(output).sum())]


def operations():
    layer = keras.layers.Conv2D(100, 1, use_bias=False)
    model = keras.Sequential([keras.Input((8, 8, 10_000)), layer])
    assert model.count_params() == 1_000_000
    return f"{vitlib.count_flops(model) / 1e6:.0f} million"


def standard_error():
    return f"{100 * math.sqrt(0.5 * 0.5 / 10_000)} points"


def one_seed():
    deviation = math.sqrt(2) * 0.5
    often = math.erfc(0.9 / deviation / math.sqrt(2))
    return {5: "one of five"}[round(1 / often)]


def left_neighbour():
    keys = [place - (place % 4 > 0) for place in range(16)]
    maps = np.eye(16)[keys][None, None, None]
    return f"{introspect.mean_attention_distance(maps, (4, 4), 8)[0, 0]:.0f} pixels"


def two_blocks():
    look_left = np.broadcast_to(np.eye(8, k=-1), (2, 1, 1, 8, 8))
    return {0.25: "1/4"}[introspect.attention_rollout(look_left)[0, 7, 5]]


def softmax_twice():
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    perfect = np.eye(100, dtype="float32")
    return f"{float(loss(perfect, perfect)):.2f}"


def not_adapted():
    layer = keras.layers.Normalization()
    layer.build((None, 8, 8, 3))
    mean, variance, _ = (np.unique(weight) for weight in layer.get_weights())
    return f"mean and variance: {mean.item():.0f} and {variance.item():.0f}"


def crops():
    image = np.random.default_rng(0).random((1, 32, 32, 3), dtype="float32")
    crop = keras.layers.RandomCrop(32, 32, seed=0)
    views = {
        ops.convert_to_numpy(crop(image, training=True)).tobytes() for _ in range(9)
    }
    return f"{len(views)}: the line does nothing"


def scale_after():
    weights = ops.softmax(np.random.default_rng(0).normal(size=16)) / np.sqrt(64)
    total = float(ops.sum(weights))
    return f"1/{1 / total:.0f}: what"


def mean_of_batches():
    right = np.arange(75) >= 64
    batches = [right[first : first + 32].mean() for first in range(0, 75, 32)]
    return f"{100 * np.mean(batches):.0f} %, while {100 * right.mean():.0f} % are right"


def spread_of_a_threshold():
    hidden = np.random.default_rng(0).random((100_000, 64)) < 0.75
    return f"about {hidden.sum(axis=1).std():.1f} patches"


def way_back():
    return f"`{np.argsort([3, 0, 2, 1]).tolist()}`"


def error_of_zeros():
    patches = np.random.default_rng(0).uniform(0, 255, (4, 16, 48))
    target = ops.convert_to_numpy(masking.standardize(patches))
    return f"{np.mean(target**2):.2g}, the variance"


def share_of_a_block():
    def work(tokens, width):
        return tokens * 8 * width**2 + 2 * tokens**2 * width

    sizes = itertools.product((4, 64, 4096, 4**9), (1, 128, 1024))
    shares = [work(n // 4, width) / work(n, width) for n, width in sizes]
    assert 1 / 16 < min(shares) < 0.07 and 0.24 < max(shares) < 1 / 4
    return "Between a sixteenth and a quarter"


def left_of_an_hour():
    return f"{(60 * 60 - 1_000_000 // 500) * 200:,}"


def weights_of_another_size():
    tiny = vitlib.PRESETS["tuned-tiny"].model
    small, large = (
        vitlib.build_encoder(replace(tiny, image_size=side)).weights
        for side in (32, 48)
    )
    pairs = zip(small, large, strict=True)
    other = {one.path for one, two in pairs if one.shape != two.shape}
    assert other and all("position" in path for path in other)
    return "positions"


def votes():
    angles = np.radians([10, 20, 30, 40, 50, 60])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    features = np.concatenate([features, -features])  # their mean is 0
    labels = np.array([3, 5, 5, 8, 8, 8] + 6 * [0])
    new = np.array([[1.0, 0.0]])
    one, three, six = (
        probes.nearest_neighbors(features, labels, new, k).item() for k in (1, 3, 6)
    )
    return f"{one}, {three} and {six}"


# On dense prediction a right solution of an exercise of the chapter answers.


def logits_of(maps):
    return np.eye(6)[maps]


def background_everywhere():
    truth = np.repeat(np.arange(6), [230, 4, 4, 4, 4, 4]).reshape(1, 10, 25)
    empty = np.zeros_like(truth)
    right, found = np.mean(truth == empty), dense.mean_iou(truth, logits_of(empty))
    return f"{100 * right:.0f} % and {100 * found:.0f} %"


def four_patches():
    patches = np.repeat([0, 0, 1, 0, 2, 1, 0], [16, 16, 12, 4, 7, 5, 4])
    classes = patches.reshape(2, 2, 4, 4).swapaxes(1, 2).reshape(1, 8, 8)
    return f"{64 * dense.grid_ceiling(classes, 4):.0f} of 64"


def outputs_of_a_token():
    logits = np.zeros((1, 64, 64, 6), "float32")
    return str(vitlib.Patches(patch_size=8)(logits).shape[-1])


def mirrored():
    return ", ".join(map(str, dense.flip_boxes([[5, 10, 25, 22]], 64)[0]))


def two_boxes():
    overlap = dense.iou([0, 0, 8, 8], [4, 2, 12, 10])
    return str(Fraction(overlap).limit_denominator(200))


def hits():
    overlaps = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.6]])
    names = np.array(["first", "second", "third"])[dense.match(overlaps, 0.5)]
    return " and the ".join(names)


def three_boxes():
    precision = dense.average_precision([0.9, 0.8, 0.7], [True, False, True], 2)
    return f"about {precision:.2f}"


def boxes_that_come_last():
    rng, changes = np.random.default_rng(0), []
    scores, chance = np.linspace(1, 0, 20), np.repeat([0.7, 0.1], [8, 12])
    for _ in range(100):
        is_hit = rng.random(20) < chance
        sure, whole = (
            dense.average_precision(scores[:n], is_hit[:n], 10) for n in (8, 20)
        )
        changes.append(whole - sure)
    assert min(changes) == 0 < max(changes)
    return "stays or rises"


def kinds_that_do_not_occur():
    truth = np.array([[[0, 1], [2, 3]]])
    reported = dense.with_absent(truth, logits_of(truth), 0)
    return f"{reported:.2f}, and {dense.mean_iou(truth, logits_of(truth)):.2f}"


# And so it does on scaling.


def images_of_a_budget():
    images_for, _ = scaling.EXERCISES[checks.check_images_for]
    return f"{images_for(3, 10e6):,.0f}"


def power_above_a_floor():
    images, losses = np.array([1e3, 4e3, 16e3]), np.array([0.9, 0.7, 0.6])
    return f"{scaling.power(images, losses, 0.5):.2f}"


def growth_of_the_best_size():
    small, large = (
        scaling.best_size(budget, 6, (50, 500), (0.3, 0.6)) for budget in (1e12, 1e13)
    )
    return f"about {large / small:.1f} times"


def worth_of_three_passes():
    return f"about {round(scaling.worth(3000, 1000, 15), -1):,.0f}"


def arithmetic_for_half():
    law = ScalingLaw(0.0, (1.0,), (0.25,))
    (times,) = (t for t in range(1, 100) if np.isclose(law(t), law(1) / 2))
    return f"{times} times"


COMPUTED = {
    "patches-tokens": tokens,
    "patches-which": patch_of_a_pixel,
    "patches-quadratic": pairs_of_tokens,
    "patches-overlap": overlapping_windows,
    "positions-two-d": two_dimensions,
    "positions-relative": distances,
    "positions-six-orders": versions,
    "data-flip-down": flipped,
    "data-superclass": superclasses,
    "data-ten-copies": copies,
    "data-shear": sheared,
    "training-larger-image": head_of_a_larger_image,
    "training-ln-100": uniform_loss,
    "training-adam-jump": first_jump,
    "training-dead": dead,
    "training-decay": decay,
    "training-batch": updates,
    "comparison-padding": weights_that_learn,
    "comparison-operations": operations,
    "comparison-standard-error": standard_error,
    "comparison-one-seed": one_seed,
    "attention-left": left_neighbour,
    "attention-two-blocks": two_blocks,
    "debugging-softmax": softmax_twice,
    "debugging-adapt": not_adapted,
    "debugging-crop": crops,
    "debugging-scale-after": scale_after,
    "debugging-batch-mean": mean_of_batches,
    "pretraining-threshold": spread_of_a_threshold,
    "pretraining-inverse": way_back,
    "pretraining-zero": error_of_zeros,
    "pretraining-quarter": share_of_a_block,
    "pretraining-hour": left_of_an_hour,
    "pretraining-larger-image": weights_of_another_size,
    "pretraining-vote": votes,
    "dense-empty-answer": background_everywhere,
    "dense-four-patches": four_patches,
    "dense-outputs": outputs_of_a_token,
    "dense-mirror": mirrored,
    "dense-two-boxes": two_boxes,
    "dense-taken": hits,
    "dense-three-boxes": three_boxes,
    "dense-unsure": boxes_that_come_last,
    "dense-absent": kinds_that_do_not_occur,
    "scaling-images": images_of_a_budget,
    "scaling-floor": power_above_a_floor,
    "scaling-best": growth_of_the_best_size,
    "scaling-worth": worth_of_three_passes,
    "scaling-half": arithmetic_for_half,
}


@pytest.mark.parametrize("name", COMPUTED)
def test_the_right_choice_says_what_the_code_computes(name):
    answer = COMPUTED[name]()
    assert answer in right(BY_ID[name])[0]
    assert not any(answer in text for text in wrong(BY_ID[name]))


# What the files hold.


def source_of(text):
    """A text of the bank, from its HTML."""
    text = re.sub("</?code>", "`", text)
    return html.unescape(re.sub("</?em>", "*", text))


def parse_gift(text):
    """Reads GIFT: `{id: (category, question, [(sign, text, feedback)])}`."""
    signs = dict(zip("~=#{}:", "\ue000\ue001\ue002\ue003\ue004\ue005", strict=True))
    found, category = {}, None
    for block in text.strip().split("\n\n"):
        if block.startswith("$CATEGORY: "):
            category = block.removeprefix("$CATEGORY: ")
            continue
        pairs = re.findall(r"(?s)\\(.)|(.)", block)
        block = "".join(escaped or signs.get(plain, plain) for escaped, plain in pairs)
        colon, start, end = signs[":"] * 2, signs["{"], signs["}"]
        parts = re.fullmatch(
            rf"(?s){colon}(.+){colon}\[html\](.+) {start}\n(.+)\n{end}", block
        )
        name, question, lines = parts.groups()
        choices = []
        for line in lines.split("\n"):
            words, feedback = line[1:].split(signs["#"])
            choices.append(
                (line[0] == signs["="], source_of(words), source_of(feedback))
            )
        assert name not in found
        found[name] = category, source_of(question), choices
    return found


def expected(asked):
    """The choices of a question: whether it is right, its text, what is said then."""
    return {
        (True, c["right"], asked["explanation"])
        if "right" in c
        else (False, c["wrong"], c["misconception"])
        for c in asked["choices"]
    }


def assert_is_the_bank(found, category="{}"):
    """Of questions as `{id: (category, question, [(right, text, feedback)])}`."""
    assert found.keys() == BY_ID.keys()
    for name, (of, question, choices) in found.items():
        asked = BY_ID[name]
        assert of == category.format(bank.read_chapter(asked["chapter"]).title)
        assert question == asked["question"]
        assert set(choices) == expected(asked) and len(choices) == len(set(choices))


def test_the_gift_file_parses_back_to_the_bank(folder):
    found = parse_gift((folder / "questions.gift").read_text("utf-8"))
    assert_is_the_bank(found, "Vision Transformers/{}")
    texts = [text for *_, choices in found.values() for _, text, _ in choices]
    assert not any(text.startswith("%") for text in texts)  # a weight


def parse_moodle(text):
    """Reads Moodle's XML, in the form that `parse_gift` returns."""
    found, category = {}, None
    for element in ET.fromstring(text):
        if element.get("type") == "category":
            category = element.findtext("category/text")
            continue
        assert element.findtext("single") == "true"
        choices = [
            (
                {"100": True, "0": False}[answer.get("fraction")],
                source_of(answer.findtext("text")),
                source_of(answer.findtext("feedback/text")),
            )
            for answer in element.findall("answer")
        ]
        asked = source_of(element.findtext("questiontext/text"))
        name = element.findtext("name/text")
        assert name == element.findtext("idnumber") and name not in found
        found[name] = category, asked, choices
    return found


def test_the_xml_for_moodle_parses_back_to_the_bank(folder):
    text = (folder / "questions.xml").read_text("utf-8")
    assert_is_the_bank(parse_moodle(text), "$course$/top/Vision Transformers/{}")
    levels = [tag.text for tag in ET.fromstring(text).iterfind(".//tag/text")]
    assert levels == [
        q["level"] for part in bank.by_chapter(BANK).values() for q in part
    ]


def read_package(path):
    """The files of a package, as elements without their namespaces."""
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        texts = {name: package.read(name).decode() for name in package.namelist()}
    roots = {name: ET.fromstring(text) for name, text in texts.items()}
    for root in roots.values():
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return roots


def written(element):
    """The text of an element, as the bank has it."""
    inner = "".join(ET.tostring(part, "unicode") for part in element)
    return source_of(html.escape(element.text or "", quote=False) + inner)


def play(item, letter):
    """Answers an item, and runs its processing: dict of the outcomes.

    It knows the four rules that the items use, and fails at any other.
    """
    key = item.findtext("responseDeclaration/correctResponse/value")
    outcomes = {
        declared.get("identifier"): declared.findtext("defaultValue/value")
        for declared in item.findall("outcomeDeclaration")
    }
    for rule in item.find("responseProcessing"):
        if rule.tag == "responseCondition":
            ((test, rule),) = rule
            assert [part.tag for part in test] == ["variable", "correct"]
            if letter != key:
                continue
        (value,) = rule
        assert rule.tag == "setOutcomeValue" and value.tag in ("variable", "baseValue")
        outcomes[rule.get("identifier")] = value.text or letter
    return outcomes


def parse_item(item):
    """An item of QTI: its question, and what playing each choice says."""
    interaction, choices = item.find("itemBody/choiceInteraction"), []
    assert interaction.get("responseIdentifier") == "RESPONSE"
    said = {f.get("identifier"): written(f) for f in item.findall("modalFeedback")}
    for choice in interaction.findall("simpleChoice"):
        outcomes = play(item, choice.get("identifier"))
        right = {"1": True, "0": False}[outcomes["SCORE"]]
        choices.append((right, written(choice), said[outcomes["FEEDBACK"]]))
    return written(interaction.find("prompt")), choices


def test_the_package_of_qti_plays_as_the_bank_says(folder):
    files, found = read_package(folder / "questions.zip"), {}
    for section in files["test.xml"].iter("assessmentSection"):
        for reference in section.findall("assessmentItemRef"):
            item = files[reference.get("href")]
            assert item.get("identifier") == reference.get("identifier")
            found[item.get("identifier")] = section.get("title"), *parse_item(item)
    assert_is_the_bank(found)


def test_the_manifest_of_the_package_lists_its_files_and_what_they_need(folder):
    files = read_package(folder / "questions.zip")
    resources = files.pop("imsmanifest.xml").findall("resources/resource")
    assert {r.get("href") for r in resources} == files.keys()
    assert all(r.find("file").get("href") == r.get("href") for r in resources)
    of = {r.get("type"): r for r in resources}
    assert of.keys() == {"imsqti_test_xmlv2p1", "imsqti_item_xmlv2p1"}
    needed = [d.get("identifierref") for d in resources[0].findall("dependency")]
    assert needed == [r.get("identifier") for r in resources[1:]]


# In what order the schema of QTI 2.1, imsqti_v2p1p2.xsd, wants the parts that we use.
ORDERED = {
    "assessmentItem": "responseDeclaration outcomeDeclaration itemBody "
    "responseProcessing modalFeedback",
    "choiceInteraction": "prompt simpleChoice",
    "assessmentTest": "outcomeDeclaration testPart outcomeProcessing",
    "testPart": "itemSessionControl assessmentSection",
}


def test_the_parts_of_the_package_stand_in_the_order_of_the_schema(folder):
    for name, root in read_package(folder / "questions.zip").items():
        for tag, parts in ORDERED.items():
            for element in root.iter(tag):
                places = [parts.split().index(part.tag) for part in element]
                assert places == sorted(places), (name, tag)


def test_what_a_format_reads_as_a_sign_comes_back():
    question = deepcopy(BANK[0])
    question["question"] = r"Is `{a: 1} = {b}` ~ #1, \n or <b> & *not*: \"why\"?"
    question["choices"][1]["wrong"] = r"`x = {}` ~> #2 \\ : `a*b`"
    chapters = bank.read_chapters()
    _, *in_gift = parse_gift(moodle.gift([question], chapters))[question["id"]]
    _, *in_xml = parse_moodle(moodle.moodle_xml([question], chapters))[question["id"]]
    root = ET.fromstring(re.sub(' xmlns="[^"]+"', "", qti.item(question)))
    for asked, choices in (in_gift, in_xml, parse_item(root)):
        assert asked == question["question"]
        assert set(choices) == expected(question)


class Page(HTMLParser):
    """The tags of the page, and the text of each element with a place."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.parts, self.article = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "article":
            self.article = dict(attrs)["id"]
        if tag in ("code", "em"):
            self.handle_data({"code": "`", "em": "*"}[tag])

    def handle_endtag(self, tag):
        self.handle_data({"code": "`", "em": "*"}.get(tag, ""))

    def handle_data(self, data):
        self.parts[self.article] = self.parts.get(self.article, "") + data


def test_the_page_holds_every_question_with_its_choices_and_misconceptions(folder):
    page = Page((folder / "questions.html").read_text("utf-8"))
    for name, question in BY_ID.items():
        text = page.parts[name]
        texts = [question["question"], question["explanation"]]
        texts += [part for choice in question["choices"] for part in choice.values()]
        assert [part for part in texts if part not in text] == [], name


def test_the_page_names_the_letter_of_the_right_choice(folder):
    text = (folder / "questions.html").read_text("utf-8")
    for name, question in BY_ID.items():
        article = text.split(f'<article id="{name}">')[1].split("</article>")[0]
        choices = article.split("<ol>")[1].split("</ol>")[0]
        listed = [source_of(t) for t in re.findall("<li>(.+)</li>", choices)]
        letter = re.search(r"<strong>([A-E]) is right", article)[1]
        assert listed["ABCDE".index(letter)] == right(question)[0]


def test_the_page_needs_no_other_file_and_folds_every_answer(folder):
    page = Page((folder / "questions.html").read_text("utf-8"))
    tags = [tag for tag, _ in page.tags]
    folded = [attrs for tag, attrs in page.tags if tag == "details"]
    assert ("html", {"lang": "en"}) in page.tags
    assert len(folded) == len(BANK) and not any("open" in attrs for attrs in folded)
    assert not {"link", "img", "iframe"} & set(tags)
    assert not [attrs for _, attrs in page.tags if "src" in attrs]
    names = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {attrs["href"] for tag, attrs in page.tags if tag == "a"}
    assert links and links <= {f"#{name}" for name in names}


def test_the_files_are_the_same_each_time(folder, tmp_path):
    assert questions.main(["--out", str(tmp_path)]) == 0
    names = [f"questions.{ending}" for ending in ("html", "gift", "xml", "zip")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


# What is refused.


def broken(**changes):
    """The first question with other values; a field that is `...` is left out."""
    question = deepcopy(BANK[0]) | changes
    return {field: value for field, value in question.items() if value is not ...}


CHOICES = BANK[0]["choices"]
LONE = [{key: c[key] for key in c if key != "misconception"} for c in CHOICES]
ELSEWHERE = {
    key: BY_ID["patches-tokens"][key] for key in ("chapter", "section", "objective")
}
BROKEN = [
    ("just a text", "A question must have the fields"),
    (broken(explanation=...), "A question must have the fields"),
    (broken(hint="no"), "A question must have the fields"),
    (broken(chapter="biology"), "The chapter of data-three-numbers must be one of"),
    (broken(**ELSEWHERE), "The id of data-three-numbers must be its chapter"),
    (broken(id="data-Three numbers"), "must be its chapter, a dash, and lower-case"),
    (broken(section="What is what?"), "must be a heading of its chapter's notebook"),
    (broken(section=...), "a heading of its chapter's notebook. Received: None."),
    (broken(objective="invert the cut"), "must be one of its chapter in book/obj"),
    (broken(level="hard"), "The level of data-three-numbers must be one of"),
    (broken(question=" "), "The question of data-three-numbers must be a text"),
    (broken(question="Is `a right?"), "must be a text with closed ` and *"),
    (broken(explanation="It is *so."), "The explanation of data-three-numbers must"),
    (broken(choices=CHOICES[:2]), "must be 3 to 5 texts"),
    (broken(choices=CHOICES + CHOICES), "must be 3 to 5 texts"),
    (broken(choices=LONE), "or `wrong` with its `misconception`"),
    (broken(choices=[*CHOICES[:3], {"wrong": 4, "misconception": "x"}]), "3 to 5"),
    (broken(choices=CHOICES[1:]), "texts of which exactly one is right"),
    (broken(choices=[*CHOICES, {"right": "Both."}]), "exactly one is right"),
    (broken(choices=[*CHOICES, CHOICES[1]]), "must be different texts"),
]


@pytest.mark.parametrize(("question", "sentence"), BROKEN)
def test_a_broken_question_is_refused_with_one_sentence(question, sentence):
    with pytest.raises(ValueError) as refused:
        bank.check([question], bank.read_chapters())
    text = str(refused.value)
    assert sentence in text and "Received: " in text
    assert len(text.splitlines()) == 1


def test_an_id_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="Received: data-three-numbers, 2 times"):
        bank.check([BANK[0], BANK[1], BANK[0]], bank.read_chapters())


def test_every_broken_rule_has_a_line_of_its_own():
    both = [broken(level="hard", chapter="biology"), BANK[1] | {"section": "no"}]
    with pytest.raises(ValueError) as refused:
        bank.check(both, bank.read_chapters())
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "The bank must be a file that can be read."),
        ("- id: [", "The bank must be YAML."),
        ("id: data", "The bank must be a list of questions."),
        ("", "The bank must be a list of questions."),
        ("- id: data-x", "A question must have the fields"),
    ],
)
def test_a_broken_bank_writes_nothing(tmp_path, capsys, text, sentence):
    if text is not None:
        (tmp_path / "bank.yml").write_text(text)
    arguments = ["--bank", str(tmp_path / "bank.yml"), "--out", str(tmp_path / "out")]
    assert questions.main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(sentence) and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()
