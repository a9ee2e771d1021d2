"""Vision Transformers from scratch: the helper package of the course.

Importing it changes nothing: no seed, no download, no device.
"""

from vitlib.attention import RelativeSelfAttention, SelfAttention
from vitlib.config import (
    COMPACT_TRAIN,
    COMPACT_VIT,
    POSITIONS,
    PRESETS,
    PROFILE_PRESETS,
    PROFILE_RESNETS,
    REPAIRED_TRAIN,
    REPORT_RESNET,
    REPORT_TRAIN,
    REPORT_VIT,
    TINY_TRAIN,
    TINY_VIT,
    ResNetConfig,
    SmallResNetConfig,
    TrainConfig,
    ViTConfig,
)
from vitlib.data import (
    Dataset,
    Split,
    limit_train,
    load_cifar100,
    load_data_set,
    load_shapes,
)
from vitlib.encoder import PatchEncoder
from vitlib.flops import count_flops
from vitlib.patches import Patches, join_patches
from vitlib.positions import PositionEmbedding1D, PositionEmbedding2D, relative_offsets
from vitlib.resnet import build_resnet, build_small_resnet
from vitlib.runs import Run, load_run, load_runs, save_run
from vitlib.summary import show_study, summarize
from vitlib.training import build_model, evaluate, train
from vitlib.vit import build_vit, mlp, transformer_block

__version__ = "0.1.0"

__all__ = [
    "COMPACT_TRAIN",
    "COMPACT_VIT",
    "POSITIONS",
    "PRESETS",
    "PROFILE_PRESETS",
    "PROFILE_RESNETS",
    "REPAIRED_TRAIN",
    "REPORT_RESNET",
    "REPORT_TRAIN",
    "REPORT_VIT",
    "TINY_TRAIN",
    "TINY_VIT",
    "Dataset",
    "PatchEncoder",
    "Patches",
    "PositionEmbedding1D",
    "PositionEmbedding2D",
    "RelativeSelfAttention",
    "ResNetConfig",
    "Run",
    "SelfAttention",
    "SmallResNetConfig",
    "Split",
    "TrainConfig",
    "ViTConfig",
    "build_model",
    "build_resnet",
    "build_small_resnet",
    "build_vit",
    "count_flops",
    "evaluate",
    "join_patches",
    "limit_train",
    "load_cifar100",
    "load_data_set",
    "load_run",
    "load_runs",
    "load_shapes",
    "mlp",
    "relative_offsets",
    "save_run",
    "show_study",
    "summarize",
    "train",
    "transformer_block",
]
