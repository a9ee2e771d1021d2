"""Write a file whole or not at all, and know one that was changed since."""

import hashlib
import json
from contextlib import contextmanager, suppress


@contextmanager
def replacing(path):
    """Opens a file that takes the place of another once all is written.

    A reader, or a process that is killed at any moment, finds the old file or the new
    one.

    Args:
        path: `Path`. Its folder is made when it is not there.

    Yields:
        A file beside it, open for bytes.

    Raises:
        OSError: When the disk does not take it. The old file is still there.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OSError(
            f"{path} could not be written. Received from the system: "
            f"{error.strerror or error}."
        ) from error


def digest(content):
    """SHA-256 of what a JSON file holds, whatever its layout."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_file(path):
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
