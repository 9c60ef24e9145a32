"""What is broken, and the command that fixes it: the checks of ``airnub doctor``.

A check is a function from a `Context` to a `Finding`, listed in `examination`. It reads, or puts
something that it removes again; it repairs nothing.
"""
