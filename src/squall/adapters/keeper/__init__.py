"""Holds the actions' processes and pipes, and is the one writer of their journals.

`writer` and `children` use the standard library only and any event loop with asyncio's four calls, so that they can
run in a process of their own.
"""
