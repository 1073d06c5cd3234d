"""Installing packs: where they come from, their virtualenvs, and switching from one version to the next.

It runs in the actions of the bundled pack `packs`, whose output streams, and in the command line; all of it may
block.
"""
