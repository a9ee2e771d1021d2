"""Configs: what they refuse, what they take, and that the presets are the report's."""

import json
import re
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace

import pytest
from fields import (
    AT_LEAST_0,
    BOOLEAN,
    COUNT,
    COUNTS,
    OTHERS,
    POSITIVE,
    RATE,
    SEED,
    SHAPE,
    SQUARE,
    TUPLE_OF_WORDS,
    TUPLES,
    Field,
    index,
    one_of,
    or_none,
)
from hypothesis import given
from hypothesis import strategies as st

from vitlib import studies
from vitlib.config import models, training
from vitlib.config.dense import DetectionConfig, SegmentationConfig
from vitlib.config.families import MODEL_CONFIGS
from vitlib.config.masked import MaskedAutoencoderConfig
from vitlib.config.models import ResNetConfig, SmallResNetConfig, ViTConfig
from vitlib.config.training import TrainConfig
from vitlib.data.sets import DATA_SETS
from vitlib.studies import PRESETS
from vitlib.studies.experiment import plan
from vitlib.studies.recipes import (
    COMPACT_VIT,
    POOLED_VIT,
    REPAIRED_TRAIN,
    REPORT_RESNET,
    REPORT_TRAIN,
    REPORT_VIT,
    SMALL_RESNET,
    TINY_TRAIN,
    TINY_VIT,
)
from vitlib.studies.study import SCALES, Preset

PRESET = PRESETS["report-vit"]
BASES = (REPORT_VIT, REPORT_RESNET, SMALL_RESNET, REPORT_TRAIN, PRESET)
AUGMENTATION = one_of(models.AUGMENTATIONS)

# Every field of every models. A new field has to be entered here: a test says so.
FIELDS = {
    ViTConfig: {
        "input_shape": SQUARE,
        "image_size": COUNT,
        "patch_size": COUNT,
        "projection_dim": COUNT,
        "num_heads": COUNT,
        "key_dim": COUNT,
        "num_layers": COUNT,
        "mlp_units": COUNTS,
        "head_units": COUNTS,
        "position": one_of(models.POSITIONS),
        "pooling": one_of(models.POOLINGS),
        "dropout": RATE,
        "head_dropout": RATE,
        "patch_dropout": RATE,
        "head_init_scale": POSITIVE,
        "num_classes": COUNT,
        "stem_filters": COUNTS,
        "augmentation": AUGMENTATION,
    },
    ResNetConfig: {
        "input_shape": SHAPE,
        "head_units": COUNTS,
        "head_dropout": RATE,
        "num_classes": COUNT,
        "normalize": BOOLEAN,
        "augmentation": AUGMENTATION,
    },
    SmallResNetConfig: {
        "input_shape": SHAPE,
        "filters": COUNTS._replace(
            rule=f"{COUNTS.rule}, and not empty",
            valid=COUNTS.valid.filter(bool),
            invalid=COUNTS.invalid | st.just(()),
        ),
        "blocks_per_stage": COUNTS._replace(
            rule=f"{COUNTS.rule}, as many as filters has: 3",
            valid=st.tuples(*[st.integers(1)] * 3),
            invalid=COUNTS.invalid | TUPLES | st.tuples(*[st.integers(1)] * 4),
        ),
        "dropout": RATE,
        "num_classes": COUNT,
        "augmentation": AUGMENTATION,
    },
    TrainConfig: {
        "epochs": COUNT,
        "steps_per_epoch": or_none(COUNT),
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
        "weight_decay": AT_LEAST_0,
        "decay_exclude": TUPLE_OF_WORDS,
        "schedule": one_of(training.SCHEDULES),
        "warmup_epochs": index(
            REPORT_TRAIN.epochs, "an integer from 0 up to, but not including, epochs"
        ),
        "clip_norm": or_none(POSITIVE),
        "label_smoothing": RATE,
        "precision": one_of(training.PRECISIONS),
        "optimizer": one_of(training.OPTIMIZERS),
        "ema_momentum": or_none(
            Field(
                "a number above 0 and below 1",
                st.floats(0, 1, exclude_min=True, exclude_max=True),
                RATE.invalid | st.just(0),
            )
        ),
        "mixup": RATE,
        "cutmix": RATE,
        "first_size": or_none(COUNT),
        "first_epochs": index(
            REPORT_TRAIN.epochs, "an integer from 0 up to, but not including, epochs"
        ),
        "test_flip": BOOLEAN,
        "seed": SEED,
    },
    Preset: {
        "model": Field(
            "a ViTConfig or a MaskedAutoencoderConfig or a ResNetConfig or a "
            "SmallResNetConfig or a SegmentationConfig or a DetectionConfig",
            st.sampled_from(BASES[:3]),
            OTHERS | st.sampled_from(["vit", REPORT_TRAIN, ViTConfig]),
        ),
        "train": Field(
            "a TrainConfig",
            st.just(TINY_TRAIN),
            OTHERS | st.sampled_from(["report", REPORT_VIT, TrainConfig]),
        ),
        "data": one_of(tuple(DATA_SETS)),
        "evaluation_images": or_none(COUNT),
    },
}

# What has to change together with a field, so that the two still fit.
COMPANIONS = {
    "image_size": lambda size: {"patch_size": size},
    "patch_size": lambda size: {"image_size": size},
    "projection_dim": lambda dim: {"mlp_units": (dim,)},
    "mlp_units": lambda units: {"projection_dim": units[-1]},
    "stem_filters": lambda filters: {"image_size": 6 * 2 ** len(filters)},
    "patch_dropout": lambda _: {"pooling": "mean"},
    "first_epochs": lambda _: {"first_size": 16},
    "filters": lambda filters: {"blocks_per_stage": (1,) * len(filters)},
}

# Values that are each right by themselves and wrong beside another field, or too small.
LACKS = {"patch_dropout": 0.5, "position": "rope"}
LACKS_DENSE = {"patch_dropout": 0.5, "pooling": "mean"}
BAD_PAIRS = [
    (REPORT_VIT, "input_shape", {"input_shape": (32, 48, 3)}, (32, 48, 3), "as high"),
    (REPORT_VIT, "image_size", {"image_size": 70}, 70, "a multiple of.* = 6"),
    (REPORT_VIT, "image_size", {"patch_size": 5}, 72, "a multiple of.* = 5"),
    (REPORT_VIT, "image_size", {"stem_filters": (8,) * 3}, 72, "a multiple of.* = 48$"),
    (REPORT_VIT, "mlp_units", {"mlp_units": ()}, (), "ends in projection_dim=128"),
    (REPORT_VIT, "mlp_units", {"mlp_units": (128, 64)}, (128, 64), "ends in.*=128"),
    (REPORT_VIT, "mlp_units", {"projection_dim": 64}, (256, 128), "ends in.*=64"),
    (REPORT_VIT, "patch_dropout", {"patch_dropout": 0.5}, 0.5, "0 where attention or"),
    (POOLED_VIT, "patch_dropout", LACKS, 0.5, "0 where attention or a flattened head"),
    (MaskedAutoencoderConfig(), "patch_dropout", LACKS_DENSE, 0.5, "mask_ratio"),
    (SegmentationConfig(), "patch_dropout", LACKS_DENSE, 0.5, "each token has an ans"),
    (REPORT_RESNET, "input_shape", {"input_shape": (31, 32, 3)}, (31, 32, 3), "at le"),
    (REPORT_RESNET, "input_shape", {"input_shape": (32, 31, 3)}, (32, 31, 3), "at le"),
    (SMALL_RESNET, "blocks_per_stage", {"filters": (8,)}, (1, 1, 1), "has: 1$"),
    (REPORT_TRAIN, "warmup_epochs", {"epochs": 2, "warmup_epochs": 2}, 2, "not incl"),
    (REPORT_TRAIN, "cutmix", {"mixup": 0.5, "cutmix": 0.5}, 0.5, "below 1 with mixup"),
    (REPORT_TRAIN, "first_epochs", {"first_epochs": 2}, 2, "0 without first_size"),
]

each_field = pytest.mark.parametrize(
    ("base", "name"),
    [
        pytest.param(base, name, id=f"{type(base).__name__}.{name}")
        for base in BASES
        for name in FIELDS[type(base)]
    ],
)
every_config = pytest.mark.parametrize(
    "made",
    [
        *(*BASES[:-1], TINY_VIT, COMPACT_VIT, REPAIRED_TRAIN),
        *(MaskedAutoencoderConfig(), SegmentationConfig(), DetectionConfig()),
    ],
)


def refusal(base, **changes):
    with pytest.raises(ValueError) as caught:
        replace(base, **changes)
    return str(caught.value)


def from_json(text, kind):
    values = json.loads(text)
    lists = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
    return kind(**(values | lists))


@pytest.mark.parametrize("kind", FIELDS)
def test_the_table_has_every_field_of_every_config(kind):
    assert list(FIELDS[kind]) == [field.name for field in fields(kind)]
    made = [v for m in (models, training) for v in vars(m).values() if is_dataclass(v)]
    assert {*made, Preset} == {*FIELDS}


@each_field
@given(data=st.data())
def test_a_value_that_keeps_the_rule_of_its_field_is_taken_as_it_is(base, name, data):
    valid = FIELDS[type(base)][name].valid
    value = data.draw(valid.filter(bool) if name == "mlp_units" else valid)
    companions = COMPANIONS.get(name, lambda _: {})(value)
    assert getattr(replace(base, **{name: value}, **companions), name) == value


@each_field
@given(data=st.data())
def test_any_other_value_is_named_with_its_field_and_its_rule(base, name, data):
    rule, _, invalid = FIELDS[type(base)][name]
    value = data.draw(invalid)
    message = refusal(base, **{name: value})
    assert message.startswith(f"{type(base).__name__}.{name} must be {rule}")
    assert message.endswith(f". Received: {value!r}.")


@pytest.mark.parametrize(("base", "field", "changes", "value", "rule"), BAD_PAIRS)
def test_fields_that_do_not_go_together_are_refused_in_one_sentence(
    base, field, changes, value, rule
):
    said, received = refusal(base, **changes).split(". Received: ")
    assert said.startswith(f"{type(base).__name__}.{field} must be ")
    assert re.search(rule, said)
    assert received == f"{value!r}."


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
    families = [kind.family for kind in MODEL_CONFIGS]
    assert families[:2] == ["vit", "masked-autoencoder"]
    assert families[2:] == ["resnet", "small-resnet", "segmentation", "detection"]
    for made in BASES[:3]:
        assert "family" not in asdict(made)


def test_the_choices_have_the_names_of_the_course():
    assert models.POSITIONS[:4] == ("none", "1d", "2d", "relative")
    assert set(models.INSIDE) < set(models.POSITIONS)
    assert models.POOLINGS == ("flatten", "mean")
    assert training.SCHEDULES == ("constant", "cosine", "cooldown")
    assert training.OPTIMIZERS == ("adamw", "muon")
    assert training.PRECISIONS == ("float32", "mixed_bfloat16")
    assert list(DATA_SETS)[:2] == ["cifar100", "shapes"]
    assert list(DATA_SETS)[2:] == [
        *("cifar100-old", "cifar100-new", "noise", "scenes", "fresh-scenes")
    ]
    assert SCALES == ("quick", "laptop", "full")


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
    default |= {"steps_per_epoch": None, "optimizer": "adamw", "ema_momentum": None}
    default |= {"mixup": 0.0, "cutmix": 0.0, "test_flip": False}
    default |= {"first_size": None, "first_epochs": 0}
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


@pytest.mark.parametrize(
    ("first", "report", "number"),
    [
        ("first-steps", REPORT_VIT, 7),
        ("bfloat16-steps", REPORT_VIT, 2),
        ("first-pass", REPORT_RESNET, 3),
        ("report-vit", REPORT_VIT, 7),
        ("report-resnet", REPORT_RESNET, 2),
    ],
)
def test_each_trial_of_the_diagnosis_changes_one_thing(first, report, number):
    base = PRESETS[first]
    assert base.model == report
    assert base.train.precision == (
        "mixed_bfloat16" if first.startswith("bfloat16") else "float32"
    )
    cut = {"epochs": 30, "steps_per_epoch": None, "precision": "float32"}
    assert replace(base.train, **cut) == REPORT_TRAIN
    presets = PRESETS.items()
    trials = {n: p for n, p in presets if n.startswith(f"{first}-")}
    trials = {n: p for n, p in trials.items() if plan(n).study.name == "diagnosis"}
    assert len(trials) == number
    for name, trial in trials.items():
        model = asdict(trial.model).items() - asdict(base.model).items()
        training = asdict(trial.train).items() - asdict(base.train).items()
        changes = {key for key, _ in (*model, *training)}
        changes -= {"epochs", "steps_per_epoch"}
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
    assert vit.data == "cifar100"


def test_the_two_sides_of_a_comparison_train_alike_on_the_same_images():
    for profile, vit in studies.PROFILE_PRESETS.items():
        resnet = studies.PROFILE_RESNETS[profile]
        names = [n for n, p in PRESETS.items() if p in (vit, resnet)]
        assert {plan(name).scale for name in names} == {profile}
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
    assert replace(vit, augmentation="report_vit") == POOLED_VIT


@pytest.mark.parametrize("name", PRESETS)
def test_the_name_of_a_preset_can_be_the_name_of_a_file(name):
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
