"""What a reader moves below a figure shows numbers of the models and the records."""

import re

import keras
import numpy as np
import pytest
from built import BOOK
from explorer_file import read
from findings import hinder, visit

from vitlib import (
    PRESETS,
    REPORT_VIT,
    SelfAttention,
    count_flops,
    find_folder,
    load_runs,
)
from vitlib.inspection.introspect import position_similarity
from vitlib.models.blocks import transformer_block

FIGURES = {"patches": "fig-cost", "positions": "fig-maps", "training": "fig-law"}


def move(control, name, place):
    """Moves a slider; returns what a screen reader says of it."""
    slider = control.get_by_role("slider", name=name)
    slider.fill(str(place))
    return slider.get_attribute("aria-valuetext")


@pytest.fixture
def control(reader):
    """Opens a chapter; its control, and what the page found wrong at the end."""
    opened = []

    def open_chapter(name):
        opened.append(visit(reader, BOOK / f"notebooks/{name}.html", BOOK))
        return opened[0][0].locator(f"#{FIGURES[name]} + .control")

    yield open_chapter
    for page, findings in opened:
        page.close()
        assert findings == []


def multiply_adds(tokens):
    """What a block of the report's ViT takes, counted in the layers of Keras."""
    entry = keras.Input((tokens, REPORT_VIT.projection_dim))
    attention = SelfAttention(REPORT_VIT.num_heads, REPORT_VIT.key_dim)
    block = transformer_block(entry, attention, REPORT_VIT.mlp_units)
    return count_flops(keras.Model(entry, block)) // 2


def test_each_patch_size_shows_what_it_costs(control):
    shown = control("patches")
    assert "144 tokens: 108 numbers" in shown.get_by_role("status").inner_text()
    report = multiply_adds(144)
    for place, size in enumerate((2, 3, 4, 6, 8, 9, 12, 18, 24, 36)):
        assert move(shown, "Patches of", place) == f"{size} x {size} pixels"
        tokens = (72 // size) ** 2
        total = multiply_adds(tokens)
        says = shown.get_by_role("status").inner_text()
        assert says.startswith(f"{tokens:,} tokens: {size * size * 3} numbers of a ")
        assert f"A block takes {total:,} multiply-adds" in says
        if size == REPORT_VIT.patch_size:
            assert says.endswith("multiply-adds, as in the report.")
        else:
            factor = re.search(r"([\d.]+) times those of the report’s 6 x 6", says)[1]
            assert float(factor) == pytest.approx(total / report, rel=0.005)
        rows = shown.locator("tbody tr").all_inner_texts()
        parts = {row.split()[0]: int(row.split()[1].replace(",", "")) for row in rows}
        assert sum(parts.values()) == total
        # What is left of twice the tokens when all that grows as N is taken away.
        assert parts["attention"] * 2 == multiply_adds(2 * tokens) - 2 * total
        grid = f"under a grid of {72 // size} by {72 // size} patches"
        assert grid in shown.get_by_role("img").get_attribute("aria-label")


def test_each_patch_shows_what_its_position_is_like(control):
    shown = control("positions")
    tables = {}
    for name, position in {"1-D table": "1d", "2-D tables": "2d"}.items():
        table = read(find_folder("book") / f"explorer/{position}.safetensors")[1]
        table = table["positions"].astype("float32")
        tables[name] = position_similarity(table - table.mean(axis=0), (4, 4))
    for place in range(16):
        row, column = divmod(place, 4)
        where = f"row {row + 1}, column {column + 1}"
        assert move(shown, "Patch in", place) == where
        says = shown.get_by_role("status").inner_text()
        for name, table in tables.items():
            own = table[row, column].ravel()
            label = shown.get_by_role("img", name=name).get_attribute("aria-label")
            words = label.split(": ")[1].replace("−", "-").split(", ")
            found = [float(word) for word in words]
            assert found == pytest.approx(own.tolist(), abs=0.006)
            pattern = rf"{name}: most like the patch in row (\d), column (\d)"
            nearest = tuple(int(n) - 1 for n in re.search(pattern, says).groups())
            most = np.sort(own)[-2]
            assert table[row, column][nearest] == pytest.approx(most, abs=0.001)
    # A click moves the slider, as the keys do.
    shown.locator("[data-place='6']").first.click()
    slider = shown.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "row 2, column 3"
    assert slider.input_value() == "6"


def test_each_cell_shows_its_three_trainings(control):
    shown = control("training")
    start = shown.get_by_role("status").inner_text()
    alt = shown.page.locator("#fig-law img").get_attribute("alt")
    rates, inputs = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (64, 256, 1024, 4096, 16384)
    for run in load_runs(find_folder("results"), "dead-units"):
        count = PRESETS[run.preset].model.head_inputs
        rate = run.training["learning_rate"]
        assert move(shown, "Inputs of the head", inputs.index(count)) == f"{count:,}"
        assert float(move(shown, "Learning rate", rates.index(rate))) == rate
        says = shown.get_by_role("status").inner_text()
        lines = shown.get_by_role("img")
        ends = re.findall(r"(\S+), (\S+) and (\S+) % of the", says)
        for layer, dead in enumerate(zip(*run.history["dead"], strict=True)):
            text = lines.nth(layer).get_attribute("aria-label")
            values = re.search(rf"seed {run.seed}: ([\d., ]+)", text)[1].strip(", ")
            found = [float(value) for value in values.split(",")]
            assert found == pytest.approx([100 * share for share in dead], abs=0.51)
            assert float(ends[layer][run.seed]) == found[-1]
        if (count, rate) == (16384, 1e-3):  # where the control starts
            assert says == start
            means = [round(sum(map(float, end)) / 3) for end in ends]
            assert f"{means[0]} in the first layer, {means[1]} in the last" in alt


# `test_pages.py` looks at both widths and themes, before anything has been moved.
@pytest.mark.parametrize("name", FIGURES)
def test_the_keyboard_moves_a_control_and_paper_has_none(control, axe, name):
    shown = control(name)
    for slider in shown.get_by_role("slider").all():
        for key in ("Home", "End", "ArrowLeft"):
            says = shown.get_by_role("status").inner_text()
            slider.press(key)
            assert shown.get_by_role("status").inner_text() != says
    assert hinder(shown.page, axe) == []
    shown.page.emulate_media(media="print")
    assert not shown.is_visible()
    assert shown.page.locator(f"#{FIGURES[name]} img").is_visible()


@pytest.mark.parametrize("name", FIGURES)
def test_without_scripts_the_figure_stands_alone(chromium, name):
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((BOOK / f"notebooks/{name}.html").as_uri())
        assert page.locator(f"#{FIGURES[name]} img").is_visible()
        assert page.locator(".control").count() == 0
