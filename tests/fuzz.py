"""Feed the readers of archives and records what nobody wrote: seeded mutations.

    python tests/fuzz.py --inputs 50000 --seed 0

Each input is a whole small archive of CIFAR-100, or a record of a run, with random
faults. Its reader must refuse it in one sentence, or give exactly what the whole file
gives, within ten seconds and without a file opened for writing. The archives are small,
and the library is told their fingerprints in place of the official ones, so that every
check behind the fingerprints is reached, too. A child process reads; when it dies, the
parent says at which input, and goes on behind it.
"""

import argparse
import copy
import faulthandler
import gzip
import io
import json
import random
import subprocess
import sys
import tarfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

TIME_LIMIT = 10  # seconds for one input
MOST_DEATHS = 10  # of the child, before the search is given up
HARMLESS = ("refused", "same")  # what may come of an input
# What a reader does to the world, as Python's audit events name it; of the events
# "open", those that may write.
DEEDS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link"}
DEEDS |= {
    "os.chmod",
    "os.chown",
    "os.truncate",
    "os.system",
    "os.exec",
    "os.posix_spawn",
}
DEEDS |= {"subprocess.Popen", "socket.connect", "pickle.find_class", "exec", "import"}
NAMES = [
    "../x",
    "/etc/passwd",
    "cifar-100-binary/../../x",
    "cifar-100-binary/x",
    "",
    "/",
]
NAMES += ["cifar-100-python/meta", "x" * 300, "é\n", "cifar-100-binary", ".", "a\0b"]
PAX = ["path", "size", "linkpath", "GNU.sparse.size", "GNU.sparse.map", "hdrcharset"]
SIZES = [0, 1, 511, 513, 2**31, 2**33, 10**12, -1]
TOKENS = [
    "NaN",
    "-Infinity",
    "1e999",
    "-1",
    "0.5",
    '""',
    "[]",
    "{}",
    "null",
    "true",
    "1",
]
TOKENS += [
    '"\\ud800"',
    "9" * 5000,
    "[" * 2000,
    "[" * 900 + "]" * 900,
    "1.0",
    "01",
    "'x'",
]
TOKENS += ['{"a":' * 900 + "1" + "}" * 900, '"../../x"', '"report\\n"', "-0", "1E400"]
CODINGS = ["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500"]


def mutate_bytes(rng, data):
    """Flips, cuts, doubles, fills, inserts or leaves out, one to three times."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(data) + 1)
        piece = data[start : start + rng.choice([1, 1, 4, 64, 512, 4096])]
        rest = data[start + len(piece) :]
        changed = [
            bytes(byte ^ 1 << rng.randrange(8) for byte in piece),
            rng.randbytes(len(piece)),
            bytes(len(piece)),
            piece + piece,
            rng.randbytes(rng.choice([1, 8, 512])) + piece,
            rest[: len(piece)] + piece,  # something twice, farther on
            b"",
        ]
        end = b"" if rng.random() < 0.05 else rest
        data = data[:start] + rng.choice(changed) + end
    return data


def mutate_stream(rng, whole):
    """Changes the compressed file."""
    return mutate_bytes(rng, whole.file)


def mutate_tar(rng, whole):
    """Changes the tar archive under an intact compression."""
    return gzip.compress(mutate_bytes(rng, whole.tar), 1)


def mutate_content(rng, whole):
    """Changes what one member holds, under intact headers."""
    name = rng.choice(list(whole.members))
    changed = mutate_bytes(rng, whole.members[name])
    if rng.random() < 0.8:  # of the right length, so that more than it is looked at
        length = len(whole.members[name])
        changed = changed[:length].ljust(length, b"\0")
    return pack(whole.members | {name: changed})


def mutate_header(rng, whole):
    """Changes names, types, sizes and order of the members, or adds some."""
    headers = [tarfile.TarInfo(f"cifar-100-binary/{name}") for name in whole.members]
    for header, content in zip(headers, whole.members.values(), strict=True):
        header.size = len(content)
    contents = list(whole.members.values())
    for _ in range(rng.randint(1, 2)):
        place = rng.randrange(len(headers))
        header = headers[place] = copy.copy(headers[place])
        match rng.randrange(6):
            case 0:
                header.name = rng.choice(NAMES)
            case 1:
                header.type = bytes([rng.choice([*b"0123456789gxLKSDVX", 0, 255])])
                header.linkname = rng.choice(NAMES)
            case 2:
                header.size = rng.choice(SIZES)
            case 3:
                header.pax_headers = {rng.choice(PAX): f"{rng.choice(NAMES + SIZES)}"}
            case 4:  # a member twice
                headers.append(header)
                contents.append(contents[place])
            case 5:  # at another place
                headers.append(headers.pop(place))
                contents.append(contents.pop(place))
    count = rng.choice([len(headers)] * 4 + [len(headers) - 1])  # or one too few
    blocks = map(block, headers[:count], contents[:count])
    return gzip.compress(b"".join(blocks) + bytes(1024), 1)


def block(header, content):
    """A header and its content, as they stand in a tar archive."""
    form = tarfile.PAX_FORMAT if header.pax_headers else tarfile.GNU_FORMAT
    try:
        head = header.tobuf(form, errors="surrogateescape")
    except ValueError:  # a size below 0, which no header can hold
        head = bytes(512)
    return head + content + bytes(-len(content) % 512)


def mutate_size(rng, whole):
    """Makes a bomb: more bytes than the limit, in few, in one stream or several."""
    zeros = gzip.compress(bytes(2**20), 9)
    start = rng.choice(
        [b"", whole.file, gzip.compress(whole.tar[: rng.randrange(9999)])]
    )
    bomb = bytearray(start + zeros * rng.choice([1, 2, 8]))
    bomb[-4:] = rng.choice(
        [bomb[-4:], bytes(4), rng.randbytes(4)]
    )  # the length it says
    return bytes(bomb)


def mutate_text(rng, whole):
    """Changes the bytes of a record, or writes them in another encoding."""
    if rng.random() < 0.1:
        return whole.text.replace("a processor", "µ").encode(rng.choice(CODINGS))
    return mutate_bytes(rng, whole.text.encode())


def mutate_json(rng, whole):
    """Puts other values, other names, more or fewer fields into a record."""
    lines = whole.text.splitlines()
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(lines))
        name, colon, value = lines[place].partition(": ")
        comma = "," if lines[place].endswith(",") else ""
        digits = "".join(rng.choice("0123456789") if c.isdigit() else c for c in value)
        lines[place] = rng.choice(
            [
                f"{name}{colon}{rng.choice(TOKENS)}{comma}",
                f"{name}{colon}{digits}",
                f"{lines[place]}\n{lines[place]}",
                f"{name}x{colon}{value}",
                lines[rng.randrange(len(lines))],
                f"  {lines[place]}\t",
                "",
            ]
        )
    return "\n".join(lines).encode("utf-8", "surrogatepass")


ARCHIVES = [mutate_stream, mutate_tar, mutate_content, mutate_header]
# A bomb takes a hundred times as long as another input, so there are fewer of them.
KINDS = ARCHIVES * 12 + [mutate_text, mutate_json] * 12 + [mutate_size]


def pack(members):
    """A gzipped tar archive of the members, as bytes."""
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
            for name, content in members.items():
                header = tarfile.TarInfo(f"cifar-100-binary/{name}")
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
        return file.getvalue()


class Whole:
    """An archive and a record without a fault, and what their readers give."""

    def __init__(self, folder):
        import pytest
        from sample_run import make_history, make_run
        from small_cifar100 import expect_small_archives, make_members

        from vitlib import load_run, save_run
        from vitlib.data import archive

        archive.RECORD_BYTES = 2 + 3 * 2 * 2  # images of four pixels, to be quick
        archive.UNPACKED_LIMIT = 2**19
        expect_small_archives(pytest.MonkeyPatch())
        self.members = make_members()
        self.file = pack(self.members)
        self.tar = gzip.decompress(self.file)
        run = make_run(history=make_history(2), best_epoch=2)
        self.text = save_run(folder / "whole", run).read_text()
        self.archive_path = folder / "cifar-100-binary.tar.gz"
        self.record_path = folder / "x-seed0.json"
        self.readers = {
            self.archive_path: lambda path: describe_archive(
                archive.read_archive(path)
            ),
            self.record_path: lambda path: json.dumps(asdict(load_run(path))),
        }
        contents = {self.archive_path: self.file, self.record_path: self.text.encode()}
        for path, content in contents.items():
            path.write_bytes(content)
        self.expected = {path: self.readers[path](path) for path in contents}

    def path_of(self, mutate):
        """Path that the inputs of a mutation are written to."""
        is_record = mutate in (mutate_text, mutate_json)
        return self.record_path if is_record else self.archive_path


def describe_archive(archive):
    """All that an archive holds, to be compared."""
    records = archive.train.tobytes() + archive.test.tobytes()
    return archive.class_names, records, archive.fingerprint


class Watch:
    """What a reader does to the world, beside reading."""

    def __init__(self):
        self.on, self.deeds = False, []
        sys.addaudithook(self.see)

    def see(self, event, arguments):
        """Notes an audit event that is not allowed."""
        if self.on and (event in DEEDS or event == "open" and may_write(*arguments)):
            self.deeds.append(f"{event} {arguments[:2]}")


def may_write(path, mode, flags):
    """Whether an audit event "open" tells of more than reading."""
    return bool(set(mode or "r") & set("wax+")) or bool(flags & 3)


def judge(read, path, expected, watch):
    """Reads one input; says what came of it: one of `HARMLESS`, or the fault."""
    watch.deeds.clear()
    watch.on = True
    try:
        found = "same" if read(path) == expected else "accepted with other content"
    except (ValueError, OSError) as error:
        message = str(error)
        is_sentence = "\n" not in message and "Received: " in message
        found = "refused" if is_sentence else f"refused without a sentence: {message!r}"
    except Exception as error:
        found = f"broken by {type(error).__name__}: {error}"
    watch.on = False
    return f"wrote: {watch.deeds}" if watch.deeds else found


def read_all(start, stop, seed):
    """The child: judges inputs one by one, and prints a line about each."""
    faulthandler.enable()
    watch = Watch()
    with TemporaryDirectory() as folder:
        whole = Whole(Path(folder))
        for number in range(start, stop):
            faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)
            rng = random.Random(f"{seed} {number}")
            mutate = KINDS[number % len(KINDS)]
            path = whole.path_of(mutate)
            path.write_bytes(mutate(rng, whole))
            found = judge(whole.readers[path], path, whole.expected[path], watch)
            print(mutate.__name__, found.replace("\n", " ")[:300], flush=True)
        faulthandler.cancel_dump_traceback_later()


def child(start, stop, seed):
    """The command that judges the inputs from one number up to another."""
    return [sys.executable, __file__, "--child", f"{start}", f"{stop}", f"{seed}"]


def search(inputs, seed, command=child):
    """Judges all inputs, however often the child dies.

    Returns:
        A counter of pairs, the mutation and what came of it, and a list of the faults.
    """
    seen, faults, start, deaths = Counter(), [], 0, 0
    while start < inputs and deaths < MOST_DEATHS:
        done = subprocess.run(
            command(start, inputs, seed), capture_output=True, text=True
        )
        for line in done.stdout.splitlines():
            kind, found = line.split(" ", 1)
            seen[kind, found if found in HARMLESS else "FAULT"] += 1
            faults += [] if found in HARMLESS else [f"input {start}: {line}"]
            start += 1
        if start < inputs:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            faults.append(
                f"input {start}: the process ended, {done.returncode}: {last}"
            )
            start, deaths = start + 1, deaths + 1
    return seen, faults


def main():
    """Searches, prints a table and the faults; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=50_000, help="default: 50000")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--child", nargs=3, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        read_all(*options.child)
        return 0
    seen, faults = search(options.inputs, options.seed)
    outcomes = [*HARMLESS, "FAULT"]
    print(f"{'':16}" + "".join(f"{outcome:>9}" for outcome in outcomes))
    for kind in dict.fromkeys(mutate.__name__ for mutate in KINDS):
        print(f"{kind:16}" + "".join(f"{seen[kind, found]:9,}" for found in outcomes))
    print(f"{seen.total():,} inputs with seed {options.seed}, {len(faults)} faults")
    print(*faults[:20], sep="\n")
    return 1 if faults or seen.total() < options.inputs else 0


if __name__ == "__main__":
    sys.exit(main())
