"""A level as text has three forms, and each is made in one place."""

import pytest

from repro.core.experiment.factors.level_text import shown, typed, variable, variables
from repro.model import Level


@pytest.mark.parametrize(
    ("level", "people", "command_line", "environment"),
    [
        (True, "true", "true", "1"),
        (False, "false", "false", "0"),
        ("", "none", "", ""),
        (0, "0", "0", "0"),
        (0.5, "0.5", "0.5", "0.5"),
        ("timeout:0@2-10", "timeout:0@2-10", "timeout:0@2-10", "timeout:0@2-10"),
    ],
)
def test_a_level_is_written_for_who_reads_it(level: Level, people: str, command_line: str, environment: str) -> None:
    assert (shown(level), typed(level)) == (people, command_line)
    assert variables({"read_timeout": level}) == {variable("read_timeout"): environment}
    assert variable("read_timeout") == "REPRO_READ_TIMEOUT"
