"""Say in one sentence whether a reader's function is right, or what is wrong."""

from copy import deepcopy
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a check says. It is true when the answer is right; shown, it is a sentence.

    Args:
        is_right: Whether the reader's function is right.
        sentence: String. What is wrong, and where to look.
    """

    is_right: bool
    sentence: str

    def __bool__(self):
        return self.is_right

    def __repr__(self):
        return self.sentence


RIGHT = Verdict(True, "Right.")


def not_yet(hint):
    """Makes the verdict on a wrong answer from what is wrong, and where to look."""
    return Verdict(False, f"Not yet: {hint}")


def compare(function, reference, mistakes, questions):
    """Compares a function with the right one, and with known wrong ones.

    A mistake is recognised by what it does: its function gives the same answers.

    Args:
        function: The reader's function. It may return arrays, tensors or lists.
        reference: Function that is right.
        mistakes: Dict. A key is a hint, in one sentence; its value a function that
            makes the mistake, or a tuple of such functions.
        questions: List of tuples of arguments. They tell all these functions apart.

    Returns:
        `Verdict`.
    """
    answers, failure = ask(function, questions)
    if failure is not None:
        return failure
    arrays = [as_numbers(answer) for answer in answers]
    for answer, array in zip(answers, arrays, strict=True):
        if array is None:
            return not_yet(
                "the function must return a number, or an array with rows of equal "
                f"length; this {type(answer).__name__} is neither."
            )
    expected = _answers(reference, questions)
    for array, other in zip(arrays, expected, strict=True):
        if array.shape == () and array.dtype.kind == "b" != other.dtype.kind:
            return not_yet(f"the function must return a number, not {array}.")
    if _same(arrays, expected):
        return RIGHT
    for hint, wrong in mistakes.items():
        ways = wrong if isinstance(wrong, tuple) else (wrong,)
        if any(_same(arrays, _answers(way, questions)) for way in ways):
            return not_yet(hint)
    return _first_difference(questions, arrays, expected)


def ask(function, questions):
    """Calls a function with each of the arguments, on copies.

    Args:
        function: The reader's function.
        questions: List of tuples of arguments.

    Returns:
        Its answers and None; or what came until then, and the `Verdict` on a function
        that is none, is empty, breaks off, or changes its arguments.
    """
    answers = []
    if not callable(function):
        return answers, not_yet("hand over the function itself; do not call it.")
    for question in questions:
        arguments = deepcopy(question)
        try:
            answer = function(*arguments)
        except NotImplementedError:
            return answers, not_yet("the function is still empty.")
        except Exception as error:  # whatever the reader's code may raise
            said = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
            return answers, not_yet(f"the function breaks off with {said}.")
        if answer is None:
            return answers, not_yet(
                "the function returns nothing; end it with `return`."
            )
        if not _unchanged(arguments, question):
            return answers, not_yet("the function changes its arguments; copy them.")
        answers.append(answer)
    return answers, None


def _unchanged(arguments, question):
    now, before = keras.tree.flatten(arguments), keras.tree.flatten(question)
    if len(now) != len(before):
        return False
    return all(  # a generator changes when it is used, as it must
        isinstance(b, np.random.Generator) or np.array_equal(a, b)
        for a, b in zip(now, before, strict=True)
    )


def oblongs(seed):
    """Draws two grids for a check, as (rows, columns): one is wide, the other high."""
    few, many = np.random.default_rng(seed).choice([2, 3, 4, 5, 6], 2, replace=False)
    few, many = sorted((int(few), int(many)))
    return [(few, many), (many, few)]


def as_numbers(answer):
    """Turns an answer into an array; into None when it is no array of real numbers."""
    try:
        array = np.asarray(keras.ops.convert_to_numpy(answer))
    except Exception:  # a ragged list, a symbol, or any object of the reader
        return None
    return array if array.dtype.kind in "biuf" else None


def _answers(function, questions):
    return [np.asarray(function(*question)) for question in questions]


def _close(answer, other):
    """Where the numbers agree, so far as they do when one side has float32."""
    return np.isclose(answer, other, rtol=1e-4, atol=1e-6)


def _same(answers, others):
    pairs = zip(answers, others, strict=True)
    return all(a.shape == b.shape and _close(a, b).all() for a, b in pairs)


def _kind(shape):
    return f"an array of shape {shape}" if shape else "a single number"


def _first_difference(questions, answers, expected):
    """The verdict on answers that are wrong in a way of their own: which, and how."""
    for question, answer, other in zip(questions, answers, expected, strict=True):
        if answer.shape != other.shape:
            return not_yet(
                f"the function must return {_kind(other.shape)}, not "
                f"{_kind(answer.shape)}."
            )
        wrong = ~_close(answer, other)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f"element {place}" if place else "the answer"
            given = f" for {question}" if all(map(np.isscalar, question)) else ""
            share = f" (wrong elements: {wrong.sum()} of {wrong.size})" if place else ""
            right, yours = float(other[place]), float(answer[place])
            how = "is too large" if yours > right else "is too small"
            how = "is no number" if np.isnan(yours) else how
            return not_yet(f"{where}{given} {how}: {yours:.6g}{share}.")
    raise AssertionError("The answers are equal.")  # `compare` has seen to it
