#!/usr/bin/env -S python3 -I -S
"""Prints --lines lines of --bytes bytes each, as fast as a pipe takes them.

A line is its number from 0 in twelve digits, a space, filling and a line end; a shorter line keeps the number's last
digits. Lines are made by the block: a block holds a power of ten of them, so its last digits never change and from
one block to the next only a few columns have to be painted over.
"""

import argparse
import os
import signal

BLOCK = 1 << 20
DIGITS = 12
FILLING = b"abcdefghijklmnopqrstuvwxyz"


def first_block(length: int, lines: int) -> bytearray:
    """The lines 0 to `lines` - 1, each of `length` bytes."""
    digits = min(DIGITS, length - 1)
    rest = length - 1 - digits
    tail = (b" " + FILLING * (rest // len(FILLING) + 1))[:rest] + b"\n"
    return bytearray(b"".join(b"%0*d%s" % (digits, number % 10**digits, tail) for number in range(lines)))


def pour(descriptor: int, total: int, length: int) -> None:
    """Writes `total` lines of `length` bytes to `descriptor`."""
    power = 0
    while power < DIGITS and length * 10 ** (power + 1) <= BLOCK and 10**power < total:
        power += 1
    lines = 10**power
    block = first_block(length, lines)
    digits = min(DIGITS, length - 1)
    # Columns of the digits above the block's own, the lowest first.
    columns = range(digits - 1 - power, -1, -1)
    view = memoryview(block)
    for number in range((total + lines - 1) // lines):
        left = number
        for column in columns:
            if number:
                block[column::length] = b"%d" % (left % 10) * lines
            left, digit = divmod(left, 10)
            if digit:
                break
        end = min(lines, total - number * lines) * length
        written = 0
        while written < end:
            written += os.write(descriptor, view[written:end])


def main() -> None:
    """Reads --lines, --bytes and --stream, and pours."""
    # A reader that goes away ends this like any other filter, without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=100)
    parser.add_argument("--stream", choices=("stdout", "stderr"), default="stdout")
    options = parser.parse_args()
    if options.bytes < 2:
        parser.error("--bytes must be at least 2: a digit and a line end")
    pour(1 if options.stream == "stdout" else 2, options.lines, options.bytes)


main()
