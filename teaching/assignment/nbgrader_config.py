"""Where nbgrader works, and how it runs what students hand in."""

import os
from pathlib import Path

# A cell that writes to stderr gets 0 points. Keep warnings away that are no mistakes.
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}

c = get_config()  # noqa: F821, nbgrader defines it
c.CourseDirectory.root = str(Path(__file__).resolve().parents[2] / "editions/grading")
c.Execute.timeout = 60  # seconds, of a cell
