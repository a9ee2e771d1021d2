"""The configs of all models that this course trains."""

from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig

MODEL_CONFIGS = (
    ViTConfig,
    MaskedAutoencoderConfig,
    ResNetConfig,
    SmallResNetConfig,
    SegmentationConfig,
    DetectionConfig,
)
