"""The models that `training_speed.py` times, each in a process of its own.

    python benchmarks/contenders.py NAME MODEL BATCH

builds one, says when its first step is done, warms up, and then obeys the lines of its
standard input: "train 4", "predict 4" and, of a Keras model, "input 4" do so many steps
and answer with the seconds they took. `training_speed.py` starts it; run that.
"""

import json
import os
import sys
import time
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras loads TensorFlow

import numpy as np

from vitlib.config.models import ViTConfig
from vitlib.studies import PRESETS

MODELS = {
    "report": "report-vit",
    "compact": "compact",
    "resnet": "report-resnet",
    "masked": "masked",
}
SUPERVISED = "pure-vit"  # the preset that trains the encoder of `masked` on labels
WARM_UP = 3  # steps; the first compiles


def images_and_labels(config, batch, size=None):
    """Noise of the shape of a batch: what is in an image does not change the time."""
    rng, (height, width, channels) = np.random.default_rng(0), config.input_shape
    shape = (batch, size or height, size or width, channels)
    images = rng.integers(0, 256, shape).astype("float32")
    return images, rng.integers(0, config.num_classes, batch)


def keras_contender(build, preset, precision, batch):
    """Times a Keras model as `vitlib.train` feeds it."""
    import keras

    from vitlib.models.build import BUILDERS
    from vitlib.training.batches import run_batches
    from vitlib.training.optimizer import AdamW
    from vitlib.training.prepare import compile_model
    from vitlib.training.tasks import TASKS

    keras.config.set_dtype_policy(precision)
    model = (build or BUILDERS[type(preset.model)])(preset.model)
    kind = keras.optimizers.AdamW if build else AdamW
    task = TASKS[preset.model.task].of(preset.model)
    compile_model(model, preset.train, steps_per_epoch=100, kind=kind, task=task)
    images, labels = images_and_labels(preset.model, batch)

    def run(steps):
        pair = np.tile(images, (steps, 1, 1, 1)), np.tile(labels, steps)
        run_batches(model, *pair, batch)

    pipeline = input_pipeline(preset.model, plain=build is not None)

    def repeat(model):
        def predict(steps):
            for _ in range(steps):
                np.asarray(model.predict_on_batch(images))

        return predict

    return {"train": run, "predict": repeat(model), "input": repeat(pipeline)}


def input_pipeline(config, plain):
    """What a model does to its images before the first patch, as in training."""
    import keras
    from keras import layers

    from vitlib.layers.augment import Augmentation
    from vitlib.layers.normalize import Normalization

    images = keras.Input(config.input_shape)
    size = getattr(config, "image_size", config.input_shape[0])
    if plain:
        from plain_models import plain_augmentation

        x = layers.Resizing(size, size)(layers.Normalization()(images))
        x = plain_augmentation(x, config.augmentation)
    else:
        x = Normalization(dtype="float32")(images)
        x = Augmentation(config.augmentation, size, dtype="float32")(x)
    steps = keras.Model(images, x)

    class AsInTraining(keras.Model):
        def call(self, images, training=None):
            return steps(images, training=True)

    return AsInTraining()


def vitlib_float32(preset, batch):
    """The model and the training of this course."""
    return keras_contender(None, preset, "float32", batch), preset.model


def vitlib_bfloat16(preset, batch):
    """The same under Keras' policy mixed_bfloat16."""
    return keras_contender(None, preset, "mixed_bfloat16", batch), preset.model


def keras_float32(preset, batch):
    """The same architecture from layers of Keras alone."""
    from plain_models import build_plain

    return keras_contender(build_plain, preset, "float32", batch), preset.model


def keras_bfloat16(preset, batch):
    """The same under Keras' policy mixed_bfloat16."""
    from plain_models import build_plain

    return keras_contender(build_plain, preset, "mixed_bfloat16", batch), preset.model


def supervised_vitlib(preset, batch):
    """The encoder of a masked autoencoder on whole images, under a head for labels."""
    return vitlib_bfloat16(PRESETS[SUPERVISED], batch)


def supervised_keras(preset, batch):
    """The same from layers of Keras alone."""
    return keras_bfloat16(PRESETS[SUPERVISED], batch)


def keras_hub(preset, batch):
    """KerasHub's ViT backbone: its heads share the token, so key_dim is 16, not 128."""
    import keras
    from keras import layers

    def build(config):
        import keras_hub

        images = keras.Input(config.input_shape)
        x = layers.Resizing(config.image_size, config.image_size)(images)
        backbone = keras_hub.models.ViTBackbone(
            image_shape=(config.image_size, config.image_size, 3),
            patch_size=(config.patch_size, config.patch_size),
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            hidden_dim=config.projection_dim,
            mlp_dim=config.mlp_units[0],
            dropout_rate=config.dropout,
            attention_dropout=config.dropout,
        )
        logits = layers.Dense(config.num_classes, dtype="float32")
        return keras.Model(images, logits(backbone(x)[:, 0]))

    work = keras_contender(build, preset, "mixed_bfloat16", batch)
    return work, narrow(preset.model)


def narrow(config):
    """The shape of peers that split a token among the heads and have a small head."""
    key_dim = config.projection_dim // config.num_heads
    return replace(config, key_dim=key_dim, pooling="mean", head_units=())


def torch_contender(model, config, batch, bfloat16, compiled):
    """Times a PyTorch model on images of the final size, without augmentation."""
    import torch  # noqa: TID251

    device = "cuda" if torch.cuda.is_available() else "cpu"
    step_model = torch.compile(model.to(device)) if compiled else model.to(device)
    images, labels = images_and_labels(config, batch, config.image_size)
    images = torch.tensor(images.transpose(0, 3, 1, 2) / 255).to(device)
    labels = torch.tensor(labels).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)

    def forward():
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            logits = step_model(images)
        return getattr(logits, "logits", logits)  # transformers wraps them

    def run(steps):
        model.train()
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(forward().float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    def predict(steps):
        model.eval()
        with torch.no_grad():
            for _ in range(steps):
                forward().float().cpu()

    return {"train": run, "predict": predict}


def vit_pytorch(preset, batch, bfloat16=True, compiled=False):
    """The ViT of vit-pytorch: the same trunk, class token and one dense layer."""
    from vit_pytorch.vit import ViT

    config = preset.model
    model = ViT(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_classes=config.num_classes,
        dim=config.projection_dim,
        depth=config.num_layers,
        heads=config.num_heads,
        dim_head=config.key_dim,
        mlp_dim=config.mlp_units[0],
        dropout=config.dropout,
    )
    work = torch_contender(model, config, batch, bfloat16, compiled)
    return work, replace(config, pooling="mean", head_units=())


def vit_pytorch_float32(preset, batch):
    """The same in float32."""
    return vit_pytorch(preset, batch, bfloat16=False)


def vit_pytorch_compiled(preset, batch):
    """The same in bfloat16, through torch.compile."""
    return vit_pytorch(preset, batch, compiled=True)


def transformers_vit(preset, batch):
    """Hugging Face's ViT: its heads share the token, so key_dim is 16, not 128."""
    import transformers

    config = preset.model
    model = transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=config.projection_dim,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            intermediate_size=config.mlp_units[0],
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.dropout,
            image_size=config.image_size,
            patch_size=config.patch_size,
            num_labels=config.num_classes,
        )
    )

    class Pixels(type(model)):
        """Takes the images alone."""

        def forward(self, images):
            return super().forward(pixel_values=images)

    model.__class__ = Pixels
    return torch_contender(model, config, batch, True, False), narrow(config)


CONTENDERS = {
    "vitlib, bfloat16": vitlib_bfloat16,
    "vitlib, float32": vitlib_float32,
    "Keras layers, bfloat16": keras_bfloat16,
    "Keras layers, float32": keras_float32,
    "supervised by vitlib, bfloat16": supervised_vitlib,
    "supervised by Keras layers, bfloat16": supervised_keras,
    "KerasHub, bfloat16": keras_hub,
    "vit-pytorch, bfloat16": vit_pytorch,
    "vit-pytorch, bfloat16, compiled": vit_pytorch_compiled,
    "vit-pytorch, float32": vit_pytorch_float32,
    "transformers, bfloat16": transformers_vit,
}


def is_keras(name):
    """Whether a contender runs on Keras' backend; the others are PyTorch."""
    return name.startswith(("vitlib", "Keras", "supervised"))


def takes(name, model):
    """Whether a contender has a model of this kind."""
    config = PRESETS[MODELS[model]].model
    if name.startswith(("vitlib", "Keras layers")):
        return True
    if name.startswith("supervised"):  # beside what learns without labels
        return model == "masked"
    return type(config) is ViTConfig and not config.stem_filters


def main(name, model, batch):
    """Serves one contender until its standard input ends."""
    preset = PRESETS[MODELS[model]]
    work, shape = CONTENDERS[name](preset, int(batch))
    work["train"](1)
    print(json.dumps("first step"), flush=True)
    for do in work.values():
        do(WARM_UP)
    from vitlib.models.build import BUILDERS
    from vitlib.models.flops import count_flops
    from vitlib.training.provenance import peak_memory_bytes

    flops = count_flops(BUILDERS[type(shape)](shape))
    print(json.dumps({"flops_per_image": flops, "kinds": list(work)}), flush=True)
    for line in sys.stdin:
        kind, steps = line.split()
        start = time.perf_counter()
        work[kind](int(steps))
        print(json.dumps(time.perf_counter() - start), flush=True)
    print(json.dumps({"peak_memory_bytes": peak_memory_bytes()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
