"""Keepers: processes that start actions, hold their pipes, and are the only writers of their journals.

`process` is the keeper's own program, `server` the part that runs in servers. `wire` has the messages between them,
`runlog` the file in which a keeper records its processes. Modules that a keeper loads use the standard library only.
"""
