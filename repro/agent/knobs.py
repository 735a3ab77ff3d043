"""The knobs of an amplification, each a class: they make natural moments come more often, by a seed.

They know nothing of the agent: an exported file holds the source of those that it needs, and of ``Draws``. ``note`` is
called for each moment that came because of the knob. What is drawn is decided by the seed and the number of the draw.
"""

import gc
import sys
import time


class Draws:
    """Numbers by a seed (Knuth's linear congruential generator, MMIX), a row of its own for each ``name``."""

    def __init__(self, seed, name):
        self._state = (seed * 2654435761 + sum(name.encode()) + 1) % 2**64
        self.number()

    def number(self):
        """The next one from 0 to 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 11) / 2**53

    def between(self, least, most):
        """The next one log-uniform between these: no one width of a window is right."""
        return least * (most / least) ** self.number()

    def lasting(self, least, most):
        """The next one between these, its inverse uniform: waits of each magnitude take as long together."""
        return 1.0 / (1.0 / most + self.number() * (1.0 / least - 1.0 / most))


class Turns:
    """``all``: what slows the load down or ends it for a moment comes by turns, and the other knobs act all the time.

    In each round, each of ``NAMES`` has a second, and one second goes without; the order is drawn anew for each round.
    All at once they drown each other: behind slow answers little is left for the other knobs to act on.
    """

    NAMES = ("stop", "dns", "io")
    TURN_S = 1.0

    def __init__(self, seed):
        self._seed = seed
        self._turn, self._name = -1, ""

    def has(self, name, second):
        """Whether it is a knob's turn at a second of the load."""
        if name not in self.NAMES:
            return True
        turn = int(second / self.TURN_S)
        if turn != self._turn:
            self._turn, self._name = turn, self._drawn(*divmod(turn, len(self.NAMES) + 1))
        return name == self._name

    def _drawn(self, time, place):
        draws, names = Draws(self._seed, "turns %d" % time), [*self.NAMES, ""]
        return [names.pop(int(draws.number() * len(names))) for _ in range(len(names))][place]


class Collections:
    """``gc``: at each collection's end the next threshold is drawn, well below the natural one.

    Thresholds of each magnitude are in force equally long: what a small one collects at once, a large one leaves for
    later. A collection is made *due*, never run: it begins where the interpreter would begin one. None begins where the
    program has switched the collector off, and beyond a share of the time the next one comes when it would have come
    anyway.
    """

    FEWEST, NATURAL_BY = 1, 7  # objects more than at the last one: between these and the natural threshold by that
    MOST_SHARE = (
        0.2  # of the time, in processor time: what a busy machine takes from this thread is not the collector's
    )

    def __init__(self, draws, note):
        self._draws, self._note = draws, note
        self._monotonic, self._thread_time = time.monotonic, time.thread_time  # as they are before anything is patched
        self._natural = self._drawn = 0
        self._spent_s = self._since = self._began_s = 0.0

    def start(self):
        """Make the first one due now: the natural one may be far."""
        first, second, third = gc.get_threshold()
        if not self._natural and first and gc.isenabled():
            self._natural = first
            gc.set_threshold(self._draw(), second, third)

    def begins(self):
        """A collection has begun."""
        self._began_s = self._thread_time()

    def ends(self):
        """A collection has ended: make the next one due."""
        now = self._monotonic()
        self._since = self._since or now
        self._spent_s += max(0.0, self._thread_time() - self._began_s)
        first, second, third = gc.get_threshold()
        if first and first == self._drawn:
            if self._drawn < self._natural:
                self._note()
        else:
            self._natural = first  # the program has set it itself
        if not self._natural or not gc.isenabled():
            return
        is_within = self._spent_s <= self.MOST_SHARE * max(now - self._since, 1.0)
        gc.set_threshold(self._draw() if is_within else self._natural, second, third)

    def _draw(self):
        most = self._natural / self.NATURAL_BY
        self._drawn = int(self._draws.lasting(self.FEWEST, most)) if most > self.FEWEST else self._natural
        return self._drawn


class Switches:
    """``threads``: draws how long a thread keeps the interpreter while another one waits for it."""

    SHORTEST_S, LONGEST_S = 1e-5, 5e-2
    EVERY_S = 0.2

    def __init__(self, draws, note):
        self._draws, self._note = draws, note

    def draw(self, has_others):
        """Draw it anew; ``has_others``: whether there is a thread that it matters to."""
        sys.setswitchinterval(self._draws.between(self.SHORTEST_S, self.LONGEST_S))
        if has_others:
            self._note()


class Lookups:
    """``dns``: look-ups of names take longer, in the native threads of gevent's resolver, where they always wait.

    ``is_on`` tells before each whether it does.
    """

    SHORTEST_S, LONGEST_S = 1e-4, 0.5
    NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")

    def __init__(self, draws, note, is_on=lambda: True):
        self._draws, self._note, self._is_on = draws, note, is_on
        monkey = sys.modules.get("gevent.monkey")  # a native thread's own sleep, patched or not
        self._sleep = monkey.get_original("time", "sleep") if monkey else time.sleep

    def slow(self, module):
        """Let the functions by which ``module`` (gevent.resolver.thread) looks names up answer later."""
        late = type(sys)("_socket")
        late.__dict__.update(vars(module._socket))
        for name in self.NAMES:
            if hasattr(late, name):
                setattr(late, name, self._late(getattr(late, name)))
        module._socket = late

    def _late(self, look_up):
        def late(*args, **kwargs):
            if self._is_on():
                self._note()
                self._sleep(self._draws.between(self.SHORTEST_S, self.LONGEST_S))
            return look_up(*args, **kwargs)

        return late


class Stops:
    """``stop``: again and again all users of a local runner are told to stop, as at the end of a load, and start anew.

    ``pause`` gives the seconds until the next stop, and ``is_on`` tells then whether it comes. It is put off until each
    user has gone on or is between two tasks: one that waits for ever is what is looked for, and a stop would end it
    unseen. Who has gone on may hang before the last one has, so who waits for another greenlet or thread, and not for
    the clock or the network, puts it off as well once it stood for more than ``STILL_SHARE`` of that time.
    ``progress_of`` a user's greenlet gives what changes as it goes on, None where that is not known. Where users
    outlive a stop by ``PATIENCE_S`` it was the load's own: they are not told twice, and none starts any more.
    """

    SHORTEST_S, LONGEST_S = 0.1, 2.0
    PATIENCE_S = 1.0
    LOOK_S = 0.02
    STILL_SHARE = 0.1
    CLOCK_OR_NETWORK = ("hub.py", "_socket", "_ssl", "ssl.py", "select", "resolver")  # modules of gevent
    LOCUSTS_WAIT = "locust/user/task.py"

    def __init__(self, pause, note, is_on=lambda: True, progress_of=lambda greenlet: None):
        self._pause, self._note, self._is_on, self._progress_of = pause, note, is_on, progress_of
        self._monotonic = time.monotonic

    def run(self, runner, is_loading, outlived):
        """In a greenlet of its own, while ``is_loading``, or until users outlive a stop; then it calls ``outlived``."""
        import gevent

        while is_loading():
            gevent.sleep(self._pause())
            self._let_all_go_on(runner, is_loading)
            counts = {name: count for name, count in runner.user_classes_count.items() if count}
            if not counts or runner.state != "running" or not is_loading() or not self._is_on():
                continue
            gevent.spawn(runner.stop_users, counts).join(self.PATIENCE_S)
            if runner.user_count and is_loading():
                self._note()
                outlived()
                self._quit(runner)
                return
            if is_loading() and runner.state == "running":
                runner.spawn_users(counts, wait=False)
                self._note()

    def _let_all_go_on(self, runner, is_loading):
        import gevent

        due = now = self._monotonic()
        waiting, parked = self._waiting(runner), dict.fromkeys(self._parked(runner), due)
        while is_loading():
            if not waiting and all(now - since <= self.STILL_SHARE * (now - due) for since in parked.values()):
                return
            gevent.sleep(self.LOOK_S)
            now = self._monotonic()
            waiting &= self._waiting(runner)
            parked = {one: parked.get(one, now) for one in self._parked(runner)}

    def _waiting(self, runner):
        """The users within a task, each as it stands: by what it has done, or else by its innermost frame."""
        return {
            (id(greenlet), self._progress_of(greenlet) or (id(frame), frame.f_lasti))
            for greenlet, frame in self._within_tasks(runner)
        }

    def _parked(self, runner):
        """Those of them that wait for another greenlet or thread, each by its innermost frame."""
        return {
            (id(greenlet), id(frame), frame.f_lasti, self._progress_of(greenlet))
            for greenlet, frame in self._within_tasks(runner)
            if not frame.f_code.co_filename.rpartition("gevent/")[2].startswith(self.CLOCK_OR_NETWORK)
        }

    def _within_tasks(self, runner):
        frames = [(greenlet, greenlet.gr_frame) for greenlet in list(runner.user_greenlets)]
        return [(greenlet, frame) for greenlet, frame in frames if frame and not self._is_between_tasks(frame)]

    def _is_between_tasks(self, frame):
        """Whether it sleeps as Locust's own ``wait`` does; a sleep of the task may be one of a loop that never ends."""
        caller = frame.f_back
        return frame.f_code.co_name == "sleep" and caller and caller.f_code.co_filename.endswith(self.LOCUSTS_WAIT)

    def _quit(self, runner):
        """Once the last one has ended, the load has."""
        import gevent

        while runner.user_count:
            gevent.sleep(0.1)
        runner.quit()
