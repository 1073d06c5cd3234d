"""Reads an output very slowly until it is killed: `python -I -S slow.py PORT PATH BYTES_PER_SECOND`."""

import socket
import sys
import time


def main(port: int, path: str, rate: int) -> None:
    """Prints `ready` when the answer has begun, then reads `rate` bytes each second."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    if not sock.recv(12).startswith(b"HTTP/1.1 200"):
        raise SystemExit("the server refused")
    print("ready", flush=True)
    while sock.recv(rate):
        time.sleep(1)


main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
