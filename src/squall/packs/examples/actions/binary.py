#!/usr/bin/env -S python3 -I -S
"""Prints bytes that are hard on whoever reads them as text, one write per piece, with --pause seconds in between."""

import argparse
import os
import time

PIECES = [
    b"NUL: a\0b\0\0c\n",
    b"invalid: \xff\xfe \xc3( \xe2\x82 \xed\xa0\x80 \xf8\x88\x80\x80\x80\n",
    b"split: ",
    *(bytes([byte]) for byte in "é€😀".encode()),
    b"\n",
    b"cut off: \xf0\x9f",
    b" never finished\n",
    b"colour: \x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[0m\n",
    b"cursor: gone\x1b[4Dhere \x1b]0;a title\x07\x08\x0b\x0c\n",
    b"line ends: a\rb\r\nc\n\rd\xc2\x85e\xe2\x80\xa8f\n",
    b"\xe2\x82",
]


def main() -> None:
    """Reads --pause and prints; the last character stays unfinished."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pause", type=float, default=0.2)
    pause = parser.parse_args().pause
    for piece in PIECES:
        os.write(1, piece)
        time.sleep(pause)


main()
