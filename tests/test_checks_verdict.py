import keras
import numpy as np
import pytest

from vitlib.checks.verdict import RIGHT, Verdict, as_numbers, ask, compare, not_yet

pytestmark = pytest.mark.backend


def double(x):
    return 2 * x


MISTAKES = {
    "that is the square; double it.": lambda x: x**2,
    "the sign is wrong.": lambda x: -2 * x,
}
QUESTIONS = [(2.0,), (3.0,)]
TABLE = np.arange(6.0).reshape(2, 3)


def verdict_on(function, questions=QUESTIONS):
    return repr(compare(function, double, MISTAKES, questions))


def test_a_verdict_is_shown_as_its_sentence_and_is_true_when_right():
    assert (repr(RIGHT), bool(RIGHT)) == ("Right.", True)
    wrong = not_yet("the sign is wrong.")
    assert wrong == Verdict(False, "Not yet: the sign is wrong.")
    assert (repr(wrong), bool(wrong)) == (wrong.sentence, False)


def test_another_way_to_the_same_answers_is_right():
    assert verdict_on(lambda x: x + x) == "Right."
    assert verdict_on(lambda x: 2 * np.float32(x) + np.float32(1e-5)) == "Right."


def test_a_mistake_must_give_the_same_answers_to_all_questions():
    assert verdict_on(lambda x: x * x) == "Not yet: that is the square; double it."
    assert "square" not in verdict_on(lambda x: x * x if x < 3 else 0)


def test_an_unknown_mistake_with_numbers_is_told_with_its_arguments():
    told = "Not yet: the answer for (3.0,) is too large: 7.5."
    assert verdict_on(lambda x: 4 if x == 2 else 7.5) == told


def test_an_unknown_mistake_in_an_array_is_told_with_its_place():
    told = "Not yet: element (0, 1) is too small: 1 (wrong elements: 5 of 6)."
    assert verdict_on(lambda x: x, [(TABLE,)]) == told


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (np.nan, "is no number"),
        (np.inf, "is too large"),
        (-np.inf, "is too small"),
        (np.uint8(255), "is too large"),
    ],
)
def test_of_a_wrong_number_the_way_is_told_and_not_the_right_one(answer, how):
    sentence = verdict_on(lambda x: answer)
    assert sentence == f"Not yet: the answer for (2.0,) {how}: {answer}."


@pytest.mark.parametrize("kind", [bool, np.bool_, keras.ops.array])
def test_true_is_no_number_even_where_1_is_right(kind):
    one = compare(lambda x: kind(x > 0), lambda x: 1, {}, QUESTIONS)
    assert repr(one) == "Not yet: the function must return a number, not True."
    assert compare(lambda x: kind(x > 0), lambda x: x > 0, {}, QUESTIONS)


def test_a_shape_is_told_in_words():
    must = "Not yet: the function must return"
    array = f"{must} an array of shape (2, 3), not a single number."
    assert verdict_on(lambda x: 1.5, [(TABLE,)]) == array
    number = f"{must} a single number, not an array of shape (1,)."
    assert verdict_on(lambda x: [x]) == number


@pytest.mark.parametrize("answer", [[[1, 2], [3]], "4", None, [None], {}, object()])
def test_what_is_no_array_of_numbers_is_none(answer):
    assert as_numbers(answer) is None


@pytest.mark.parametrize("kind", [list, tuple, keras.ops.array, keras.Variable])
def test_lists_and_tensors_are_arrays(kind):
    np.testing.assert_array_equal(as_numbers(kind(TABLE)), TABLE)


def test_a_list_of_tensors_is_an_array():
    np.testing.assert_array_equal(as_numbers(list(map(keras.ops.array, TABLE))), TABLE)


def test_every_question_gets_its_own_copies():
    given = []
    answers, failure = ask(lambda x: given.append(x) or x.sum(), [(TABLE,), (TABLE,)])
    assert (answers, failure) == ([15, 15], None)
    assert given[0] is not given[1]
    assert given[0] is not TABLE


@pytest.mark.parametrize(
    "change",
    [
        lambda history: history.update(top1=[0.2, 0.1]),
        lambda history: history["top1"].sort(reverse=True),
        lambda history: history["top1"].append(0.3),
        lambda history: history.update(top1="none"),
        lambda history: history.pop("top1"),
        lambda history: history.update({0: 1}),
    ],
)
def test_a_change_inside_an_argument_is_told_and_stays_there(change):
    question = ({"top1": [0.1, 0.2]},)
    _, failure = ask(lambda history: change(history) or 1, [question])
    assert "changes its arguments" in failure.sentence
    assert question == ({"top1": [0.1, 0.2]},)


def test_a_generator_may_be_used():
    question = (np.random.default_rng(0),)
    answers, failure = ask(lambda rng: rng.random(), [question, question])
    assert failure is None
    assert answers[0] == answers[1]


def test_of_an_error_the_first_line_is_told():
    def f(x):
        raise ValueError("Bad axis.\nTraceback ...")

    assert (
        verdict_on(f) == "Not yet: the function breaks off with ValueError: Bad axis."
    )


def test_an_interrupt_is_let_through():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict_on(f)
