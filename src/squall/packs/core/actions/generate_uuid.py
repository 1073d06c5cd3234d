#!/usr/bin/env -S python3 -I -S
"""Prints a UUID of the kind that --uuid_type names."""

import argparse
import uuid

parser = argparse.ArgumentParser()
parser.add_argument("--uuid_type", choices=("uuid1", "uuid4"), default="uuid4")
print(uuid.uuid1() if parser.parse_args().uuid_type == "uuid1" else uuid.uuid4())
