"""Archives in the layout of CIFAR-100, small and made of noise, for the tests."""

import hashlib
import os
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from vitlib.data import archive, download

TRAIN_PER_CLASS = 5
TEST_PER_CLASS = 2


def make_records(per_class, seed):
    rng = np.random.default_rng(seed)
    shape = (per_class * archive.NUM_CLASSES, archive.RECORD_BYTES)
    records = rng.integers(0, 256, shape, dtype=np.uint8)
    records[:, 1] = np.arange(len(records)) % archive.NUM_CLASSES
    records[:, 0] = records[:, 1] // 5
    return records


def make_members():
    """Returns the parts of a sound archive: the name and the content of each file."""
    return {
        "train.bin": make_records(TRAIN_PER_CLASS, seed=1).tobytes(),
        "test.bin": make_records(TEST_PER_CLASS, seed=2).tobytes(),
        "fine_label_names.txt": b"".join(b"fine_%03d\n" % k for k in range(100)),
        "coarse_label_names.txt": b"".join(b"coarse_%02d\n" % k for k in range(20)),
    }


def pack(path, members, *extra, folder="cifar-100-binary"):
    """Writes the members, and then the headers in `extra`, which hold no data."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.addfile(make_header(folder, type=tarfile.DIRTYPE))
        for name, content in members.items():
            header = make_header(f"{folder}/{name}", size=len(content))
            tar.addfile(header, BytesIO(content))
        for header in extra:
            tar.addfile(header)
    return path


def make_header(name, **fields):
    header = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def fingerprint_of(records):
    """Returns the order-free fingerprint, computed apart from the library."""
    digests = sorted(hashlib.sha256(record.tobytes()).hexdigest() for record in records)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def expect_small_archives(monkeypatch):
    """Makes the library take what `make_members` gives for the official content."""
    train, test = (make_records(TRAIN_PER_CLASS, 1), make_records(TEST_PER_CLASS, 2))
    names = "\n".join(make_members()["fine_label_names.txt"].decode().split())
    digest = hashlib.sha256(names.encode()).hexdigest()
    monkeypatch.setattr(archive, "NAMES_FINGERPRINT", digest)
    monkeypatch.setattr(archive, "TRAIN_PER_CLASS", TRAIN_PER_CLASS)
    monkeypatch.setattr(archive, "TEST_PER_CLASS", TEST_PER_CLASS)
    monkeypatch.setattr(archive, "TRAIN_FINGERPRINT", fingerprint_of(train))
    monkeypatch.setattr(archive, "TEST_FINGERPRINT", fingerprint_of(test))


def find_real_folder():
    """Returns a folder that holds the real archive, or skips the test."""
    named = os.environ.get("VITLIB_DATA")
    for folder in filter(None, (named, download._keras_cache())):
        if Path(folder, download.ARCHIVE_NAME).exists():
            return Path(folder)
    pytest.skip(
        f"needs {download.ARCHIVE_NAME} in the folder that VITLIB_DATA names or in "
        "Keras' cache, and downloads nothing"
    )
