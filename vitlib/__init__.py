"""Vision Transformers from scratch: the helper package of the course.

Importing it changes nothing: no seed, no download, no device. Nor does it wait for
Keras: a name is fetched from its module when it is first asked for (PEP 562).
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_MODULES = {
    "config.dense": "DetectionConfig SegmentationConfig",
    "config.masked": "MaskedAutoencoderConfig",
    "config.models": "POSITIONS ResNetConfig SmallResNetConfig ViTConfig",
    "config.training": "TrainConfig",
    "data.cifar100": "load_cifar100",
    "data.cutouts": "load_cutouts",
    "data.scenes": "load_scenes",
    "data.sets": "load_data_set",
    "data.shapes": "load_shapes",
    "data.splits": "Dataset Split limit_train",
    "folders": "find_folder",
    "layers.attention": "SelfAttention",
    "layers.masking": "MaskTokens RandomMasking",
    "layers.normalize": "Normalization",
    "layers.patch_encoder": "PatchEncoder",
    "layers.patches": "Patches join_patches",
    "layers.positioned_attention": "RelativeSelfAttention relative_offsets",
    "layers.positions": "PositionEmbedding1D PositionEmbedding2D",
    "models.blocks": "mlp transformer_block",
    "models.build": "build_model",
    "models.dense": "build_detector build_segmenter",
    "models.explorer": "export_explorer",
    "models.masked_autoencoder": "build_masked_autoencoder reconstruct",
    "models.flops": "count_flops",
    "models.hub": "load_hub_preset",
    "models.pretrained": "load_pretrained",
    "models.resnet": "build_resnet build_small_resnet",
    "models.resize": "resize_positions",
    "models.transfer": "begin_with",
    "models.vit": "build_encoder build_vit",
    "models.weights": "load_model",
    "notebook": "check_parameters",
    "records.run": "Run",
    "records.runs": "load_run load_runs save_run",
    "records.summary": "show_study summarize summarize_readings",
    "records.tables": "Table",
    "studies": "PRESETS PROFILE_PRESETS PROFILE_RESNETS",
    "studies.recipes": "COMPACT_TRAIN COMPACT_VIT REPAIRED_TRAIN REPORT_RESNET "
    "REPORT_TRAIN REPORT_VIT TINY_TRAIN TINY_VIT",
    "training.average_precision": "average_precision",
    "training.cells": "find_peaks",
    "training.confusion": "confusion_matrix grid_ceiling majority_iou mean_iou",
    "training.detection": "Detection",
    "training.loop": "train",
    "training.segmentation": "Segmentation",
    "training.tasks": "evaluate",
}
_HOMES = {name: home for home, names in _MODULES.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
