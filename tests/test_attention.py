import keras
import numpy as np
import pytest

from vitlib import RelativeSelfAttention, SelfAttention
from vitlib.layers.positioned_attention import (
    GridRelativeSelfAttention,
    RotarySelfAttention,
    make_attention,
)

pytestmark = pytest.mark.backend

TOKENS = np.random.default_rng(0).normal(size=(2, 9, 16)).astype("float32")


def dense_weights(plain):
    """The weights of MultiHeadAttention, with the heads side by side."""
    *projections, output, bias = plain.get_weights()
    flat = [w.reshape((*w.shape[:-2], -1)) for w in projections]
    return [*flat, output.reshape((-1, output.shape[-1])), bias]


def layers_with_the_same_weights(offsets=None):
    keras.utils.set_random_seed(1)
    plain = keras.layers.MultiHeadAttention(num_heads=2, key_dim=8)
    relative = RelativeSelfAttention(num_heads=2, key_dim=8)
    plain(TOKENS, TOKENS)
    relative(TOKENS)
    if offsets is None:
        offsets = np.zeros((17, 8), "float32")
    relative.set_weights([offsets, *dense_weights(plain)])
    return plain, relative


def test_zero_offsets_give_multi_head_attention():
    plain, relative = layers_with_the_same_weights()
    expected, expected_scores = plain(TOKENS, TOKENS, return_attention_scores=True)
    output, scores = relative(TOKENS, return_attention_scores=True)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)


def test_logits_are_content_plus_offset():
    offsets = np.random.default_rng(2).normal(size=(17, 8)).astype("float32")
    _, relative = layers_with_the_same_weights(offsets)
    _, scores = relative(TOKENS, return_attention_scores=True)
    query, key, _ = (np.array(part) for part in relative.project(TOKENS))
    logits = np.empty((2, 2, 9, 9))
    for q in range(9):
        for k in range(9):
            keys = key[:, :, k] + offsets[k - q + 8]
            logits[:, :, q, k] = (query[:, :, q] * keys).sum(-1) / np.sqrt(8)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_vector_added_to_all_offsets_changes_no_weight():
    """So lengths and angles of the table say nothing before its mean is taken off."""
    rng = np.random.default_rng(2)
    offsets = rng.normal(size=(17, 8)).astype("float32")
    common, own = rng.normal(size=(2, 8)).astype("float32")
    scores = [
        layers_with_the_same_weights(table)[1](TOKENS, return_attention_scores=True)[1]
        for table in (offsets, offsets + common, offsets + own * (np.eye(17)[:, :1]))
    ]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-5)
    assert np.abs(np.subtract(scores[2], scores[0])).max() > 0.01


def test_attention_weights_sum_to_one():
    _, scores = layers_with_the_same_weights()[1](TOKENS, return_attention_scores=True)
    np.testing.assert_allclose(np.array(scores).sum(-1), 1, atol=1e-5)


def test_dropout_acts_in_training_alone():
    keras.utils.set_random_seed(0)
    layer = RelativeSelfAttention(num_heads=2, key_dim=8, dropout=0.5)
    calm = np.array(layer(TOKENS, training=False))
    np.testing.assert_array_equal(calm, layer(TOKENS, training=False))
    assert np.abs(calm - np.array(layer(TOKENS, training=True))).max() > 1e-3


def rounding_error(layer, half, *call):
    """Largest difference between a layer and its twin of half precision."""
    half.build(*(argument.shape for argument in call))
    half.set_weights(layer.get_weights())
    rounded = keras.ops.convert_to_numpy(half(*call)).astype("float32")
    return np.abs(np.array(layer(*call)) - rounded).max()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_rounds_no_worse_than_multi_head_attention(policy):
    plain, relative = layers_with_the_same_weights()
    half_plain = keras.layers.MultiHeadAttention(2, 8, dtype=policy)
    half_relative = RelativeSelfAttention(2, 8, dtype=policy)
    expected = rounding_error(plain, half_plain, TOKENS, TOKENS)
    error = rounding_error(relative, half_relative, TOKENS)
    assert 0 < error < 2 * expected


def gradients(model):
    """The gradients of a squared error: what one step of plain descent takes off."""
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
    before = model.get_weights()
    model.train_on_batch(TOKENS, np.zeros_like(TOKENS))
    return [old - new for old, new in zip(before, model.get_weights(), strict=True)]


def test_outputs_and_gradients_are_those_of_multi_head_attention():
    tokens, rng = keras.Input(TOKENS.shape[1:]), np.random.default_rng(3)
    plain = keras.layers.MultiHeadAttention(num_heads=2, key_dim=8)
    plain, fast = (
        keras.Model(tokens, output)
        for output in (plain(tokens, tokens), SelfAttention(2, 8)(tokens))
    )
    plain.set_weights([rng.normal(size=w.shape) for w in plain.get_weights()])
    fast.set_weights(dense_weights(plain))
    np.testing.assert_allclose(fast(TOKENS), plain(TOKENS), atol=1e-4)
    pairs = zip(gradients(plain), gradients(fast), strict=True)
    for expected, slope in pairs:
        np.testing.assert_allclose(
            slope, expected.reshape(slope.shape), rtol=1e-4, atol=1e-4
        )


def test_the_weights_start_as_those_of_multi_head_attention():
    plain, fast = keras.layers.MultiHeadAttention(8, 64), SelfAttention(8, 64)
    tokens = np.zeros((1, 4, 128), "float32")
    plain(tokens, tokens), fast(tokens)
    for expected, weight in zip(plain.get_weights(), fast.get_weights(), strict=True):
        assert weight.size == expected.size
        np.testing.assert_allclose(weight.std(), expected.std(), rtol=0.05)


@pytest.mark.parametrize("kind", [SelfAttention, RelativeSelfAttention])
def test_the_fused_path_is_the_same_function(kind, monkeypatch):
    keras.utils.set_random_seed(4)
    tokens = keras.Input(TOKENS.shape[1:])
    layer = kind(num_heads=2, key_dim=8)
    model = keras.Model(tokens, layer(tokens))
    if kind is RelativeSelfAttention:
        offsets, *others = layer.get_weights()
        layer.set_weights(
            [np.random.default_rng(5).normal(size=offsets.shape), *others]
        )
    plain, start = np.array(layer(TOKENS)), model.get_weights()
    slopes = gradients(model)
    model.set_weights(start)
    layer.fused = True
    used = []
    fused = keras.ops.dot_product_attention
    monkeypatch.setattr(
        keras.ops,
        "dot_product_attention",
        lambda *a, **k: used.append(1) or fused(*a, **k),
    )
    np.testing.assert_allclose(layer(TOKENS), plain, atol=1e-5)
    for expected, slope in zip(slopes, gradients(model), strict=True):
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-5)
    assert used


def test_weights_that_are_dropped_or_asked_for_do_not_take_the_fused_path():
    layer = SelfAttention(num_heads=2, key_dim=8, dropout=0.5)
    layer(TOKENS)
    layer.fused = True
    calm = np.array(layer(TOKENS))
    _, scores = layer(TOKENS, return_attention_scores=True)
    np.testing.assert_allclose(np.array(scores).sum(-1), 1, atol=1e-5)
    assert np.abs(calm - np.array(layer(TOKENS, training=True))).max() > 1e-3


def rotary(grid_size=(3, 3), key_dim=8):
    layer = RotarySelfAttention(num_heads=2, key_dim=key_dim, grid_size=grid_size)
    layer.build((None, grid_size[0] * grid_size[1], 16))
    return layer


def turn_by_hand(x, grid_size):
    """Each pair as a complex number, multiplied by one of length 1."""
    half = x.shape[-1] // 2
    places = np.stack(np.indices(grid_size), axis=-1).reshape(-1, 2)
    speeds = 100.0 ** (-np.arange(half // 2) / (half // 2))
    angles = np.concatenate([places[:, :1] * speeds, places[:, 1:] * speeds], axis=-1)
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=-1)


def test_queries_and_keys_are_turned_by_row_and_column():
    layer = rotary((2, 3))
    query, key, _ = layer.project(TOKENS[:, :6])
    for part, turned in zip((query, key), layer._place(query, key), strict=True):
        expected = turn_by_hand(np.array(part), (2, 3))
        np.testing.assert_allclose(turned, expected, atol=1e-5)
    assert layer.count_params() == 4 * 16 * 16 + 4 * 16  # those of plain attention


def test_turned_logits_depend_on_content_and_offset_alone():
    """Of tokens that are all alike, the weights tell the offset; none is equal."""
    layer = rotary((4, 5))
    same = np.broadcast_to(TOKENS[:1, :1], (1, 20, 16))
    query, key, _ = layer.project(same)
    query, key = (np.array(part)[0, 0] for part in layer._place(query, key))
    logits = (query @ key.T).reshape(4, 5, 4, 5)
    np.testing.assert_allclose(logits[0, 0, :3, :4], logits[1, 1, 1:, 1:], atol=1e-4)
    np.testing.assert_allclose(logits[2, 3, :2, :3], logits[3, 4, 1:3, 1:4], atol=1e-4)
    assert np.ptp(logits) > 1e-2


def test_a_length_that_cannot_be_turned_is_refused():
    with pytest.raises(
        ValueError, match="key_dim must be a multiple of 4.*Received: 6"
    ):
        rotary(key_dim=6)
    with pytest.raises(ValueError, match=r"3 \* 3, length.*Received: \(None, 8, 16\)"):
        RotarySelfAttention(2, 8, grid_size=(3, 3)).build((None, 8, 16))


def on_grid(**options):
    layer = GridRelativeSelfAttention(2, 8, grid_size=(3, 3), **options)
    layer.build((None, 9, 16))
    return layer


@pytest.mark.parametrize("most", [None, 1])
def test_keys_and_values_are_moved_by_the_offset_of_row_and_column(most):
    """Each query by hand, with keys and values of its own."""
    keras.utils.set_random_seed(1)
    layer = on_grid(max_distance=most, on_values=True, stddev=1.0)
    output, scores = layer(TOKENS, return_attention_scores=True)
    query, key, value = (np.array(part) for part in layer.project(TOKENS))
    limit, mixed = most or 2, np.empty((2, 2, 9, 8))
    tables = [np.array(t) for t in (*layer.key_tables, *layer.value_tables)]
    assert {len(table) for table in tables} == {2 * limit + 1}
    places = np.stack(np.indices((3, 3)), -1).reshape(-1, 2)
    for q in range(9):
        row, column = np.clip(places - places[q], -limit, limit).T + limit
        on_keys = np.concatenate([tables[0][row], tables[1][column]], -1)
        on_values = np.concatenate([tables[2][row], tables[3][column]], -1)
        logits = np.einsum("bhd,bhkd->bhk", query[:, :, q], key + on_keys) / np.sqrt(8)
        weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        np.testing.assert_allclose(np.array(scores)[:, :, q], weights, atol=1e-5)
        mixed[:, :, q] = np.einsum("bhk,bhkd->bhd", weights, value + on_values)
    joined = mixed.transpose(0, 2, 1, 3).reshape(2, 9, 16)
    expected = layer.output_dense(joined.astype("float32"))
    np.testing.assert_allclose(output, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("position", "weights", "spread"),
    [
        ("relative2d", 2 * 15 * 16, 0.02),
        ("relative2d-clipped", 2 * 5 * 16, 0.02),
        ("relative2d-values", 4 * 5 * 16, 0.02),
        ("relative2d-wide", 4 * 5 * 16, 1.0),
    ],
)
def test_each_step_to_the_public_study_has_its_tables(position, weights, spread):
    keras.utils.set_random_seed(0)
    layer = make_attention(position, 4, 32, grid_size=(8, 8))
    layer.build((None, 64, 128))
    tables = [w for w in layer.weights if "offset" in w.name]
    assert layer.count_params() == 4 * (128 * 128 + 128) + weights
    assert sum(np.size(table) for table in tables) == weights
    drawn = np.concatenate([np.ravel(table) for table in tables])
    assert np.std(drawn) == pytest.approx(spread, rel=0.2)
    uses = 2 if len(tables) == 4 else 1
    assert layer.count_position_products() == uses * 64**2 * 4 * 32


def test_offsets_on_values_keep_off_the_fused_path():
    layer = on_grid(on_values=True, stddev=1.0)
    plain = np.array(layer(TOKENS))
    layer.fused = True
    np.testing.assert_array_equal(layer(TOKENS), plain)


def test_an_odd_length_has_no_halves():
    with pytest.raises(ValueError, match="key_dim must be even.*Received: 7"):
        GridRelativeSelfAttention(2, 7, grid_size=(3, 3))
