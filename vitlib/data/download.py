"""Find the official binary archive of CIFAR-100, or download it."""

import os
import tempfile
from pathlib import Path

ARCHIVE_NAME = "cifar-100-binary.tar.gz"
PICKLE_NAME = (
    "cifar-100-python.tar.gz"  # the same images, in a format that can run code
)
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE_NAME}"
MD5 = "03b5dce01913d631647c71ecec9e9cb8"  # the publisher's, of 168,513,733 bytes


def find_archive(data_dir=None):
    """Returns the path of the archive, which is downloaded where it is nowhere found.

    A folder that the reader names is the only one looked into: `data_dir`, else the one
    in the environment variable `VITLIB_DATA`. Without either it is Keras' cache.

    Args:
        data_dir: Folder that holds `cifar-100-binary.tar.gz`, or None.

    Raises:
        FileNotFoundError: When the folder that the reader names has no archive.
        ConnectionError: When the cache has no archive and the download fails.
        ValueError: When the download has another checksum than the publisher's.
    """
    if data_dir is not None:
        return _find_in(data_dir, "data_dir")
    if os.environ.get("VITLIB_DATA"):
        return _find_in(os.environ["VITLIB_DATA"], "VITLIB_DATA")
    caches = _keras_home() / "datasets", _keras_cache()  # the first may be read only
    found = [path for cache in caches if (path := cache / ARCHIVE_NAME).exists()]
    return found[0] if found else _download(caches[1] / ARCHIVE_NAME)


def _find_in(folder, source):
    folder = Path(folder).expanduser()
    path = folder / ARCHIVE_NAME
    if path.exists():
        return path
    found = f"holds no {ARCHIVE_NAME}"
    if not folder.is_dir():
        found = "is not a folder"
    elif (folder / PICKLE_NAME).exists():
        found = f"holds only {PICKLE_NAME}, which is pickled and never opened"
    raise FileNotFoundError(
        f"{folder}, which {source} names, {found}; put the file from {URL} into a "
        f"folder and name that one, or leave {source} out to have it downloaded."
    )


def _keras_home():
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()


def _keras_cache():
    """Returns the folder that `keras.utils.get_file` would keep a data set in."""
    home = _keras_home()
    if not os.access(home, os.W_OK):
        home = Path(tempfile.gettempdir(), ".keras")
    return home / "datasets"


def _download(path):
    """Downloads the archive, which gets its name once its checksum holds."""
    import keras  # its start takes seconds, which who reads a file need not wait for

    by_hand = f"download it by hand to {path}, or name its folder in VITLIB_DATA"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=path.parent, prefix="cifar-100-"
        ) as folder:
            part = keras.utils.get_file(
                f"{ARCHIVE_NAME}.part",
                URL,
                file_hash=MD5,
                hash_algorithm="md5",
                cache_dir=folder,
                cache_subdir="",
            )
            Path(part).replace(path)
    except ValueError as error:  # Keras' answer to a wrong checksum
        raise ValueError(
            f"What came from {URL} is not the publisher's file and was thrown away; "
            f"try again later, or {by_hand}. Received: another checksum than MD5 {MD5}."
        ) from error
    except Exception as error:  # Keras raises a bare Exception where a URL fails
        raise ConnectionError(
            f"{path} is not there and could not be downloaded from {URL} ({error}); "
            f"{by_hand}."
        ) from error
    return path
