"""The fuzzer finds what it looks for, and nothing in the readers of this package."""

import re
import sys
from collections import Counter

import pytest
from fuzz import KINDS, Watch, judge, search

INPUTS = 2_000  # `.ci/run` tries 50,000


@pytest.fixture(scope="module")
def watch():
    return Watch()


def test_no_mutated_archive_or_record_is_taken_or_breaks_its_reader():
    seen, faults = search(INPUTS, seed=1)
    assert faults == []
    tried = Counter()
    for (kind, found), count in seen.items():
        tried[kind] += count * (found == "refused")
    assert tried.keys() == {mutate.__name__ for mutate in KINDS}
    assert all(count > INPUTS / len(KINDS) / 2 for count in tried.values())


def accept(path):
    return "other"


def accept_the_same(path):
    return path.read_text()


def refuse(path):
    raise ValueError(f"{path} must be whole. Received: half of it.")


def refuse_silently(path):
    raise ValueError("no")


def break_off(path):
    raise RecursionError("too deep")


def write_beside(path):
    path.with_name("other").write_text("x")
    refuse(path)


def write_and_accept(path):
    path.with_name("folder").mkdir()
    return path.read_text()


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (accept, "accepted with other content"),
        (accept_the_same, "same"),
        (refuse, "refused"),
        (refuse_silently, "refused without a sentence: 'no'"),
        (break_off, "broken by RecursionError: too deep"),
        (write_beside, "wrote: .*open.*other"),
        (write_and_accept, "wrote: .*os.mkdir.*folder"),
    ],
)
def test_a_reader_that_does_wrong_is_found(tmp_path, watch, read, found):
    path = tmp_path / "input"
    path.write_text("whole")
    assert re.match(found, judge(read, path, "whole", watch))


DEADLY = """
import faulthandler, os, sys
start, stop = map(int, sys.argv[1:3])
for number in range(start, stop):
    faulthandler.dump_traceback_later(1, exit=True)
    if number == 2:
        os.abort()
    while number == 4:
        pass
    found = "accepted with other content" if number == 5 else "same"
    print("kind", found, flush=True)
"""


def test_an_input_that_kills_or_hangs_the_interpreter_is_named():
    def command(start, stop, seed):
        return [sys.executable, "-c", DEADLY, f"{start}", f"{stop}"]

    seen, faults = search(8, 0, command)
    assert seen == {("kind", "same"): 5, ("kind", "FAULT"): 1}
    assert [fault.split(":")[0] for fault in faults] == [
        "input 2",
        "input 4",
        "input 5",
    ]
    assert "the process ended, -6" in faults[0]
    assert faults[2] == "input 5: kind accepted with other content"


def test_a_search_that_cannot_start_is_given_up():
    seen, faults = search(1_000, 0, lambda *_: [sys.executable, "-c", "import nothing"])
    assert not seen
    assert len(faults) < 20 and "No module named 'nothing'" in faults[0]
