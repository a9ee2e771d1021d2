"""What the page for instructors promises: objectives, minutes, exercises and checks."""

import json
import re
from pathlib import Path

import pytest
import yaml
from editions import EXERCISE, SOLUTIONS, read_chapters, read_solutions, tags

from vitlib import checks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book/instructors.md").read_text("utf-8")
OBJECTIVES = yaml.safe_load((ROOT / "book/objectives.yml").read_text("utf-8"))
SECONDS = json.loads((ROOT / "benchmarks/records/notebooks.json").read_text("utf-8"))
CHAPTERS = read_chapters()
INDEX = (ROOT / "book/index.md").read_text("utf-8")
TIME = re.compile(
    r"\*\*Time:\*\* about (\d+) minutes to read and run, (\d+) for all exer"
)
EXERTION = re.compile(r"★{1,3} · (?P<minutes>\d+) minutes\n\n")
HINT = "\n\n:::{admonition} A first hint\n:class: dropdown hint\n"
MOST_SECONDS = 480  # that the cells of the first eight chapters may take on two cores
LATER = {
    "dense": 120,
    "scaling": 150,
}  # seconds that the cells of a later chapter may take

each_chapter = pytest.mark.parametrize("name", sorted(CHAPTERS))


def text_of(name):
    cells = CHAPTERS[name].cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def reading(name):
    """Minutes by section: 200 words take one, and so does a cell that a reader sees."""
    minutes, section = {}, None
    for cell in CHAPTERS[name].cells:
        if "instructor" in tags(cell):
            continue
        if cell.cell_type == "code":
            minutes[section] += "remove-cell" not in tags(cell)
            continue
        text, *rest = f"\n{cell.source}\n".split(SOLUTIONS)
        first, *others = re.split(r"^## (.+)$", EXERCISE.sub("", text), flags=re.M)
        for title, part in [
            (section, first),
            *zip(others[::2], others[1::2], strict=True),
        ]:
            section = title
            minutes[section] = minutes.get(section, 0) + len(part.split()) / 200
        if rest:
            return minutes
    return None


def headings(name):
    return re.findall(r"^## (.+)$", text_of(name), re.MULTILINE)


def exercises(name):
    return [match["label"] for match in EXERCISE.finditer(text_of(name))]


def plan(name):
    """The minutes of a chapter, the rows of its table, and the exercises for home."""
    pattern = rf"\*\*\[\]\(#sec-{name}\): (\d+) minutes\*\*\n(.+?)\nFor home: (.+?)\n\n"
    minutes, table, home = re.search(pattern, PAGE, re.DOTALL).groups()
    rows = [line.strip("|").split("|") for line in table.splitlines() if "|" in line]
    rows = [[cell.strip() for cell in row] for row in rows[2:]]
    return int(minutes), rows, re.findall(r"\{ref\}`(.+?)`", home)


def test_the_map_names_every_chapter():
    assert sorted(OBJECTIVES) == sorted(CHAPTERS)


@each_chapter
def test_every_objective_has_sections_and_an_exercise_of_its_chapter(name):
    assert len(OBJECTIVES[name]) >= 3
    for objective in OBJECTIVES[name]:
        assert set(objective) == {"can", "sections", "exercises"}
        assert re.match(r"\*\w+\* ", objective["can"])
        assert objective["sections"] and set(objective["sections"]) <= set(
            headings(name)
        )
        assert objective["exercises"]


@each_chapter
def test_every_exercise_serves_an_objective_and_has_the_check_of_the_map(name):
    mapped = [pair for o in OBJECTIVES[name] for pair in o["exercises"].items()]
    assert {label for label, _ in mapped} == set(exercises(name))
    for label, check in mapped:
        cells = read_solutions(CHAPTERS[name])[label]
        (source,) = [c.source for c in cells if "check" in tags(c)]
        assert source.startswith(f"checks.{check}(")


def test_every_check_is_used_by_one_exercise():
    chapters = OBJECTIVES.values()
    mapped = {p for c in chapters for o in c for p in o["exercises"].items()}
    assert sorted(check for _, check in mapped) == checks.__all__


@each_chapter
def test_the_minutes_in_class_add_up(name):
    minutes, rows, _ = plan(name)
    assert sum(int(n) for _, show, do, _ in rows for n in (show, do) if n) == minutes


@each_chapter
def test_a_chapter_takes_the_minutes_that_it_says(name):
    text = text_of(name)
    line = (
        r"\*\*Time:\*\* about (\d+) minutes to read and run, (\d+) for all exercises;"
    )
    read, exercises = map(int, re.search(line, text).groups())
    assert read == pytest.approx(sum(reading(name).values()), rel=0.15)
    each = [EXERTION.match(match["text"]) for match in EXERCISE.finditer(text)]
    assert sum(int(found["minutes"]) for found in each) == exercises
    row = rf"\[\]\(#sec-{name}\) \| .+ \| {read} \| {exercises} \|"
    assert re.search(row, INDEX)


def test_a_reader_of_two_hours_gets_sections_for_two_hours():
    plan = INDEX.split("two hours,")[1]
    rows = re.findall(r"^\| \[\]\(#sec-(\w+)\) \| (.+) \| (\d+) \|$", plan, re.M)
    assert len(rows) >= 5
    for name, sections, minutes in rows:
        titles = [title for title in headings(name) if title in sections]
        assert " ".join(titles) == sections
        taken = sum(reading(name)[title] for title in titles)
        assert int(minutes) == pytest.approx(taken, abs=1.5)
    assert 90 < sum(int(minutes) for *_, minutes in rows) <= 120


@each_chapter
def test_an_exercise_says_how_hard_it_is_and_gives_a_first_hint(name):
    for match in EXERCISE.finditer(text := text_of(name)):
        assert EXERTION.match(match["text"]), match["title"]
        assert text[match.end() :].startswith(HINT), match["title"]


@each_chapter
def test_each_exercise_is_done_in_class_or_at_home(name):
    _, rows, home = plan(name)
    in_class = [label for row in rows for label in re.findall(r"`(ex-.+?)`", row[3])]
    assert sorted({*in_class, *home}) == sorted(exercises(name))


@each_chapter
def test_every_section_of_the_plan_is_shown_for_as_long_as_its_cells_run(name):
    _, rows, _ = plan(name)
    seconds = dict(SECONDS["sections"][name])
    for titles, show, _, _ in rows:
        named = [title for title in headings(name) if title in titles]
        assert named, titles
        assert sum(seconds.pop(title, 0) for title in named) <= 60 * int(show), titles
    assert set(seconds) <= {"Solutions", "References"}


def section_of(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def sessions(title):
    """The rows of each table of a plan: from, minutes, what, and what students do."""
    tables = re.split(r"\n\n(?!\|)", section_of(title))
    lines = [re.findall(r"^\| (\d:.+) \|$", table, re.M) for table in tables]
    return [[line.split(" | ") for line in table] for table in lines if table]


@pytest.mark.parametrize(
    ("title", "count", "length"),
    [("one session", 1, 180), ("two sessions", 2, 180), ("four sessions", 4, 135)]
    + [("slots of 90 minutes", 9, 90)],
)
def test_the_rows_of_a_plan_follow_each_other_and_fill_the_session(
    title, count, length
):
    plans = sessions(f"A plan for {title}")
    assert len(plans) == count
    for rows in plans:
        clock = 0
        for begin, minutes, *_ in rows:
            assert begin == f"{clock // 60}:{clock % 60:02}"
            clock += int(minutes)
        assert clock == length


def part(name, what):
    """The minutes of the sections of a chapter that a row of a plan has."""
    _, rows, _ = plan(name)
    minutes = [sum(int(n) for n in row[1:3] if n) for row in rows]
    first, last = 0, len(rows)
    if found := re.search(r"(up to|from) \*(.+?)\*", what):
        (place,) = [n for n, row in enumerate(rows) if found[2] in row[0]]
        first, last = (0, place + 1) if found[1] == "up to" else (place, len(rows))
    return sum(minutes[first:last])


def test_the_slots_take_the_minutes_of_their_sections_and_leave_none_out():
    taken = dict.fromkeys(CHAPTERS, 0)
    for rows in sessions("A plan for slots of 90 minutes"):
        for _, minutes, what, _ in rows:
            for name in re.findall(r"^\[\]\(#sec-(\w+)\)", what):
                assert int(minutes) == part(name, what), what
                taken[name] += int(minutes)
    assert taken == {name: plan(name)[0] for name in CHAPTERS}


def test_the_one_session_takes_the_minutes_of_the_sections_that_it_names():
    (rows,) = sessions("A plan for one session")
    named = 0
    for _, minutes, what, students in rows:
        for name in re.findall(r"^\[\]\(#sec-(\w+)\)", what):
            titles = set(re.findall(r"\*(.+?)\*", what))
            assert titles <= set(headings(name))
            chosen = [row for row in plan(name)[1] if any(t in row[0] for t in titles)]
            done = [row for row in chosen if is_asked(row[3], students)]
            shown = sum(int(show) for _, show, _, _ in chosen)
            assert int(minutes) == shown + sum(int(do or 0) for _, _, do, _ in done)
            named += len(titles)
    assert named > 15


def is_asked(asked, students):
    """Whether a row of a plan asks for what students do in a section."""
    exercises = re.findall(r"`ex-[\w-]+`", asked)
    return any(words in students for words in exercises or [asked[:12]])


def test_the_cells_of_the_first_eight_chapters_run_within_eight_minutes():
    first = [name for name in CHAPTERS if name not in LATER]
    assert len(first) == 8
    assert sum(SECONDS["seconds"][name] for name in first) <= MOST_SECONDS


@pytest.mark.parametrize("name", LATER)
def test_the_cells_of_a_later_chapter_run_within_minutes_of_its_own(name):
    assert SECONDS["seconds"][name] <= LATER[name]
