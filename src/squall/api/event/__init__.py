"""Streams of events over HTTP."""
