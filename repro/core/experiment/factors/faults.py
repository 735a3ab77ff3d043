"""Faults between client and backend: their names, parameters and grammar.

    latency:500                          one parameter: the fault's main one
    no_answer:share=0.02                 by name; several are separated by ``;``
    latency:latency=200;jitter=50+reset_peer:1000    faults combine with ``+``
    timeout:0@2-10                       only from second 2 to 10 of the load

Names and units are toxiproxy's where it has the fault: https://github.com/Shopify/toxiproxy#toxics
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALWAYS = (0.0, float("inf"))


@dataclass(frozen=True, kw_only=True)
class FaultKind:
    """A kind of fault: its main parameter, the defaults of all, one line of help."""

    name: str
    main: str
    parameters: Mapping[str, float | str]
    help: str


_ALL = (
    FaultKind(
        name="latency",
        main="latency",
        parameters={"latency": 500, "jitter": 0},
        help="delays every answer by `latency` ± `jitter` milliseconds",
    ),
    FaultKind(
        name="bandwidth",
        main="rate",
        parameters={"rate": 10},
        help="lets answers through at `rate` kilobytes a second",
    ),
    FaultKind(
        name="timeout",
        main="timeout",
        parameters={"timeout": 0},
        help="a black hole: no answer, and the connection is closed after `timeout` milliseconds (0: never)",
    ),
    FaultKind(
        name="reset_peer",
        main="timeout",
        parameters={"timeout": 0},
        help="resets the connection (RST) `timeout` milliseconds after a request",
    ),
    FaultKind(
        name="slow_close",
        main="delay",
        parameters={"delay": 1000},
        help="closes a connection only `delay` milliseconds after the backend did",
    ),
    FaultKind(
        name="slicer",
        main="average_size",
        parameters={"average_size": 64, "size_variation": 0, "delay": 1000},
        help="cuts answers into slices of `average_size` ± `size_variation` bytes, `delay` microseconds apart",
    ),
    FaultKind(
        name="limit_data",
        main="bytes",
        parameters={"bytes": 1000},
        help="closes a connection after `bytes` bytes of answers",
    ),
    FaultKind(
        name="half_open",
        main="idle",
        parameters={"idle": 5},
        help="a connection without traffic for `idle` seconds goes silent and stays so, as behind a NAT gateway",
    ),
    FaultKind(
        name="no_answer",
        main="share",
        parameters={"share": 0, "nth": 0},
        help="no answer to a `share` of the requests, or to the `nth` one; the connection stays open",
    ),
    FaultKind(
        name="stop_after_headers",
        main="share",
        parameters={"share": 0, "nth": 0},
        help="an answer stops after its headers, the connection stays open",
    ),
    FaultKind(
        name="half_body",
        main="share",
        parameters={"share": 0, "nth": 0},
        help="an answer stops after half of its body, the connection stays open",
    ),
    FaultKind(
        name="status",
        main="code",
        parameters={"code": 500, "share": 1, "nth": 0, "action": "ReceiveMessage"},
        help="the error `code` for a `share` of the requests of `action` (`any` for all)",
    ),
    FaultKind(
        name="throttle",
        main="share",
        parameters={"share": 1, "nth": 0, "action": "ReceiveMessage"},
        help="a throttling answer for a `share` of the requests of `action` (`any` for all)",
    ),
)

KINDS = {kind.name: kind for kind in _ALL}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: its kind's name, all its parameters, and from which to which second of the load it acts."""

    name: str
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    window: tuple[float, float] = ALWAYS

    def number(self, name: str) -> float:
        """A parameter's value as a number."""
        return float(self.parameters[name])

    def is_active(self, load_s: float | None) -> bool:
        """Whether it acts this many seconds into the load; None is before the load."""
        return self.window == ALWAYS or (load_s is not None and self.window[0] <= load_s < self.window[1])

    def hits(self, *, ordinal: int, action: str, seed: int) -> bool:
        """Whether it hits the request of this number (from 1); the same seed hits the same requests."""
        wanted = str(self.parameters.get("action", "any"))
        if wanted not in {"any", action}:
            return False
        nth = int(self.number("nth"))
        if nth:
            return ordinal == nth
        chance = random.Random(f"{seed}:{self.name}:{ordinal}")  # noqa: S311  # replayable, no secret
        return chance.random() < self.number("share")


Faults = tuple[Fault, ...]


def parse_fault(text: str) -> Faults:
    """The faults of a level of the factor ``fault``; none for the empty text.

    Raises:
        ValueError: it cannot be read; one sentence with what was probably meant.
    """
    return tuple(_parse(part.strip()) for part in text.split("+")) if text else ()


def text_of(faults: Sequence[Fault]) -> str:
    """The faults in the grammar, all parameters spelt out."""
    return "+".join(f"{fault.name}:{_parameters(fault)}{_window(fault)}" for fault in faults)


def _parameters(fault: Fault) -> str:
    return ";".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in fault.parameters.items()
    )


def _window(fault: Fault) -> str:
    return "" if fault.window == ALWAYS else f"@{fault.window[0]:g}-{fault.window[1]:g}"


def _parse(text: str) -> Fault:
    head, _, window = text.partition("@")
    name, _, rest = head.partition(":")
    kind = KINDS.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose {', '.join(KINDS)}"
        raise ValueError(f"unknown fault {name!r}; {hint}")
    given = dict(_pair(part, kind) for part in rest.split(";")) if rest else {}
    return Fault(name=name, parameters={**kind.parameters, **given}, window=_window_of(window, text))


def _pair(part: str, kind: FaultKind) -> tuple[str, float | str]:
    key, sign, value = part.partition("=")
    if not sign:
        key, value = kind.main, key
    if key not in kind.parameters:
        raise ValueError(f"the fault {kind.name} has no parameter {key!r}; it has {', '.join(kind.parameters)}")
    if isinstance(kind.parameters[key], str):
        return key, value
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"{kind.name}: {key} takes a number, not {value!r}") from None
    if not math.isfinite(number) or number < 0 or (key == "share" and number > 1):
        raise ValueError(
            f"{kind.name}: {key}={value} is out of range" + ("; a share lies between 0 and 1" if key == "share" else "")
        )
    return key, number


def _window_of(text: str, whole: str) -> tuple[float, float]:
    if not text:
        return ALWAYS
    first, sign, last = text.partition("-")
    try:
        window = (float(first), float(last))
    except ValueError:
        window = (0.0, 0.0)
    if not sign or not 0 <= window[0] < window[1] < math.inf:
        raise ValueError(f"{whole!r}: a window is written @FROM-TO in seconds of the load, such as @2-10")
    return window


def check(text: str) -> None:
    """Whether a level can be read.

    Raises:
        ValueError: it cannot; one sentence.
    """
    parse_fault(text)
