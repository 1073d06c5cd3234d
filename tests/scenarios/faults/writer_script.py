#!/usr/bin/env -S python3 -I -S
"""Prints numbered, checksummed records on both streams; keeps the same bytes in files of its own.

An action of the pack `faults`: it is copied there, and uses the standard library only.
"""

import os
import random
import sys
import time
import zlib

LARGEST = 1 << 20
COLOURS = (b"\x1b[31m", b"\x1b[0m", b"\x1b[2K", b"\x1b[1;32m")
SIGNS = "é漢😀ß".encode()


def body(rng: random.Random) -> bytes:
    """A record's payload: text, any bytes, colours, progress bars, or characters of many bytes."""
    size = rng.choice((0, 1, rng.randrange(200), rng.randrange(5000), rng.randrange(70_000)))
    if rng.randrange(150) == 0:
        size = rng.randrange(LARGEST // 2, LARGEST)
    kind = rng.randrange(5)
    if kind == 0:
        return (b"a line of plain text, again and again; " * (size // 39 + 1))[:size]
    if kind == 1:
        return rng.randbytes(size)
    if kind == 2:
        return b"".join(rng.choice(COLOURS) + b"%d" % number for number in range(size // 6))
    if kind == 3:
        return b"".join(b"\r%3d%% done" % (number % 101) for number in range(size // 10))
    return SIGNS * (size // len(SIGNS))


def put(target: int, copy: int, data: bytes) -> None:
    """Writes to the copy first: whoever sees bytes in the output finds them there."""
    os.write(copy, data)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


def main(options: dict[str, str]) -> int:
    folder, rng, pause = options["folder"], random.Random(options["seed"]), float(options["pause"])
    began = time.time()
    with open(f"{folder}/starts", "a") as starts:
        starts.write(f"{os.getpid()}\n")
    copies = {target: os.open(f"{folder}/{target}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for target in (1, 2)}
    number = 0
    while number < int(options["records"]) or ("wait" in options and not os.path.exists(f"{folder}/stop")):
        number += 1
        target = rng.choice((1, 1, 2))
        payload = body(rng)
        record = b"\n@%d %d %08x\n" % (number, len(payload), zlib.crc32(payload)) + payload
        # One or several writes, cut anywhere, so that characters and records are split over reads.
        cuts = sorted(rng.randrange(len(record)) for _ in range(rng.choice((0, 0, 1, 3))))
        for start, end in zip([0, *cuts], [*cuts, len(record)], strict=True):
            put(target, copies[target], record[start:end])
            time.sleep(rng.random() * pause)
    with open(f"{folder}/finished", "w") as finished:
        finished.write(f"{began} {time.time()} {number}")
    return int(options["code"])


if __name__ == "__main__":
    sys.exit(main(dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])))
