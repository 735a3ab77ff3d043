"""Sees the client's calls and Locust's users: patches their modules as they are imported, whenever that is.

The import hook asks the other finders on ``sys.meta_path``, so that nothing is imported earlier or otherwise than
without it. One *operation* is the outermost of nested calls: botocore over urllib3 counts once, as botocore's.
"""

import atexit
import os
import sys

from repro_agent import amplifier, coroutines, flight, hearts, redirect, web
from repro_agent import layout as at

LEGACY_ATTEMPTS, STANDARD_ATTEMPTS = 5, 3
URLLIB3_RETRIES = 3
BACKOFF_S = 20.0  # botocore waits at most so long between two attempts
READS_ENDPOINT_SINCE = (1, 31)  # the first botocore that reads AWS_ENDPOINT_URL by itself
ENDPOINT_PLACE = 4  # positional arguments of Session.create_client between the service's name and endpoint_url
MOST_CAUSES = 20
_slots = {}
_numbers = {}
_budget = int(os.environ.get("REPRO_REQUEST_BUDGET", "0"))
_spent = 0


class BudgetSpentError(Exception):
    """The run's upper bound on requests to a real service is reached: no further call is made."""


def install():
    """Hook the imports to come."""
    sys.meta_path.insert(0, _Finder())


def after_fork():
    """Forget the parent's users: they do not run here."""
    global _spent
    for slot in _slots.values():
        slot.depth = 0  # its line is the parent's: an operation that was under way at the fork ends there
    _slots.clear()
    _numbers.clear()
    _spent = 0


def number_of(greenlet):
    """The number of the user that runs in ``greenlet``, or None."""
    return _numbers.get(id(greenlet))


class operation:  # noqa: N801  # reads as a verb in a scenario: `with operation("get"):`
    """A context that counts as one operation of the current greenlet, for clients that are not hooked.

    Up to ``poll_s`` seconds of silence are by design; an attempt gives up by itself after ``attempt_s`` (0: unknown).
    """

    __slots__ = ("_counts", "_limits", "_name", "_slot")

    def __init__(self, name, poll_s=0.0, attempt_s=0.0, ceiling_s=None, *, counts=True):
        self._name = name
        self._limits = (poll_s, attempt_s, attempt_s if ceiling_s is None else ceiling_s)
        self._counts = counts

    def __enter__(self):
        self._slot = slot = _current_slot()
        if slot is not None:
            slot.depth += 1
            if slot.depth == 1:
                slot.begin(flight.record.name(self._name), *self._limits, counts=self._counts)
        return self

    def __exit__(self, kind, error, trace):
        slot = self._slot
        if slot is None or slot.depth == 0:
            return
        slot.depth -= 1
        if slot.depth == 0:
            failed = isinstance(error, Exception)  # a GreenletExit is none: the user was told to stop
            if failed:
                flight.record.error(error)
            slot.end(failed=failed, counts=self._counts)


def _current_slot():
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        import _thread

        key, current = _thread.get_ident(), None
    else:
        current = greenlet.getcurrent()
        key = id(current)
    slot = _slots.get(key)
    return _adopt(key, current) if slot is None else slot


def _adopt(key, current):
    """A slot for somebody who calls the client and is not a Locust user: a script's greenlet, a thread, a listener."""
    slot = flight.record.take(at.KIND_OTHER, key)
    if slot is None:
        return None
    _slots[key] = slot
    _numbers[key] = slot.words[slot.base + at.S_NUMBER]
    if hasattr(current, "rawlink"):
        current.rawlink(lambda _: _release(key))
    if sys.modules.get("gevent") is not None and getattr(current, "parent", None) is not None:
        hearts.attach()
    return slot


def _release(key):
    slot = _slots.pop(key, None)
    _numbers.pop(key, None)
    if slot is not None:
        flight.record.give_back(slot)


class _Finder:
    """Finds what the other finders find, and patches the modules that are hooked once they are loaded.

    It stays the first: pytest puts one before it that loads the modules of its plugins by itself, and Locust is one.
    """

    def find_spec(self, name, path=None, target=None):
        if sys.meta_path[0] is not self and self in sys.meta_path:
            sys.meta_path.remove(self)
            sys.meta_path.insert(0, self)
        patch = _PATCHES.get(name)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, patch)
                return spec
        return None


class _Loader:
    """A loader that patches after loading, and is the original one in all else."""

    def __init__(self, loader, patch):
        self._loader, self._patch = loader, patch

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        self._patch(module)


def _patch_botocore(module):
    original = module.BaseClient._make_api_call

    def _make_api_call(self, operation_name, api_params):
        poll_s = float(api_params.get("WaitTimeSeconds") or 0)
        with operation(operation_name, poll_s, *limits_of(self)):
            _refuse_beyond_budget()  # within: a refused call is a failed one, and not a user from whom nothing is heard
            try:
                return original(self, operation_name, api_params)
            except Exception as error:
                note_failure(error, self.meta.endpoint_url, api_params)
                raise

    module.BaseClient._make_api_call = _make_api_call


_MISSING = {"QueueName": "queue", "QueueUrl": "queue", "Bucket": "bucket", "TableName": "table"}
_CODES = ("NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket", "ResourceNotFoundException")


def note_failure(error, url, parameters=()):
    """Keep what explains a call that failed: what it asked for is not there, or it went elsewhere than to the backend.

    An address that was asked is kept by ``limits_of``, too: somebody may still wait for its answer.
    """
    address = redirect.address_of(url)
    if address:
        flight.record.wanted("failed", address)
        return
    found = getattr(error, "response", None)
    code = str(found.get("Error", {}).get("Code", "")) if isinstance(found, dict) else ""
    for name, kind in _MISSING.items():
        is_missing = code.endswith(_CODES) or (code == "404" and kind == "bucket" and "Key" not in parameters)
        if is_missing and name in parameters:
            flight.record.wanted(kind, str(parameters[name]).rpartition("/")[2])
    if code.endswith(_CODES) and isinstance(parameters, dict):
        for name in parameters.get("RequestItems") or ():
            flight.record.wanted("table", str(name))


def _patch_session(module):
    """The making of a client can fail or hang too, before it has any call to make."""
    if not flight.IS_RIDING:
        _lead_to_backend(module)
    _hook(module.Session, "create_client", "create_client", lambda args, kwargs: (0.0, 0.0), counts=False)


def _lead_to_backend(module):
    """Lead a botocore that does not read ``AWS_ENDPOINT_URL`` to the backend: it would go to the real service."""
    version = getattr(sys.modules.get("botocore"), "__version__", "0")
    reads = tuple(int(part) for part in version.split(".")[:2]) >= READS_ENDPOINT_SINCE
    if reads and not redirect.is_on():
        return
    original = module.Session.create_client

    def create_client(self, service_name, *args, **kwargs):
        own = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_")
        url = None if reads else os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL")
        if len(args) > ENDPOINT_PLACE:
            place = ENDPOINT_PLACE
            args = (*args[:place], redirect.led(args[place]) or args[place], *args[place + 1 :])
        to = redirect.led(kwargs.get("endpoint_url"))
        if to is not None:
            kwargs["endpoint_url"] = to
        if url and len(args) <= ENDPOINT_PLACE and kwargs.get("endpoint_url") is None:
            kwargs["endpoint_url"] = url
        return original(self, service_name, *args, **kwargs)

    module.Session.create_client = create_client


def _patch_endpoint(module):
    """Every request that goes out counts, a retry too, whatever the client's own number of attempts is."""
    if not _budget:
        return
    original = module.Endpoint._send

    def _send(self, request):
        global _spent
        _refuse_beyond_budget()
        _spent += 1
        return original(self, request)

    module.Endpoint._send = _send


def _refuse_beyond_budget():
    if _budget and _spent >= _budget:
        flight.record.words[at.H_BUDGET_SPENT] += 1
        raise BudgetSpentError("the run's budget of %d requests is spent" % _budget)


def limits_of(client):
    """Seconds that one attempt and all attempts of a call of this client can take by its own configuration."""
    limits = client.__dict__.get("_repro_limits")
    if limits is None:
        config = client.meta.config
        connect_s, read_s = _seconds(config.connect_timeout), _seconds(config.read_timeout)
        retries = getattr(config, "retries", None) or {}
        usual = LEGACY_ATTEMPTS if retries.get("mode", "legacy") == "legacy" else STANDARD_ATTEMPTS
        attempts = retries.get("total_max_attempts") or usual
        attempt_s = max(connect_s, read_s)
        ceiling_s = (connect_s + read_s) * attempts + min(2.0 ** (attempts - 1), BACKOFF_S * attempts) * (attempts > 1)
        limits = client.__dict__["_repro_limits"] = (attempt_s, ceiling_s)
        address = redirect.address_of(client.meta.endpoint_url)
        if address:
            flight.record.wanted("asked", address)
    return limits


def _seconds(timeout):
    """A timeout as seconds: None is without a limit; of a pair (connect, read), the longer one."""
    if timeout is None:
        return flight.INFINITE
    if isinstance(timeout, (tuple, list)):
        return max([_seconds(part) for part in timeout] or [flight.INFINITE])
    try:
        return float(timeout)
    except (TypeError, ValueError):
        return 0.0


def _hook(owner, name, title, limits, *, counts=True, url_of=None):
    """Make each outermost call of ``owner.name`` an operation.

    ``limits(args, kwargs)`` gives the seconds that one attempt and all of them may take, infinite without a timeout.
    """
    original = getattr(owner, name, None)
    if original is None:
        return

    def call(*args, **kwargs):
        slot = _current_slot()
        if slot is not None and slot.depth:  # within another client's call, whose limits count
            return original(*args, **kwargs)
        with operation(title, 0.0, *limits(args, kwargs), counts=counts):
            try:
                return original(*args, **kwargs)
            except Exception as error:
                if url_of is not None:
                    note_failure(error, url_of(args, kwargs))
                raise

    call.__wrapped__ = original
    setattr(owner, name, call)


def _patch_requests(module):
    _hook(
        module.Session,
        "request",
        "requests",
        lambda args, kwargs: _all_attempts(kwargs.get("timeout"), 1),
        url_of=lambda args, kwargs: kwargs.get("url") or (args[2] if len(args) > 2 else ""),
    )


def _patch_urllib3(module):
    _hook(
        module.HTTPConnectionPool,
        "urlopen",
        "urllib3",
        _limits_of_urllib3,
        url_of=lambda args, kwargs: "%s://%s:%s" % (args[0].scheme, args[0].host, args[0].port or ""),
    )


def _patch_geventhttpclient(module):
    _hook(
        module.UserAgent,
        "urlopen",
        "geventhttpclient",
        _limits_of_agent,
        url_of=lambda args, kwargs: kwargs.get("url") or (args[1] if len(args) > 1 else ""),
    )


def _patch_httpx(module):
    """Its timeouts are the client's, a limit for each step; a request names its own."""
    coroutines.patch_httpx(module)
    _hook(
        module.Client,
        "send",
        "httpx",
        limits_of_httpx,
        url_of=lambda args, kwargs: getattr(_sent(args, kwargs), "url", ""),
    )


def _sent(args, kwargs):
    return args[1] if len(args) > 1 else kwargs.get("request")


def limits_of_httpx(args, kwargs):
    """Of a request that ``send`` is given, which names the timeout of each step."""
    steps = getattr(_sent(args, kwargs), "extensions", {}).get("timeout", {})
    return _all_attempts((steps.get("connect"), steps.get("read")), 1) if steps else (0.0, 0.0)


def _limits_of_urllib3(args, kwargs):
    pool = args[0]
    timeout = kwargs.get("timeout", pool.timeout)
    if not (timeout is None or isinstance(timeout, (int, float)) or hasattr(timeout, "_read")):
        timeout = pool.timeout  # urllib3's own word for what the pool was given
    retries = kwargs.get("retries")
    retries = pool.retries if retries is None else retries
    total = getattr(retries, "total", retries)
    return _all_attempts(timeout, 1 + (total if isinstance(total, int) else URLLIB3_RETRIES))


def _limits_of_agent(args, kwargs):
    agent = args[0]
    settings = getattr(getattr(agent, "clientpool", None), "client_args", {})
    usual = getattr(sys.modules.get("geventhttpclient.connectionpool"), "ConnectionPool", None)
    names = ("connection_timeout", "network_timeout")
    parts = tuple(settings.get(name, getattr(usual, "DEFAULT_" + name.upper(), 0.0)) for name in names)
    retries = kwargs.get("max_retries")
    return _all_attempts(parts, 1 + (getattr(agent, "max_retries", 0) if retries is None else retries))


def _all_attempts(timeout, attempts):
    """Seconds of one attempt and of all: of one timeout, a pair (connect, read), or urllib3's object."""
    total_s = _seconds(getattr(timeout, "total", None))
    if hasattr(timeout, "_read"):
        timeout = (_part(timeout._connect), _part(timeout._read))
    parts = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    seconds = [_seconds(part) for part in parts]
    return min(total_s, max(seconds)), min(total_s, sum(seconds)) * attempts


def _part(seconds):
    """A step's timeout; urllib3 has an object of its own for what the socket module is set to, usually none."""
    if seconds is None or isinstance(seconds, (int, float)):
        return seconds
    ask = getattr(sys.modules.get("socket"), "getdefaulttimeout", None)
    return ask() if ask is not None else None


def _patch_users(module):
    start, stop = module.User.start, module.User.stop
    if redirect.is_on():
        redirect.patch_host(module.User)

    def start_seen(self, *args, **kwargs):
        greenlet = start(self, *args, **kwargs)
        _watch_user(greenlet)
        return greenlet

    def stop_seen(self, *args, **kwargs):
        slot = _slots.get(id(getattr(self, "_greenlet", None)))
        if slot is not None:
            slot.killed()
        return stop(self, *args, **kwargs)

    module.User.start, module.User.stop = start_seen, stop_seen


def _watch_user(greenlet):
    key = id(greenlet)
    slot = flight.record.take(at.KIND_USER, key)
    if slot is None:
        return
    _slots[key] = slot
    _numbers[key] = slot.words[slot.base + at.S_NUMBER]
    greenlet.rawlink(lambda _: _release(key))


def _patch_hub(module):
    """A greenlet that dies of an exception is printed and forgotten: it may be the one that was to start the users."""
    original = module.Hub.handle_error

    def handle_error(self, context, type, value, tb):  # noqa: A002  # gevent's own names: it may be called by them
        try:
            _note_death(context, value, tb)
        except Exception as error:
            flight.record.error(error)  # ours: the program's own handling goes on as it would
        return original(self, context, type, value, tb)

    module.Hub.handle_error = handle_error


def _note_death(context, error, trace):
    kinds = tuple(sys.modules[name].GreenletExit for name in ("greenlet",) if name in sys.modules)
    if not isinstance(error, Exception) or isinstance(error, kinds):
        return
    frames = _frames(trace)
    slot = _slots.get(id(context))
    if slot is not None and slot.words[slot.base + at.S_KIND] == at.KIND_USER:
        counter = at.H_USER_DEATHS
    elif any(frame.f_globals.get("__name__") in _SPAWNERS for frame, _ in frames):
        counter = at.H_SPAWNER_DEATHS
    else:
        counter = at.H_DEATHS
    flight.record.death(counter, error, _place(frames))


_SPAWNERS = ("locust.runners", "locust.dispatch")
_LIBRARIES = ("site-packages", "dist-packages", os.sep + "lib" + os.sep + "python")


def _frames(trace):
    """A traceback's frames with their lines, the outermost first."""
    found = []
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _place(frames):
    """The innermost frame of the program's own code, else of anybody's: file, line, function."""
    known = [pair for pair in frames if os.path.isabs(pair[0].f_code.co_filename)]  # compiled modules have no such path
    own = [pair for pair in known if not any(part in pair[0].f_code.co_filename for part in _LIBRARIES)]
    if not frames:
        return ("", 0, "")
    frame, line = (own or known or frames)[-1]
    return (frame.f_code.co_filename, line, frame.f_code.co_name)


def _patch_tasks(module):
    """Locust counts what a task raises as an error of its own, outside of all requests."""
    original = getattr(module.TaskSet, "execute_next_task", None)
    if original is None:
        return

    def execute_next_task(self, *args, **kwargs):
        flight.record.words[at.H_ITERATIONS] += not _is_task_set(self)
        slot = _current_slot()
        if slot is not None:
            slot.failed_before = slot.words[slot.base + at.S_FAILED]
        return original(self, *args, **kwargs)

    execute_next_task.__wrapped__ = original
    module.TaskSet.execute_next_task = execute_next_task


def _is_task_set(user):
    """Whether the task that comes next is a set of others, which count by themselves."""
    queue = getattr(user, "_task_queue", None)
    head = queue[0] if queue else None
    return isinstance(head.get("callable") if isinstance(head, dict) else head, type)


def _task_failed(exception=None, tb=None, **_):
    """A task has ended by an exception; one of an operation is counted as that."""
    if _has_lost_exit(exception):
        flight.record.death(at.H_LOST_EXITS, exception, _place(_frames(tb)))
        return
    slot = _current_slot()
    if slot is not None and slot.words[slot.base + at.S_FAILED] != slot.failed_before:
        return
    if isinstance(exception, BaseException):
        flight.record.death(at.H_ITERATION_ERRORS, exception, _place(_frames(tb)))
    else:
        flight.record.words[at.H_ITERATION_ERRORS] += 1


def _has_lost_exit(error):
    """Whether it was raised while a GreenletExit was on its way, and so took its place: by an ``on_stop``, mostly."""
    kind = getattr(sys.modules.get("greenlet"), "GreenletExit", None)
    for _ in range(MOST_CAUSES):
        error = getattr(error, "__context__", None)
        if error is None or kind is None:
            return False
        if isinstance(error, kind):
            return True
    return False


class _Requests:
    """Counts what Locust is told of requests, for clients that are not hooked: what was counted already is left out."""

    def __init__(self):
        self._seen = {}

    def __call__(self, request_type="", name="", exception=None, **_):
        slot = _current_slot()
        if slot is None or slot.depth:
            return
        failed = exception is not None
        begun, failures = self._seen.get(slot.base, (0, 0))
        if slot.words[slot.base + at.S_BEGUN] == begun:
            slot.begin(flight.record.name(("%s %s" % (request_type, name)).strip()), 0.0, 0.0, 0.0)
            slot.end(failed=failed)
        elif failed and slot.words[slot.base + at.S_FAILED] == failures:
            slot.words[slot.base + at.S_FAILED] += 1  # its client had an answer, and Locust calls that a failure
        else:
            failed = False
        if failed and isinstance(exception, Exception):
            flight.record.error(exception)
        self._seen[slot.base] = (slot.words[slot.base + at.S_BEGUN], slot.words[slot.base + at.S_FAILED])


def _is_signal():
    """Whether a runner quits because of a signal: by Locust's handler of SIGTERM, or by a Ctrl-C."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "sig_term_handler":
            return True
        frame = frame.f_back
    return sys.exc_info()[0] is KeyboardInterrupt


def _patch_runners(module):
    original = module.Runner.__init__
    roles = {"MasterRunner": at.ROLE_MASTER, "WorkerRunner": at.ROLE_WORKER}

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        hearts.attach(self, roles.get(type(self).__name__, at.ROLE_LOCAL))
        environment = getattr(self, "environment", None)
        events = getattr(environment, "events", None)
        if os.environ.get("REPRO_WEB_UI") and type(self).__name__ != "WorkerRunner":
            web.add(environment)
        requests = _Requests()
        of_requests = ("request",) if hasattr(events, "request") else ("request_success", "request_failure")
        listeners = {"user_error": _task_failed, "test_start": _begun, "test_stop": _ended}
        listeners.update(dict.fromkeys(of_requests, requests))
        for name, listener in listeners.items():
            if hasattr(events, name):
                getattr(events, name).add_listener(listener)
        atexit.register(note_exit, environment)

    module.Runner.__init__ = init
    for name in ("Runner", "MasterRunner"):  # a master's quit is its own
        _patch_quit(getattr(module, name))


def _patch_quit(runner_class):
    quit_runner = vars(runner_class).get("quit")
    if quit_runner is None:
        return

    def quit_seen(self, *args, **kwargs):
        hearts.note_stop(by_signal=_is_signal())
        try:
            return quit_runner(self, *args, **kwargs)
        finally:
            flight.record.floats[at.H_QUIT_DONE_AT] = flight.monotonic()

    runner_class.quit = quit_seen


def _begun(**_):
    """A load begins; a program may run several, one after the other, and stops only the last one for us."""
    record = flight.record
    record.floats[at.H_LOAD_ENDED_AT] = 0.0
    if not record.words[at.H_STOP_ASKED]:
        record.floats[at.H_STOP_AT] = record.floats[at.H_QUIT_DONE_AT] = 0.0
        record.words[at.H_STOPPED_BY_SIGNAL] = 0


def _ended(**_):
    flight.record.floats[at.H_LOAD_ENDED_AT] = flight.monotonic()


def note_exit(environment):
    """The exit code that Locust's program asks for by itself, None for none: requests failed, or a listener set it.

    It is noted for the judge: a process that ends with it has not crashed.
    """
    code = getattr(environment, "process_exit_code", None)
    runner = getattr(environment, "runner", None)
    if code is None and (getattr(runner, "errors", None) or getattr(runner, "exceptions", None)):
        code = getattr(getattr(environment, "parsed_options", None), "exit_code_on_error", None)
    if isinstance(code, int):
        flight.record.words[at.H_EXIT_CODE] = 1 + code % 256
        return code
    return None


_PATCHES = {
    "botocore.client": _patch_botocore,
    "botocore.endpoint": _patch_endpoint,
    "botocore.session": _patch_session,
    "requests.sessions": _patch_requests,
    "urllib3.connectionpool": _patch_urllib3,
    "urllib3.poolmanager": redirect.patch_poolmanager,
    "geventhttpclient.client": redirect.patch_clientpool,
    "geventhttpclient.useragent": _patch_geventhttpclient,
    "httpx._client": _patch_httpx,
    "aiobotocore.client": coroutines.patch_aiobotocore,
    "aiohttp.client": coroutines.patch_aiohttp,
    "gevent.hub": _patch_hub,
    "gevent.resolver.thread": amplifier.patch_resolver,
    "locust.user.users": _patch_users,
    "locust.user.task": _patch_tasks,
    "locust.runners": _patch_runners,
}
