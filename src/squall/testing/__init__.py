"""Contract suites: what every adapter of a port must do. Adapters of others run them too."""
