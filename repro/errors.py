"""Everything that this program raises on purpose, and the exit code that each ends in.

    ReproError                      4   (this program's own fault, or the machine's)
    ├── UsageError                  2   an argument that cannot be used
    │   └── ExperimentError         2   an experiment file or `--set` that cannot be used
    ├── UntestableError             3   the environment of a cell cannot be made
    │   └── UnreachableError        3   nobody knows whether it can: the package index cannot be reached
    ├── BackendError                4   the SQS does not start or does not answer
    ├── StoreError                  4   the run's folder cannot be read or written
    │   └── MissingRunError         2   there is no run of that name or path
    ├── ProcessError                4   a process cannot be started, or will not end
    │   └── SlowProcessError        4   it took longer than it may, and was ended
    └── ClusterError                4   the scheduler or the workers of `--dask` cannot be reached, or are lost

A message says what happened, where (file, key, cell, path of the evidence), and ends with
the next move, behind its last semicolon. Only ``repro.cli`` turns one into an exit.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the commands, as documented in ``--help``."""

    NO_HANG = 0
    HANG = 1
    USAGE = 2
    INCONCLUSIVE = 3
    FAILED = 4
    INTERRUPTED = 130


class ReproError(Exception):
    """The root: something this program could not do, said in one sentence with the next step."""

    exit_code = ExitCode.FAILED

    @property
    def parts(self) -> tuple[str, str]:
        """What happened, and the next move; that is empty where the message has none."""
        mark = " TIP: " if " TIP: " in str(self) else "; "  # behind a resolver's own words
        happened, sign, move = str(self).rpartition(mark)
        return (happened, move) if sign else (move, "")


class UsageError(ReproError):
    """An argument that cannot be used."""

    exit_code = ExitCode.USAGE


class ExperimentError(UsageError):
    """An experiment file, or a ``--set``, that cannot be used: names file, key and accepted values."""


class UntestableError(ReproError):
    """The environment of a cell cannot be made; the message keeps the resolver's own words."""

    exit_code = ExitCode.INCONCLUSIVE


class UnreachableError(UntestableError):
    """The package index cannot be reached, so that nobody knows whether the environment can be made."""


class BackendError(ReproError):
    """The SQS backend does not start, or does not answer its health probe."""


class StoreError(ReproError):
    """The run's folder cannot be read or written."""


class MissingRunError(StoreError):
    """There is no run of that name or path."""

    exit_code = ExitCode.USAGE


class ProcessError(ReproError):
    """A process cannot be started, or will not end."""


class SlowProcessError(ProcessError):
    """A process took longer than it may, and was ended."""


class ClusterError(ReproError):
    """The scheduler or the workers of ``--dask`` cannot be reached, or are lost."""
