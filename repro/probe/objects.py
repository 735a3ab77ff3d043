"""Objects: their type, texts of each layout, bytes, tuples, lists, bound methods."""

import struct

from repro_probe.base import FOUND, KEPT, MEMORY, WORD, UnclearError, common, learn, only


class First:
    """A base."""


class Second(First):
    """One that has a base."""


class Third(Second):
    """One whose base has a base."""


def learn_objects():
    """An object's type, a type's base and name."""
    samples = [First(), Second(), Third(), [], {}]
    KEPT.append(samples)
    learn("ob_type", [(id(one), id(type(one))) for one in samples], 64)
    learn("tp_base", [(id(Second), id(First)), (id(Third), id(Second)), (id(bool), id(int))])
    named = ((First, b"First\0"), (Third, b"Third\0"), (bool, b"bool\0"))
    FOUND["tp_name"] = only("tp_name", common([_pointers_to(id(kind), name) for kind, name in named]))


def _pointers_to(address, data):
    """At which offsets a pointer to these bytes lies."""
    words = MEMORY.words(address)
    return {WORD * index for index, word in enumerate(words) if MEMORY.read(word, len(data)) == data}


def learn_texts():
    """Where length, kind and characters of a ``str`` lie, for each of its four layouts; and those of ``bytes``."""
    layouts = []
    for letter, codec, width in (
        ("q", "ascii", 1),
        ("\xe9", "latin-1", 1),
        ("\u20ac", "utf-16-le", 2),
        ("\U0001f40d", "utf-32-le", 4),
    ):
        texts = ["".join([letter, "wertyuiop"[: length % 9], str(length)]) for length in range(40)]
        starts = {MEMORY.read(id(text), 160).find(text.encode(codec)) for text in texts} - {-1}
        layouts.append((texts, width, only("str data", starts)))
    KEPT.append(layouts)
    every = [text for texts, _, _ in layouts for text in texts]
    learn("str_length", [(id(text), len(text)) for text in every], 64)
    _learn_kinds(layouts)
    blobs = [bytes([64 + number]) * (20 + number) for number in (1, 2, 3)]
    KEPT.append(blobs)
    learn("size", [(id(blob), len(blob)) for blob in blobs], 32)
    FOUND["bytes_data"] = only("bytes data", {MEMORY.read(id(blob), 64).find(blob) for blob in blobs})


def _learn_kinds(layouts):
    """The bits that are alike in all texts of a layout and differ between layouts; the padding is garbage."""
    candidates = []
    for offset in range(FOUND["str_length"] + WORD, min(start for _, _, start in layouts), 4):
        states = [[_uint(id(text) + offset) for text in texts] for texts, _, _ in layouts]
        steady = 0xFFFFFFFF
        for values in states:
            for value in values:
                steady &= ~(value ^ values[0])
        mask = 0
        for values in states:
            mask |= steady & (values[0] ^ states[0][0])
        kinds = {values[0] & mask: (width, start) for values, (_, width, start) in zip(states, layouts)}
        if len(kinds) == len(layouts):
            candidates.append((offset, mask, kinds))
    if len(candidates) != 1:
        raise UnclearError("str kind: %d candidates" % len(candidates))
    offset, mask, kinds = candidates[0]
    FOUND["str_kind"], FOUND["str_mask"] = offset, mask
    FOUND["str_kinds"] = [[state, width, start] for state, (width, start) in sorted(kinds.items())]


def _uint(address):
    return struct.unpack("<I", MEMORY.read(address, 4))[0]


def learn_containers():
    """Items of tuples and lists, the content of a cell, the object of a bound built-in method."""
    tuples = [tuple(object() for _ in range(length)) for length in (5, 6, 7)]
    lists = [[object(), object(), object()] for _ in range(3)]
    methods = [one.append for one in lists]
    KEPT.extend([tuples, lists, methods])
    learn("tuple_items", [(id(one), id(one[0])) for one in tuples], 64)
    pointers = [
        {WORD * index for index, word in enumerate(MEMORY.words(id(one), 40)) if MEMORY.word(word) == id(one[0])}
        for one in lists
    ]
    FOUND["list_items"] = only("list items", common(pointers))
    learn("method_self", [(id(method), id(one)) for method, one in zip(methods, lists)], 64)
