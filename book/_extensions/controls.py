"""Numbers for the controls below three figures of the chapters.

A page on a disk may not fetch a file, so each build writes them into the page of the
figure. book/_static/controls.js shows them there; on paper and in a book without
scripts, which is one page of its own, the figures stand alone.
"""

import base64
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data
from PIL import Image

from vitlib import PRESETS, REPORT_VIT
from vitlib.records.runs import load_runs

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "results"


def draw_photo(side):
    """Shrinks the photograph of the chapter to a PNG file, in base64."""
    file = io.BytesIO()
    with get_sample_data("grace_hopper.jpg") as source:
        square = Image.open(source).crop((60, 0, 460, 400))
    square.resize((side, side), Image.Resampling.BILINEAR).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def count_block(model):
    """The multiply-adds of each part of a block; `eq-cost` of the chapter."""
    tokens, width = model.num_patches, model.projection_dim
    inner = model.num_heads * model.key_dim
    return {
        "projections": 4 * tokens * width * inner,
        "attention": 2 * tokens**2 * inner,
        "MLP": 2 * tokens * width * model.mlp_units[0],
    }


def patch_sizes():
    """For each patch size of `fig-cost`, what it does to a block of the report."""
    side = REPORT_VIT.image_size
    sizes = [size for size in range(2, side // 2 + 1) if side % size == 0]
    models = [replace(REPORT_VIT, patch_size=size) for size in sizes]
    return {
        "photo": draw_photo(side),
        "side": side,
        "width": REPORT_VIT.projection_dim,
        "start": sizes.index(REPORT_VIT.patch_size),
        "sizes": sizes,
        "tokens": [model.num_patches for model in models],
        "parts": [count_block(model) for model in models],
    }


def dead_units():
    """For each cell of `fig-law`, the dead units in per cent at all readings."""
    cells = {}
    for run in load_runs(RECORDS, "dead-units"):
        place = PRESETS[run.preset].model.head_inputs, run.training["learning_rate"]
        layers = zip(*run.history["dead"], strict=True)
        lines = [[round(100 * share, 2) for share in layer] for layer in layers]
        cells.setdefault(place, []).append(lines)
    inputs, rates = (sorted(set(values)) for values in zip(*cells, strict=True))
    return {
        "inputs": inputs,
        "rates": rates,
        "start": [inputs.index(max(inputs)), rates.index(1e-3)],  # as in the report
        "interval": run.training["steps_per_epoch"],  # steps from reading to reading
        "mean_size": math.sqrt(2 / math.pi),  # of an input, behind a norm
        "cells": [[cells[n, rate] for rate in rates] for n in inputs],
    }


def read_positions(position):
    """The positions of a model of the explorer, an array `(N, D)`."""
    data = (ROOT / f"book/explorer/{position}.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:start])["positions"]
    first, last = (start + place for place in entry["data_offsets"])
    table = np.frombuffer(data[first:last], "<f2").astype("float32")
    return table.reshape(entry["shape"])


def similar_places():
    """For each patch, the cosines of `fig-maps`, of the models of the explorer.

    As `vitlib.inspection.introspect.position_similarity`, without a start of Keras.
    """
    maps = {}
    for name, position in {"1-D table": "1d", "2-D tables": "2d"}.items():
        table = read_positions(position)
        centered = table - table.mean(axis=0)
        directions = centered / np.linalg.norm(centered, axis=1, keepdims=True)
        maps[name] = (directions @ directions.T).round(3).tolist()
    return {"side": math.isqrt(len(table)), "maps": maps}


FIGURES = {
    "notebooks/patches": ("fig-cost", patch_sizes),
    "notebooks/positions": ("fig-maps", similar_places),
    "notebooks/training": ("fig-law", dead_units),
}


def add_numbers(app, name, template, context, doctree):
    """Writes the numbers into the page that shows the figure."""
    if name in FIGURES and app.builder.name == "html":
        figure, make = FIGURES[name]
        body = f"const FIGURE_NUMBERS = {json.dumps({figure: make()})};"
        app.add_js_file(None, body=body)


def setup(app):
    """Called by Sphinx, which `_config.yml` tells of this extension."""
    app.connect("html-page-context", add_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
