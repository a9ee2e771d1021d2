"""Every kind of position for 30 epochs, and what ails offsets of raster numbers."""

from vitlib.config.models import POSITIONS
from vitlib.studies.study import Study, grid

# Those whose order differs between eight epochs here and 200 epochs of a public study.
IN_QUESTION = ["1d", "relative", "relative2d"]

STUDY = Study(
    name="positions-long",
    question="Which kind of position is best once a training is long enough?",
    runs={
        "laptop": [
            *grid("small-vit", position=list(POSITIONS), epochs=30, seed=0),
            *grid("small-vit", position=IN_QUESTION, epochs=30, seed=[1, 2]),
        ],
    },
)
