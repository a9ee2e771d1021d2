"""What every layer of vitlib must do: shapes, configuration, saving, precision."""

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
from fields import BOOLEAN, COUNT, POSITIVE, RATE, SEED, SMALL, Field, one_of, or_none
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import vitlib
from vitlib import (
    PatchEncoder,
    Patches,
    PositionEmbedding1D,
    PositionEmbedding2D,
    RelativeSelfAttention,
    SelfAttention,
)
from vitlib.config.models import AUGMENTATIONS, POSITIONS
from vitlib.layers.augment import Augmentation
from vitlib.layers.class_token import ClassToken
from vitlib.layers.dropout import Dropout
from vitlib.layers.masking import (
    AddedLoss,
    HiddenError,
    MaskTokens,
    PatchDropout,
    RandomMasking,
)
from vitlib.layers.normalize import Normalization
from vitlib.layers.positioned_attention import (
    GridRelativeSelfAttention,
    RotarySelfAttention,
)
from vitlib.layers.positions import ADDED, SinCosPosition2D
from vitlib.layers.queries import Queries
from vitlib.layers.random_shift import RandomShift

pytestmark = pytest.mark.backend

IMAGES, PATCHES, TOKENS = (8, 12, 3), (6, 12), (6, 16)
SPANNED = {"grid_size": (2, 3), "span": (4, 6)}
GRID_RELATIVE = {"num_heads": 2, "key_dim": 8, "grid_size": (2, 3), "on_values": True}
EXAMPLES = [
    (Patches, {"patch_size": 4}, IMAGES),
    (PositionEmbedding1D, {}, TOKENS),
    (PositionEmbedding2D, {"grid_size": (2, 3)}, TOKENS),
    (PatchEncoder, {"projection_dim": 16, "position": "none"}, PATCHES),
    (PatchEncoder, {"projection_dim": 16, "position": "1d"}, PATCHES),
    (
        PatchEncoder,
        {"projection_dim": 16, "position": "2d", "grid_size": (2, 3)},
        PATCHES,
    ),
    (ClassToken, {}, TOKENS),
    (Queries, {"count": 3}, TOKENS),
    (SelfAttention, {"num_heads": 2, "key_dim": 8}, TOKENS),
    (RelativeSelfAttention, {"num_heads": 2, "key_dim": 8}, TOKENS),
    (SinCosPosition2D, {"grid_size": (2, 3)}, TOKENS),
    (RotarySelfAttention, {"num_heads": 2, "key_dim": 8, "grid_size": (2, 3)}, TOKENS),
    (GridRelativeSelfAttention, GRID_RELATIVE, TOKENS),
    (PatchEncoder, SPANNED | {"projection_dim": 16, "position": "sincos"}, PATCHES),
    (RotarySelfAttention, SPANNED | {"num_heads": 2, "key_dim": 8}, TOKENS),
    (PatchDropout, {"rate": 0.5}, TOKENS),
    (Normalization, {}, IMAGES),
    (Dropout, {"rate": 0.1}, TOKENS),
    (RandomShift, {"pixels": 2}, IMAGES),
    (Augmentation, {"recipe": "report_vit"}, IMAGES),
    (Augmentation, {"recipe": "shift_flip"}, IMAGES),
    (Augmentation, {"recipe": "report_resnet", "image_size": 6}, IMAGES),
]
each_example = pytest.mark.parametrize(("layer", "arguments", "shape"), EXAMPLES)

GRID = Field(
    "(rows, columns), two integers of at least 1",
    st.tuples(SMALL, SMALL),
    COUNT.invalid.filter(lambda v: not isinstance(v, tuple | list) or len(v) != 2)
    | st.sampled_from([(2, 0), (-1, 2), (2.0, 2), (True, 2), ["2", 2], (2, None)]),
)
ATTENTION = {"num_heads": COUNT, "key_dim": COUNT, "dropout": RATE}
# Every argument of every layer. A new one has to be entered here: a test says so.
ARGUMENTS = {
    Patches: {"patch_size": COUNT},
    PositionEmbedding1D: {},
    PositionEmbedding2D: {"grid_size": GRID},
    PatchEncoder: {
        "projection_dim": COUNT,
        "position": one_of(POSITIONS),
        "grid_size": GRID._replace(
            invalid=GRID.invalid.filter(lambda v: v is not None)
        ),
        "span": or_none(GRID),
    },
    PatchDropout: {"rate": RATE},
    ClassToken: {},
    Queries: {"count": COUNT},
    SelfAttention: ATTENTION,
    RelativeSelfAttention: ATTENTION,
    SinCosPosition2D: {"grid_size": GRID, "span": or_none(GRID)},
    GridRelativeSelfAttention: ATTENTION
    | {
        "grid_size": GRID,
        "key_dim": COUNT._replace(valid=COUNT.valid.map(lambda count: 2 * count)),
        "max_distance": or_none(COUNT),
        "on_values": BOOLEAN,
        "stddev": POSITIVE,
    },
    RotarySelfAttention: ATTENTION
    | {
        "grid_size": GRID,
        "span": or_none(GRID),
        "key_dim": COUNT._replace(
            valid=COUNT.valid.map(lambda count: 4 * count),
        ),
    },
    Normalization: {},
    Dropout: {"rate": RATE, "seed": or_none(SEED)},
    RandomShift: {"pixels": COUNT, "seed": or_none(SEED)},
    Augmentation: {"recipe": one_of(AUGMENTATIONS), "image_size": or_none(COUNT)},
}
# Those of several inputs or outputs: tests/test_masked_autoencoder.py is about them.
OF_SEVERAL = {AddedLoss, HiddenError, MaskTokens, RandomMasking}
# Layers of pixels take integers, too; those that only move them keep their dtype.
TAKES_INTEGERS = {Patches, PatchEncoder, Normalization, RandomShift, Augmentation}
KEEPS_INTEGERS = {Patches, RandomShift}

each_layer = pytest.mark.parametrize("layer", ARGUMENTS, ids=lambda kind: kind.__name__)
# JAX compiles anew for each shape.
few_examples = settings(max_examples=5 if keras.backend.backend() == "jax" else 15)


@st.composite
def calls(draw, layer):
    """Arguments of a layer, an image or a sequence that it takes, and what it gives."""
    rows, columns, size, side = (draw(st.integers(1, 3)) for _ in range(4))
    even, places = 2 * size, rows * columns
    image = (4 + rows, 4 + columns, size)
    if layer is Patches:
        cut = (rows * size, columns * size, side)
        return {"patch_size": size}, cut, (places, size**2 * side)
    if layer is PatchEncoder:
        position = draw(st.sampled_from(POSITIONS))
        given = {"projection_dim": even, "position": position}
        kind = ADDED.get(position)
        if kind and kind.needs_grid:
            given |= {"grid_size": (rows, columns), "projection_dim": 2 * even}
        return given, (places, side), (places, given["projection_dim"])
    if layer is ClassToken:
        return {}, (places, size), (places + 1, size)
    if layer is Queries:
        return {"count": rows}, (places, size), (rows, size)
    if issubclass(layer, SelfAttention):
        rate = draw(st.sampled_from([0.0, 0.5]))
        given = {"num_heads": rows, "key_dim": columns, "dropout": rate}
        if layer.needs_grid:
            place = {"grid_size": (rows + 1, columns), "key_dim": 4 * columns}
            return given | place, (places + columns, size), (places + columns, size)
        shape = (places + 1, size)  # of one token, Keras warns that it sees itself only
        return given, shape, shape
    if layer is Augmentation:
        new = draw(st.sampled_from([None, 5, 8]))
        given = {"recipe": draw(st.sampled_from(AUGMENTATIONS)), "image_size": new}
        return given, image, ((new, new, size) if new else image)
    given = {
        PositionEmbedding2D: {"grid_size": (rows, columns)},
        SinCosPosition2D: {"grid_size": (rows, columns)},
        RandomShift: {"pixels": rows, "seed": columns},
        PatchDropout: {"rate": 0},
        Dropout: {"rate": draw(st.sampled_from([0, 0.25])), "seed": None},
    }.get(layer, {})
    shape = image if layer in TAKES_INTEGERS else (places, 2 * even)
    return given, shape, shape


def make(layer, arguments, shape, **options):
    made = layer(**arguments, **options)
    made.build((None, *shape))
    return made


def batch_of(shape, dtype="float32", batch=2):
    numbers = np.random.default_rng(0).integers(0, 256, (batch, *shape))
    return ops.cast(ops.convert_to_tensor(numbers.astype("float32")) / 255, dtype)


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def refusal(action, *arguments):
    with pytest.raises(ValueError) as caught:
        action(*arguments)
    return str(caught.value)


def test_the_table_has_every_argument_of_every_layer():
    modules = pkgutil.walk_packages(vitlib.__path__, "vitlib.")
    found = set()
    for module in (importlib.import_module(module.name) for module in modules):
        kinds = inspect.getmembers(module, inspect.isclass)
        kinds = {k for _, k in kinds if k.__module__ == module.__name__}
        found |= {
            k
            for k in kinds
            if issubclass(k, keras.layers.Layer) and k.__name__[0] != "_"
        }
    assert set(ARGUMENTS) == found - OF_SEVERAL
    for layer, arguments in ARGUMENTS.items():
        own = layer.__init__.__module__.startswith("vitlib.")
        names = set(inspect.signature(layer.__init__).parameters if own else ())
        assert names - {"self", "kwargs"} == set(arguments), layer


@each_layer
@few_examples
@given(st.data())
def test_a_layer_gives_the_shape_and_the_dtype_that_it_tells(layer, data):
    arguments, shape, output = data.draw(calls(layer))
    policy = data.draw(st.sampled_from(["float32", "mixed_bfloat16"]))
    dtypes = ["float32", "bfloat16"] + ["uint8"] * (layer in TAKES_INTEGERS)
    dtype, batch = data.draw(st.sampled_from(dtypes)), data.draw(st.integers(1, 3))
    training = data.draw(st.booleans())
    made = make(layer, arguments, shape, dtype=policy)
    images = batch_of(shape, dtype, batch)
    options = {"training": training} if made._call_has_training_arg else {}
    result = made(images, **options)
    assert tuple(result.shape) == (batch, *output)
    kept = dtype == "uint8" and layer in KEEPS_INTEGERS
    assert dtype_of(result) == (dtype if kept else made.compute_dtype)
    told = made(keras.Input(shape, dtype=dtype), **options)  # of any number of images
    assert (told.shape, told.dtype) == ((None, *output), dtype_of(result))


@each_layer
@few_examples
@given(st.data())
def test_a_layer_comes_back_from_its_config(layer, data):
    arguments, shape, _ = data.draw(calls(layer))
    made = make(layer, arguments, shape)
    again = layer.from_config(made.get_config())
    assert again.get_config() == made.get_config()
    again.build((None, *shape))
    again.set_weights(made.get_weights())
    images = batch_of(shape)
    np.testing.assert_array_equal(made(images), again(images))


@pytest.mark.parametrize(
    ("layer", "name"),
    [(layer, name) for layer in ARGUMENTS for name in ARGUMENTS[layer]],
    ids=lambda part: getattr(part, "__name__", part),
)
@given(data=st.data())
def test_any_other_argument_is_named_with_its_rule(layer, name, data):
    field = ARGUMENTS[layer][name]
    value = data.draw(field.invalid)
    arguments, _, _ = data.draw(calls(layer))
    message = refusal(lambda: layer(**(arguments | {name: value})))
    assert message.startswith(f"{layer.__name__}.{name} must be {field.rule}")
    assert message.endswith(f". Received: {value!r}.")


def others_than(shape):
    """Shapes of another number of axes, or with a size that is not known, or 0."""
    axes = st.integers(1, 5).filter(lambda axes: axes != len(shape) + 1)
    ranks = axes.flatmap(lambda axes: st.tuples(*[SMALL] * axes))
    places = st.tuples(st.integers(0, len(shape) - 1), st.sampled_from([None, 0]))
    sizes = places.map(lambda p: (2, *shape[: p[0]], p[1], *shape[p[0] + 1 :]))
    return ranks | sizes


@pytest.mark.parametrize(
    "layer",
    [kind for kind in ARGUMENTS if kind is not Dropout],
    ids=lambda k: k.__name__,
)
@few_examples
@given(st.data())
def test_an_input_of_another_shape_is_refused_in_one_sentence(layer, data):
    arguments, shape, _ = data.draw(calls(layer))
    other = data.draw(others_than(shape))
    made = layer(**arguments)
    messages = [refusal(made.build, other)]
    if None not in other:
        messages += [refusal(layer(**arguments), np.zeros(other, "float32"))]
    for message in messages:
        assert message.startswith(f"{layer.__name__}.input_shape must be (batch, ")
        assert message.endswith(f" and at least 1. Received: {other}.")


@pytest.mark.parametrize(
    ("layer", "arguments", "shape", "message"),
    [
        (Patches, (6,), (25, 24, 3), "height must be a multiple of patch_size=6. R"),
        (Patches, (6,), (24, 25, 3), "width must be a multiple of patch_size=6. R"),
        (
            PositionEmbedding2D,
            ((2, 3),),
            (7, 4),
            r"input_shape must be \(batch, 2 \* 3",
        ),
        (
            PositionEmbedding2D,
            ((2, 3),),
            (6, 5),
            r"input_shape must be .* a multiple of 2",
        ),
        (PatchEncoder, (8, "2d"), (6, 5), "grid_size must be .* Received: None"),
        (
            RandomShift,
            (4,),
            (4, 9, 3),
            "height must be more than pixels=4.* Received: 4",
        ),
        (
            RandomShift,
            (4,),
            (9, 3, 3),
            "width must be more than pixels=4.* Received: 3",
        ),
        (Augmentation, ("shift_flip",), (4, 9, 3), "height must be more than pixels=4"),
        (Augmentation, ("shift_flip", 4), (9, 9, 3), "height must be more than pixels"),
        (Augmentation, ("report_vit",), (1, 9, 3), "images must be at least 2 pixels"),
    ],
)
def test_sizes_that_do_not_fit_the_arguments_are_refused(
    layer, arguments, shape, message
):
    with pytest.raises(ValueError, match=message):
        layer(*arguments).build((None, *shape))


@each_layer
@few_examples
@given(st.data())
def test_an_input_that_holds_no_numbers_is_refused(layer, data):
    arguments, shape, _ = data.draw(calls(layer))
    wrong = ["bool", "complex64"] + ["int32", "uint8"] * (layer not in TAKES_INTEGERS)
    dtype = data.draw(st.sampled_from(wrong))
    message = refusal(make(layer, arguments, shape), np.zeros((2, *shape), dtype))
    assert f"{layer.__name__}.input_dtype must be floats" in message
    assert f"Received: '{dtype}'." in message


@pytest.mark.parametrize(
    "layer", [PositionEmbedding1D, PositionEmbedding2D, RelativeSelfAttention]
)
@few_examples
@given(st.data())
def test_a_table_of_positions_takes_no_other_number_of_tokens(layer, data):
    arguments, shape, _ = data.draw(calls(layer))
    made = make(layer, arguments, shape)
    others = st.integers(1, 9).filter(lambda tokens: tokens != shape[0])
    tokens = np.zeros((2, data.draw(others), shape[1]), "float32")
    assert "is incompatible with the layer" in refusal(made, tokens)


@each_example
def test_a_saved_model_comes_back_the_same(layer, arguments, shape, tmp_path):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(**arguments)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = batch_of(shape)
    np.testing.assert_array_equal(model(images), loaded(images))


@each_example
def test_bfloat16_gives_nearly_the_same(layer, arguments, shape):
    full = make(layer, arguments, shape)
    half = make(layer, arguments, shape, dtype="mixed_bfloat16")
    half.set_weights(full.get_weights())
    batch = batch_of(shape)
    result = ops.convert_to_numpy(ops.cast(half(batch), "float32"))
    np.testing.assert_allclose(result, ops.convert_to_numpy(full(batch)), atol=0.05)


def given_to(layer):
    """All keywords that a layer and the classes below it name, but for its own."""
    classes = [kind for kind in layer.__mro__ if issubclass(kind, keras.layers.Layer)]
    names = {n for kind in classes for n in inspect.signature(kind.__init__).parameters}
    return names - {"self", "args", "kwargs"} - set(ARGUMENTS[layer])


def called_with(layer):
    """The keywords of a call; the first one is the input."""
    return set([*inspect.signature(layer.call).parameters][2:])


def regularizes(layer, arguments, shape):
    made = make(layer, arguments, shape, activity_regularizer="l1")
    result = ops.convert_to_numpy(made(batch_of(shape)))
    penalty = 0.01 * np.abs(result).sum() / len(result)  # Keras' mean over the batch
    np.testing.assert_allclose(sum(made.losses), penalty, rtol=1e-4)
    again = layer.from_config(made.get_config())
    assert again.activity_regularizer is not None


def freezes(layer, arguments, shape):
    made = make(layer, arguments, shape, trainable=False)
    assert made.trainable_weights == []
    assert len(made.weights) == len(make(layer, arguments, shape).weights)
    assert layer.from_config(made.get_config()).trainable is False


def computes_in(layer, arguments, shape):
    made = make(layer, arguments, shape, dtype="bfloat16")
    assert dtype_of(made(batch_of(shape))) == "bfloat16"
    floats = {w.dtype for w in made.weights if not w.dtype.startswith("int")}
    assert floats <= {"bfloat16"}


def is_called(layer, arguments, shape):
    made = make(layer, arguments, shape, name="mine")
    assert made.name == layer.from_config(made.get_config()).name == "mine"


def leaves_inputs_as_they_are(layer, arguments, shape):
    class Seeing(layer):
        def call(self, inputs, **options):
            self.seen = dtype_of(inputs)
            return super().call(inputs, **options)

    for autocast, dtype in ((True, "float32"), (False, "bfloat16")):
        made = make(Seeing, arguments, shape, autocast=autocast)
        made(batch_of(shape, "bfloat16"))
        assert made.seen == dtype


# What each keyword of Keras' base classes must do in every layer, or None where the
# layer must refuse it. A new one has to be entered here.
KEYWORDS = {
    "activity_regularizer": regularizes,
    "trainable": freezes,
    "dtype": computes_in,
    "name": is_called,
    "autocast": leaves_inputs_as_they_are,
    **dict.fromkeys(["axis", "mean", "variance", "invert", "kernel_constraint"]),
}
ONCE = {layer: (arguments, shape) for layer, arguments, shape in EXAMPLES}


@pytest.mark.parametrize("name", KEYWORDS)
@each_layer
def test_a_keyword_of_keras_is_honoured_or_refused(layer, name):
    assert given_to(layer) <= set(KEYWORDS)
    arguments, shape = ONCE[layer]
    if (check := KEYWORDS[name]) is not None:
        check(layer, arguments, shape)
        return
    message = refusal(lambda: layer(**arguments, **{name: 1}))
    assert layer.__name__ in message and name in message and "\n" not in message


@each_layer
def test_a_keyword_of_a_call_is_honoured_or_refused(layer):
    assert called_with(layer) <= {"training", "return_attention_scores"}
    arguments, shape = ONCE[layer]
    rates = {"dropout", "rate"} & set(ARGUMENTS[layer])
    made = make(layer, arguments | dict.fromkeys(rates, 0.5), shape)
    batch = batch_of(shape)
    with pytest.raises(TypeError, match="unexpected keyword argument 'mask'"):
        made(batch, mask=batch)
    usual, varied = (
        ops.convert_to_numpy(made(batch, training=t)) for t in (False, True)
    )
    assert np.array_equal(usual, varied) == ("training" not in called_with(layer))
    if "return_attention_scores" in called_with(layer):
        result, scores = made(batch, return_attention_scores=True)
        np.testing.assert_allclose(ops.sum(scores, -1), 1, rtol=1e-5)
        np.testing.assert_allclose(result, usual, rtol=1e-4, atol=1e-6)
