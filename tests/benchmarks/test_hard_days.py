"""The judge of the hostile days can fail a program: each kind of fault is planted in a small one and found."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HARD_DAYS = Path(__file__).parents[2] / "benchmarks" / "hard_days"
RIGHT = "print('Error: there is no command rnu; did you mean run?', file=sys.stderr); sys.exit(2)"
TRY, OTHER = "unknown-command", "blank-experiment"


@pytest.fixture
def days(tmp_path):
    def make(answer: str, *arguments: str) -> dict[str, dict[str, object]]:
        program, results = tmp_path / "repro", tmp_path / "results.jsonl"
        called = f"open({str(tmp_path / 'called')!r}, 'a').write(sys.argv[1] + '\\n')"
        program.write_text(
            f"#!{sys.executable}\nimport os, signal, subprocess, sys, tempfile, time\n{called}\n{answer}\n"
        )
        program.chmod(0o755)
        subprocess.run(
            [sys.executable, HARD_DAYS, "--repro", program, "--results", results, *(arguments or ("--only", TRY))],
            check=True,
            capture_output=True,
        )
        return {line["name"]: line for line in map(json.loads, results.read_text().splitlines())}

    return make


def test_one_sentence_with_the_next_step_and_nothing_left_holds(days):
    assert days(RIGHT)[TRY]["faults"] == []


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("raise RuntimeError('no')", "a traceback"),
        ("sys.exit(1)", "exit 1 without a hang"),
        (RIGHT.replace("sys.exit(2)", "sys.exit(4)"), "not what is right"),
        (RIGHT.replace("; did you mean run?", ""), "not what is right"),
        (f"tempfile.mkdtemp(); {RIGHT}", "left behind"),
        ("print('Error: try rnu', file=sys.stderr); os.kill(os.getpid(), signal.SIGINT)", "not what is right"),
    ],
)
def test_each_fault_is_named(days, answer, fault):
    assert fault in days(answer)[TRY]["faults"]


def test_an_orphan_in_a_session_of_its_own_without_environment_is_seen_and_ended(days, tmp_path):
    id_file = tmp_path / "orphan"
    orphan = (
        "child = subprocess.Popen(['sleep', '600'], env={}, start_new_session=True,"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    came = days(f"{orphan}\nopen({str(id_file)!r}, 'w').write(str(child.pid))\n{RIGHT}")[TRY]
    assert came["faults"] == ["left running"]
    assert came["running"] == ["sleep 600"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(id_file.read_text()), 0)


def test_an_evening_goes_on_after_the_last_whole_line(days, tmp_path):
    results = tmp_path / "results.jsonl"
    days(RIGHT)
    with results.open("a") as file:
        file.write(f'{{"name": "{OTHER}", "ki')
    (tmp_path / "called").unlink()
    subprocess.run(
        [sys.executable, HARD_DAYS, "--repro", tmp_path / "repro", "--results", results, "--only", TRY, OTHER],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "called").read_text() == "run\n"  # the other try alone; the one that stood is not made again
    assert json.loads(results.read_text().splitlines()[-1])["name"] == OTHER


def test_a_signal_that_is_ignored_here_still_reaches_the_program(days):
    """Started with nohup or from a shell's background, the benchmark ignores signals that the program must heed."""
    answer = f"signal.getsignal(signal.SIGHUP) == signal.SIG_DFL or sys.exit(5)\n{RIGHT}"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert days(answer)[TRY]["faults"] == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_two_files_are_set_side_by_side_with_what_changed_first(days, tmp_path):
    days("sys.exit(1)", "--only", TRY, OTHER)
    after = tmp_path / "after.jsonl"
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    after.write_text(
        "".join(json.dumps({**line, "faults": [] if line["name"] == TRY else line["faults"]}) + "\n" for line in lines)
    )
    told = subprocess.run(
        [sys.executable, HARD_DAYS, "--compare", tmp_path / "results.jsonl", after],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert told[0] == "| try | before | after | held before | held after |"
    assert told[2].startswith(f"| {TRY} |")
    assert told[2].endswith("| no | yes |")
    assert told[3].endswith("| no | no |")
