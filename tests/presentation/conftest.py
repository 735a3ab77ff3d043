"""Stored runs with any text in them, and a real Chromium that shows what is made of them."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from repro.answer import HuntRecord
from repro.core.matrix.hazards import result_of
from repro.findings import (
    Awaited,
    BackendFindings,
    CauseMatch,
    Findings,
    HeldBy,
    Holder,
    Place,
    Program,
    RaisedAt,
    RowName,
    Said,
    Spot,
    SpotKind,
    Stack,
    StackOf,
    StuckGroup,
    StuckUsers,
    Swallowed,
    Waiting,
    Who,
    Whom,
)
from repro.model import (
    Bound,
    Cell,
    CellOutcome,
    CellVerdict,
    CleanMeans,
    Conclusion,
    Condition,
    ConditionKind,
    EnvironmentSpec,
    Hang,
    HangClass,
    Limits,
    Moment,
    NoEffect,
    Plan,
    StoredRun,
    Trial,
    Verdict,
)

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Browser:
    """One window; ``open`` shows a page in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def open(self, path: Path, *, width: int = 1280, height: int = 1000, scheme: str = "light") -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self._driver.get(path.as_uri())

    def run(self, script: str) -> Any:
        return self._driver.execute_script(script)

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self._driver).send_keys(*keys).perform()

    def press_with(self, modifier: str, key: str) -> None:
        webdriver.ActionChains(self._driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()

    def texts(self, selector: str) -> list[str]:
        """The visible text of every element that is seen."""
        found = self._driver.find_elements("css selector", selector)
        return [one.text for one in found if one.is_displayed()]

    def console(self) -> list[str]:
        """All that was logged: errors of scripts, what the page's policy refused, what could not be loaded."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses of all requests since the last call that the page's policy did not stop."""
        events = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        sent = {
            event["params"]["requestId"]: event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        }
        stopped = {event["params"]["requestId"] for event in events if event["params"].get("blockedReason") == "csp"}
        return [url for request, url in sent.items() if request not in stopped]

    def keep_screenshot(self, name: str, *, height: int) -> Path:
        clip = {"x": 0, "y": 0, "width": self.run("return innerWidth"), "height": height, "scale": 1}
        shot = self._driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium with a new, empty profile; where there is none, the tests are skipped."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        why = "install Debian's chromium and chromium-driver: the page is tried in a real browser"
        if os.environ.get("REPRO_NEEDS_CHROMIUM"):
            pytest.fail(why)
        pytest.skip(why)
    options = webdriver.ChromeOptions()
    options.binary_location = str(found[0])
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture
def stored() -> Callable[..., StoredRun]:
    """``stored(trials=2, cells=5, text="…")`` is a run whose first cell hangs, with the text wherever a text can be."""
    return made_run


HOSTILE = "</script><script>alert(1)</script> | \x1b]0;x\x07 ``` \u202e<img src=x onerror=alert(2)> @everyone \x00 ]]>"


def made_run(
    trials: int = 1,
    cells: int = 3,
    text: str = HOSTILE,
    hunt: HuntRecord | None = None,
    *,
    is_explained: bool = False,
) -> StoredRun:
    """A run of an older version, whose sentences are stored; ``is_explained``: of today, with records in their place."""
    made = []
    for index in range(cells):
        cell = Cell(
            id=f"{index:012x}",
            label=f"n={index} {text}",
            scenario="s",
            factors={"n": f"{index // 2} {text}", "launch": ("cli", "library")[index % 2], "tls": False},
            settings={},
            environ={},
            environment=EnvironmentSpec(),
        )
        mine = tuple(
            trial(cell, number, text, is_hung=index == 0, is_explained=is_explained) for number in range(1, trials + 1)
        )
        made.append(result_of(cell, mine))
    plan = Plan(
        experiment="e",
        scenario="s",
        cells=tuple(one.cell for one in made),
        varied=("n", "launch"),
        trials=trials,
        limits=Limits(),
    )
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return StoredRun(
        folder=Path("run"),
        run_id="run",
        plan=plan,
        command=text,
        started=began,
        ended=began,
        seed=0,
        machine={"system": text},
        tool_versions={"repro": "0"},
        cells=tuple(made),
        conclusion=concluded(text),
        hunt=hunt,
    )


def concluded(text: str) -> Conclusion:
    """A conclusion with the text wherever a text can be in one."""
    condition = Condition(kind=ConditionKind.EQUAL, levels=({"n": f"0 {text}"},))
    return Conclusion(
        cells=3,
        clean=2,
        outcomes=(CellOutcome(verdict=CellVerdict.HANG, cells=1, of=3, explanations=(((condition,),),)),),
        no_effect=(NoEffect(factors=(f"launch {text}",), under=(condition,)),),
        clean_means=CleanMeans(trials=1, operations=9, could_have_missed=0.95),
        causes={"known": 1},
    )


def explained(text: str) -> Findings:
    """What explains a trial, with the text wherever a text can be in it."""
    place = Place(text, 1, text, text)
    wait = Awaited("lock", type=text, peer=text, name=text, lock=text)
    holder = Holder(Whom.USER, 2, text, HeldBy.BLOCK, text, text, 7, text)
    spot = Spot(SpotKind.CALL, place, wait=wait, who=Who(Whom.GREENLET, name=text))
    group = StuckGroup(2, place, wait)
    dropped = (Swallowed(text, text, (text,)), 2)
    return Findings(
        row=RowName.LOOP_STANDS,
        users=3,
        stuck=StuckUsers(
            count=2, operations=((text, 2),), waits=(Waiting(count=2, wait=wait, holder=holder),), elsewhere=(text,)
        ),
        program=Program(has_users=True, at=spot, holder=holder, loop=spot),
        said=Said(error=text, traceback=text, last_words=text, raised=RaisedAt(text, place), dropped=dropped),
        backend=BackendFindings(reason=text),
        cause=CauseMatch(
            id="known",
            title=text,
            cure=text,
            shown_by=text,
            upstream=text,
            frames=(text,),
            lines=(text,),
            versions=((text, text, text),),
        ),
        stacks=(
            Stack(of=StackOf.MAIN_THREAD, frames=(place,), spot=spot),
            Stack(of=StackOf.HOLDER, frames=(place,), lock=text, holder=holder),
            Stack(of=StackOf.GROUP, frames=(place,), group=group),
        ),
    )


def trial(cell: Cell, number: int, text: str, *, is_hung: bool, is_explained: bool = False) -> Trial:
    hang = Hang(
        hang_class=HangClass.FROZEN,
        users_stuck=2,
        users=3,
        stuck_since_s=1.0,
        bound=Bound(at_most_s=None, why=text),
        explanation=text,
        fingerprint="f",
        cause_text=text,
        stacks=(text, f"{text}{number}"),
    )
    return Trial(
        cell_id=cell.id,
        number=number,
        verdict=Verdict.HANG if is_hung else Verdict.CLEAN,
        reason=text,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.5,
        hang=hang if is_hung else None,
        timeline=tuple(Moment(second=s, ended=s, stuck=2 * is_hung * (s > 4), alive=3) for s in range(10)),
        python="3.11.7",
        versions={"gevent": "24.2.1"},
        evidence="evidence/x",
        command=text,
        findings=explained(text) if is_explained else None,
    )


made_run.hostile = HOSTILE
