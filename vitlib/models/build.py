"""Build any model of the course from its config."""

import keras

from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.config.training import TrainConfig
from vitlib.models.dense import build_detector, build_segmenter
from vitlib.models.masked_autoencoder import build_masked_autoencoder
from vitlib.models.resnet import build_resnet, build_small_resnet
from vitlib.models.vit import build_vit

BUILDERS = {
    ViTConfig: build_vit,
    MaskedAutoencoderConfig: build_masked_autoencoder,
    ResNetConfig: build_resnet,
    SmallResNetConfig: build_small_resnet,
    SegmentationConfig: build_segmenter,
    DetectionConfig: build_detector,
}


def build_model(model_config, train_config):
    """Builds a model with the seed and the precision of its training.

    Both are settings of the process, and stay: `keras.utils.set_random_seed` and
    `keras.config.set_dtype_policy`.

    Args:
        model_config: One of `vitlib.config.families.MODEL_CONFIGS`.
        train_config: `TrainConfig`.

    Returns:
        `keras.Model` from images to logits; for what is no classifier see its builder.

    Raises:
        ValueError: When one of them is something else.
    """
    if type(model_config) not in BUILDERS or type(train_config) is not TrainConfig:
        kinds = " or ".join(kind.__name__ for kind in BUILDERS)
        raise ValueError(
            f"build_model needs a {kinds}, and a TrainConfig, of the modules that "
            "vitlib has loaded (after a reload, restart the kernel). Received: "
            f"{type(model_config).__name__}, {type(train_config).__name__}."
        )
    keras.utils.set_random_seed(train_config.seed)
    keras.config.set_dtype_policy(train_config.precision)
    return BUILDERS[type(model_config)](model_config)
