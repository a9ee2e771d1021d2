"""Say in one sentence whether a reader's function is right, or what is wrong with it."""

from copy import deepcopy
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a check says. It is true when the answer is right; shown, it is a sentence."""

    is_right: bool
    sentence: str

    def __bool__(self):
        return self.is_right

    def __repr__(self):
        return self.sentence


RIGHT = Verdict(True, "Right.")


def not_yet(hint):
    """The verdict for a wrong answer: what is wrong, and where to look."""
    return Verdict(False, f"Not yet: {hint}")


def compare(function, reference, mistakes, questions):
    """Compares a function with the right one, and with known wrong ones.

    A mistake is recognised by what it does: its function gives the same answers.

    Args:
        function: The reader's function.
        reference: Function that is right.
        mistakes: Dict. A key is a hint, in one sentence; its value a function that
            makes the mistake.
        questions: List of tuples of arguments. They tell all these functions apart.

    Returns:
        `Verdict`.
    """
    answers, failure = ask(function, questions)
    if failure is not None:
        return failure
    expected = [reference(*question) for question in questions]
    if _same(answers, expected):
        return RIGHT
    for hint, wrong in mistakes.items():
        if _same(answers, [wrong(*question) for question in questions]):
            return not_yet(hint)
    return _first_difference(answers, expected)


def ask(function, questions):
    """Calls a function with each of the arguments, on copies.

    Returns:
        Its answers and None; or what came until then, and the verdict on a function
        that is empty, breaks off, or changes its arguments.
    """
    answers = []
    for question in questions:
        arguments = deepcopy(question)
        try:
            answer = function(*arguments)
        except NotImplementedError:
            return answers, not_yet("the function is still empty.")
        except Exception as error:  # whatever the reader's code may raise
            said = f"{type(error).__name__}: {error}".rstrip(".")
            return answers, not_yet(f"the function breaks off with {said}.")
        if answer is None:
            return answers, not_yet(
                "the function returns nothing; is `return` missing?"
            )
        if not _same(list(arguments), list(question)):
            return answers, not_yet("the function changes its arguments; copy them.")
        answers.append(answer)
    return answers, None


def _array(value):
    return np.asarray(keras.ops.convert_to_numpy(value))


def _same(answers, others):
    pairs = zip(answers, others, strict=True)
    return all(_equal(answer, other) for answer, other in pairs)


def _equal(answer, other):
    if isinstance(other, dict | tuple):
        keys = other if isinstance(other, dict) else range(len(other))
        return len(answer) == len(other) and all(
            _equal(answer[key], other[key]) for key in keys
        )
    if callable(other) or isinstance(other, np.random.Generator):
        return True  # it may be used up
    answer, other = _array(answer), _array(other)
    return answer.shape == other.shape and np.allclose(answer, other, 1e-4, 1e-6)


def _first_difference(answers, expected):
    """The verdict on an answer that is wrong in a way of its own."""
    for answer, other in zip(answers, expected, strict=True):
        answer, other = _array(answer), _array(other)
        if answer.shape != other.shape:
            return not_yet(
                f"the answer must have the shape {other.shape}. Received: "
                f"{answer.shape}."
            )
        differs = ~np.isclose(answer, other, 1e-4, 1e-6)
        if differs.any():
            place = tuple(int(i) for i in np.argwhere(differs)[0])
            where = f"element {place}" if place else "the answer"
            return not_yet(
                f"{differs.mean():.0%} of the numbers are wrong; {where} must be "
                f"{other[place]:.5g}. Received: {answer[place]:.5g}."
            )
    raise AssertionError("The answers are equal.")  # `compare` has seen to it
