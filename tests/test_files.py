import errno
import os
import re

import pytest

from vitlib.records.files import digest, digest_of_file, replacing


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    path = tmp_path / "a/b/file"
    for content in (b"old", b"new"):
        write(path, content)
        assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_until_all_is_written_the_old_file_stands(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_disk_does_not_take_is_told_and_leaves_nothing(tmp_path, number):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    reason = re.escape(os.strerror(number))
    rule = f"{path} could not be written. Received from the system: {reason}.$"
    with pytest.raises(OSError, match=rule), replacing(path) as file:
        file.write(b"half")
        raise OSError(number, os.strerror(number))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OSError, match="could not be written.*: Not a directory"):
        write(tmp_path / "file" / "below" / "it")


def test_a_digest_goes_by_the_contents_not_by_the_layout():
    assert digest({"a": 1, "b": [0.1]}) == digest({"b": [0.1], "a": 1})
    assert digest({"a": 1, "b": [0.1]}) != digest({"a": 1, "b": [0.2]})


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert digest_of_file(tmp_path / "file") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
