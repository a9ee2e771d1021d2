import dataclasses
import hashlib

import numpy as np
import pytest
from small_cifar100 import (
    TRAIN_PER_CLASS,
    expect_small_archives,
    find_real_folder,
    make_members,
    make_records,
    pack,
)

from vitlib.data import shapes
from vitlib.data.cifar100 import _split_rows, load_cifar100
from vitlib.data.download import ARCHIVE_NAME
from vitlib.data.noise import load_noise
from vitlib.data.sets import DATA_SETS, load_data_set
from vitlib.data.shapes import load_shapes
from vitlib.data.splits import limit_evaluation, limit_train, take_classes

PARTS = ("train", "validation", "test")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an archive of 5 training and 2 test images a class."""
    expect_small_archives(monkeypatch)
    pack(tmp_path / ARCHIVE_NAME, make_members())
    return tmp_path


@pytest.fixture(scope="module")
def real():
    return load_cifar100(find_real_folder())


def images_of(split):
    return [image.tobytes() for image in split.images]


def check_same(first, second):
    for part in PARTS:
        one, other = getattr(first, part), getattr(second, part)
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.size == other.size


def check_arrays(dataset, *counts):
    for part, count in zip(PARTS, counts, strict=True):
        split = getattr(dataset, part)
        assert (split.images.shape, split.images.dtype) == ((count, 32, 32, 3), "uint8")
        assert (split.labels.shape, split.labels.dtype) == ((count,), "int32")
        assert split.images.flags.c_contiguous
        assert not (split.images.flags.writeable or split.labels.flags.writeable)


def test_cifar100_has_three_splits_of_read_only_arrays(folder):
    dataset = load_cifar100(folder, validation=100)
    assert dataset.name == "cifar100"
    assert len(dataset.class_names) == 100
    check_arrays(dataset, 400, 100, 200)


def test_a_record_becomes_red_green_and_blue_rows(folder):
    record = make_records(TRAIN_PER_CLASS, seed=1)[123]
    planes = record[2:].reshape(3, 32, 32)
    dataset = load_cifar100(folder, validation=100)
    images = np.concatenate([dataset.train.images, dataset.validation.images])
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    (at,) = np.flatnonzero((images[:, 0, 0] == planes[:, 0, 0]).all(axis=1))
    assert labels[at] == record[1]
    for row, column, channel in ((0, 0, 0), (3, 17, 1), (31, 30, 2)):
        value = record[2 + 1024 * channel + 32 * row + column]
        assert images[at, row, column, channel] == value


def test_the_splits_are_disjoint_and_lose_no_image(folder):
    dataset = load_cifar100(folder, validation=200)
    train, validation = images_of(dataset.train), images_of(dataset.validation)
    assert len(set(train) | set(validation)) == 500
    assert not set(train) & set(validation)
    assert not set(images_of(dataset.test)) & set(train + validation)


@pytest.mark.parametrize("validation", [100, 200, 400])
def test_each_split_has_as_many_images_of_each_class(folder, validation):
    dataset = load_cifar100(folder, validation=validation)
    share = validation // 100
    for part, per_class in zip(PARTS, (5 - share, share, 2), strict=True):
        counts = np.bincount(getattr(dataset, part).labels)
        np.testing.assert_array_equal(counts, [per_class] * 100)


def test_a_smaller_validation_split_is_part_of_a_larger_one(folder):
    small = load_cifar100(folder, validation=100).validation
    large = load_cifar100(folder, validation=300).validation
    assert set(images_of(small)) < set(images_of(large))


def test_the_same_seed_gives_the_same_split(folder):
    first = load_cifar100(folder, validation=200, seed=3)
    check_same(first, load_cifar100(folder, validation=200, seed=3))


def test_another_seed_gives_another_split_and_the_same_test_images(folder):
    first = load_cifar100(folder, validation=200, seed=0)
    other = load_cifar100(folder, validation=200, seed=1)
    assert set(images_of(first.validation)) != set(images_of(other.validation))
    assert images_of(first.test) == images_of(other.test)
    assert first.fingerprint == other.fingerprint


@pytest.mark.parametrize("order", [slice(None, None, -1), slice(None, None, 7)])
def test_the_split_does_not_depend_on_the_order_of_the_records(folder, order):
    first = load_cifar100(folder, validation=200)
    rows = np.arange(500)
    rows = np.concatenate([rows[order], np.setdiff1d(rows, rows[order])])
    mixed = make_records(TRAIN_PER_CLASS, seed=1)[rows]
    mirrored = make_records(2, seed=2)[::-1]
    changed = {"train.bin": mixed.tobytes(), "test.bin": mirrored.tobytes()}
    pack(folder / ARCHIVE_NAME, make_members() | changed)
    check_same(first, load_cifar100(folder, validation=200))


def test_no_split_is_sorted_by_class(folder):
    dataset = load_cifar100(folder, validation=200)
    for part in PARTS:
        steps = np.diff(getattr(dataset, part).labels)
        assert 0.4 < (steps > 0).mean() < 0.6


def test_the_split_stays_what_it_was_when_runs_were_recorded():
    train_rows, validation_rows = _split_rows(np.arange(500) % 100, 2, seed=0)
    assert train_rows[:6].tolist() == [233, 336, 252, 493, 1, 307]
    assert validation_rows[:6].tolist() == [3, 4, 5, 7, 11, 15]


@pytest.mark.parametrize("value", [0, -100, 50, 150, 500, 50_000, 100.0, True, None])
def test_a_validation_size_that_breaks_the_rule_is_refused(folder, value):
    with pytest.raises(ValueError) as caught:
        load_cifar100(folder, validation=value)
    assert str(caught.value) == (
        "validation must be a multiple of 100 from 100 to 400, equally many images of "
        f"each class. Received: {value!r}."
    )


def test_the_official_archive_allows_up_to_49900_validation_images():
    with pytest.raises(ValueError, match="from 100 to 49,900, .* Received: 50000"):
        load_cifar100(validation=50_000)


@pytest.mark.parametrize("load", [load_cifar100, load_shapes])
@pytest.mark.parametrize("seed", [-1, 0.5, None, True, "0"])
def test_a_seed_that_breaks_the_rule_is_refused(load, seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0. Rec"):
        load(seed=seed)


def test_arguments_are_checked_before_the_archive_is_looked_for(tmp_path):
    with pytest.raises(ValueError, match="validation must be"):
        load_cifar100(tmp_path / "nowhere", validation=1)


def test_a_folder_without_the_archive_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no cifar-100-binary.tar.gz"):
        load_cifar100(tmp_path)


def test_a_dataset_cannot_be_changed(folder):
    dataset = load_cifar100(folder, validation=100)
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.train = dataset.test
    with pytest.raises(ValueError, match="read-only"):
        dataset.train.images[0] = 0


def test_the_embedded_set_has_three_splits_of_read_only_arrays():
    dataset = load_shapes(train=30, validation=20, test=10)
    assert dataset.name == "shapes"
    assert dataset.class_names == shapes.CLASS_NAMES
    check_arrays(dataset, 30, 20, 10)


def test_the_embedded_set_is_the_same_for_the_same_seed():
    first, second = (load_shapes(30, 20, 10, seed=4) for _ in range(2))
    check_same(first, second)
    assert first.fingerprint == second.fingerprint


def test_the_embedded_set_is_another_for_another_seed():
    first, second = (load_shapes(30, 20, 10, seed=seed) for seed in (0, 1))
    assert not set(images_of(first.train)) & set(images_of(second.train))
    assert first.fingerprint != second.fingerprint


def test_the_draws_of_the_embedded_set_share_no_image():
    dataset = load_shapes(train=100, validation=100, test=100)
    images = [image for part in PARTS for image in images_of(getattr(dataset, part))]
    assert len(set(images)) == 300


def test_the_size_of_one_draw_does_not_change_the_others():
    first, second = load_shapes(30, 20, 10), load_shapes(10, 20, 30)
    assert images_of(first.validation) == images_of(second.validation)
    assert images_of(first.train)[:10] == images_of(second.train)
    assert first.fingerprint != second.fingerprint


def test_the_fingerprint_of_the_embedded_set_is_that_of_its_bytes():
    dataset = load_shapes(30, 20, 10)
    splits = [getattr(dataset, part) for part in PARTS]
    content = [s.images.tobytes() + s.labels.astype("<i4").tobytes() for s in splits]
    assert dataset.fingerprint == hashlib.sha256(b"".join(content)).hexdigest()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("count", [0, -1, 1.0, None, True])
def test_a_number_of_images_that_breaks_the_rule_is_refused(part, count):
    with pytest.raises(ValueError, match=f"{part} must be an integer of at least 1. R"):
        load_shapes(**{part: count})


def test_the_real_archive_gives_the_documented_splits(real):
    check_arrays(real, 40_000, 10_000, 10_000)
    for part, per_class in zip(PARTS, (400, 100, 100), strict=True):
        counts = np.bincount(getattr(real, part).labels)
        np.testing.assert_array_equal(counts, [per_class] * 100)


def test_the_split_of_the_real_archive_is_the_one_of_the_recorded_runs(real):
    digests = [hashlib.sha256(getattr(real, part).images).hexdigest() for part in PARTS]
    assert digests == [
        "00900cb550a493db978ca65b607eabbb8eac88822feec96010b2564056c07990",
        "5ae995dbe7c3a0b76938c9804383d1bf6773b89f36e96dd7ce9f76b53ad950b4",
        "894b05b5d8ff232456d2b60b3a7e939186e373d5cab8f10643b71635beffd9c1",
    ]


def test_a_data_set_is_found_by_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=ARCHIVE_NAME):
        load_data_set("cifar100", tmp_path)
    check_same(load_data_set("shapes"), load_shapes())


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match="name must be one of .*'shapes'.*'mnist'"):
        load_data_set("mnist")


def test_the_training_images_are_as_many_as_runs_record(real):
    assert len(load_data_set("shapes").train.labels) == DATA_SETS["shapes"].train
    assert len(real.train.labels) == DATA_SETS["cifar100"].train


@pytest.fixture
def dataset(folder):
    return load_cifar100(folder, validation=100)  # 4 training images of each class


@pytest.mark.parametrize("images", [100, 200, 400])
def test_fewer_training_images_are_equally_many_of_each_class(dataset, images):
    limited = limit_train(dataset, images)
    check_arrays(limited, 400, 100, 200)
    assert len(set(images_of(limited.train))) == limited.train.size == images
    counts = np.bincount(limited.train.labels)
    np.testing.assert_array_equal(counts, [4] * 100)


def test_fewer_training_images_are_the_first_of_each_class_in_turn(dataset):
    kept, seen = [], dict.fromkeys(range(100), 0)
    for image, label in zip(
        images_of(dataset.train), dataset.train.labels, strict=True
    ):
        seen[int(label)] += 1
        kept += [(image, label)] if seen[int(label)] <= 3 else []
    train = limit_train(dataset, 300).train
    found = list(zip(images_of(train), train.labels, strict=True))
    assert found == kept + kept[:100]


def test_a_smaller_training_set_is_part_of_a_larger_one(dataset):
    small, large = (limit_train(dataset, count).train for count in (100, 300))
    assert set(images_of(small)) < set(images_of(large))


def test_repeated_images_are_not_counted_as_more(dataset):
    limited = limit_train(dataset, 200)
    check_same(limit_train(limited, 100), limit_train(dataset, 100))
    with pytest.raises(ValueError, match="from 100 to 200, .* Received: 300"):
        limit_train(limited, 300)


def test_all_training_images_are_all_of_them(dataset):
    check_same(limit_train(dataset, 400), dataset)


def test_fewer_training_images_leave_the_rest_as_it_is(dataset):
    limited = limit_train(dataset, 100)
    for field in ("name", "fingerprint", "class_names", "validation", "test"):
        assert getattr(limited, field) is getattr(dataset, field)


def test_fewer_images_to_measure_on_are_the_first_of_each_class(dataset):
    limited = limit_evaluation(dataset, 100)
    check_arrays(limited, 400, 100, 100)
    assert limited.train is dataset.train
    assert limited.fingerprint == dataset.fingerprint
    first = [np.flatnonzero(dataset.test.labels == label)[0] for label in range(100)]
    expected = dataset.test.images[np.sort(first)]
    np.testing.assert_array_equal(limited.test.images, expected)


@pytest.mark.parametrize("images", [0, 150, 200, 100.0, True, None, "100"])
def test_a_number_of_images_to_measure_on_that_breaks_the_rule_is_refused(
    dataset, images
):
    with pytest.raises(ValueError) as caught:
        limit_evaluation(dataset, images)
    assert str(caught.value) == (
        "The number of validation images must be a multiple of 100 from 100 to 100, "
        f"equally many of each class. Received: {images!r}."
    )


def test_fewer_images_of_the_embedded_set_are_its_first_ones():
    dataset = load_shapes(400, 100, 100)
    expected = np.tile(dataset.train.images[:200], (2, 1, 1, 1))
    np.testing.assert_array_equal(limit_train(dataset, 200).train.images, expected)


@pytest.mark.parametrize("images", [0, -100, 50, 150, 500, 100.0, True, None, "100"])
def test_a_number_of_training_images_that_breaks_the_rule_is_refused(dataset, images):
    with pytest.raises(ValueError) as caught:
        limit_train(dataset, images)
    assert str(caught.value) == (
        "The number of training images must be a multiple of 100 from 100 to 400, "
        f"equally many of each class. Received: {images!r}."
    )


def test_the_embedded_set_knows_where_its_shapes_are():
    """In each split, in a part of it, and when images are repeated."""
    data = load_shapes(train=300, validation=200, test=100)
    scenes = shapes.draw_shapes(300, (0, 0))
    np.testing.assert_array_equal(data.train.masks, scenes.masks)
    np.testing.assert_array_equal(data.train.boxes, scenes.boxes)
    limited = limit_evaluation(limit_train(data, 100), 100)
    for part, whole in zip(
        (limited.train, limited.validation), (data.train, data.validation), strict=True
    ):
        for name in ("masks", "boxes"):
            array = getattr(part, name)
            assert not array.flags.writeable
            same = [(part.images[0] == image).all() for image in whole.images]
            np.testing.assert_array_equal(
                array[0], getattr(whole, name)[same.index(True)]
            )
    assert len(limited.train.masks) == len(limited.train.labels) == 300


def test_noise_is_uniform_and_the_same_everywhere():
    dataset = load_noise(train=300, validation=20, test=10)
    check_arrays(dataset, 300, 20, 10)
    check_same(dataset, load_noise(300, 20, 10))
    counts = np.bincount(dataset.train.images.ravel(), minlength=256)
    expected = dataset.train.images.size / 256
    # The sum of squares of 256 counts with a fixed sum: 255, give or take 23.
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 4 * 23
    pixels = dataset.train.images.reshape(300, -1).astype(float)
    neighbours = np.corrcoef(pixels[:, :-1].ravel(), pixels[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(pixels.size)
    first = load_noise(300, 20, 10, seed=1)
    assert first.fingerprint != dataset.fingerprint
    assert not set(images_of(dataset.train)) & set(images_of(dataset.test))


def test_a_part_of_the_classes_has_their_images_and_counts_from_0(dataset):
    chosen = [97, 3, 50]
    part = take_classes(dataset, chosen, "three")
    assert part.name == "three" and part.fingerprint == dataset.fingerprint
    assert part.class_names == tuple(dataset.class_names[label] for label in chosen)
    for name in PARTS:
        whole, kept = getattr(dataset, name), getattr(part, name)
        pairs = zip(whole.images, whole.labels, strict=True)
        expected = [(x.tobytes(), chosen.index(y)) for x, y in pairs if y in chosen]
        found = zip(images_of(kept), kept.labels, strict=True)
        assert list(found) == expected and expected


def test_the_parts_of_the_real_set_have_the_sizes_that_runs_record(real):
    for name, classes in (("cifar100-old", 80), ("cifar100-new", 20)):
        part, source = load_data_set(name, find_real_folder()), DATA_SETS[name]
        assert len(part.class_names) == classes
        sizes = len(part.train.labels), len(part.test.labels)
        assert sizes == (source.train, source.test)
    assert len(load_data_set("noise").train.labels) == DATA_SETS["noise"].train
