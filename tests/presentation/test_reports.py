"""Reports of a run with hostile and secret texts in it: every format stays whole, and lets nothing out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from markdown_it import MarkdownIt

from repro.core.scrubbing.redaction import redacted, redactor
from repro.model import CellVerdict, Rung, RungKind, Verdict
from repro.presentation.comparison import compare, comparison_document, comparison_markdown
from repro.presentation.reports.document import document
from repro.presentation.reports.junit import junit
from repro.presentation.reports.markdown import MOST_CHARACTERS, markdown
from repro.presentation.reports.page import page
from repro.presentation.reports.report import redacted_report, report_of

SECRETS = {
    "access key": "AKIAIOSFODNN7EXAMPLE",
    "secret key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "account": "987654321098",
    "user": "somebody-real",
    "host": "build-host-77",
    "token": "FwoGZXIvYXdzEBYaDHqa0AP",
    "body": "card 4111-1111",
}
LEAKS = (
    f"AWS_ACCESS_KEY_ID={SECRETS['access key']} AWS_SECRET_ACCESS_KEY={SECRETS['secret key']}\n"
    f"https://sqs.eu-west-1.amazonaws.com/{SECRETS['account']}/queue?X-Amz-Security-Token={SECRETS['token']}\n"
    f"File \"/home/{SECRETS['user']}/venv/x.py\" on {SECRETS['host']} send_message(MessageBody='{SECRETS['body']}')"
)


class Page(HTMLParser):
    """The elements of a page, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("is_explained", [False, True])
def test_hostile_text_adds_no_element_to_the_page(stored, *, is_explained: bool) -> None:
    hostile, tame = (
        Page(page(report_of(stored(text=text, is_explained=is_explained)))) for text in (stored.hostile, "tame")
    )
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert not any(name.startswith("on") for _, attributes in hostile.tags for name in attributes)
    assert not any(attributes.get("src") for _, attributes in hostile.tags)


def test_the_page_allows_nothing_but_its_own_script_and_style(stored) -> None:
    text = page(report_of(stored()))
    (policy,) = [attributes["content"] for tag, attributes in Page(text).tags if attributes.get("http-equiv")]
    assert "unsafe" not in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not any("style" in attributes for _, attributes in Page(text).tags)


def test_a_page_of_many_trials_with_large_stacks_stays_small(stored) -> None:
    run = stored(trials=4, cells=50, text="</script>" * 2_000)
    every = [
        replace(
            cell,
            trials=tuple(
                replace(one, hang=run.cells[0].trials[0].hang, verdict=Verdict.HANG, timeline=one.timeline * 360)
                for one in cell.trials
            ),
        )
        for cell in run.cells
    ]
    assert len(page(report_of(replace(run, cells=tuple(every)))).encode()) < 3_000_000


def test_the_pages_data_is_what_the_trials_say(stored) -> None:
    text = page(report_of(stored()))
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    found = json.loads(data)
    first = found["cells"][0]["trials"][0]
    assert found["texts"][first["reason"]] == stored.hostile
    assert first["timeline"]["ended"] == list(range(10))


@pytest.mark.parametrize("is_explained", [False, True])
def test_hostile_text_breaks_no_table_and_no_fence(stored, *, is_explained: bool) -> None:
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .parse(markdown(report_of(stored(is_explained=is_explained))))
    )
    assert sum(token.type == "tr_open" for token in tokens) == 1 + 3
    cells = [token for token in tokens if token.type in {"td_open", "th_open"}]
    assert len(cells) == 4 * 5
    html = [token.content for token in tokens if token.type == "html_block"]
    html += [child.content for token in tokens for child in token.children or () if child.type == "html_inline"]
    assert not any("script" in part or "img" in part for part in html)
    assert "\x1b" not in markdown(report_of(stored(is_explained=is_explained)))


@pytest.mark.parametrize("is_explained", [False, True])
def test_junit_is_xml_whatever_the_text(stored, *, is_explained: bool) -> None:
    suite = ET.fromstring(junit(report_of(stored(is_explained=is_explained)))).find("testsuite")  # noqa: S314  # our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "0")


def test_a_rung_says_whose_it_is_where_there_were_several_processes(stored) -> None:
    run = stored()
    first = Rung(kind=RungKind.LOOP, pid=7, answered=True, seconds=0.1, file="greenlets-loop-7.json")

    def names(*rungs: Rung) -> list[str]:
        trials = tuple(replace(trial, rungs=rungs) for trial in run.cells[0].trials)
        changed = replace(run, cells=(replace(run.cells[0], trials=trials), *run.cells[1:]))
        return [rung["name"] for rung in document(report_of(changed))["cells"][0]["trials"][0]["rungs"]]

    assert names(first) == ["greenlets, event loop"]
    assert names(first, replace(first, pid=8)) == [
        "greenlets, event loop, process 7",
        "greenlets, event loop, process 8",
    ]


@pytest.mark.parametrize("is_explained", [False, True])
def test_the_document_keeps_to_its_schema(stored, schema, *, is_explained: bool) -> None:
    jsonschema.validate(json.loads(json.dumps(document(report_of(stored(is_explained=is_explained))))), schema())


@pytest.mark.parametrize("form", ["md", "html", "json", "junit"])
@pytest.mark.parametrize("is_explained", [False, True])
def test_no_planted_secret_gets_out_in_any_format(stored, form: str, *, is_explained: bool) -> None:
    redact = redactor(users=(SECRETS["user"],), homes=(f"/home/{SECRETS['user']}",), hosts=(SECRETS["host"],))
    clean = redacted(report_of(stored(text=LEAKS, is_explained=is_explained)), redact)
    text = {"md": markdown, "html": page, "json": lambda one: json.dumps(document(one)), "junit": junit}[form](clean)
    assert [name for name, secret in SECRETS.items() if secret in text] == []


@pytest.mark.parametrize("text", ["x" * 3_000, "`|" * 5_000, "</details>\n```\n" * 9_000, "*" * 200_000])
@pytest.mark.parametrize("reproducer", ["", "y = 1\n" * 1_500, "`" * 70_000])
def test_whatever_is_in_it_a_report_fits_into_an_issue_and_is_whole(stored, text: str, reproducer: str) -> None:
    made = markdown(report_of(stored(trials=3, cells=150, text=text)), reproducer=reproducer)
    assert len(made) < MOST_CHARACTERS
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(made)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[-2:] == ["Versions", "How to run it again"]
    html = [token.content for token in tokens if token.type == "html_block"]
    assert sum(part.count("<details>") for part in html) == sum(part.count("</details>") for part in html)
    assert ("uv run reproduce.py" in made) == (len(reproducer) == 9_000)


def test_a_large_run_still_fits_into_an_issue(stored) -> None:
    text = markdown(report_of(stored(trials=2, cells=400, text="x" * 3000)), reproducer="y" * 8000)
    assert len(text) < MOST_CHARACTERS
    assert "left out" in text


def test_a_trial_names_the_cause_of_its_hang_beside_its_verdict(stored) -> None:
    report = report_of(stored())
    hung = next(trial for cell in report.cells for trial in cell.trials if trial.hang)
    caused = replace(hung, hang=replace(hung.hang, cause="gevent-1957"))
    clean = replace(hung, hang=None)
    crashed = replace(clean, cause="patched-too-late")
    changed = replace(report, cells=(replace(report.cells[0], trials=(caused, hung, clean, crashed)),))
    causes = [trial["cause"] for trial in document(changed)["cells"][0]["trials"]]
    assert causes == ["gevent-1957", None, None, "patched-too-late"]


def test_two_runs_are_compared_cell_by_cell(stored, schema) -> None:
    one = report_of(stored(text="t"))
    clean = replace(one.cells[0], verdict=CellVerdict.CLEAN, hang_class=None)
    found = compare(one, replace(one, cells=(clean, *one.cells[1:])))
    assert [(change.before, change.after) for change in found.changed] == [("hang (frozen)", "clean")]
    assert found.same == 2
    jsonschema.validate(json.loads(json.dumps(comparison_document(found))), schema("comparison"))
    assert "hang (frozen)" in comparison_markdown(found)


def test_the_level_of_a_secret_variable_goes_wherever_it_stands(stored) -> None:
    report = report_of(stored(text="t"))
    cell = replace(report.cells[0], factors={"env.API_TOKEN": "first-level", "users": 1}, label="first-level")
    made = redacted_report(replace(report, cells=(cell,), sentences=("it hangs with first-level",)), redactor())
    assert made.cells[0].factors == {"env.API_TOKEN": "<secret>", "users": 1}
    assert made.cells[0].label == "<secret>"
    assert made.sentences == ("it hangs with <secret>",)
    assert made.seed == report.seed
