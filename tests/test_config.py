"""Configs: what they refuse, what they take, and that the presets are the report's."""

import json
import math
import re
from dataclasses import FrozenInstanceError, asdict, fields, replace

import numpy as np
import pytest

from vitlib import config
from vitlib.config import (
    COMPACT_VIT,
    PRESETS,
    REPORT_RESNET,
    REPORT_TRAIN,
    REPORT_VIT,
    SMALL_RESNET,
    TINY_VIT,
    Preset,
    ResNetConfig,
    SmallResNetConfig,
    TrainConfig,
    ViTConfig,
)

NAN, INF = math.nan, math.inf
PRESET = PRESETS["report-vit"]
BASES = (REPORT_VIT, REPORT_RESNET, SMALL_RESNET, REPORT_TRAIN, PRESET)

SHAPE = "three integers of at least 1"
COUNT, COUNTS = "an integer of at least 1", "a tuple of integers of at least 1"
RATE = "a number from 0 up to, but not including, 1"
NO_COUNTS = [0, -1, 1.0, True, "1", None, NAN, INF, [1], np.int64(1)]
NO_COUNTS_BUT_NONE = [value for value in NO_COUNTS if value is not None]
NO_TUPLES = [None, 3, "3", [3], {3}, (0,), (-1,), (1.0,), (True,), ("3",), (None,)]
NO_RATES = [-0.1, 1, 1.0, NAN, INF, -INF, True, False, "0.1", None, [0.1], (0.1,)]
NO_CHOICES = ["", "other", None, 0, True, ["none"], {"none"}, {}, np.array(["none"])]
NO_SHAPES = [*NO_TUPLES, (), (32, 32), (32, 32, 3, 1), [32, 32, 3], (32, 0, 3)]

# Every field of every config: the rule that its message states, and what breaks it.
BAD = {
    ViTConfig: {
        "input_shape": (SHAPE, NO_SHAPES),
        "image_size": (COUNT, NO_COUNTS),
        "patch_size": (COUNT, NO_COUNTS),
        "projection_dim": (COUNT, NO_COUNTS),
        "num_heads": (COUNT, NO_COUNTS),
        "key_dim": (COUNT, NO_COUNTS),
        "num_layers": (COUNT, NO_COUNTS),
        "mlp_units": (COUNTS, NO_TUPLES),
        "head_units": (COUNTS, NO_TUPLES),
        "position": (f"one of {config.POSITIONS}", NO_CHOICES),
        "pooling": (f"one of {config.POOLINGS}", NO_CHOICES),
        "dropout": (RATE, NO_RATES),
        "head_dropout": (RATE, NO_RATES),
        "head_init_scale": (
            "a finite number above 0",
            [0, 0.0, -1e-3, NAN, INF, -INF, True, "1e-3", None, [1e-3], {1e-3}],
        ),
        "num_classes": (COUNT, NO_COUNTS),
        "stem_filters": (COUNTS, NO_TUPLES),
        "augmentation": (f"one of {config.AUGMENTATIONS}", NO_CHOICES),
    },
    ResNetConfig: {
        "input_shape": (SHAPE, NO_SHAPES),
        "head_units": (COUNTS, NO_TUPLES),
        "head_dropout": (RATE, NO_RATES),
        "num_classes": (COUNT, NO_COUNTS),
        "normalize": ("True or False", [0, 1, None, "True", [True]]),
        "augmentation": (f"one of {config.AUGMENTATIONS}", NO_CHOICES),
    },
    SmallResNetConfig: {
        "input_shape": (SHAPE, NO_SHAPES),
        "filters": (f"{COUNTS}, and not empty", [*NO_TUPLES, ()]),
        "blocks_per_stage": (COUNTS, [*NO_TUPLES, (), (1, 1), (1, 1, 1, 1)]),
        "dropout": (RATE, NO_RATES),
        "num_classes": (COUNT, NO_COUNTS),
        "augmentation": (f"one of {config.AUGMENTATIONS}", NO_CHOICES),
    },
    TrainConfig: {
        "epochs": (COUNT, NO_COUNTS),
        "steps_per_epoch": (f"None or {COUNT}", NO_COUNTS_BUT_NONE),
        "batch_size": (COUNT, NO_COUNTS),
        "learning_rate": (
            "a finite number above 0",
            [0, 0.0, -1e-3, NAN, INF, -INF, True, "1e-3", None, [1e-3], {1e-3}],
        ),
        "weight_decay": (
            "a finite number of at least 0",
            [-1e-4, NAN, INF, -INF, True, False, "1e-4", None, [1e-4], {1e-4}],
        ),
        "decay_exclude": (
            "a tuple of words",
            [None, "bias", ["bias"], {"bias"}, ("",), (1,), (None,), (["bias"],)],
        ),
        "schedule": (f"one of {config.SCHEDULES}", NO_CHOICES),
        "warmup_epochs": (
            "an integer from 0 up to, but not including, epochs",
            [-1, 30, 31, 1.0, True, False, "1", None, NAN, INF, [1], {1}],
        ),
        "clip_norm": (
            "None or a finite number above 0",
            [0, 0.0, -1, NAN, INF, -INF, True, False, "1", [1.0], {1.0}],
        ),
        "label_smoothing": (RATE, NO_RATES),
        "precision": (f"one of {config.PRECISIONS}", [*NO_CHOICES, "float16"]),
        "seed": (
            "an integer from 0 up to, but not including, 2 ** 32",
            [-1, 2**32, 0.0, True, False, "0", None, NAN, [0], (0,), np.int64(0)],
        ),
    },
    Preset: {
        "study": (
            "lower-case letters, digits and dashes",
            [None, "", 1, "Report", "a/b", "..", "a b", "report\n", ["report"]],
        ),
        "profile": (f"one of {config.PROFILES}", NO_CHOICES),
        "model": (
            "a ViTConfig, a ResNetConfig or a SmallResNetConfig",
            [None, "vit", {}, REPORT_TRAIN, ViTConfig],
        ),
        "train": ("a TrainConfig", [None, "report", {}, REPORT_VIT, TrainConfig]),
        "data": (f"one of {config.DATA_SETS}", NO_CHOICES),
        "evaluation_images": (f"None or {COUNT}", NO_COUNTS_BUT_NONE),
    },
}

# Values that are each right by themselves and wrong beside another field, or too small.
BAD_PAIRS = [
    (REPORT_VIT, "image_size", {"image_size": 70}, 70, "a multiple of.* = 6"),
    (REPORT_VIT, "image_size", {"patch_size": 5}, 72, "a multiple of.* = 5"),
    (REPORT_VIT, "image_size", {"stem_filters": (8,) * 3}, 72, "a multiple of.* = 48$"),
    (REPORT_VIT, "mlp_units", {"mlp_units": ()}, (), "ends in projection_dim=128"),
    (REPORT_VIT, "mlp_units", {"mlp_units": (128, 64)}, (128, 64), "ends in.*=128"),
    (REPORT_VIT, "mlp_units", {"projection_dim": 64}, (256, 128), "ends in.*=64"),
    (REPORT_RESNET, "input_shape", {"input_shape": (31, 32, 3)}, (31, 32, 3), "at le"),
    (REPORT_RESNET, "input_shape", {"input_shape": (32, 31, 3)}, (32, 31, 3), "at le"),
    (SMALL_RESNET, "blocks_per_stage", {"filters": (8,)}, (1, 1, 1), "has: 1$"),
    (REPORT_TRAIN, "warmup_epochs", {"epochs": 2, "warmup_epochs": 2}, 2, "not incl"),
]

# The least, the most and the unusual that every field takes.
GOOD = [
    (REPORT_VIT, "input_shape", [(1, 1, 1), (32, 32, 3), (64, 48, 4)]),
    (REPORT_VIT, "image_size", [6, 72, 600]),
    (REPORT_VIT, "patch_size", [1, 72]),
    (REPORT_VIT, "num_heads", [1, 12]),
    (REPORT_VIT, "key_dim", [1, 16]),
    (REPORT_VIT, "num_layers", [1, 24]),
    (REPORT_VIT, "mlp_units", [(128,), (1, 128)]),
    (REPORT_VIT, "head_units", [(), (1,), (2048, 1024, 512)]),
    (REPORT_VIT, "position", config.POSITIONS),
    (REPORT_VIT, "pooling", config.POOLINGS),
    (REPORT_VIT, "dropout", [0, 0.0, 0.999]),
    (REPORT_VIT, "head_dropout", [0, 0.0, 0.999]),
    (REPORT_VIT, "head_init_scale", [1e-300, 1, 1.0, 3.5]),
    (REPORT_VIT, "num_classes", [1, 1000]),
    (REPORT_VIT, "stem_filters", [(), (1,)]),
    (REPORT_VIT, "augmentation", config.AUGMENTATIONS),
    (REPORT_RESNET, "input_shape", [(32, 32, 1), (224, 32, 3)]),
    (REPORT_RESNET, "head_units", [(), (1,)]),
    (REPORT_RESNET, "head_dropout", [0, 0.999]),
    (REPORT_RESNET, "num_classes", [1]),
    (REPORT_RESNET, "normalize", [True, False]),
    (REPORT_RESNET, "augmentation", config.AUGMENTATIONS),
    (SMALL_RESNET, "input_shape", [(1, 1, 1), (224, 32, 4)]),
    (SMALL_RESNET, "filters", [(1, 1, 1), (512, 8, 64)]),
    (SMALL_RESNET, "blocks_per_stage", [(1, 1, 1), (3, 1, 18)]),
    (SMALL_RESNET, "dropout", [0, 0.999]),
    (SMALL_RESNET, "num_classes", [1]),
    (SMALL_RESNET, "augmentation", config.AUGMENTATIONS),
    (REPORT_TRAIN, "epochs", [1, 10_000]),
    (REPORT_TRAIN, "steps_per_epoch", [None, 1, 10_000]),
    (REPORT_TRAIN, "batch_size", [1, 4096]),
    (REPORT_TRAIN, "learning_rate", [1e-300, 1, 1e300]),
    (REPORT_TRAIN, "weight_decay", [0, 0.0, 1, 0.3]),
    (REPORT_TRAIN, "decay_exclude", [(), ("bias",), ("bias", "gamma")]),
    (REPORT_TRAIN, "schedule", config.SCHEDULES),
    (REPORT_TRAIN, "warmup_epochs", [0, 29]),
    (REPORT_TRAIN, "clip_norm", [None, 1e-300, 1, 1.0]),
    (REPORT_TRAIN, "label_smoothing", [0, 0.999]),
    (REPORT_TRAIN, "precision", config.PRECISIONS),
    (REPORT_TRAIN, "seed", [0, 2**32 - 1]),
    (PRESET, "study", ["a", "data-size", "report2"]),
    (PRESET, "profile", config.PROFILES),
    (PRESET, "model", [TINY_VIT, REPORT_RESNET]),
    (PRESET, "train", [config.TINY_TRAIN]),
    (PRESET, "data", config.DATA_SETS),
    (PRESET, "evaluation_images", [None, 100, 10_000]),
]

bad_values = pytest.mark.parametrize(
    ("base", "field", "rule", "value"),
    [
        pytest.param(base, field, rule, value, id=f"{type(base).__name__}.{field}-{k}")
        for base in BASES
        for field, (rule, values) in BAD[type(base)].items()
        for k, value in enumerate(values)
    ],
)
good_values = pytest.mark.parametrize(
    ("base", "field", "value"),
    [(base, field, value) for base, field, values in GOOD for value in values],
)
every_config = pytest.mark.parametrize(
    "made", [*BASES[:-1], TINY_VIT, COMPACT_VIT, config.REPAIRED_TRAIN]
)


def refusal(base, **changes):
    with pytest.raises(ValueError) as caught:
        replace(base, **changes)
    return str(caught.value)


def from_json(text, kind):
    values = json.loads(text)
    lists = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
    return kind(**(values | lists))


@pytest.mark.parametrize("kind", BAD)
def test_the_table_of_bad_values_has_every_field(kind):
    assert list(BAD[kind]) == [field.name for field in fields(kind)]


@bad_values
def test_a_bad_value_is_named_with_its_field_its_rule_and_itself(
    base, field, rule, value
):
    message = refusal(base, **{field: value})
    assert message.startswith(f"{type(base).__name__}.{field} must be ")
    assert rule in message
    assert message.endswith(f". Received: {value!r}.")


@pytest.mark.parametrize(("base", "field", "changes", "value", "rule"), BAD_PAIRS)
def test_fields_that_do_not_go_together_are_refused_in_one_sentence(
    base, field, changes, value, rule
):
    said, received = refusal(base, **changes).split(". Received: ")
    assert said.startswith(f"{type(base).__name__}.{field} must be ")
    assert re.search(rule, said)
    assert received == f"{value!r}."


@good_values
def test_a_value_at_the_edge_of_its_rule_is_taken_as_it_is(base, field, value):
    assert getattr(replace(base, **{field: value}), field) == value


def test_every_field_has_good_values_or_is_bound_to_another():
    tested = {(type(base), field) for base, field, _ in GOOD}
    every = {(kind, field) for kind, table in BAD.items() for field in table}
    assert every - tested == {(ViTConfig, "projection_dim")}
    assert replace(REPORT_VIT, projection_dim=1, mlp_units=(1,)).projection_dim == 1


@pytest.mark.parametrize("made", BASES)
def test_a_config_cannot_be_changed_or_grown(made):
    for name in (*asdict(made), "family", "new"):
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, getattr(made, name, None))


@pytest.mark.parametrize("made", BASES)
def test_equal_configs_are_equal_keys(made):
    again = replace(made)
    assert again is not made
    assert len({made, again}) == 1


@every_config
def test_a_config_goes_through_json_unchanged(made):
    assert from_json(json.dumps(asdict(made), allow_nan=False), type(made)) == made


def test_the_family_is_no_field_and_tells_the_models_apart():
    families = [kind.family for kind in config.MODEL_CONFIGS]
    assert families == ["vit", "resnet", "small-resnet"]
    for made in BASES[:3]:
        assert "family" not in asdict(made)


def test_the_choices_have_the_names_of_the_course():
    assert config.POSITIONS == ("none", "1d", "2d", "relative")
    assert config.POOLINGS == ("flatten", "mean")
    assert config.SCHEDULES == ("constant", "cosine")
    assert config.PRECISIONS == ("float32", "mixed_bfloat16")
    assert config.DATA_SETS == ("cifar100", "shapes")
    assert config.PROFILES == ("quick", "laptop", "full")


def test_the_report_cuts_twelve_by_twelve_patches():
    assert REPORT_VIT.grid_size == (12, 12)
    assert REPORT_VIT.num_patches == 144


@pytest.mark.parametrize(
    "stem, side", [((), 16), ((8,), 8), ((8, 8), 4), ((8,) * 4, 1)]
)
def test_every_convolution_of_the_stem_halves_the_grid(stem, side):
    made = replace(REPORT_VIT, image_size=32, patch_size=2, stem_filters=stem)
    assert made.grid_size == (side, side)
    assert made.num_patches == side**2


def test_the_report_trained_with_the_numbers_that_it_prints():
    printed = {"learning_rate": 0.001, "weight_decay": 0.0001, "batch_size": 32}
    rest = {"epochs": 30, "schedule": "constant", "warmup_epochs": 0, "clip_norm": None}
    default = {"label_smoothing": 0.0, "precision": "float32", "seed": 0}
    default |= {"steps_per_epoch": None}
    assert asdict(REPORT_TRAIN) == {**printed, **rest, **default, "decay_exclude": ()}


def test_the_vision_transformer_of_the_report_has_the_numbers_that_it_prints():
    assert (REPORT_VIT.image_size, REPORT_VIT.patch_size) == (72, 6)
    assert (REPORT_VIT.projection_dim, REPORT_VIT.num_heads) == (128, 8)
    assert (REPORT_VIT.num_layers, REPORT_VIT.mlp_units) == (10, (256, 128))
    assert REPORT_VIT.head_units == (2048, 1024)
    assert (REPORT_VIT.key_dim, REPORT_VIT.num_classes) == (128, 100)
    assert (REPORT_VIT.position, REPORT_VIT.pooling) == ("1d", "flatten")
    assert (REPORT_VIT.dropout, REPORT_VIT.head_dropout) == (0.1, 0.5)
    assert REPORT_VIT.input_shape == (32, 32, 3)
    assert (REPORT_VIT.stem_filters, REPORT_VIT.augmentation) == ((), "report_vit")


def test_each_trial_of_the_first_steps_changes_one_thing():
    base = PRESETS["first-steps"]
    assert base.model == REPORT_VIT
    assert replace(base.train, epochs=30, steps_per_epoch=None) == REPORT_TRAIN
    trials = {n: p for n, p in PRESETS.items() if n.startswith("first-steps-")}
    assert len(trials) == 7
    for name, trial in trials.items():
        model = asdict(trial.model).items() - asdict(base.model).items()
        training = asdict(trial.train).items() - asdict(base.train).items()
        changes = {key for key, _ in (*model, *training)} - {"epochs"}
        assert len(changes) == 1, name


def test_the_resnet_of_the_report_has_the_numbers_that_it_prints():
    assert asdict(REPORT_RESNET) == {
        "input_shape": (32, 32, 3),
        "head_units": (512, 1024),
        "head_dropout": 0.5,
        "num_classes": 100,
        "normalize": False,
        "augmentation": "report_resnet",
    }


def test_the_repair_changes_how_the_report_trains_and_nothing_of_the_model():
    assert PRESETS["repaired-vit"].model == PRESETS["report-vit"].model == REPORT_VIT
    assert PRESETS["repaired-vit"].train != REPORT_TRAIN
    assert PRESETS["repaired-vit"].train.epochs == REPORT_TRAIN.epochs


def test_both_models_of_the_report_train_in_the_same_way():
    vit, resnet = PRESETS["report-vit"], PRESETS["report-resnet"]
    assert resnet.model == REPORT_RESNET
    assert vit.train == resnet.train == REPORT_TRAIN
    assert (vit.study, vit.profile, vit.data) == ("report", "full", "cifar100")


def test_the_two_sides_of_a_comparison_train_alike_on_the_same_images():
    for profile, vit in config.PROFILE_PRESETS.items():
        resnet = config.PROFILE_RESNETS[profile]
        assert (vit.profile, resnet.profile) == (profile, profile)
        assert vit.data == resnet.data
        training = replace(resnet.train, learning_rate=vit.train.learning_rate)
        assert training == vit.train
    for vit, resnet in (("small-vit", "small-resnet"), ("tiny", "tiny-resnet")):
        assert PRESETS[vit].train == PRESETS[resnet].train
        assert PRESETS[vit].model.augmentation == PRESETS[resnet].model.augmentation
        assert PRESETS[vit].model.head_dropout == PRESETS[resnet].model.dropout


def test_the_fair_presets_prepare_the_images_alike():
    vit, resnet = PRESETS["fair-vit"].model, PRESETS["fair-resnet"].model
    assert vit.augmentation == resnet.augmentation == "shift_flip"
    assert resnet.normalize and resnet.head_units == vit.head_units == ()
    assert replace(vit, augmentation="report_vit") == config.POOLED_VIT


def test_the_study_of_the_amount_of_data_has_the_small_models():
    for family in ("vit", "resnet"):
        study, small = PRESETS[f"data-size-{family}"], PRESETS[f"small-{family}"]
        assert (study.model, study.train) == (small.model, small.train)


@pytest.mark.parametrize("name", PRESETS)
def test_the_name_of_a_preset_can_be_the_name_of_a_file(name):
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
