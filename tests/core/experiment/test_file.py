"""The experiment file and ``--set``: what is read, and what is refused with file, key and what it takes."""

import re
from datetime import date

import pytest

from repro.core.experiment.assignments import override
from repro.core.experiment.experiment import Experiment, ScenarioInfo
from repro.core.experiment.factors.catalogue import COMMON
from repro.core.experiment.factors.factor import Factor, LevelType
from repro.core.experiment.file import parse, scenario_of
from repro.core.experiment.rules import Rule
from repro.errors import ExitCode, ExperimentError
from repro.model import Limits

OWN = Factor(name="pool_size", kind=LevelType.CHOICE, default="10", values=("1", "10"), help="")
SCENARIO = ScenarioInfo(name="mine", catalogue=COMMON.extended([OWN]))
WHOLE = """
scenario = "mine"
summary = "everything at once"
trials = 4
include = [{ client = ["shared", "per-user"], gevent = "22.10.2" }, { tls = true }]
exclude = [{ client = "shared", locust = "2.14.2" }]
[packages]
Locust = ["2.14.2", "2.24.0"]
python = "3.11"
[settings]
client = ["shared", "per-user"]
read_timeout = [60, 0.5]
tls = true
pool_size = 1
[env]
SKIP = ["", "1"]
[stacks]
old = { as_of = 2023-02-15, gevent = "22.10.2", users = 5 }
new = {}
[limits]
stall_after_s = 2
failing_share = 1
"""


def read(text: str) -> Experiment:
    return parse(f'scenario = "mine"\n{text}', SCENARIO, source="my.toml", name="my")


def changed(*assignments: str, text: str = "") -> Experiment:
    return override(read(text), assignments, SCENARIO)


def test_a_whole_file_is_read_as_it_is_written() -> None:
    found = parse(WHOLE, SCENARIO, source="my.toml", name="my")
    assert (found.name, found.summary, found.trials) == ("my", "everything at once", 4)
    assert found.factors == {
        "stack": ("old", "new"),
        "locust": ("2.14.2", "2.24.0"),
        "python": ("3.11",),
        "client": ("shared", "per-user"),
        "read_timeout": (60, 0.5),
        "tls": (True,),
        "pool_size": ("1",),
        "env.SKIP": ("", "1"),
    }
    assert found.stacks == {"old": {"as_of": "2023-02-15", "gevent": "22.10.2", "users": 5}, "new": {}}
    assert found.inclusions == (
        Rule({"client": ("shared", "per-user"), "gevent": ("22.10.2",)}),
        Rule({"tls": (True,)}),
    )
    assert found.exclusions == (Rule({"client": ("shared",), "locust": ("2.14.2",)}),)
    assert found.limits == Limits(stall_after_s=2, failing_share=1, stop_grace_s=5, start_s=60, beat_s=5)
    assert found.explicit == frozenset()


def test_only_the_scenario_must_be_given() -> None:
    found = read("")
    assert (found.trials, found.factors, found.limits) == (3, {}, Limits())
    assert (found.inclusions, found.exclusions) == ((), ())
    assert scenario_of('scenario = "known/clean"', source="x") == "known/clean"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trails = 3", "unknown key 'trails'; did you mean trials?"),
        ("colour = 3", "unknown key 'colour'; choose scenario, summary, trials, packages"),
        ("[limits]\nstall_after = 3", "unknown key 'limits.stall_after'; did you mean stall_after_s?"),
        ("[limits]\nstall_after_s = 0", "limits.stall_after_s must be greater than 0, not 0"),
        ("[limits]\nstall_after_s = inf", "limits.stall_after_s must be a finite number, not inf"),
        ("[limits]\nfailing_share = 2", "limits.failing_share must be less than or equal to 1, not 2"),
        ("trials = 0", "trials must be greater than or equal to 1, not 0"),
        ("trials = 10001", "trials must be less than or equal to 10000, not 10001"),
        ("trials = true", "trials must be a whole number, not True; see docs"),
        ('trials = "3"', "trials must be a whole number, not '3'"),
        ("[limits]\nbeat_s = true", "limits.beat_s must be a number, not True"),
        ('[limits]\nbeat_s = "3"', "limits.beat_s must be a number, not '3'"),
        ("scenario_ = 3", "unknown key 'scenario_'; did you mean scenario?"),
        ('[settings]\nusers = "5"', "users cannot be '5'; it takes a whole number, 1 to 20000, without quotes"),
        (
            '[settings]\nusers = [5, "6"]',
            "users cannot be '6'; it takes a whole number, 1 to 20000, without quotes",
        ),
        ('[settings]\ntls = "true"', "tls cannot be 'true'; it takes true or false, without quotes"),
        ("[settings]\ntls = 1", "tls cannot be 1; it takes true or false"),
        ('[stacks]\na = { users = "5" }', "[stacks] a: users: users cannot be '5'"),
        ('[[exclude]]\ntls = "yes"', "tls cannot be 'yes'; it takes true or false, without quotes"),
        (
            '[[include]]\ntls = "yes"',
            "[[include]]: tls: tls cannot be 'yes'; it takes true or false, without quotes",
        ),
        ('[[include]]\nclinet = "shared"', "[[include]]: clinet: unknown factor 'clinet', did you mean client?"),
        ("[[include]]\nusers = []", "[[include]]: users: the list of levels is empty; give at least one"),
        ("[[include]]\nusers = [1, 1]", "[[include]]: users: the level 1 is listed twice; leave one out"),
        ("[[exclude]]\nusers = [1, 1]", "[[exclude]]: users: the level 1 is listed twice; leave one out"),
        (
            "[settings]\nusers = [1, 2]\n[[include]]\nusers = [2, 3]",
            "[[include]]: users: no cell has the level 3; it has 1, 2",
        ),
        ("[[include]]\ntls = true", "[[include]]: tls: no cell has the level true; it has false"),
        (
            '[[include]]\nlocust = "2.14.2"',
            "[[include]]: locust: no cell has the level 2.14.2; the experiment does not name locust",
        ),
        (
            '[stacks]\na = { users = 5 }\nb = {}\n[[include]]\nstack = "c"',
            "[[include]]: stack: no cell has the level c; it has a, b",
        ),
        (
            "[stacks]\na = { users = 5 }\nb = {}\n[[include]]\nusers = 6",
            "[[include]]: users: no cell has the level 6; it has 5, 200",
        ),
        (
            '[stacks]\na = { users = 5 }\nb = {}\n[[include]]\nstack = "b"\nusers = 5',
            "[[include]]: no cell has the levels of stack and users together that this block names; change one",
        ),
        ("trials = 2.5", "trials must be a whole number"),
        ("packages = 3", "packages must be a table, not 3"),
        ("what", "not TOML: "),
        ("[settings]\nclinet = 1", "[settings] clinet: unknown setting; did you mean client?"),
        ("[settings]\nxyzzy = 1", "[settings] xyzzy: unknown setting; choose client, queue_lookup"),
        (
            '[settings]\nclient = "sharde"',
            "client: client cannot be 'sharde'; choose shared, per-user or per-iteration; did you mean shared?",
        ),
        ("[settings]\nusers = 0", "[settings] users: users cannot be 0; it takes a whole number, 1 to 20000"),
        ("[settings]\nusers = 1.5", "users cannot be 1.5; it takes a whole number, 1 to 20000"),
        ("[settings]\nusers = true", "users cannot be True; it takes a whole number, 1 to 20000"),
        ("[settings]\nconnect_timeout = inf", "connect_timeout cannot be inf; it takes a number, 0.001 or more"),
        ("[settings]\nconnect_timeout = nan", "connect_timeout cannot be nan; it takes a number, 0.001 or more"),
        ("[settings]\ntls = 2", "tls cannot be 2; it takes true or false"),
        ("[settings]\nas_of = 2024-03-15T10:00:00", "; it takes a day such as 2024-03-15"),
        ('[settings]\nfault = "latensy:5"', "unknown fault 'latensy'; did you mean latency?"),
        ("[settings]\nclient = []", "[settings] client: the list of levels is empty; give at least one"),
        ("[settings]\nusers = [5, 5.0]", "[settings] users: the level 5 is listed twice; leave one out"),
        ('[packages]\nlocst = "1"', "[packages] locst: unknown factor 'locst', did you mean locust?"),
        ("[packages]\nlocust = 2.14", "locust cannot be 2.14; it takes a version such as 2.24.0"),
        ('[packages]\nlocust = "new"', "locust cannot be 'new'; it takes a version such as 2.24.0"),
        ('[packages]\nUsers = "3"', "[packages] Users: users is a setting; move it to [settings]"),
        ('[packages]\nstack = "1"', "[packages] stack: stack is not a distribution; write it as [stacks] or [env]"),
        (
            '[packages]\n"a b" = "1"',
            "'a b' is neither a factor nor the name of a distribution; `repro list factors` shows all",
        ),
        ('[env]\n"A=B" = "1"', "[env] A=B: 'A=B' is not the name of an environment variable"),
        ('[env]\nA = [["x"]]', "[env] A: env.A cannot be ['x']; it takes a text"),
        ("[stacks]\na = 3", "stacks.a must be a table, not 3"),
        ('[stacks]\na = { locust = ["1"] }', "[stacks] a: locust: locust cannot be ['1']"),
        ('[[exclude]]\nclinet = "shared"', "[[exclude]]: clinet: unknown factor 'clinet', did you mean client?"),
    ],
)
def test_what_cannot_be_used_names_file_key_and_what_it_takes(text: str, words: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(words)) as caught:
        read(text)
    assert str(caught.value).startswith("my.toml: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_file_without_a_scenario_says_how_to_name_one() -> None:
    with pytest.raises(ExperimentError, match=r"my\.toml: the key scenario is missing; add it, such as scenario = "):
        scenario_of("trials = 3", source="my.toml")


def test_set_replaces_levels_and_reads_them_as_their_factor_does() -> None:
    found = changed(
        "users= 3 , 4",
        "tls=yes",
        "URLLIB3=2.2.1,latest",
        "env.A=x=y",
        "as_of=2024-03-15",
        "limits.beat_s=0.5",
        "pool_size=10",
        text='[settings]\nusers = 9\nclient = "shared"\n[limits]\nstall_after_s = 3',
    )
    assert found.factors == {
        "users": (3, 4),
        "client": ("shared",),
        "tls": (True,),
        "urllib3": ("2.2.1", ""),
        "env.A": ("x=y",),
        "as_of": ("2024-03-15",),
        "pool_size": ("10",),
    }
    assert found.limits == Limits(beat_s=0.5, stall_after_s=3)
    assert found.explicit == {"users", "tls", "urllib3", "env.A", "as_of", "pool_size"}


def test_the_last_set_of_a_factor_counts() -> None:
    assert changed("users=3,4", "users=5").factors == {"users": (5,)}


def test_set_chooses_among_the_stacks_of_the_file() -> None:
    text = '[stacks]\nold = { locust = "2.14.2" }\nnew = { locust = "2.24.0" }'
    assert changed("stack=new", text=text).factors == {"stack": ("new",)}
    with pytest.raises(ExperimentError, match="unknown stack 'mid'; choose old, new"):
        changed("stack=mid", text=text)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("users", "write NAME=LEVEL, or NAME=LEVEL,LEVEL for several"),
        ("=3", "write NAME=LEVEL"),
        ("usres=3", "unknown factor 'usres', did you mean users? (packages.usres for a distribution of that name;"),
        ("think-time=1", "did you mean think_time?"),
        ("users=3,x", "users cannot be 'x'; it takes a whole number, 1 to 20000"),
        ("users=", "users cannot be ''"),
        ("launch=clii", "did you mean cli?"),
        ("connect_timeout=inf", "connect_timeout cannot be 'inf'; it takes a number, 0.001 or more"),
        ("seconds=1e400", "it takes a number, 1 to 86400"),
        ("fault=no_answer:share=2", "a share lies between 0 and 1"),
        ("stack=a", "unknown stack 'a'; this experiment has no [stacks]"),
        ("packages.users=3", "users is a factor, so a distribution of that name"),
        ("as_of=yesterday", "it takes a day such as 2024-03-15"),
        ("limits.stal=2", "unknown limit 'stal'; choose stall_after_s, stop_grace_s, start_s"),
        ("limits.beat_s=x", "give a number above 0"),
        ("limits.beat_s=inf", "give a number above 0"),
        ("limits.failing_share=2", "give a number above 0 and at most 1"),
    ],
)
def test_a_set_that_cannot_be_used_is_repeated_with_what_it_takes(assignment: str, words: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(words)) as caught:
        changed(assignment)
    assert str(caught.value).startswith(f"--set {assignment}: ")


def test_a_day_may_be_a_date_of_toml_or_a_text() -> None:
    assert read("[settings]\nas_of = [2024-03-15, '2023-02-15']").factors == {
        "as_of": (date(2024, 3, 15).isoformat(), date(2023, 2, 15).isoformat())
    }


def test_a_number_of_thousands_of_digits_is_not_toml() -> None:
    with pytest.raises(ExperimentError, match="not TOML"):
        scenario_of(f'scenario = "x"\ntrials = {"9" * 5000}', source="a.toml")
