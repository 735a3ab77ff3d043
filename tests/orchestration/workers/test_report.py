"""Workers that are not one run's: another repro, another interpreter, one that is missing; each is one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from repro.errors import UsageError
from repro.model import Machine
from repro.orchestration.workers.report import (
    WorkerReport,
    check_interpreters,
    check_version,
    difference,
    lack_text,
    lost_text,
    notes_on,
    set_aside,
)


def report(
    name: str, interpreters: Mapping[str, str], lacks: Mapping[str, str] | None = None, *, debugger: str = ""
) -> WorkerReport:
    return WorkerReport(
        address=f"tcp://{name}:1",
        slots=1,
        machine=Machine(host=name),
        interpreters=interpreters,
        lacks=lacks or {},
        debugger_refusal=debugger,
    )


def test_another_version_of_repro_is_refused() -> None:
    check_version({"tcp://a:1": "1.0", "tcp://b:1": "1.0"}, own="1.0")
    with pytest.raises(
        UsageError, match=r"the worker tcp://b:1 has repro 0\.9, and this is repro 1\.0; install the same"
    ):
        check_version({"tcp://a:1": "1.0", "tcp://b:1": "0.9"}, own="1.0")
    with pytest.raises(UsageError, match=r"tcp://b:1 cannot import repro, and this is repro 1\.0"):
        check_version({"tcp://b:1": ""}, own="1.0")


def test_another_interpreter_is_refused() -> None:
    one, other = report("a", {"3.11": "3.11.7"}), report("b", {"3.11": "3.11.9"})
    check_interpreters([one, one])
    with pytest.raises(UsageError, match=r"Python 3\.11 is 3\.11\.7 on a \(tcp://a:1\) and 3\.11\.9 on b .*=3\.11\.7$"):
        check_interpreters([one, other])


def test_one_that_lacks_an_interpreter_which_another_has_gets_no_trials() -> None:
    whole = report("a", {"3.11": "3.11.7", "3.12": "3.12.1"})
    poor = report("b", {"3.11": "3.11.7"}, {"3.12": "Python 3.12 is not installed (found: 3.11.7); install it"})
    assert difference(whole, poor) == ""
    told = "b (tcp://b:1) gets no trials: Python 3.12 is not installed (found: 3.11.7); install it"
    assert set_aside([whole, poor]) == {"tcp://b:1": told}
    assert lack_text(poor, {"3.11"}) == ""


def test_what_nobody_has_makes_cells_untestable_as_on_one_machine() -> None:
    lacks = {"3.5": "Python 3.5 is not installed"}
    assert set_aside([report("a", {}, lacks), report("b", {}, lacks)]) == {}


def test_a_worker_that_may_not_attach_a_debugger_is_told() -> None:
    (note,) = notes_on(report("a", {}, debugger="ptrace was refused: …; run it as root"))
    assert note == "a (tcp://a:1): a hang will lack the debugger's stacks: ptrace was refused: …; run it as root"
    assert not list(notes_on(report("a", {})))


@pytest.mark.parametrize(
    ("trials", "said"), [(0, ""), (1, "; its trial is made again"), (3, "; its 3 trials are made again")]
)
def test_a_worker_that_is_gone_is_told(trials: int, said: str) -> None:
    assert lost_text(report("a", {}), trials=trials) == f"a (tcp://a:1) is gone{said}"
