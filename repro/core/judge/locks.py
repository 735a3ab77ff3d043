"""What the looks at the stacks have shown of waits: since when nobody got a lock, when a wait was to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from repro.core.judge.samples import Examination, Key, Parked, ParkedOn, Standing
from repro.findings import Holder

PATIENCE_S = 120.0
"""A holder that sleeps, or a wait with a timeout, is waited for when it ends within this; longer does not help.
"""
SLACK_S = 1.0


@dataclass(frozen=True)
class LockWatch:
    """One lock: who waits for it and who holds it, since when its queue has not moved, until when it may yet be freed.

    ``looked_at`` is the moment that the last look shows; ``beats`` is how often the waiters' event loop has turned
    since the queue last moved, infinite where that is not known.
    """

    waiters: frozenset[Key]
    holder: Holder | None
    since: float
    may_be_freed_until: float
    looked_at: float
    beats: float = float("inf")
    first_beat: int | None = None


@dataclass(frozen=True)
class LockWait:
    """One user's wait: when it was first seen in it, and when that was to end by its timeout."""

    lock: str
    seen_at: float
    ends_at: float


@dataclass(frozen=True)
class LockBook:
    """The locks that somebody waits for, and the waits, by the looks so far."""

    watches: Mapping[str, LockWatch] = field(default_factory=dict)
    waits: Mapping[Key, LockWait] = field(default_factory=dict)

    def after(self, look: Examination, moved_at: Mapping[Key, float]) -> LockBook:
        """The book with one more look: a lock that nobody has got since the one before keeps its age.

        ``moved_at`` is when each user last did something.
        """
        waiting: dict[str, dict[Key, Parked]] = {}
        for key, parked in look.parked.items():
            if parked.lock:
                waiting.setdefault(parked.lock, {})[key] = parked
        return LockBook(
            watches={lock: self._watch(lock, waiters, look, moved_at) for lock, waiters in waiting.items()},
            waits={
                key: self._wait(key, parked, look.seen_at(key[0]), moved_at.get(key, 0.0))
                for key, parked in look.parked.items()
            },
        )

    def of(self, lock: str) -> LockWatch | None:
        """What is known of a lock by the last look."""
        return self.watches.get(lock)

    def is_renewed(self, key: Key, now: float) -> bool:
        """Whether a user's wait has outlasted its own timeout, so that it must have begun again."""
        wait = self.waits.get(key)
        return wait is not None and now > wait.ends_at + SLACK_S

    def _watch(
        self, lock: str, waiting: Mapping[Key, Parked], look: Examination, moved_at: Mapping[Key, float]
    ) -> LockWatch:
        before = self.watches.get(lock)
        key, example = next(iter(waiting.items()))
        beats = look.beats.get(key[0])
        seen_at = look.seen_at(key[0])
        if (
            before is not None
            and not _has_moved(before, waiting, moved_at)
            and not _has_other_holder(before.holder, example.holder)
        ):
            turned = beats - before.first_beat if beats is not None and before.first_beat is not None else float("inf")
            return replace(before, waiters=frozenset(waiting), holder=example.holder, looked_at=seen_at, beats=turned)
        left_s = example.root_left_s if example.root is ParkedOn.TIMER else 0.0
        patience_s = left_s + SLACK_S if 0 < left_s <= PATIENCE_S else 0.0
        return LockWatch(
            waiters=frozenset(waiting),
            holder=example.holder,
            since=look.at,
            may_be_freed_until=look.at + patience_s,
            looked_at=seen_at,
            beats=0 if beats is not None else float("inf"),
            first_beat=beats,
        )

    def _wait(self, key: Key, parked: Parked, at: float, moved_at: float) -> LockWait:
        before = self.waits.get(key)
        if before is not None and before.lock == parked.lock and before.seen_at > moved_at:
            return before
        return LockWait(parked.lock, at, at + parked.left_s)


@dataclass(frozen=True)
class Unread:
    """Bytes that lie unread in a user's socket: how many, since which beat of the loop, and when first seen."""

    size: int
    beats: int
    seen_at: float


@dataclass(frozen=True)
class Looks:
    """The last two looks at the stacks, and what all of them have shown of locks and unread bytes.

    ``in_line_at`` is when each user was last seen to stand in line for something else than an answer.
    """

    latest: tuple[Examination, ...] = ()
    locks: LockBook = field(default_factory=LockBook)
    unread: Mapping[Key, Unread] = field(default_factory=dict)
    in_line_at: Mapping[Key, float] = field(default_factory=dict)

    @property
    def last(self) -> Examination | None:
        """The last one, None before any."""
        return self.latest[-1] if self.latest else None

    def after(self, look: Examination, moved_at: Mapping[Key, float]) -> Looks:
        """These with one more; ``moved_at`` is when a user last did something."""
        return Looks(
            latest=(*self.latest[-1:], look),
            locks=self.locks.after(look, moved_at),
            unread={
                key: self._unread(key, parked.unread, look, moved_at.get(key, 0.0))
                for key, parked in look.parked.items()
                if parked.unread
            },
            in_line_at={
                key: look.seen_at(key[0]) if parked.on in _IN_LINE else self.in_line_at.get(key, 0.0)
                for key, parked in look.parked.items()
            },
        )

    def parked(self, key: Key) -> Parked | None:
        """What a user was parked on when it was last looked at."""
        return self.latest[-1].parked.get(key) if self.latest else None

    def beats_unread(self, key: Key) -> int:
        """How often the event loop has turned while the same bytes lay unread in a user's socket, by the last look."""
        unread = self.unread.get(key)
        return self.latest[-1].beats.get(key[0], 0) - unread.beats if unread is not None else 0

    def standing_since(self, moment: float) -> Standing | None:
        """In what two looks since then found the processes without users; None before them, or where they differ."""
        looks = [look for look in self.latest if look.at > moment]
        kinds = {min(look.standing.values(), key=list(Standing).index, default=Standing.UNKNOWN) for look in looks}
        return kinds.pop() if len(looks) > 1 and len(kinds) == 1 else None

    def _unread(self, key: Key, size: int, look: Examination, moved_at: float) -> Unread:
        before = self.unread.get(key)
        if before is not None and before.size == size and before.seen_at > moved_at:
            return before
        return Unread(size, look.beats.get(key[0], 0), look.seen_at(key[0]))


_IN_LINE = frozenset({ParkedOn.LOCK, ParkedOn.EVENT, ParkedOn.ELSEWHERE})
"""A crowd stands in line before it sends: for a connection of the pool, for a thread that resolves a name."""


def _has_moved(before: LockWatch, waiting: Mapping[Key, Parked], moved_at: Mapping[Key, float]) -> bool:
    """Whether the queue has moved since the last look: one has left it, even if it came back since."""
    return any(key not in waiting or moved_at.get(key, 0.0) > before.looked_at for key in before.waiters)


def _has_other_holder(before: Holder | None, now: Holder | None) -> bool:
    """Whether the lock has another holder, or the same one at another place: two guesses that differ say nothing."""
    if before is None or now is None:
        return False
    return before.is_certain and now.is_certain and before != now
