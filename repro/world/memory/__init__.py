"""Another process's Python stacks, parked greenlets too, read from its memory: nothing runs in it or is changed.

    pages    its memory by the page ─▶ images   where symbols lie in what it has loaded
    probe    runs in a process of its own under the same interpreter with the same greenlet, and prints where fields lie
    layout   the probe's answer as a record
    objects ─▶ code ─▶ frames ─▶ greenlets, threads ─▶ reader: a dump like the agent's own

No offset is tabulated: each is learned from objects whose contents the probe knows, and must fit at exactly one place.
"""
