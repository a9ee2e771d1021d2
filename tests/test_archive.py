import bz2
import gzip
import hashlib
import itertools
import tarfile

import numpy as np
import pytest
from small_cifar100 import (
    TRAIN_PER_CLASS,
    expect_small_archives,
    find_real_folder,
    fingerprint_of,
    make_header,
    make_members,
    make_records,
    pack,
)

from vitlib.data import archive
from vitlib.data.archive import read_archive
from vitlib.data.download import ARCHIVE_NAME, URL

TRAIN = "cifar-100-binary/train.bin"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where a test writes its archive; the library expects small ones."""
    expect_small_archives(monkeypatch)
    return tmp_path / ARCHIVE_NAME


@pytest.fixture(scope="module")
def real():
    return read_archive(find_real_folder() / ARCHIVE_NAME)


def check_refused(path, fault):
    """Checks that the message is one sentence, and that the file stays as it is."""
    before = path.read_bytes()
    with pytest.raises(ValueError) as caught:
        read_archive(path)
    sentence, received = str(caught.value).split(". Received: ")
    assert sentence == f"{path} {fault}; put a fresh copy of {URL} in its place"
    assert received.endswith(".")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def sorted_by_digest(records):
    return np.stack(sorted(records, key=lambda r: hashlib.sha256(r.tobytes()).digest()))


def test_all_records_are_read_and_sorted_by_their_digest(path):
    archive = read_archive(pack(path, make_members()))
    expected = sorted_by_digest(make_records(TRAIN_PER_CLASS, seed=1))
    np.testing.assert_array_equal(archive.train, expected)
    assert archive.test.shape == (200, 3074)
    assert archive.class_names[:2] == ("fine_000", "fine_001")


def test_the_fingerprint_is_made_of_the_two_files_fingerprints(path):
    archive = read_archive(pack(path, make_members()))
    both = f"{fingerprint_of(archive.train)}:{fingerprint_of(archive.test)}"
    assert archive.fingerprint == hashlib.sha256(both.encode()).hexdigest()


def test_the_order_of_the_records_does_not_matter(path):
    members = make_members()
    first = read_archive(pack(path, members))
    mixed = np.random.default_rng(3).permutation(make_records(TRAIN_PER_CLASS, 1))
    second = read_archive(pack(path, members | {"train.bin": mixed.tobytes()}))
    np.testing.assert_array_equal(first.train, second.train)
    assert first.fingerprint == second.fingerprint


def test_the_entry_of_the_folder_may_be_left_out(path):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in make_members().items():
            path.with_name(name).write_bytes(content)
            tar.add(path.with_name(name), f"cifar-100-binary/{name}")
    assert len(read_archive(path).train) == 500


def test_a_path_may_be_a_string(path):
    assert len(read_archive(str(pack(path, make_members()))).test) == 200


def test_reading_writes_nothing_and_changes_nothing(path):
    before = pack(path, make_members()).read_bytes()
    read_archive(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_truncated_file_is_refused(path):
    whole = pack(path, make_members()).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    check_refused(path, "is cut off before its end")


def test_a_file_cut_off_anywhere_is_refused(path):
    whole = pack(path, make_members()).read_bytes()
    lengths = [*range(1, 40), *range(len(whole) - 10, len(whole))]
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is cut off|is not an intact gzip"):
            read_archive(path)


def test_a_file_that_is_no_gzip_file_is_refused(path):
    path.write_text("<html><title>404 Not Found</title></html>")
    check_refused(path, "is not an intact gzip file")


def test_another_compression_is_refused(path):
    path.write_bytes(bz2.compress(gzip.decompress(pack(path, {}).read_bytes())))
    check_refused(path, "is not an intact gzip file")


def test_an_empty_file_is_refused(path):
    path.touch()
    check_refused(path, "is empty")


def test_a_folder_in_place_of_the_file_is_refused(path):
    path.mkdir()
    with pytest.raises(ValueError, match="is not a file; put .*Received: a folder"):
        read_archive(path)
    assert path.is_dir()


def test_a_changed_byte_in_the_compressed_data_is_refused(path):
    whole = bytearray(pack(path, make_members()).read_bytes())
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)
    check_refused(path, "is not an intact gzip file")


@pytest.mark.parametrize("content", [b"", b"no archive", b"x" * 10_000, bytes(10_240)])
def test_a_gzip_file_that_holds_no_tar_archive_is_refused(path, content):
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match="not an intact tar archive|lacks files"):
        read_archive(path)


def test_a_tar_archive_cut_off_inside_a_whole_gzip_file_is_refused(path):
    tar = gzip.decompress(pack(path, make_members()).read_bytes())
    path.write_bytes(gzip.compress(tar[: len(tar) // 2]))
    check_refused(path, "is not an intact tar archive")


def test_a_changed_header_never_raises_anything_but_a_value_error(path, monkeypatch):
    tar = gzip.decompress(pack(path, make_members()).read_bytes())
    rng = np.random.default_rng(4)
    for position in rng.integers(512, 1024, 400):  # the header of train.bin
        changed = bytearray(tar)
        changed[position] = rng.integers(256)
        checksum = tarfile.calc_chksums(bytes(changed[512:1024]))[0]
        changed[660:668] = b"%06o\0 " % checksum
        monkeypatch.setattr(archive, "_unzip", lambda path, data=changed: bytes(data))
        try:
            assert len(read_archive(path).train) == 500
        except ValueError as error:
            assert URL in str(error)


def test_noise_in_an_extended_header_never_raises_anything_but_a_value_error(path):
    rng = np.random.default_rng(5)
    for kind, size in itertools.product(b"xgLKSX", (10, 512, 2**40)):
        header = make_header("a", type=bytes([kind]), size=size)
        data = header.tobuf() + rng.bytes(512) + bytes(1024)
        path.write_bytes(gzip.compress(data))
        with pytest.raises(ValueError, match="put a fresh copy of"):
            read_archive(path)


def test_a_long_chain_of_extended_headers_is_refused(path):
    header = make_header("a", type=tarfile.XHDTYPE, size=0).tobuf()
    path.write_bytes(gzip.compress(header * 5_000))
    check_refused(path, "is not an intact tar archive")


def test_a_file_that_unpacks_to_too_much_is_refused(path, monkeypatch):
    monkeypatch.setattr(archive, "UNPACKED_LIMIT", 2**20)
    pack(path, make_members())
    check_refused(path, "unpacks to more than CIFAR-100 can hold")


def test_the_limit_leaves_room_for_the_real_archive():
    assert 1.2 * 60_000 * 3_074 < archive.UNPACKED_LIMIT


def test_a_declared_size_is_checked_before_anything_is_read(path):
    members = make_members()
    members.pop("train.bin")
    pack(path, members, make_header(TRAIN, size=10**12))
    check_refused(path, "holds a member of another size than the official archive")


@pytest.mark.parametrize("name", ["train.bin", "test.bin"])
@pytest.mark.parametrize("difference", [-3074, -1, 1, 3074])
def test_a_record_file_of_another_size_is_refused(path, name, difference):
    members = make_members()
    content = members[name] + bytes(3074)
    members[name] = content[: len(content) - 3074 + difference]
    pack(path, members)
    check_refused(path, "holds a member of another size than the official archive")


@pytest.mark.parametrize("content", [b"", b"x" * 4097])
def test_a_list_of_names_of_an_unlikely_size_is_refused(path, content):
    pack(path, make_members() | {"coarse_label_names.txt": content})
    check_refused(path, "holds a member of another size than the official archive")


@pytest.mark.parametrize("name", make_members())
def test_a_missing_member_is_refused(path, name):
    members = make_members()
    members.pop(name)
    pack(path, members)
    check_refused(path, "lacks files of the official archive")


@pytest.mark.parametrize(
    "name", ["cifar-100-binary/more.txt", "train.bin", "C:\\x", "cifar-100-binary/a/b"]
)
def test_an_extra_member_is_refused(path, name):
    pack(path, make_members(), make_header(name))
    check_refused(path, "holds a member that the official archive does not hold")


def test_a_second_folder_is_refused(path):
    folder = make_header("cifar-100-binary/more", type=tarfile.DIRTYPE)
    pack(path, make_members(), folder)
    check_refused(path, "holds a member that the official archive does not hold")


def test_a_folder_in_place_of_a_member_is_refused(path):
    members = make_members()
    members.pop("train.bin")
    pack(path, members, make_header(TRAIN, type=tarfile.DIRTYPE))
    check_refused(path, "holds a member that the official archive does not hold")


def test_a_member_that_comes_twice_is_refused(path):
    pack(path, make_members(), make_header(TRAIN))
    check_refused(path, "holds a member twice")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../train.bin", "cifar-100-binary/../../train.bin", "/"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(path, name):
    pack(path, make_members(), make_header(name))
    check_refused(path, "holds a member whose name leads out of the archive's folder")


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe"],
)
def test_a_link_or_a_device_in_place_of_a_file_is_refused(path, kind):
    members = make_members()
    members.pop("train.bin")
    pack(path, members, make_header(TRAIN, type=kind, linkname="/etc/passwd"))
    check_refused(path, "holds a link, a device or the like in place of a file")


def test_a_sparse_file_is_refused(path):
    sparse = make_header(TRAIN, type=tarfile.GNUTYPE_SPARSE)
    pack(path, {}, sparse)
    check_refused(path, "holds a link, a device or the like in place of a file")


def test_the_pickled_version_is_refused_by_name(path):
    members = dict.fromkeys(("meta", "train", "test", "file.txt~"), b"\x80\x02.")
    pack(path, members, folder="cifar-100-python")
    check_refused(
        path, "is the pickled version of CIFAR-100, which can run code and is not read"
    )


@pytest.mark.parametrize("column, limit", [(0, 20), (1, 100)], ids=["coarse", "fine"])
@pytest.mark.parametrize("part, seed, per_class", [("train", 1, 5), ("test", 2, 2)])
def test_a_label_out_of_range_is_refused(path, column, limit, part, seed, per_class):
    records = make_records(per_class, seed)
    records[7, column] = limit
    pack(path, make_members() | {f"{part}.bin": records.tobytes()})
    check_refused(path, f"holds a label in {part}.bin that is not below {limit}")


@pytest.mark.parametrize("part, seed, per_class", [("train", 1, 5), ("test", 2, 2)])
def test_unequal_numbers_of_images_a_class_are_refused(path, part, seed, per_class):
    records = make_records(per_class, seed)
    records[0, 1] = 1
    pack(path, make_members() | {f"{part}.bin": records.tobytes()})
    check_refused(path, f"must hold {per_class} images of each class in {part}.bin")


@pytest.mark.parametrize("part, seed, per_class", [("train", 1, 5), ("test", 2, 2)])
def test_one_changed_pixel_is_refused(path, part, seed, per_class):
    records = make_records(per_class, seed)
    records[10, 1000] ^= 1
    pack(path, make_members() | {f"{part}.bin": records.tobytes()})
    check_refused(path, f"holds other images or labels than CIFAR-100 in {part}.bin")


def test_two_exchanged_labels_are_refused(path):
    records = make_records(TRAIN_PER_CLASS, 1)
    records[[0, 1], :2] = records[[1, 0], :2]
    pack(path, make_members() | {"train.bin": records.tobytes()})
    check_refused(path, "holds other images or labels than CIFAR-100 in train.bin")


@pytest.mark.parametrize("names", [b"cat dog", b"dog\n" * 100, b"\xff\x00" * 50])
def test_another_list_of_class_names_is_refused(path, names):
    pack(path, make_members() | {"fine_label_names.txt": names})
    check_refused(path, "must list the 100 class names of CIFAR-100")


def test_two_exchanged_class_names_are_refused(path):
    members = make_members()
    names = members["fine_label_names.txt"].split()
    members["fine_label_names.txt"] = b"\n".join([names[1], names[0], *names[2:]])
    pack(path, members)
    check_refused(path, "must list the 100 class names of CIFAR-100")


def test_one_changed_letter_of_a_class_name_is_refused(path):
    members = make_members()
    names = members["fine_label_names.txt"]
    pack(path, members | {"fine_label_names.txt": names.replace(b"_099", b"_09x")})
    check_refused(path, "must list the 100 class names of CIFAR-100")


def test_the_first_message_survives_a_name_of_any_length(path):
    pack(path, make_members(), make_header("x\n" * 5_000))
    with pytest.raises(ValueError) as caught:
        read_archive(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))


def test_the_real_archive_has_the_official_sizes(real):
    assert real.train.shape == (50_000, 3074)
    assert real.test.shape == (10_000, 3074)


def test_the_real_archive_has_the_documented_fingerprints(real):
    assert fingerprint_of(real.train) == archive.TRAIN_FINGERPRINT
    assert fingerprint_of(real.test) == archive.TEST_FINGERPRINT
    assert real.fingerprint.startswith("0c88b0825e0ba94a")


def test_the_real_archive_has_as_many_images_of_each_class(real):
    for records, per_class in ((real.train, 500), (real.test, 100)):
        fine, coarse = np.bincount(records[:, 1]), np.bincount(records[:, 0])
        np.testing.assert_array_equal(fine, [per_class] * 100)
        np.testing.assert_array_equal(coarse, [5 * per_class] * 20)


def test_the_pixels_of_the_real_archive_have_the_documented_mean_and_deviation(real):
    planes = real.train[:, 2:].reshape(-1, 3, 1024)
    counts = sum(
        np.stack([np.bincount(part[:, k].ravel(), minlength=256) for k in range(3)])
        for part in np.array_split(planes, 50)
    )
    levels = np.arange(256) / 255
    mean = counts @ levels / counts.sum(1)
    deviation = np.sqrt(counts @ levels**2 / counts.sum(1) - mean**2)
    np.testing.assert_allclose(mean, [0.50708, 0.48655, 0.44092], atol=5e-6)
    np.testing.assert_allclose(deviation, [0.26733, 0.25644, 0.27615], atol=5e-6)


def test_14_training_images_repeat_another_one_and_5_of_them_with_its_labels(real):
    assert len({record.tobytes() for record in real.train}) == 50_000 - 5
    assert len({record[2:].tobytes() for record in real.train}) == 50_000 - 14


def test_10_test_images_also_stand_in_the_training_set(real):
    train = {record[2:].tobytes() for record in real.train}
    assert sum(record[2:].tobytes() in train for record in real.test) == 10


def test_the_classes_of_the_real_archive_have_their_names(real):
    names = real.class_names
    assert (names[0], names[47], names[99]) == ("apple", "maple_tree", "worm")
