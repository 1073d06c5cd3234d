"""A library of the pack's actions."""


def key(name):
    return name.lower()
