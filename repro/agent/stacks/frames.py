"""Stacks as Python has them: from a frame outwards, and the files in which its frames lie."""


def outwards(frame, most):
    """A stack's frames, the innermost first, so many at most."""
    for _ in range(most):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def path_of(frame):
    """The file of a frame's code, with slashes on every system."""
    return frame.f_code.co_filename.replace("\\", "/")
