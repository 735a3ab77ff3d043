"""How a program calls an object: by the modules' names and the attributes that lead to it."""

import gc

NAME_LEVELS = 3
MOST_NAMES = 8
MOST_REFERRERS = 160


def attribute(item, name):
    """An attribute by plain look-up, no ``__getattr__`` of the program's; None when it is not there."""
    try:
        return object.__getattribute__(item, name)
    except Exception:
        return None


def names_of(locks, own):
    """By lock, how the program calls it, ``HTTPConnectionPool.pool.mutex``: from the objects that refer to it."""
    names = {}
    ignored = {id(part) for part in own}
    level = [(lock, "", id(lock)) for lock in locks]
    for _ in range(NAME_LEVELS):
        ignored.add(id(level))
        level = _name_level(level, ignored, names)
        if not level:
            break
    return {key: sorted(value, key=len)[:MOST_NAMES] for key, value in names.items()}


def _name_level(level, ignored, names):
    """The objects that keep those of this level, with the names by which they do; ``names`` gets what is found."""
    wanted = {}
    for item, suffix, lock_id in level:
        wanted.setdefault(id(item), []).append((suffix, lock_id))
    above = []
    for referrer in gc.get_referrers(*[row[0] for row in level]):
        if id(referrer) in ignored or len(above) > MOST_REFERRERS or _is_condition(referrer):
            continue
        for name, value in _attributes(referrer):
            if type(value) is dict and type(referrer) is dict:
                continue
            for suffix, lock_id in wanted.get(id(value), ()):
                path = name + suffix
                if type(referrer) is dict:
                    module = referrer.get("__name__")
                    if isinstance(module, str):
                        names.setdefault(lock_id, set()).add("%s.%s" % (module, path))
                    else:
                        above.append((referrer, "." + path, lock_id))
                else:
                    path = path.lstrip(".")
                    names.setdefault(lock_id, set()).add("%s.%s" % (type(referrer).__name__, path))
                    above.append((referrer, "." + path, lock_id))
    return above


def _is_condition(item):
    """A condition's ``_lock`` is only another name for the lock of whoever made it."""
    if type(item) is dict:
        return "_waiters" in item and "_lock" in item
    return type(item).__name__ in ("Condition", "_Condition")


def _attributes(item):
    """``(name, value)`` of what an object keeps by name: a dict's items, an instance's attributes and slots."""
    if type(item) is dict:
        found = [pair for pair in list(item.items()) if isinstance(pair[0], str)]
    elif type(item).__name__ in ("list", "tuple", "frame", "cell", "deque", "set", "module", "function", "method"):
        found = []
    else:
        found = list(_slots(item))
        kept = getattr(item, "__dict__", None)
        if type(kept) is dict:
            found += [pair for pair in list(kept.items()) if isinstance(pair[0], str)]
            found += [("", kept)]
    return found


def _slots(item):
    for base in type(item).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield name, attribute(item, name)
