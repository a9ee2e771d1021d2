"""The three small models inside the page that shows a Vision Transformer at work."""

from dataclasses import replace

from vitlib.studies.recipes import TINY_TRAIN, TINY_VIT
from vitlib.studies.study import Preset, Study, grid

POSITIONS = ["1d", "2d", "none"]

# Two blocks, so that something arrives through several; as narrow as still learns the
# arrangement, for the weights of all three travel with the page.
EXPLORER_VIT = replace(
    TINY_VIT, projection_dim=48, key_dim=12, mlp_units=(72, 48), num_layers=2
)
EXPLORER_TRAIN = replace(TINY_TRAIN, epochs=10, learning_rate=6e-3)

STUDY = Study(
    name="explorer",
    question="What does a model of 0.05 M parameters do, seen from inside?",
    presets={"explorer": Preset(EXPLORER_VIT, EXPLORER_TRAIN, data="shapes")},
    runs={"quick": grid("explorer", position=POSITIONS, seed=0)},
)
