"""What a setting may be and what not: strategies for the tests of properties."""

import math
import string
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


class Field(NamedTuple):
    """The rule that a message states, what keeps it, and what breaks it."""

    rule: str
    valid: SearchStrategy
    invalid: SearchStrategy


WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=8)
SMALL = st.integers(1, 9)
# Neither numbers nor strings nor tuples.
OTHERS = st.one_of(
    st.none(),
    st.binary(max_size=3),
    st.lists(SMALL, max_size=3),
    st.lists(WORDS, max_size=3),
    st.dictionaries(WORDS, SMALL, max_size=2),
    st.sets(SMALL, max_size=3),
    st.sampled_from([int, object, math.inf.__class__]),
)
ENDLESS = st.sampled_from([math.nan, math.inf, -math.inf])
LIKE_INTEGERS = st.one_of(
    st.booleans(), st.floats(), SMALL.map(float), SMALL.map(str), SMALL.map(np.int64)
)
LIKE_NUMBERS = st.one_of(
    ENDLESS, st.booleans(), st.just("0.5"), st.builds(np.float32, st.just(0.5))
)
TUPLES = st.tuples() | st.tuples(SMALL) | st.tuples(SMALL, SMALL)


def with_one(bad, good):
    """Tuples of good values with a bad one among them."""
    some = st.lists(good, max_size=2)
    return st.builds(lambda a, b, c: (*a, b, *c), some, bad, some)


def or_none(field):
    invalid = field.invalid.filter(lambda value: value is not None)
    return Field(f"None or {field.rule}", st.none() | field.valid, invalid)


def index(stop, rule):
    """An integer from 0 up to, but not including, a limit."""
    outside = st.integers(max_value=-1) | st.integers(stop)
    return Field(rule, st.integers(0, stop - 1), OTHERS | LIKE_INTEGERS | outside)


def one_of(choices):
    lists = st.sampled_from(choices).map(lambda choice: [choice])
    near = st.sampled_from(choices).map(str.upper) | st.just("") | st.text(max_size=9)
    near = near.filter(lambda text: text not in choices)
    arrays = st.builds(np.array, lists)
    return Field(
        f"one of {tuple(choices)}",
        st.sampled_from(choices),
        st.one_of(OTHERS, LIKE_INTEGERS.filter(lambda v: v not in choices), near)
        | arrays
        | lists,
    )


NO_COUNTS = OTHERS | LIKE_INTEGERS | TUPLES | st.integers(max_value=0)
COUNT = Field("an integer of at least 1", st.integers(1), NO_COUNTS)
COUNTS = Field(
    "a tuple of integers of at least 1",
    st.lists(st.integers(1), max_size=4).map(tuple),
    OTHERS | LIKE_INTEGERS | st.integers() | with_one(NO_COUNTS, SMALL),
)
SHAPE = Field(
    "(height, width, channels), three integers of at least 1",
    st.tuples(*[st.integers(32, 10**6)] * 3),
    COUNTS.invalid | TUPLES | st.tuples(*[SMALL] * 4),
)
SQUARE = SHAPE._replace(valid=st.integers(32, 10**6).map(lambda side: (side, side, 3)))
RATE = Field(
    "a number from 0 up to, but not including, 1",
    st.just(0) | st.floats(0, 1, exclude_max=True),
    st.one_of(OTHERS, LIKE_NUMBERS, TUPLES, st.integers(1), st.floats(1))
    | st.floats(max_value=0, exclude_max=True, allow_nan=False).filter(bool),
)
POSITIVE = Field(
    "a finite number above 0",
    st.integers(1) | st.floats(0, exclude_min=True, allow_infinity=False),
    st.one_of(OTHERS, LIKE_NUMBERS, TUPLES, st.integers(max_value=0))
    | st.floats(max_value=0),
)
AT_LEAST_0 = Field(
    "a finite number of at least 0",
    st.integers(0) | st.floats(0, allow_infinity=False),
    st.one_of(OTHERS, LIKE_NUMBERS, TUPLES, st.integers(max_value=-1))
    | st.floats(max_value=0, exclude_max=True).filter(bool),
)
SEED = index(2**32, "an integer from 0 up to, but not including, 2 ** 32")
BOOLEAN = Field(
    "True or False", st.booleans(), OTHERS | st.integers(0, 1) | st.sampled_from("TF")
)
TUPLE_OF_WORDS = Field(
    "a tuple of words",
    st.lists(WORDS, max_size=3).map(tuple),
    OTHERS | WORDS | LIKE_INTEGERS | with_one(OTHERS | SMALL | st.just(""), WORDS),
)
FOLDER = Field(
    "lower-case letters, digits and dashes",
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1),
    st.one_of(OTHERS, SMALL, st.just(""), TUPLES)
    | st.builds("{}{}".format, WORDS, st.sampled_from("/\\.\n\0 A_é٣")),
)
