"""Every check tells a right function, and each mistake by its own sentence."""

import ast
import importlib
import inspect
import time
from copy import deepcopy
from pathlib import Path

import keras
import numpy as np
import pytest
from flips import ceiling
from plain import CHAPTERS
from students import data, patches, positions

from vitlib import Patches, checks, join_patches
from vitlib.checks import patches as patches_checks

pytestmark = pytest.mark.backend

# What students hand in, a module a chapter.
PAGES = [importlib.import_module(f"students.{name}") for name in CHAPTERS]
EXERCISES = {
    check: exercise for page in PAGES for check, exercise in page.EXERCISES.items()
}
MISTAKES = [
    pytest.param(check, fragment, id=f"{check.__name__}-{fragment}")
    for check, (_, mistakes) in EXERCISES.items()
    for fragment in mistakes
]
each_check = pytest.mark.parametrize("check", EXERCISES, ids=lambda c: c.__name__)


def hints_of(module):
    """The sentences in a module of checks that are no docstring."""
    tree = ast.parse(inspect.getsource(module))
    kinds = (ast.Module, ast.FunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    docstrings = {ast.get_docstring(node, clean=False) for node in nodes}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [text for text in texts if isinstance(text, str) and text.endswith(".")]
    return [text for text in texts if text not in docstrings]


def hints_with(fragment, check):
    module = importlib.import_module(check.__module__)
    return [hint for hint in hints_of(module) if fragment in hint]


def is_one_sentence(text):
    is_whole = text.startswith("Not yet: ") and text.endswith(".")
    return is_whole and "\n" not in text and ". " not in text


def test_every_check_is_tried():
    assert {check.__name__ for check in EXERCISES} == set(checks.__all__)
    assert sorted(checks.__all__) == checks.__all__
    assert len(EXERCISES) >= 12
    assert len(MISTAKES) >= 30


@each_check
def test_what_is_right_is_told(check):
    verdict = check(EXERCISES[check][0])
    assert repr(verdict) == "Right."
    assert verdict


@pytest.mark.parametrize(("check", "fragment"), MISTAKES)
def test_a_mistake_is_recognised_as_itself(check, fragment):
    (hint,) = hints_with(fragment, check)
    verdict = check(EXERCISES[check][1][fragment])
    assert repr(verdict) == f"Not yet: {hint}"
    assert not verdict
    assert is_one_sentence(verdict.sentence)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_every_hint_has_a_function_that_gets_it(page):
    name = page.__name__.split(".")[-1]
    hints = hints_of(importlib.import_module(f"vitlib.checks.{name}"))
    told = [
        check(mistake).sentence.removeprefix("Not yet: ")
        for check, (_, mistakes) in page.EXERCISES.items()
        for mistake in mistakes.values()
    ]
    assert sorted(told) == sorted(hints)


@each_check
def test_no_two_functions_get_the_same_verdict(check):
    right, mistakes = EXERCISES[check]
    sentences = {check(function).sentence for function in (right, *mistakes.values())}
    assert len(sentences) == len(mistakes) + 1


SEEDED = [c for c in EXERCISES if "seed" in inspect.signature(c).parameters]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("check", SEEDED, ids=lambda c: c.__name__)
def test_another_seed_asks_something_else_and_judges_the_same(check, seed):
    right, mistakes = EXERCISES[check]
    asked = []

    def note(*arguments):
        asked.append(repr(arguments))
        return right(*arguments)

    assert check(note) and check(note, seed=seed)
    seen, unseen = asked[: len(asked) // 2], asked[len(asked) // 2 :]
    assert not set(seen) & set(unseen)
    for fragment, mistake in mistakes.items():
        assert fragment in check(mistake, seed=seed).sentence


def test_a_number_that_fits_one_question_is_no_answer():
    share = EXERCISES[checks.check_dead_units][0]
    first = []

    def constant(*arguments):
        first.append(share(*arguments))
        return first[0]

    assert not checks.check_dead_units(constant)


def test_the_words_of_a_docstring_are_no_hint():
    assert hints_of(importlib.import_module("vitlib.checks.patches"))
    assert not hints_with("Checks", checks.check_join)


@each_check
def test_a_check_takes_less_than_five_seconds(check):
    right, mistakes = EXERCISES[check]
    start = time.perf_counter()
    for function in (right, *mistakes.values()):
        check(function)
    assert time.perf_counter() - start < 5


def raise_error(*_):
    raise ValueError("no such axis.\nSee the manual.")


def empty(*_):
    raise NotImplementedError


# What no exercise asks, and a part of the sentence that it must get.
NONSENSE = {
    "an empty stub": (empty, "the function is still empty"),
    "nothing": (lambda *_: None, "end it with `return`"),
    "an error": (raise_error, "breaks off with ValueError: no such axis."),
    "an error without words": (
        lambda *_: next(iter(())),
        "the function breaks off with StopIteration.",
    ),
    "no arguments": (lambda: 0, "breaks off with TypeError"),
    "no function": (np.eye(3), "do not call it"),
    "a name": ("cut", "do not call it"),
    "a string": (lambda *_: "right", "must return"),
    "a number as a string": (lambda *_: "1.5", "must return"),
    "strings": (lambda *_: ["a", "b"], "must return"),
    "a ragged list": (lambda *_: [[1, 2], [3], []], "must return"),
    "a ragged tuple": (lambda *_: (np.eye(2), np.eye(3)), "must return"),
    "a tuple of one": (lambda *_: (np.eye(7),), "must return"),
    "an empty tuple": (lambda *_: (), "must return"),
    "a list of nothing": (lambda *_: [None, None], "must return"),
    "a dict": (lambda *_: {"rows": 1, "rest": 2}, "must return"),
    "a set": (lambda *_: {1, 2}, "must return"),
    "an object": (lambda *_: object(), "must return"),
    "a function": (lambda *_: np.mean, "must return"),
    "a generator": (lambda *_: (x for x in "ab"), "must return"),
    "a complex number": (lambda *_: 1j, "must return"),
    "objects": (lambda *_: np.array([1, None]), "must return"),
    "a symbol": (lambda *_: keras.KerasTensor((2, 3)), "must return"),
    "an array of six axes": (lambda *_: np.zeros((1,) * 6), "must return"),
}


@pytest.mark.parametrize("kind", NONSENSE)
@each_check
def test_nonsense_gets_a_sentence(check, kind):
    function, fragment = NONSENSE[kind]
    verdict = check(function)
    assert not verdict
    assert fragment in verdict.sentence
    assert is_one_sentence(verdict.sentence)


@pytest.mark.parametrize("value", [0, -1, 1, 0.5, np.nan, np.inf, True, 10**30])
@each_check
def test_a_number_gets_a_sentence(check, value):
    assert is_one_sentence(check(lambda *_: value).sentence)


@each_check
def test_tensors_are_accepted(check):
    right, _ = EXERCISES[check]

    def with_tensors(*question):
        return to_tensors(right(*question))

    def to_tensors(answer):
        is_pair = isinstance(answer, tuple)
        return tuple(map(to_tensors, answer)) if is_pair else keras.ops.array(answer)

    assert check(with_tensors)


@each_check
def test_lists_are_accepted(check):
    right, _ = EXERCISES[check]

    def with_lists(*question):
        answer = right(*question)
        is_pair = isinstance(answer, tuple)
        return list(answer) if is_pair else np.asarray(answer).tolist()

    assert check(with_lists)


@each_check
def test_a_wrong_shape_is_told(check):
    right, _ = EXERCISES[check]

    def with_an_axis(*question):
        return [right(*question)]

    sentence = check(with_an_axis).sentence
    assert "must return" in sentence
    assert is_one_sentence(sentence)


@each_check
def test_one_wrong_number_is_told(check):
    right, _ = EXERCISES[check]

    def with_one_wrong(*question):
        answer = right(*question)
        last = answer[0] if isinstance(answer, tuple) else answer
        last = np.array(last, float if np.asarray(last).dtype.kind == "f" else int)
        last.flat[-1] += 1000
        return (last, answer[1]) if isinstance(answer, tuple) else last

    sentence = check(with_one_wrong).sentence
    own = {"check_stratified_split": "belong to no row"}
    own |= {"check_grid_offsets": "two equal steps"}
    own |= {"check_repaired_weights": "within the limit of Glorot"}
    verdicts = "check_can_pass", "check_notices"
    own |= dict.fromkeys(verdicts, "must return True or False")
    assert own.get(check.__name__, " is too ") in sentence
    assert is_one_sentence(sentence)


def spoil(value):
    """Changes a value in place, if that can be done."""
    if isinstance(value, np.ndarray):
        value.flat[0] += 1
    elif isinstance(value, dict):
        value.clear()


@each_check
def test_a_function_that_changes_its_arguments_is_told(check):
    right, _ = EXERCISES[check]
    can_be_changed = []

    def spoiling(*question):
        answer = right(*deepcopy(question))
        for value in question:
            spoil(value)
            can_be_changed.append(isinstance(value, np.ndarray | dict))
        return answer

    changed = "Not yet: the function changes its arguments; copy them."
    said = repr(check(spoiling))
    assert said == (changed if any(can_be_changed) else "Right.")


def test_the_layer_and_the_function_of_the_package_are_right():
    assert checks.check_cut_planes(
        lambda images, size: Patches(size)(images.transpose(0, 2, 3, 1))
    )
    assert checks.check_join(
        lambda x, height, width, _: join_patches(x, (height, width))
    )


def test_the_ceilings_after_flips_are_those_that_counting_gives():
    assert checks.check_flip_ceiling(ceiling)


def test_half_of_the_answer_is_what_counting_the_labels_gives():
    def count(accuracy, classes, members):
        others = np.arange(1, classes)  # the true label is 0
        return accuracy + (100 - accuracy) * (others // members == 0).mean()

    assert checks.check_superclass_accuracy(count)


def test_the_model_that_is_a_table_scores_what_counting_its_hits_gives():
    def count(images, copies, right, classes):
        labels = np.arange((images - copies) * classes) % classes  # equally frequent
        hits = right + (labels == 0).sum() / classes
        return 100 * hits / images

    assert checks.check_table_accuracy(count)


@pytest.mark.parametrize("check", data.AGAIN | patches.AGAIN)
def test_a_mistake_is_recognised_beside_another_one(check):
    for fragment, wrong in (data.AGAIN | patches.AGAIN)[check].items():
        (hint,) = hints_with(fragment, check)
        assert repr(check(wrong)) == f"Not yet: {hint}"


def test_a_cut_that_takes_height_for_width_is_right_for_squares_alone():
    cut = patches_checks._cut_turned
    assert patches.is_right_for(patches.LINES, 4)(cut)
    assert not patches.is_right_for(patches.TALL, 4)(cut)
    assert not patches.is_right(cut)


def test_the_exercise_says_how_many_wrong_cuts_there_are():
    number = {5: "five", 6: "six"}[len(patches_checks.WRONG_CUTS)]
    source = Path(__file__).parents[1] / "notebooks/patches.py"
    assert f"and on {number} wrong ones" in source.read_text("utf-8")
    assert f"and {number} that do not" in checks.check_is_right.__doc__


def split_with(change):
    """A right split whose validation rows are changed."""

    def wrong(labels, per_class, rng):
        rows, rest = data.split(labels, per_class, rng)
        return change(np.array(rows)), np.array(rest)

    return wrong


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda rows: rows - 140, "belong to no row"),
        (lambda rows: rows + 140, "belong to no row"),
        (lambda rows: rows / 2, "two lists of row numbers"),
        (lambda rows: rows[:, None], "two lists of row numbers"),
        (lambda rows: [], "two lists of row numbers"),
        (lambda rows: rows[:-1], "rows of each class; count"),
        (lambda rows: rows[0], "two lists of row numbers"),
        (lambda rows: np.isin(np.arange(140), rows), "masks"),
        (lambda rows: np.append(rows, rows[0]), "drawn twice"),
    ],
)
def test_wrong_validation_rows_are_told(change, fragment):
    assert fragment in check_split(change)


def check_split(change):
    return checks.check_stratified_split(split_with(change)).sentence


def test_a_rest_with_a_row_twice_is_told():
    def wrong(labels, per_class, rng):
        rows, rest = data.split(labels, per_class, rng)
        return rows, rest + rest[:1]

    assert "must be in the rest once" in checks.check_stratified_split(wrong).sentence


@pytest.mark.parametrize("factor", [1, -1, 0.5])
def test_any_numbers_for_the_steps_on_a_grid_are_right(factor):
    assert checks.check_grid_offsets(
        lambda rows, columns: factor * np.array(positions.grid_offsets(rows, columns))
    )


def test_rows_in_the_place_of_columns_are_told():
    def wrong(rows, columns):  # a step along the columns has 2 * columns - 1 values
        row, column = np.divmod(np.arange(rows * columns), columns)
        return (2 * rows - 1) * (row - row[:, None]) + column - column[:, None]

    assert "two different steps" in checks.check_grid_offsets(wrong).sentence


def test_no_two_accuracies_are_equal():
    histories = []
    checks.check_final_accuracy(histories.append)
    accuracies = sum(histories[0].values(), [])
    assert len(set(accuracies)) == len(accuracies) == 18
