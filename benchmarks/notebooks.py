"""Time every notebook in the quick profile: seconds, slowest cell, memory.

    python benchmarks/notebooks.py
    python benchmarks/notebooks.py --json benchmarks/records/notebooks.json

Each notebook runs alone, in its own process, as `make run` runs it. Take the numbers on
a machine that does nothing else.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# As `make run` sets them: no banner, and the same digits on every processor.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")

from vitlib.folders import require_own
from vitlib.records.tables import Table
from vitlib.training.provenance import device, git_commit, versions

ROOT = Path(__file__).resolve().parents[1]
GIB = 2**30
COLUMNS = ("notebook", "seconds", "slowest cell (s)", "cell", "peak memory (GiB)")


def descendants(pid):
    """The processes that a process started, and those that they started (Linux)."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:  # it has ended meanwhile
                continue
    return found


def resident_bytes(pids):
    """Memory that processes hold together, shared pages counted in each."""
    total = 0
    for pid in pids:
        try:
            pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        except OSError:
            continue
        total += int(pages) * os.sysconf("SC_PAGE_SIZE")
    return total


def measure(path, out):
    """Runs one notebook into `out`. Returns its row of the table."""
    code = (
        "import papermill, sys; papermill.execute_notebook("
        "sys.argv[1], sys.argv[2], cwd=sys.argv[3], progress_bar=False)"
    )
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(out), str(path.parent)],
        stderr=subprocess.DEVNULL,
    )
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.2):
            peak[0] = max(peak[0], resident_bytes(descendants(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    ended.set()
    watcher.join()
    if status:
        raise SystemExit(f"{path.name} failed; run it to see why.")
    seconds = time.perf_counter() - start
    return (path.stem, seconds, *slowest_cell(out), peak[0] / GIB)


def slowest_cell(path):
    """Seconds and first line of the cell of a run notebook that took longest."""
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    timed = [
        (cell.metadata.papermill.duration or 0, cell.source.splitlines()[0])
        for cell in cells
        if cell.cell_type == "code"
    ]
    return max(timed)


def seconds_by_section(path):
    """Seconds that the cells of each section of a run notebook took, by its heading."""
    import nbformat

    sections, heading = {}, None
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^## (.+)$", cell.source, re.MULTILINE)
            heading = headings[-1] if headings else heading
        elif heading:
            seconds = cell.metadata.papermill.duration or 0
            sections[heading] = sections.get(heading, 0) + seconds
    return {name: round(seconds, 1) for name, seconds in sections.items()}


def main(arguments=None):
    """Measures the notebooks that the command line names, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--json", type=Path, help="file for the seconds a section")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / path.name for path in paths]
        rows = [
            measure(*pair) for pair in zip(map(Path.resolve, paths), outs, strict=True)
        ]
        sections = {out.stem: seconds_by_section(out) for out in outs}
    if options.json:
        facts = {"device": device(), "versions": versions(), "git_commit": git_commit()}
        facts |= {"seconds": {row[0]: round(row[1], 1) for row in rows}}
        text = json.dumps(facts | {"sections": sections}, indent=1, ensure_ascii=False)
        options.json.write_text(f"{text}\n", encoding="utf-8")
    total = ("all", sum(row[1] for row in rows), max(row[2] for row in rows), "")
    print(Table(COLUMNS, (*rows, (*total, max(row[4] for row in rows)))))


if __name__ == "__main__":
    require_own(ROOT)
    main()
