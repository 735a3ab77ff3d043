"""This process's own memory, and how a field's place is found: by known values that lie there in every sample."""

import os
import struct
import sys

WORD = 8
ALL_ONES = (1 << 64) - 1
LARGEST_STRUCT = 512
SINCE_310 = sys.version_info >= (3, 10)
SINCE_311 = sys.version_info >= (3, 11)


class UnclearError(Exception):
    """A field that fits nowhere, or at several offsets."""


class Own:
    """This process's memory, by the address. Unmapped addresses read as nothing."""

    def __init__(self):
        self.file = os.open("/proc/self/mem", os.O_RDONLY)

    def read(self, address, size):
        """So many bytes, or nothing."""
        if not 0x1000 < address < 1 << 47:
            return b""
        try:
            return os.pread(self.file, size, address)
        except OSError:
            return b""

    def words(self, address, size=LARGEST_STRUCT):
        """So many bytes as words."""
        data = self.read(address, size)
        return struct.unpack_from("<%dQ" % (len(data) // WORD), data)

    def word(self, address):
        """One word; 0 where nothing is mapped."""
        words = self.words(address, WORD)
        return words[0] if words else 0

    def offsets_of(self, address, value, size=LARGEST_STRUCT):
        """At which offsets of a structure a word of this value lies."""
        return {WORD * index for index, word in enumerate(self.words(address, size)) if word == value}

    def offsets_of_int(self, address, value, size=LARGEST_STRUCT):
        """The same for a signed number of four bytes."""
        data = self.read(address, size)
        ints = struct.unpack_from("<%di" % (len(data) // 4), data)
        return {4 * index for index, number in enumerate(ints) if number == value}


MEMORY = Own()
FOUND = {}
KEPT = []
"""Samples that may not be freed while their memory is read."""


def only(name, candidates):
    """The one offset that is left."""
    if len(candidates) != 1:
        raise UnclearError("%s: %d candidates %s" % (name, len(candidates), sorted(candidates)[:8]))
    return next(iter(candidates))


def common(sets):
    """What is in all of these sets."""
    return set.intersection(*sets)


def learn(name, samples, size=LARGEST_STRUCT):
    """The field that holds the value in every one of ``(address, value)``."""
    FOUND[name] = only(name, common([MEMORY.offsets_of(address, value, size) for address, value in samples]))


def learn_int(name, samples, size=LARGEST_STRUCT):
    """The same for a field of four bytes."""
    FOUND[name] = only(name, common([MEMORY.offsets_of_int(address, value, size) for address, value in samples]))
