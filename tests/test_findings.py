"""The page of findings: each sentence of the report has one verdict, told twice."""

import re
from pathlib import Path

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
