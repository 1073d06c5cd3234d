"""The contract suites of ports: every adapter must pass them, also adapters of other projects."""
