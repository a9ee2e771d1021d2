"""Every field of a record: what it takes comes back, and anything else is refused."""

import copy
import json
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fields import (
    AT_LEAST_0,
    COUNT,
    ENDLESS,
    LIKE_NUMBERS,
    OTHERS,
    POSITIVE,
    RATE,
    SEED,
    SMALL,
    TUPLES,
    WORDS,
    Field,
    one_of,
    or_none,
    with_one,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_run import make_history, make_run

from vitlib.config.families import MODEL_CONFIGS
from vitlib.records.files import digest
from vitlib.records.runs import load_run, save_run

RUN = make_run(history=make_history(1), best_epoch=1)


def list_of(field):
    """Lists of what keeps a rule, against those with one other value among them."""
    broken = with_one(field.invalid, field.valid)
    lists = st.lists(field.valid, max_size=4)
    others = OTHERS.filter(lambda value: type(value) is not list)
    return Field("", lists, broken.map(list) | SMALL | WORDS | others)


def text(pattern, *broken):
    """Strings of a pattern, against some that break it and what is no string."""
    valid = st.from_regex(pattern, fullmatch=True)
    return Field(pattern, valid, OTHERS | SMALL | TUPLES | st.sampled_from(broken))


TEXT = text(r"[\w .,/-]{1,9}", "")
NUMBER = Field("", AT_LEAST_0.valid, ENDLESS | LIKE_NUMBERS | OTHERS | TUPLES)
SHARE = Field("", st.just(1) | RATE.valid, RATE.invalid.filter(lambda v: v != 1))
WHOLE_NUMBER = Field("", st.integers(0), COUNT.invalid.filter(lambda v: v != 0))
DIGITS = "0123456789abcdef"
HEX = text("[0-9a-f]{64}", 63 * "0", 65 * "0", 64 * "0" + "\n", 64 * "G", 64 * "٣")
NAME = ("", "A", "a/b", "../a", "a\n", "a b", 101 * "a", "é", "٣")
COMMITS = (DIGITS, 40 * "0" + "\n", 40 * "0" + "-clean", 41 * "0")
TIMES = ("2024-02-29T24:00:00Z", "2024-13-01T00:00:00Z", "2024-02-29T00:00:00+01:00")
SHARES = ("top1", "top5", "val_top1", "val_top5")
MEASURES = ("learning_rate", "seconds", "gradient_norm", "token_spread", "logit_spread")

# Every field of a record. A new one has to be entered here: a test says so.
FIELDS = {
    "seed": SEED,
    "training.epochs": COUNT,
    "training.batch_size": COUNT,
    "training.seed": SEED,
    "data.name": TEXT,
    "data.fingerprint": HEX,
    **dict.fromkeys(("data.train", "data.validation", "data.test"), COUNT),
    **dict.fromkeys(("history.loss", "history.val_loss"), list_of(NUMBER)),
    **dict.fromkeys((f"history.{name}" for name in SHARES), list_of(SHARE)),
    **dict.fromkeys((f"history.{name}" for name in MEASURES), list_of(AT_LEAST_0)),
    "history.dead": list_of(list_of(SHARE)),
    "history.answers": list_of(COUNT),
    "best_epoch": COUNT,
    "test.loss": NUMBER,
    "test.top1": SHARE,
    "test.top5": SHARE,
    "weights": or_none(HEX),
    "seconds": AT_LEAST_0,
    "images_per_second": or_none(POSITIVE),
    "peak_memory_bytes": or_none(COUNT),
    "parameters.total": COUNT,
    "parameters.trainable": WHOLE_NUMBER,
    "parameters.non_trainable": WHOLE_NUMBER,
    "flops_per_image": COUNT,
    "device.kind": TEXT,
    "device.name": TEXT,
    "device.cores": COUNT,
    "backend": one_of(["tensorflow", "jax", "torch"]),
    **dict.fromkeys((f"versions.{name}" for name in RUN.versions), TEXT),
    "git_commit": or_none(text("[0-9a-f]{40}(-dirty)?", *COMMITS)),
    "utc": text("20[0-9]{2}-0[1-9]-[12][0-9]T[01][0-9](:[0-5][0-9]){2}Z", *TIMES),
    "study": text("[a-z0-9-]{1,100}", ".", *NAME),
    "name": text("[a-z0-9.-]{1,100}", *NAME),
    "preset": TEXT,
    "scale": one_of(["quick", "laptop", "full"]),
    # A reconstruction has another history: tests/test_transfer.py records one.
    "task": one_of(["classification"]),
    "model.family": one_of([kind.family for kind in MODEL_CONFIGS]),
    "command": TEXT,
    "schema_version": Field("", st.just(5), COUNT.invalid | st.integers(6)),
}
# Settings are checked against their config; a record takes what is plain enough.
SETTING = Field(
    "",
    st.none() | st.booleans() | WORDS | NUMBER.valid | st.lists(SMALL | WORDS),
    ENDLESS | st.binary() | st.sets(SMALL) | with_one(st.none(), SMALL).map(list),
)
FREE = ("overrides", "model", "training")  # dicts of settings
CONDITIONAL = ("status", "error", "overrides", "initial")  # held to by test_runs
CLOSED = ("data", "history", "test", "parameters", "device")  # no other fields
few_examples = settings(max_examples=8)
each_field = pytest.mark.parametrize("name", FIELDS)


def changed(name, value):
    """The sample run with another value at a path such as `test.top1`."""
    first, *rest = name.split(".")
    if rest:
        value = getattr(RUN, first) | {rest[0]: value}
    return replace(RUN, **{first: value})


def saved(run):
    """What comes back of a run from its file."""
    with TemporaryDirectory() as folder:
        return load_run(save_run(folder, run))


def refusal_to_save(run):
    with TemporaryDirectory() as folder:
        with pytest.raises(ValueError) as caught:
            save_run(folder, run)
        assert list(Path(folder).iterdir()) == []
    return str(caught.value).removeprefix(folder)


def refusal_to_load(record):
    """Of a file whose digest fits."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.json")
        path.write_text(json.dumps(record | {"digest": digest(record)}))
        with pytest.raises(ValueError) as caught:
            load_run(path)
    return str(caught.value).removeprefix(folder)


def is_json(value):
    """Whether a value is the same after a way through a file."""
    try:
        return json.loads(json.dumps(value)) == value
    except TypeError:
        return False


def test_the_table_has_every_field_of_a_record():
    found = set()
    for name, value in asdict(RUN).items():
        inner = value if isinstance(value, dict) else {}
        inner = {"family"} if name == "model" else inner
        inner = {"epochs", "batch_size", "seed"} if name == "training" else inner
        found |= {f"{name}.{key}" for key in inner} or {name}
    assert found - {*CONDITIONAL} == set(FIELDS)


@each_field
@few_examples
@given(data=st.data())
def test_a_value_that_keeps_its_rule_comes_back(name, data):
    run = changed(name, data.draw(FIELDS[name].valid))
    assert saved(run) == run


@each_field
@settings(max_examples=25)
@given(data=st.data())
def test_a_run_with_any_other_value_is_not_saved(name, data):
    value = data.draw(FIELDS[name].invalid)
    message = refusal_to_save(changed(name, value))
    assert f"Received: $.{name}" in message
    if not isinstance(value, list | tuple | dict):
        assert repr(value) in message
    assert message.endswith(".") and "\n" not in message.split("Received: ")[1]


@each_field
@few_examples
@given(data=st.data())
def test_a_record_with_any_other_value_is_not_read(name, data):
    value = data.draw(FIELDS[name].invalid.filter(is_json))
    message = refusal_to_load(asdict(changed(name, value)))
    assert f"Received: $.{name}" in message


@pytest.mark.parametrize("name", FREE)
@few_examples
@given(key=WORDS, data=st.data())
def test_settings_are_plain_values(name, key, data):
    run = changed(f"{name}.x{key}", data.draw(SETTING.valid))
    assert saved(run) == run
    bad = changed(f"{name}.x{key}", data.draw(SETTING.invalid))
    assert f"Received: $.{name}.x{key}" in refusal_to_save(bad)


@pytest.mark.parametrize("name", [*FIELDS, *CONDITIONAL, *FREE, *CLOSED])
def test_a_record_needs_every_field(name):
    record = copy.deepcopy(asdict(RUN))
    *first, last = name.split(".")
    del (record[first[0]] if first else record)[last]
    if name not in {"versions.tensorflow", "versions.jax"}:
        assert f"'{last}' is a " in refusal_to_load(record)  # required property, or so


@given(st.sampled_from(["", *CLOSED]), WORDS)
def test_a_record_has_no_unknown_field(place, key):
    record = copy.deepcopy(asdict(RUN))
    (record[place] if place else record)[f"x-{key}"] = 1
    assert f"'x-{key}' was unexpected" in refusal_to_load(record)
