"""Holds the actions' processes and pipes, and is the one writer of their journals.

`process` is the keeper's own program, `server` the side of the servers that use it. `wire` is what they say to each
other, `runlog` what a keeper leaves on the disk. What the keeper loads uses the standard library only.
"""
