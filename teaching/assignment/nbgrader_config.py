"""Where nbgrader works. What students hand in, `grade.py` runs."""

from pathlib import Path

c = get_config()  # noqa: F821, nbgrader defines it
c.CourseDirectory.root = str(Path(__file__).resolve().parents[2] / "editions/grading")
