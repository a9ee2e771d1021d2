"""The page of findings: each sentence of the report has one verdict, told twice."""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from vitlib import load_runs
from vitlib.studies import PRESETS

PAGE = Path(__file__).parents[1] / "notebooks/findings.py"
VERDICTS = ("supported", "contradicted", "not testable here", "open", "reproduced")
# The report's results and its conclusion, cut where a claim ends.
SENTENCES = (
    "Test accuracy: 1.0% Test top 5 accuracy: 5.0%",
    "the accuracy is: 47.929999232292175",
    "Large dataset is needed for pretraining the transformer model to overcome the "
    "Inductive bias.",
    "Convolutional Inductive bias is useful for smaller datasets",
    "but for larger datasets the inductive bias inherent to CNN's is irrelevant as the "
    "Transformer learns the relevant patterns by itself.",
    "Requires high end TPUv3 in order to pretrain the network on large datasets "
    "(JFT-300).",
    "This model is Scalable and works well when pretrained on large datasets.",
    "Thus, vision transformers exceed or matches the well performed models of the "
    "image classification dataset",
    "even after being economical to pre train.",
)


def prose():
    """The Markdown of the page, each paragraph on one line."""
    lines = PAGE.read_text("utf-8").splitlines()
    text = "\n".join(line[2:] for line in lines if line.startswith("#"))
    return re.sub(r"(?<=[^\n|])\n(?=[^\n|#(*])", " ", text)


def sections():
    """Each section of a claim by its label: its heading and its text."""
    _, *parts = re.split(r"^\((sec-found-\S+)\)=$", prose(), flags=re.MULTILINE)
    found = {}
    for label, text in zip(parts[::2], parts[1::2], strict=True):
        heading, text = re.match(r"\s*## (.+)\n([\s\S]*)", text).groups()
        found[label] = heading, text.split("\n## ")[0]
    return found


def table():
    """The verdict of each row of the table, by the label of the section."""
    return dict(re.findall(r"^\| \[.+\]\(#(\S+)\) \| (.+) \|$", prose(), re.MULTILINE))


def test_every_sentence_of_the_report_has_its_section():
    headings = [heading for heading, _ in sections().values()]
    assert len(headings) == len(SENTENCES)
    for sentence, heading in zip(SENTENCES, headings, strict=True):
        assert sentence in heading


def test_the_table_and_the_sections_give_the_same_verdicts():
    verdicts = {
        label: re.findall(r"\*\*Verdict: (.+?)\.\*\*", text)
        for label, (_, text) in sections().items()
    }
    assert verdicts == {label: [verdict] for label, verdict in table().items()}


def test_a_verdict_that_rests_on_records_has_a_cell_that_reads_them():
    _, *parts = re.split(
        r"^# \((sec-found-\S+)\)=$", PAGE.read_text("utf-8"), flags=re.M
    )
    cells = {
        label: [cell for cell in text.split("\n# %%\n")[1:] if "run" in cell]
        for label, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert cells.keys() == table().keys()
    for label, verdict in table().items():
        if verdict.startswith(("supported", "contradicted", "reproduced")):
            assert cells[label] or label == "sec-found-cost", label  # of benchmarks


def test_every_verdict_is_one_of_those_that_the_page_explains():
    assert all(verdict.startswith(VERDICTS) for verdict in table().values())


# What the pages say of differences and of causes.

ROOT = PAGE.parents[1]
JUDGES = ("notebooks/findings.py", "notebooks/results.py", "notebooks/comparison.py")
WORDS = {  # of an entry, as a sentence may name it
    "epochs": "epochs",
    "learning_rate": "rate",
    "label_smoothing": "smooth",
    "warmup_epochs": "warm-up",
    "dropout": "dropout",
    "head_dropout": "dropout",
}


def paragraphs(name):
    """The paragraphs of a page, each on one line."""
    text = (ROOT / name).read_text("utf-8")
    if name.endswith(".py"):
        text = re.sub(r"^# ?", "", text, flags=re.M)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n|^- ", text)]


def entries(name):
    preset = PRESETS[name]
    return asdict(preset.model) | asdict(preset.train)


@pytest.mark.parametrize("name", JUDGES[:2])
def test_a_preset_that_is_another_with_changes_has_all_of_them_named(name):
    found = 0
    for part in paragraphs(name):
        for one, other in re.findall(r"`([\w-]+)`[^.`]*\bis `([\w-]+)` with", part):
            found += 1
            mine, theirs = entries(one), entries(other)
            changed = {key for key in mine if mine[key] != theirs[key]}
            named = {key for key in changed if re.search(rf"\b{WORDS[key]}", part)}
            assert named == changed, (one, other)
    assert found


@pytest.mark.parametrize("name", [*JUDGES, "book/project.md"])
def test_no_page_judges_a_difference_by_a_number_of_spreads(name):
    judged = r"\b(twice|two)\b[^.]{0,40}\b(standard deviation|spread)s?\b"
    of_a_bar = "two standard errors"  # of one measurement, which is not a difference
    parts = [part.replace(of_a_bar, "") for part in paragraphs(name)]
    judged = f"larger than {judged}|more than {judged}"
    assert [part for part in parts if re.search(judged, part)] == []


def cell(page, start):
    """The source of the code cell of a notebook that begins so."""
    notebook = json.loads((ROOT / f"notebooks/{page}.ipynb").read_text("utf-8"))
    sources = ["".join(c["source"]) for c in notebook["cells"]]
    (found,) = (source for source in sources if source.startswith(start))
    return found


def test_biases_alone_have_the_losses_of_the_dead_heads_and_not_the_report_s():
    space = {"np": np, "rng": np.random.default_rng(1)}
    exec(cell("findings", "def loss_of_biases("), space)  # noqa: S102
    computed = space["loss_of_biases"]
    runs = {(run.name, run.seed): run for run in load_runs(ROOT / "results")}
    for key in (("report-vit-hour", 1), ("narrow-vit-high-rate", 0)):
        run = runs[key]
        assert run.history["dead"][run.best_epoch - 1][-1] == 1
        loss = computed(run.training["learning_rate"])
        assert abs(loss - run.test["loss"]) < 3e-4, key
    assert 4.6079 - computed(1e-3) > 0.002
    loud = [computed(1e-3, 8) for _ in range(4)]
    assert abs(np.mean(loud) - 4.6079) < 5e-4


def test_the_two_narrow_copies_differ_in_the_rate_alone_and_in_their_head():
    low, high = entries("narrow-vit"), entries("narrow-vit-high-rate")
    assert {key for key in low if low[key] != high[key]} == {"learning_rate"}
    runs = {run.name: run for run in load_runs(ROOT / "results", "diagnosis")}
    dead = runs["narrow-vit-high-rate"].history["dead"]
    assert {late for _, late in dead} == {1.0}
    assert max(runs["narrow-vit"].history["dead"][-1]) == 0
    assert not any(
        "alone decided" in part for part in paragraphs("notebooks/debugging.py")
    )


def test_a_loss_near_that_of_a_guess_need_not_be_a_constant_answer():
    near = [
        answers
        for run in load_runs(ROOT / "results", "diagnosis")
        for loss, answers in zip(
            run.history["val_loss"], run.history["answers"], strict=True
        )
        if abs(loss - math.log(100)) < 0.01
    ]
    assert 1 in near and max(near) > 10
    (part,) = (p for p in paragraphs("book/project.md") if "Read the loss first" in p)
    assert "need not be that of a constant answer" in part


def test_profiles_that_differ_in_two_things_are_not_laid_to_one():
    records = ROOT / "benchmarks/records"
    names = "profile-keras", "profile-vitlib"
    kinds = [
        json.loads((records / f"{n}.json").read_text())["contender"] for n in names
    ]
    differ = sum(
        a != b for a, b in zip(*(kind.split(", ") for kind in kinds), strict=True)
    )
    text = " ".join(paragraphs("notebooks/speed.py"))
    assert (differ == 2) == ("two things change at once" in text)


def test_a_published_number_stands_beside_its_nearer_relative():
    """ResNet101V2 is a pre-activation network; a user's number has the authors'."""
    for name in ("notebooks/comparison.py", "book/why-different.md"):
        cited = [part for part in paragraphs(name) if "77.78" in part]
        assert cited and all("75.16" in part for part in cited), name
    (table,) = (p for p in paragraphs("book/why-different.md") if "58.02" in p)
    assert "63.41" in table and "AutoAugment" in table


def test_the_page_names_the_step_in_which_the_lead_falls_by_more_than_chance():
    tops = {}
    for run in load_runs(ROOT / "results", "data-size"):
        if run.scale == "laptop" and run.test:
            key = run.data["train"], run.model["family"]
            tops.setdefault(key, []).append(100 * run.test["top1"])
    sizes = sorted({images for images, _ in tops})
    leads = [np.mean(tops[n, "small-resnet"]) - np.mean(tops[n, "vit"]) for n in sizes]
    notebook = json.loads(PAGE.with_suffix(".ipynb").read_text("utf-8"))
    printed = "".join(str(cell.get("outputs")) for cell in notebook["cells"])
    (turn,) = re.findall(r"from the first row to the last: \S+ ± ([\d.]+)", printed)
    falls = -np.diff(leads)
    (row,) = np.flatnonzero(falls > float(turn))
    text = " ".join(paragraphs("notebooks/findings.py"))
    assert (
        f"only the step from {sizes[row]:,} to {sizes[row + 1]:,} images is larger "
        f"than its ± {turn} points" in text
    )


def test_the_pairs_have_as_many_seeds_as_the_chapter_says():
    """Three, one or two seeds a side: not most of them have three."""
    groups = {}
    for run in load_runs(ROOT / "results"):
        if run.status == "finished":
            groups.setdefault(run.name, []).append(run)
    pairs = ("small-vit", "small-resnet", "pure-vit", "compact-resnet", "compact")
    seeds = {len(groups[name]) for name in pairs}
    seeds |= {len(g) for name, g in groups.items() if "train-images" in name}
    text = " ".join(paragraphs("notebooks/comparison.py"))
    assert (min(seeds), max(seeds)) == (1, 3)
    assert "with one to three seeds a side" in text
    minutes = [
        run.seconds / 60
        for name in ("report-vit-hour", "repaired-vit-hour", "report-resnet-hour")
        for run in groups[name]
    ]
    assert max(minutes) < 60 and "each trained for less than an hour" in text


def test_the_pairs_share_their_recipe_but_for_epochs_and_dropout_of_one():
    runs = {run.name: run for run in load_runs(ROOT / "results")}
    differ = {}
    pairs = [("small-vit", "small-resnet")]
    pairs += [(vit, "compact-resnet") for vit in ("pure-vit", "compact")]
    for pair in pairs:
        recipes = []
        for name in pair:
            model, training = runs[name].model, runs[name].training
            shared = {key: model[key] for key in ("dropout", "augmentation")}
            recipes.append({**training, **shared, "seed": None})
        first, second = recipes
        differ[pair[0]] = {
            key: (first[key], second[key]) for key in first if first[key] != second[key]
        }
    expected = {"epochs": (28, 20), "dropout": (0, 0.1)}
    assert differ == {"small-vit": {}, "pure-vit": expected, "compact": {}}
    text = " ".join(paragraphs("notebooks/comparison.py"))
    assert "but for the epochs and the dropout of the small ViT under the long" in text
    assert "28 epochs and no dropout there, the ResNet 20 epochs" in text


def test_a_vit_has_up_to_half_as_many_multiply_adds_again_as_uses_of_its_weights():
    cells = json.loads((ROOT / "notebooks/comparison.ipynb").read_text("utf-8"))[
        "cells"
    ]
    texts = [
        "".join(out["data"]["text/plain"])
        for cell in cells
        for out in cell.get("outputs", [])
        if "text/plain" in out.get("data", {})
    ]
    (table,) = (text for text in texts if "uses of a weight" in text)
    more = {}
    for name in ("report-vit", "fair-vit", "small-vit", "tiny"):
        vit = PRESETS[name].model
        tokens = (vit.image_size // vit.patch_size) ** 2
        products = 4 * tokens**2 * vit.num_heads * vit.key_dim * vit.num_layers
        words = "the report's ViT" if name == "report-vit" else name.replace("-", " ")
        words = {"fair-vit": "the same", "tiny": "tiny ViT"}.get(name, words)
        (row,) = re.findall(rf"^{words}.*", table, re.M | re.I)
        flops = 1e6 * float(row.split()[-2].replace(",", ""))
        more[name] = flops / (flops - products)
    assert min(more.values()) > 1 and 1.4 < max(more.values()) < 1.51
    text = " ".join(paragraphs("notebooks/comparison.py"))
    assert "For a ViT this overstates the uses by up to a half" in text
