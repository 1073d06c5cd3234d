"""A workflow as it is written: its specification, inspection and graph."""
