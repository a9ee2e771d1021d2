"""Read the official binary archive of CIFAR-100, and check every byte of it."""

import gzip
import hashlib
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitlib.data.download import URL

NUM_CLASSES = 100  # values of the fine label
NUM_SUPERCLASSES = 20  # values of the coarse label
TRAIN_PER_CLASS = 500  # images
TEST_PER_CLASS = 100  # images
RECORD_BYTES = 2 + 3 * 32 * 32  # coarse label, fine label; red, green and blue plane

# SHA-256 of the sorted SHA-256 hex digests of the records, joined by newlines. It does
# not depend on the order of the records: a rebuilt archive has the official one's.
TRAIN_FINGERPRINT = "ad6f8b3f27b80cb26c34ea8d0693fdf47cb7ad89d0d51034ccab1eca5d33d405"
TEST_FINGERPRINT = "f6556ddfe5daabecac8e1b4b2986020abaffc5b7934f88f040d5fc07eaa7307f"
# SHA-256 of the class names, joined by newlines.
NAMES_FINGERPRINT = "fbe8ad23bbaf24969898a386833b49c3aaf6ad1119d43f7b41cdea1b3416d578"

FOLDER = "cifar-100-binary"  # every member of the archive stands in it
NAMES_LIMIT = 4096  # bytes, of a list of class names; the official: 328 and 725
UNPACKED_LIMIT = 2**28  # bytes; the official archive needs about 184.5 million

CORRUPT_GZIP = (zlib.error, OSError)
CORRUPT_TAR = (tarfile.TarError, EOFError, OSError, ArithmeticError)
CORRUPT_TAR += (ValueError, RecursionError)


@dataclass(frozen=True, eq=False)
class Archive:
    """The records of CIFAR-100, each part sorted by the SHA-256 of its records.

    Args:
        class_names: Tuple of 100 strings, one a fine label, in alphabetical order.
        train: uint8 array of shape `(50000, 3074)`, a record a row.
        test: uint8 array of shape `(10000, 3074)`.
        fingerprint: SHA-256 hex digest of `"<train fingerprint>:<test fingerprint>"`.
    """

    class_names: tuple
    train: np.ndarray
    test: np.ndarray
    fingerprint: str


def read_archive(path):
    """Reads the archive in memory and checks every byte that it hands on.

    Nothing is unpacked to disk, nothing is unpickled, and the file stays as it is.

    Args:
        path: Path of `cifar-100-binary.tar.gz`, official or rebuilt.

    Returns:
        An `Archive`.

    Raises:
        ValueError: When the file is not a gzipped tar archive that is whole, when it
            holds other members than the official one, or when sizes, labels, images a
            class, class names or fingerprints differ. It names the file and the remedy.
    """
    path = Path(path)
    members = _read_members(path, _unzip(path))
    class_names = _read_class_names(path, members["fine_label_names.txt"])
    train = _read_part(path, "train.bin", members, TRAIN_PER_CLASS, TRAIN_FINGERPRINT)
    test = _read_part(path, "test.bin", members, TEST_PER_CLASS, TEST_FINGERPRINT)
    both = f"{TRAIN_FINGERPRINT}:{TEST_FINGERPRINT}"
    return Archive(class_names, train, test, hashlib.sha256(both.encode()).hexdigest())


def _refusal(path, fault, received):
    return ValueError(
        f"{path} {fault}; put a fresh copy of {URL} in its place. Received: {received}."
    )


def _unzip(path):
    """Returns the tar archive inside the gzip file, as bytes."""
    if not path.is_file():
        raise _refusal(path, "is not a file", "a folder or the like")
    size = f"{path.stat().st_size:,} bytes"
    if size == "0 bytes":
        raise _refusal(path, "is empty", size)
    with path.open("rb") as file:
        try:
            # The limit keeps an archive bomb from filling the memory.
            data = gzip.GzipFile(fileobj=file).read(UNPACKED_LIMIT + 1)
        except EOFError as error:
            raise _refusal(path, "is cut off before its end", size) from error
        except CORRUPT_GZIP as error:
            raise _refusal(path, "is not an intact gzip file", error) from error
    if len(data) > UNPACKED_LIMIT:
        limit = f"more than {UNPACKED_LIMIT:,} bytes"
        raise _refusal(path, "unpacks to more than CIFAR-100 can hold", limit)
    return data


def _read_members(path, data):
    """Returns the bytes of each file in the tar archive, once its header is right."""
    sizes = _member_sizes()
    members = {}
    for member in _list_members(path, data):
        fault = _find_fault(member, sizes, members)
        if fault:
            received = f"{member.name[:80]!r} of {member.size:,} bytes"
            raise _refusal(path, fault, received)
        end = member.offset_data + member.size
        members[member.name] = memoryview(data)[member.offset_data : end]
    missing = sorted(sizes.keys() - members.keys() - {FOLDER})
    if missing:
        raise _refusal(path, "lacks files of the official archive", f"no {missing}")
    return {name.removeprefix(f"{FOLDER}/"): member for name, member in members.items()}


def _list_members(path, data):
    """Yields the members of a tar archive; reads headers alone."""
    try:
        tar = tarfile.open(fileobj=io.BytesIO(data), mode="r:")
        while (member := tar.next()) is not None:
            yield member
    except CORRUPT_TAR as error:
        raise _refusal(path, "is not an intact tar archive", error) from error


def _member_sizes():
    """Returns the members of the archive, and the sizes that each may have."""
    train_size = NUM_CLASSES * TRAIN_PER_CLASS * RECORD_BYTES
    test_size = NUM_CLASSES * TEST_PER_CLASS * RECORD_BYTES
    return {
        FOLDER: range(1),  # the entry of the folder itself, which may be left out
        f"{FOLDER}/train.bin": range(train_size, train_size + 1),
        f"{FOLDER}/test.bin": range(test_size, test_size + 1),
        f"{FOLDER}/fine_label_names.txt": range(1, NAMES_LIMIT + 1),
        f"{FOLDER}/coarse_label_names.txt": range(1, NAMES_LIMIT + 1),
    }


def _find_fault(member, sizes, seen):
    """Returns what is wrong with a member of the archive, or None."""
    parts = member.name.split("/")
    if parts[0] == "cifar-100-python":
        return "is the pickled version of CIFAR-100, which can run code and is not read"
    if not parts[0] or ".." in parts:
        return "holds a member whose name leads out of the archive's folder"
    is_file = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
    if member.issparse() or not (is_file or member.isdir()):
        return "holds a link, a device or the like in place of a file"
    if member.name not in sizes or member.isdir() != (member.name == FOLDER):
        return "holds a member that the official archive does not hold"
    if member.name in seen:
        return "holds a member twice"
    if member.size not in sizes[member.name]:
        return "holds a member of another size than the official archive"
    return None


def _read_class_names(path, data):
    names = tuple(bytes(data).decode("ascii", "replace").split())
    found = hashlib.sha256("\n".join(names).encode()).hexdigest()
    if found != NAMES_FINGERPRINT:
        fault = f"must list the {NUM_CLASSES} class names of CIFAR-100"
        raise _refusal(path, fault, f"{len(names)} names, fingerprint {found}")
    return names


def _read_part(path, name, members, per_class, fingerprint):
    """Returns the records of one part in canonical order, once they are found right."""
    records = np.frombuffer(members[name], np.uint8).reshape(-1, RECORD_BYTES)
    coarse, fine = records[:, 0], records[:, 1]
    for labels, limit in ((coarse, NUM_SUPERCLASSES), (fine, NUM_CLASSES)):
        if labels.max() >= limit:
            fault = f"holds a label in {name} that is not below {limit}"
            raise _refusal(path, fault, labels.max())
    counts = np.bincount(fine, minlength=NUM_CLASSES)
    if (counts != per_class).any():
        fault = f"must hold {per_class} images of each class in {name}"
        raise _refusal(path, fault, f"{counts.min()} to {counts.max()}")
    records, found = _sort_records(records)
    if found != fingerprint:
        fault = f"holds other images or labels than CIFAR-100 in {name}"
        raise _refusal(path, fault, f"fingerprint {found}")
    return records


def _sort_records(records):
    """Returns the records sorted by their SHA-256, and their order-free fingerprint."""
    digests = [hashlib.sha256(record).hexdigest() for record in records]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    joined = "\n".join(digests[row] for row in order)
    return records[order], hashlib.sha256(joined.encode()).hexdigest()
