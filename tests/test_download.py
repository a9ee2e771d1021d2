import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keras
import pytest

from vitlib.data import download
from vitlib.data.download import ARCHIVE_NAME, PICKLE_NAME, find_archive

CONTENT = b"not CIFAR-100" * 1000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status = 404 if self.path == "/missing" else 200
        self.send_response(status)
        missing = 1000 if self.path == "/broken" else 0
        self.send_header("Content-Length", str(len(CONTENT) + missing))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    """The address of a server on this machine that knows one file."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of data sets in an empty Keras cache; nothing names another folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("VITLIB_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "datasets"


@pytest.fixture
def no_download(monkeypatch):
    def fail(*args, **kwargs):
        pytest.fail("downloads, though the reader has named a folder or has the file")

    monkeypatch.setattr(keras.utils, "get_file", fail)


def put(folder, name=ARCHIVE_NAME):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(CONTENT)
    return folder / name


def serve(monkeypatch, url, content=b"another"):
    monkeypatch.setattr(download, "URL", url)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(download, "MD5", digest)


def test_data_dir_comes_first(cache, tmp_path, monkeypatch, no_download):
    monkeypatch.setenv("VITLIB_DATA", str(put(tmp_path / "named").parent))
    put(cache)
    path = put(tmp_path / "given")
    assert find_archive(tmp_path / "given") == path
    assert find_archive(str(tmp_path / "given")) == path


def test_the_environment_variable_comes_second(
    cache, tmp_path, monkeypatch, no_download
):
    path = put(tmp_path / "named")
    put(cache)
    monkeypatch.setenv("VITLIB_DATA", str(path.parent))
    assert find_archive() == path


@pytest.mark.parametrize("value", [None, ""])
def test_the_cache_comes_third(cache, monkeypatch, no_download, value):
    if value is not None:
        monkeypatch.setenv("VITLIB_DATA", value)
    path = put(cache)
    assert find_archive() == path


def test_a_folder_may_start_with_a_tilde(cache, tmp_path, monkeypatch, no_download):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = put(tmp_path / "named")
    assert find_archive("~/named") == path


def test_the_cache_is_where_keras_puts_a_data_set(server, cache, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    file = keras.utils.get_file("x", f"{server}/good", cache_dir=tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert str(download._keras_cache() / "x") == file


def test_a_cache_that_cannot_be_written_is_replaced_as_keras_does(cache, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(download.tempfile, "gettempdir", lambda: "temporary")
    assert download._keras_cache().parts == ("temporary", ".keras", "datasets")


def test_a_cache_that_may_only_be_read_is_read(cache, monkeypatch, no_download):
    path = put(cache)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert find_archive() == path


@pytest.mark.parametrize("source", ["data_dir", "VITLIB_DATA"])
def test_a_named_folder_without_the_archive_is_an_error(
    cache, tmp_path, monkeypatch, no_download, source
):
    put(cache)
    monkeypatch.setenv("VITLIB_DATA", str(tmp_path))
    given = tmp_path if source == "data_dir" else None
    with pytest.raises(FileNotFoundError) as caught:
        find_archive(given)
    message = f"{tmp_path}, which {source} names, holds no {ARCHIVE_NAME}; put"
    assert str(caught.value).startswith(message)


def test_a_folder_that_does_not_exist_is_an_error(cache, tmp_path, no_download):
    with pytest.raises(
        FileNotFoundError, match="nowhere, which data_dir names, is not a"
    ):
        find_archive(tmp_path / "nowhere")


def test_the_archive_in_place_of_its_folder_is_an_error(cache, tmp_path, no_download):
    with pytest.raises(FileNotFoundError, match="is not a folder; put the file from"):
        find_archive(put(tmp_path))


def test_the_pickled_version_alone_is_an_error(cache, tmp_path, no_download):
    put(tmp_path, PICKLE_NAME)
    with pytest.raises(
        FileNotFoundError, match=f"only {PICKLE_NAME}, which is pickled"
    ):
        find_archive(tmp_path)


def test_the_pickled_version_beside_the_archive_does_no_harm(tmp_path, no_download):
    put(tmp_path, PICKLE_NAME)
    path = put(tmp_path)
    assert find_archive(tmp_path) == path


def test_a_download_whose_checksum_holds_gets_its_name(
    server, cache, monkeypatch, capsys
):
    serve(monkeypatch, f"{server}/good", CONTENT)
    path = find_archive()
    assert path == cache / ARCHIVE_NAME
    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]
    assert "━━━" in capsys.readouterr().out  # the progress bar


def test_a_download_that_is_another_file_leaves_nothing(server, cache, monkeypatch):
    serve(monkeypatch, f"{server}/good")
    with pytest.raises(ValueError, match="is not the publisher's file") as caught:
        find_archive()
    assert str(cache / ARCHIVE_NAME) in str(caught.value)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("page", ["missing", "broken"])
def test_a_download_that_fails_leaves_nothing(server, cache, monkeypatch, page):
    serve(monkeypatch, f"{server}/{page}", CONTENT)
    with pytest.raises(ConnectionError, match="could not be downloaded from http"):
        find_archive()
    assert list(cache.iterdir()) == []


def test_without_a_network_the_message_says_where_to_put_the_file(cache, monkeypatch):
    serve(monkeypatch, "http://127.0.0.1:9/closed")
    with pytest.raises(ConnectionError) as caught:
        find_archive()
    remedy = f"download it by hand to {cache / ARCHIVE_NAME}, or name its folder in"
    assert remedy in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_told_in_the_same_way(cache, monkeypatch):
    cache.write_text("a file where the folder should be")
    serve(monkeypatch, "http://127.0.0.1:9/closed")
    with pytest.raises(ConnectionError, match="could not be downloaded"):
        find_archive()
    assert cache.read_text() == "a file where the folder should be"


def test_an_interrupted_download_leaves_nothing(cache, monkeypatch):
    def interrupt(name, url, cache_dir, **options):
        (download.Path(cache_dir) / name).write_bytes(CONTENT)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.utils, "get_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        find_archive()
    assert list(cache.iterdir()) == []


def test_the_publishers_address_and_checksum_are_asked_for(cache, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *a, **k: asked.update(k, url=a[1])
    )
    with pytest.raises(ConnectionError):
        find_archive()
    assert asked["url"] == "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"
    assert asked["file_hash"] == "03b5dce01913d631647c71ecec9e9cb8"
    assert asked["hash_algorithm"] == "md5"
