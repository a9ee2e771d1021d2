"""Hold records to the rules in `run.schema.json`."""

import json
import sys
from functools import cache
from pathlib import Path

from vitlib.config.rules import is_number

SCHEMA_PATH = Path(__file__).with_name("run.schema.json")
MOST_CHARACTERS = 300  # of what a message quotes from a record


def _import_jsonschema():
    """Jsonschema without a package that takes a second to start.

    It loads whatever it finds for the formats of strings. No rule here is a format.
    """
    slow = "rfc3987_syntax"
    if is_left_out := slow not in sys.modules:
        sys.modules[slow] = None
    import jsonschema

    if is_left_out:
        del sys.modules[slow]
    return jsonschema


@cache
def _validator():
    """The schema, with the types that Python tells apart: 1.0 is no integer.

    A tuple is an array, as it is one in the file; NaN and infinity are no numbers.
    """
    jsonschema = _import_jsonschema()
    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "array": lambda _, value: type(value) in (list, tuple),
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: is_number(value),
        }
    )
    kind = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, type_checker=checker
    )
    return kind(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def check(record, path):
    """Refuses a record that breaks the schema, by a sentence that names its path."""
    best_match = _import_jsonschema().exceptions.best_match
    error = best_match(_validator().iter_errors(record))
    if error is not None:
        raise ValueError(
            f"{path} must hold a run as {SCHEMA_PATH.name} describes it. Received: "
            f"{error.json_path}: {error.message:.{MOST_CHARACTERS}}."
        )
