"""Measure what a really pre-trained ViT, its weights frozen, knows of CIFAR-100.

    python experiments/probe_pretrained.py --json benchmarks/records/frozen.json

The features of each image are computed once, after each block; two probes then read the
classes from them, and from the pixels beside them. The validation images choose block,
token and setting; the test images are looked at once with each choice. The weights come
from the package that requirements-pretrained.txt names.
"""

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

# Before Keras loads TensorFlow: no banner, and the same digits on every processor.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np

from vitlib import limit_train, load_cifar100
from vitlib.data.splits import first_rows, limit_evaluation
from vitlib.folders import require_own
from vitlib.inspection.probes import nearest_neighbors, ridge_probe
from vitlib.layers.positions import PositionEmbedding1D
from vitlib.models.pretrained import PACKAGE, SHA256, load_pretrained
from vitlib.models.walk import find
from vitlib.records.tables import Table
from vitlib.training.provenance import device, git_commit, versions

CLASSES = 100
BATCH = 100  # images whose tokens after all blocks are in memory at once
TOKENS = ("class token", "mean of patches")
PRETRAINED_SIZE = 518  # pixels, the side of the images for whose grid the table is
# "first": what would be taken if the table were cut to the number of the tokens.
POSITIONS = ("resized", "first", "none")
# Each probe with the settings that the validation images choose from.
PROBES = {
    "ridge": (ridge_probe, (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),  # penalty
    "neighbors": (nearest_neighbors, (1, 10)),  # k
}


def load(image_size, positions):
    """The pre-trained model, its positions as one of `POSITIONS` says."""
    model = load_pretrained(image_size)
    if positions != "resized":
        (layer,) = find(model, PositionEmbedding1D)
        table = np.zeros(layer.weights[0].shape)
        if positions == "first":
            (whole,) = find(load_pretrained(PRETRAINED_SIZE), PositionEmbedding1D)
            table = whole.get_weights()[0][: len(table)]
        layer.set_weights([table])
    return model


def embed(model, images):
    """Pools the tokens after each block: `(blocks and last norm, 2, n, D)`."""
    parts = []
    for start in range(0, len(images), BATCH):
        found = model.predict_on_batch(images[start : start + BATCH])
        pooled = [[x[:, 0], x[:, 1:].mean(axis=1)] for x in found]
        parts.append(np.array(pooled))  # a copy, so that the tokens can go
    return np.concatenate(parts, axis=2)


def accuracy(probe, setting, features, labels, split):
    """Top-1 accuracy on a split whose features and labels are given."""
    named = probe(features, labels, split[0], setting)
    return float(np.mean(named == split[1]))


def read(features, labels):
    """Both probes on one kind of feature: the best setting of each on validation.

    Args:
        features: Dictionary of arrays `(n, D)`, by split.
        labels: Dictionary of integer arrays `(n,)`, by split.
    """
    train, validation = (
        (features[name], labels[name]) for name in ("train", "validation")
    )
    found = {}
    for name, (probe, settings) in PROBES.items():
        scores = [accuracy(probe, setting, *train, validation) for setting in settings]
        best = int(np.argmax(scores))
        found[name] = {"setting": settings[best], "validation": scores[best]}
    return found


def measure(features, labels, per_class):
    """What the probes read from each kind of feature, with so many images a class.

    Args:
        features: Dictionary from a kind, such as ("pixels",), to its `read` features.
        labels: Dictionary of integer arrays, by split.
        per_class: Integer, training images of each class.

    Returns:
        List of rows: kind, probe, setting, accuracy on validation; and on test for what
        validation prefers: of pixels and of tokens, one row a probe.
    """
    rows = first_rows("training", labels["train"], CLASSES, CLASSES * per_class)
    few = labels | {"train": labels["train"][rows]}
    found = []
    for (block, tokens), splits in features.items():
        splits = splits | {"train": splits["train"][rows]}
        for probe, best in read(splits, few).items():
            what = {"block": block, "tokens": tokens, "probe": probe}
            found.append({"per_class": per_class} | what | best)
    for probe, (function, _) in PROBES.items():
        for pixels in (True, False):
            rivals = [
                row
                for row in found
                if row["probe"] == probe and (row["tokens"] == "pixels") is pixels
            ]
            best = max(rivals, key=lambda row: row["validation"])
            splits = features[best["block"], best["tokens"]]
            train = splits["train"][rows], few["train"]
            test = splits["test"], labels["test"]
            best["test"] = accuracy(function, best["setting"], *train, test)
    return found


def gather(options):
    """Features of pixels and tokens, by kind and split; labels; seconds an image."""
    dataset = load_cifar100(options.data_dir)
    dataset = limit_train(dataset, CLASSES * max(options.per_class))
    validation = limit_evaluation(dataset, options.validation).validation
    test = limit_evaluation(dataset, options.test).test
    dataset = replace(dataset, validation=validation, test=test)
    model = load(options.image_size, options.positions)
    features, labels, seconds = {}, {}, 0
    for name in ("train", "validation", "test"):
        split = getattr(dataset, name)
        images, labels[name] = split.images[: split.size], split.labels[: split.size]
        start = time.perf_counter()
        tokens = embed(model, images)
        seconds += time.perf_counter() - start
        pixels = images.reshape(len(images), -1)
        features.setdefault((None, "pixels"), {})[name] = pixels
        blocks = [*range(1, len(tokens)), "norm"]  # the last one is after the norm
        for block, pooled in zip(blocks, tokens, strict=True):
            for kind, array in zip(TOKENS, pooled, strict=True):
                features.setdefault((block, kind), {})[name] = array
    total = sum(map(len, labels.values()))
    return features, labels, dataset.fingerprint, seconds / total


def parse(arguments):
    """The options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--data-dir", help="folder of the archive of CIFAR-100")
    parser.add_argument("--image-size", type=int, default=112, help="pixels")
    words = "the positions of the patches"
    parser.add_argument("--positions", choices=POSITIONS, default="resized", help=words)
    parser.add_argument("--per-class", type=int, nargs="+", default=[25, 50, 100])
    parser.add_argument("--validation", type=int, default=2_000, help="images")
    parser.add_argument("--test", type=int, default=10_000, help="images")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Measures, and prints what the test images say."""
    options = parse(arguments)
    commit, start = git_commit(), time.perf_counter()
    features, labels, fingerprint, seconds = gather(options)
    rows = [
        row for count in options.per_class for row in measure(features, labels, count)
    ]
    columns = ("per_class", "probe", "tokens", "block", "setting", "validation", "test")
    shown = [tuple(row[name] for name in columns) for row in rows if "test" in row]
    print(Table(columns, tuple(shown)))
    if options.json:
        command = ["python", "experiments/probe_pretrained.py"]
        words = sys.argv[1:] if arguments is None else arguments
        record = {
            "device": device(),
            "backend": keras.backend.backend(),
            "versions": versions(),
            "git_commit": commit,
            "command": shlex.join([*command, *map(str, words)]),
            "weights": {"package": PACKAGE, "sha256": SHA256},
            "fingerprint": fingerprint,
            "image_size": options.image_size,
            "positions": options.positions,
            "images": {name: len(found) for name, found in labels.items()},
            "seconds": time.perf_counter() - start,
            "seconds_per_image": seconds,
            "rows": rows,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    require_own(Path(__file__).resolve().parents[1])
    main()
