"""Keep the weights of a recorded run beside its record, and build its model again."""

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

import keras

from vitlib.config.models import ViTConfig
from vitlib.models.build import BUILDERS
from vitlib.models.resize import resize_positions
from vitlib.records.files import digest_of_file, replacing
from vitlib.records.runs import load_run, record_path

ENDING = ".weights.h5"  # what Keras calls such a file


def weights_path(record):
    """Path of the file of the weights that belong to a record: it lies beside it."""
    return Path(record).with_suffix(ENDING)


def keep_weights(model, record):
    """Writes the weights of a model beside a record, in one piece.

    Args:
        model: `keras.Model`.
        record: Path of the record, which need not be there yet.

    Returns:
        String, the SHA-256 of the file: the `weights` of the `Run`.

    Raises:
        OSError: When the disk does not take it; an old file is still there.
    """
    path = weights_path(record)
    with tempfile.TemporaryDirectory() as scratch:  # Keras writes to a path alone
        whole = Path(scratch, path.name)
        model.save_weights(whole)
        with replacing(path) as file:
            file.write(whole.read_bytes())
    return digest_of_file(path)


def load_model(record, folder=None, image_size=None, scaled=False):
    """Builds the model of a recorded run, with the weights that saw its test images.

    Sets no seed, and leaves the precision policy of the process as it is.

    Args:
        record: Path of the record of a run that was trained with `--keep-weights`, or
            its `Run`.
        folder: Path of the folder of all records, to find the weights of a `Run`.
        image_size: Integer, another `image_size` for a ViT: the side in pixels to which
            the model itself resizes its images. Its positions are resized as
            `vitlib.resize_positions` says.
        scaled: As of `vitlib.resize_positions`.

    Returns:
        `keras.Model` from images to logits, in the precision of its training.

    Raises:
        FileNotFoundError: When there is no such record, or no file of weights.
        ValueError: When the weights were not kept, the file was cut, changed or is of
            another run, or does not fit the model that vitlib builds today; or when
            the model cannot be resized.

    Example:
        `model = vitlib.load_model("results/tiny/tiny-seed0.json")`
    """
    run, path = _find(record, folder)
    path = weights_path(path)
    if run.weights is None:
        raise ValueError(
            "The weights of a run must have been kept, as train.py does with "
            f"--keep-weights. Received: the run {path.name.removesuffix(ENDING)}, "
            "whose weights were not."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} must lie beside its record. Received: no such file."
        )
    if digest_of_file(path) != run.weights:
        raise ValueError(
            f"{path} must be as the run wrote it. Received: a file that was cut or "
            "changed since, or is of another run."
        )
    model = _build(run, run.model_config)
    _fill(model, path)
    if image_size is None:
        return model
    target = _build(run, _resized(run.model_config, image_size))
    return resize_positions(model, target, scaled)


def _find(record, folder):
    """The `Run` and the path of its record, of which one is given."""
    if isinstance(record, str | PathLike):
        return load_run(record), record
    if folder is None:
        raise ValueError(
            "load_model needs the path of a record, or a Run and the folder of all "
            "records. Received: a Run without a folder."
        )
    return record, record_path(folder, record.study, record.name, record.seed)


def _resized(config, image_size):
    if not isinstance(config, ViTConfig):
        raise ValueError(f"image_size must go with a ViT. Received: a {config.family}.")
    return replace(config, image_size=image_size)


def _build(run, config):
    with _precision(run.train_config.precision):
        return BUILDERS[type(config)](config)


@contextmanager
def _precision(policy):
    """Sets the policy of the process, and brings back the one before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _fill(model, path):
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(
            f"{path} must hold the weights of the model that its record describes. "
            "Received: weights of other names or shapes."
        ) from error
