"""The page in a real Chromium: it renders, filters, obeys the keyboard, logs nothing and asks for nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from repro.answer import AnswerKind, BisectionAnswer, BisectionRecord, ReleaseTrials
from repro.presentation.reports.page import page
from repro.presentation.reports.report import report_of

TILES = ".tile"
HUNT = BisectionRecord(
    hunted=None,
    answer=BisectionAnswer(
        kind=AnswerKind.FIRST_BAD,
        package="n",
        confidence=0.97,
        releases=(
            ReleaseTrials(name="0 t", trials=5),
            ReleaseTrials(name="1 t", trials=4),
            ReleaseTrials(name="2 t", released=date(2024, 3, 2), hangs=1, trials=2),
        ),
        release="2 t",
        previous="1 t",
    ),
)


@pytest.fixture
def opened(browser, stored, tmp_path: Path):
    """``opened(cells=6)`` shows a run's page, and what was logged and asked before is forgotten."""

    def show(*, width: int = 1280, scheme: str = "light", links=None, **run):
        path = tmp_path / "report.html"
        path.write_text(page(report_of(stored(**run)), links=links), "utf-8")
        browser.console(), browser.requests()
        browser.open(path, width=width, scheme=scheme)
        return browser

    return show


@pytest.fixture(autouse=True)
def silent(browser):
    """Whatever a test did: the console stays silent, and nothing is asked for but the page itself."""
    yield
    assert browser.console() == []
    assert [url for url in browser.requests() if url.startswith(("http", "ws", "ftp"))] == []


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")]
)
def test_it_renders_and_fits(opened, name: str, width: int, scheme: str) -> None:
    shown = opened(cells=7, trials=2, text="t", width=width, scheme=scheme, hunt=HUNT)
    assert len(shown.texts(TILES)) == 7
    assert shown.texts(TILES)[0].split("\n")[:3] == ["H", "frozen", "2 of 2 hung (95 % CI 16–100 %)"]
    assert shown.run("return document.documentElement.scrollWidth") <= width
    assert shown.keep_screenshot(f"page-{name}", height=1600).stat().st_size > 20_000


def test_a_run_without_a_trial_is_a_page_too(opened) -> None:
    shown = opened(cells=2, trials=0, text="")
    assert shown.texts(TILES) == []
    assert shown.texts("#left .body") == ["Choose a cell."]


def test_dark_is_dark(opened) -> None:
    of_page = "return getComputedStyle(document.body).backgroundColor"
    light = opened(text="t").run(of_page)
    assert opened(text="t", scheme="dark").run(of_page) != light


def test_the_filter_hides_cells_and_rows_and_shows_them_again(opened) -> None:
    shown = opened(cells=6, text="t")
    shown.click("#filters input[value='library']")
    assert len(shown.texts(TILES)) == 3
    assert shown.texts("#count") == ["3 of 6 cells"]
    shown.click("#filters input[value='hang']")
    assert not any(text.startswith("H") for text in shown.texts(TILES))
    assert len(shown.texts("#cells tbody tr")) == 2
    shown.click("#filters [type=reset]")
    assert shown.texts("#count") == ["6 of 6 cells"]


def test_every_cell_is_reached_and_chosen_by_keyboard(opened) -> None:
    shown = opened(cells=6, text="t")
    shown.run("document.querySelector('#filters [type=reset]').focus()")
    shown.press(Keys.TAB)
    here = "return document.activeElement.dataset.cell"
    assert shown.run(here) == "0"
    for key, cell in (
        (Keys.ARROW_RIGHT, "1"),
        (Keys.ARROW_DOWN, "3"),
        (Keys.ARROW_LEFT, "2"),
        (Keys.END, "5"),
        (Keys.ARROW_UP, "3"),
    ):
        shown.press(key)
        assert shown.run(here) == cell
    shown.press(Keys.ENTER)
    assert shown.run("return document.querySelector('[data-side=left]').value") == "3"
    assert shown.run("return document.activeElement.closest('section').id") == "left"
    shown.run("document.querySelector('[data-cell=\"4\"]').focus()")
    shown.press_with(Keys.SHIFT, Keys.ENTER)
    assert shown.run("return document.querySelector('[data-side=right]').value") == "4"
    assert shown.run("return document.querySelector('[data-side=left]').value") == "3"


def test_it_begins_with_a_hang_beside_the_most_alike_that_is_clean(opened) -> None:
    shown = opened(cells=6, trials=2, text="t")
    assert [shown.run(f"return document.querySelector('[data-side={side}]').value") for side in ("left", "right")] == [
        "0",
        "1",
    ]
    assert len(shown.texts("#left pre")) == 3  # two stacks and the command
    assert shown.texts("#left dd.differs") == ["H hang (frozen) ≠", "cli ≠"] or shown.texts("#left dd.differs") == [
        "H hang (frozen)",
        "cli",
    ]


def test_a_trials_seconds_are_drawn_with_the_moment_of_the_hang(opened) -> None:
    shown = opened(trials=2, text="t")
    assert shown.texts("#left .moment-text") == ["stuck since 1.0 s"]
    assert shown.run("return document.querySelectorAll('#left .chart title').length") == 10
    assert "second 9: 9 ended, 2 stuck" in shown.run(
        "return document.querySelector('#left .chart rect:last-of-type').textContent"
    )
    shown.click("#left .trials button:nth-child(2)")
    assert shown.texts("#left h3")[0] == "Trial 2: hang, 1.5 s"


def test_the_bisection_is_a_picture_with_the_answer_marked(opened) -> None:
    shown = opened(cells=7, text="t", hunt=HUNT)
    assert [text.split(" ")[0] for text in shown.texts("#releases th")] == ["0", "1", "2"]
    (answer,) = shown.texts("#releases .answer")
    assert "1 of 2 hung (95 % CI 1–99 %)" in answer
    assert "first that hangs, released 2024-03-02, 97 % sure" in answer
    spans = shown.run(
        "return [...document.querySelectorAll('#releases .span')].map(one => one.getBoundingClientRect().width)"
    )
    assert spans[0] < spans[1] < spans[2]


def test_the_evidence_is_linked(opened, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence" / "x" / "std out.txt"
    evidence.parent.mkdir(parents=True)
    evidence.write_text("what it printed")
    shown = opened(text="t", links={"evidence/x": [("std out.txt", "./evidence/x/std%20out.txt")]})
    assert shown.texts("#left a") == ["std out.txt"]
    assert shown.run("return document.querySelector('#left a').href") == evidence.as_uri()


def test_nothing_that_a_cell_printed_runs(opened) -> None:
    shown = opened(cells=6, trials=2)
    shown.click("[data-cell='3']")
    assert shown.run("return document.querySelectorAll('script').length") == 2
    assert shown.run("return document.querySelectorAll('img').length") == 0
    assert "<script>alert(1)</script>" in shown.texts("#left pre")[0]


def test_even_markup_that_got_in_could_not_run(opened) -> None:
    shown = opened(text="t")
    shown.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"https://127.0.0.1:9/x\" "
        'onerror="window.ran = 1">\')'
    )
    shown.run(
        "const one = document.createElement('script'); one.textContent = 'window.ran = 2'; document.body.append(one)"
    )
    assert shown.run("return window.ran ?? null") is None
    assert all("Content Security Policy" in message for message in shown.console())
