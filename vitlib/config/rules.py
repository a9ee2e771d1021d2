"""What a setting must be, and the one sentence that refuses any other value.

A rule is a pair: what the sentence says of it, and the function that tells whether a
value keeps it. Types are compared exactly: `True` is no integer, and 1.0 is none.
"""

import math


def is_count(value):
    """Whether a value is an integer of at least 1."""
    return type(value) is int and value >= 1


def are_counts(value):
    """Whether a value is a tuple of integers of at least 1."""
    return type(value) is tuple and all(map(is_count, value))


def is_number(value):
    """Whether a value is a finite number."""
    return type(value) in (int, float) and abs(value) < math.inf  # false for NaN


def is_index(value, stop):
    """Whether a value is an integer from 0 up to, but not including, a limit."""
    return type(value) is int and 0 <= value < stop


COUNT = "an integer of at least 1", is_count
COUNTS = "a tuple of integers of at least 1", are_counts
RATE = (
    "a number from 0 up to, but not including, 1",
    lambda value: is_number(value) and 0 <= value < 1,
)
POSITIVE = "a finite number above 0", lambda value: is_number(value) and value > 0
BOOLEAN = "True or False", lambda value: type(value) is bool
SEED = (
    "an integer from 0 up to, but not including, 2 ** 32",  # NumPy's limit
    lambda value: is_index(value, 2**32),
)


def one_of(choices):
    """The rule that a value is one of some strings."""
    return f"one of {choices}", lambda value: type(value) is str and value in choices


def or_none(rule):
    """A rule that `None` keeps, too."""
    words, holds = rule
    return f"None or {words}", lambda value: value is None or holds(value)


def require(owner, field, value, words, holds):
    """Refuses a value that breaks its rule.

    Args:
        owner: The object that is told what it must be; its class is named.
        field: String, the name of the setting.
        value: What was given for it.
        words: String, the rule in words: "Owner.field must be" goes before it.
        holds: Function from the value to a boolean.

    Raises:
        ValueError: When the rule does not hold. It names the field, the rule and the
            value.
    """
    if not holds(value):
        name = f"{type(owner).__name__}.{field}"
        raise ValueError(f"{name} must be {words}. Received: {value!r}.")


def require_field(config, field, words, holds):
    """Refuses a config of which a field breaks a rule: see `require`."""
    require(config, field, getattr(config, field), words, holds)


def require_all(config, rule, *fields):
    """Refuses a config of which one of some fields breaks their rule."""
    for field in fields:
        require_field(config, field, *rule)


def require_integer(name, value, least):
    """Refuses an argument that is no integer, or one below the least."""
    if type(value) is not int or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}. Received: {value!r}."
        )
