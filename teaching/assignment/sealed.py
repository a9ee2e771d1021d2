"""Grades a notebook in one process, and keeps its student in another.

The cells that grade run here. What they call runs there, in an interpreter that has the
student's cells and nothing else; only numbers come back.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from code import InteractiveInterpreter
from functools import partial
from pathlib import Path

import nbformat
from restore import mark
from wire import decode, encode

import vitlib

HERE = Path(__file__).resolve().parent
PACKAGE = Path(vitlib.__file__).resolve().parent
LARGEST = 64 * 2**20  # bytes of a reply
PASSED_ON = ("PATH", "LANG", "KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS")


def bubblewrap():
    """The command that starts another one without network, and without your files.

    Returns:
        List of strings: Bubblewrap, with Python, its packages and vitlib to be read,
        but for `vitlib.checks`; nothing can be written that stays.
    """
    seen = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", sys.base_prefix]
    seen += [sys.prefix, PACKAGE, HERE / "worker.py", HERE / "wire.py"]
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    command += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    for path in map(str, seen):
        command += ["--ro-bind-try", path, path]
    return [*command, "--tmpfs", str(PACKAGE / "checks"), "--chdir", "/tmp"]


class Student:
    """The process of a student. When it ends, or is silent, a new one goes on.

    Args:
        wrapper: List of strings. The command that starts the process; may be empty.
        seconds: Number. How long a cell or a call may take.
    """

    def __init__(self, wrapper, seconds):
        self.command = [*wrapper, sys.executable, str(HERE / "worker.py")]
        self.seconds, self.process = seconds, None
        self.cells, self.failed = [], {}

    def run(self, source):
        """Runs a cell.

        Returns:
            Dict: `printed`, and `error`, which is None or a sentence.
        """
        try:
            reply = self._ask({"run": source})
        except OSError as error:
            return {"printed": "", "error": f"{type(error).__name__}: {error}"}
        self.cells.append(source)
        return reply

    def call(self, name, *arguments):
        """Calls a function of the cells; raises what it raises, by the same name."""
        if name in self.failed:  # it would end the next process, too
            raise self.failed[name]
        try:
            request = {"call": name, "arguments": encode(arguments)}
            reply = self._ask(request)
        except OSError as error:
            self.failed[name] = error
            raise
        if "error" in reply:
            kind, text = map(str, reply["error"])
            known = {"NotImplementedError": NotImplementedError}
            raise known.get(kind, type(kind, (Exception,), {}))(text)
        for mine, theirs in zip(arguments, decode(reply["arguments"]), strict=True):
            if hasattr(mine, "dtype"):  # an array that the function may have changed
                mine[...] = theirs
        return decode(reply["answer"])

    def close(self):
        """Ends the process and all that it has started."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            with contextlib.suppress(queue.Empty):
                self.replies.get(timeout=1)  # the reader may wait to hand on a last one
            self.reader.join(timeout=1)
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = None

    def _start(self):
        self.folder = tempfile.mkdtemp()
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env |= {"PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {"HOME": "/tmp", "TF_CPP_MIN_LOG_LEVEL": "3"}
        env |= {"IPYTHONDIR": "/tmp/ipython", "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.replies = queue.Queue(maxsize=1)
        reader = partial(_read, self.process.stdout, self.replies)
        self.reader = threading.Thread(target=reader, daemon=True)
        self.reader.start()
        for source in self.cells:  # those that did no harm
            self._ask({"run": source})

    def _ask(self, request):
        if self.process is None:
            self._start()
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.replies.get(timeout=self.seconds)
            if not line.endswith(b"\n"):
                raise ChildProcessError("it ended its own process")
            return json.loads(line)
        except queue.Empty:
            self.close()
            raise TimeoutError(f"it took more than {self.seconds} seconds") from None
        except BrokenPipeError:
            self.close()
            raise ChildProcessError("it ended its own process") from None
        except (ChildProcessError, ValueError):
            self.close()
            raise


def _read(stream, replies):
    """Hands on the replies, line by line, and b"" at the end."""
    with stream:
        while line := stream.readline(LARGEST):
            replies.put(line)
    replies.put(b"")


class Grader(InteractiveInterpreter):
    """Runs the cells of the instructor."""

    def run(self, source):
        """Runs a cell; returns what it raises in a sentence, or None."""
        self.error = None
        self.runcode(compile(source, "<cell>", "exec"))
        return self.error

    def showtraceback(self):
        """Keeps what a cell has raised."""
        kind, error, _ = sys.exc_info()
        self.error = f"{kind.__name__}: {error}"


def grade(notebook, student, hidden):
    """Runs a notebook, and writes below each cell what came out.

    Args:
        notebook: What `restore` made.
        student: `Student`, in whose process the cells run that do not grade.
        hidden: List of integers. The seeds of the questions that nobody has seen.

    Returns:
        Tuple: the points of the cells that grade code, and a list of sentences on the
        cells that ended the process.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    grader, points, notes = Grader({"hidden": hidden}), 0, []
    for cell in code:
        name = mark(cell).get("grade_id")
        if mark(cell).get("grade"):
            error = grader.run(cell.source)
            points += 0 if error else mark(cell)["points"]
            cell.outputs = [_error(error)] if error else []
            continue
        if mark(cell).get("locked"):
            grader.run(cell.source)
        elif name:
            grader.locals[name] = partial(student.call, name)
        reply = student.run(cell.source)
        cell.outputs = _shown(reply)
        if student.process is None:
            notes.append(f"{name or 'a cell of their own'}: {reply['error']}.")
    return points, notes + [f"{n}: {error}." for n, error in student.failed.items()]


def _shown(reply):
    printed, error = str(reply["printed"]), reply["error"]
    outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
    return [*outputs, _error(str(error))] if error else outputs


def _error(text):
    kind, _, rest = text.partition(": ")
    return nbformat.v4.new_output("error", ename=kind, evalue=rest, traceback=[text])
