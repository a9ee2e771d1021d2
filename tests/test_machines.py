"""The page on several machines: its numbers follow from the models of vitlib."""

import re
from pathlib import Path

import numpy as np
import pytest

from vitlib import build_vit, count_flops
from vitlib.studies import PRESETS

pytestmark = pytest.mark.backend

PAGE = (Path(__file__).parents[1] / "book/machines.md").read_text("utf-8")
MODELS = {"report's ViT": "report-vit", "pooled ViT": "pooled-vit"}
RATES = {"NVLink": 450e9, "PCIe 5": 64e9, "Ethernet": 12.5e9}  # bytes a second
FLOPS = 200e12  # of a GPU, a second


@pytest.fixture(scope="module")
def sizes():
    """Of each model of the table: trained weights, and FLOPs of an image."""
    built = {n: build_vit(PRESETS[preset].model) for n, preset in MODELS.items()}
    return {
        name: (
            sum(int(np.prod(w.shape)) for w in model.trainable_weights),
            count_flops(model),
        )
        for name, model in built.items()
    }


def efficiency(weights, flops, batch, rate, gpus):
    images = int(batch.split()[0]) / (gpus if batch.endswith("in all") else 1)
    compute = 3 * images * flops / FLOPS
    return compute / (compute + 2 * (gpus - 1) / gpus * 4 * weights / rate)


def test_the_sizes_in_the_text_are_those_of_the_models(sizes):
    for weights, flops in sizes.values():
        assert f"{weights:,} trained weights" in PAGE or f"{weights:,} weights" in PAGE
        assert f"{4 * weights / 1e6:.1f} MB" in PAGE
        assert f"{flops / 1e9:.3f}" in PAGE
    assert PRESETS["pooled-vit"].train.batch_size == 128


def test_the_table_is_what_the_formula_gives(sizes):
    table = PAGE.split(":name: tab-machines")[1]
    rows = re.findall(r"^\* - (.+)((?:\n  - .+){5})$", table, re.MULTILINE)
    rows = [[first, *rest.strip("\n -").split("\n  - ")] for first, rest in rows]
    gpus = [int(cell.split()[0]) for cell in rows[0][3:]]
    assert len(rows) == 10
    for model, batch, link, *cells in rows[1:]:
        given = [efficiency(*sizes[model], batch, RATES[link], n) for n in gpus]
        assert cells == [f"{value:.2f}" for value in given], (model, batch, link)
