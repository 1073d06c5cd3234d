"""The use cases of the event stream."""
