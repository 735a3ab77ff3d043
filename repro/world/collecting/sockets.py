"""The sockets of a process as the kernel sees them: peers, and how many bytes lie unread or unsent.

From ``/proc/PID/fd`` and ``/proc/PID/net/tcp{,6}`` (``man 5 proc``); empty where there is no ``/proc``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PROC = Path("/proc")
DIAG_LIMIT_S = 0.5

_NETLINK, _SOCK_DIAG, _BY_FAMILY, _REQUEST_DUMP = 16, 4, 20, 0x301
_DONE, _ERROR = 3, 2
_HEAD = struct.Struct("=IHHII")
_MESSAGE_BYTES = 72
_MEMINFO, _FIELDS = 7, 9
"""``linux/netlink.h``, ``linux/inet_diag.h``, ``linux/sock_diag.h``: the memory of a socket ends with its drops."""
_LISTENING = 10
_OPEN = frozenset({"established", "syn-received", "close-wait"})
STATES = {
    1: "established",
    2: "syn-sent",
    3: "syn-received",
    4: "fin-wait-1",
    5: "fin-wait-2",
    6: "time-wait",
    7: "closed",
    8: "close-wait",
    9: "last-ack",
    10: "listening",
    11: "closing",
}


@dataclass(frozen=True, slots=True)
class Socket:
    """One TCP socket: both ends as ``host:port``, and the bytes that wait in its queues.

    ``recv_queue`` is what has come and was not read yet, ``send_queue`` what was sent and is not acknowledged.
    ``is_unserved``: its peer is on this machine, and has not accepted the connection yet or not read what was sent.
    """

    local: str
    peer: str
    state: str
    recv_queue: int
    send_queue: int
    inode: int
    fd: int
    is_unserved: bool = False

    @property
    def peer_port(self) -> int:
        """The port at the other end."""
        return int(self.peer.rpartition(":")[2])

    @property
    def unread(self) -> int:
        """How much has come that nobody has read: bytes, and one for the peer's end of the connection."""
        return 0 if self.state == "listening" else self.recv_queue + (self.state == "close-wait")


def sockets_of(pid: int) -> tuple[Socket, ...]:
    """The TCP sockets of a process, by descriptor; a descriptor that was duplicated shows once for each."""
    descriptors = _descriptors(pid)
    own = frozenset(descriptors.values())
    every = [row for name in ("tcp", "tcp6") for row in _table(PROC / str(pid) / "net" / name, own)]
    rows = {row.inode: row for row in every}
    waiting = {(row.peer, row.local) for row in every if _is_waiting(row)}
    return tuple(
        replace(row, fd=fd, is_unserved=(row.local, row.peer) in waiting)
        for fd, inode in sorted(descriptors.items())
        if (row := rows.get(inode)) is not None
    )


def _is_waiting(row: Socket) -> bool:
    """Whether whoever listens has not accepted this connection yet, when it has no inode, or not read what came."""
    return row.state in _OPEN and (row.inode == 0 or row.recv_queue > 0)


def _descriptors(pid: int) -> dict[int, int]:
    """The inode of each descriptor that is a socket."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):  # not ours to read, or gone
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile
                target = str(link.readlink())
                if target.startswith("socket:["):
                    found[int(link.name)] = int(target[8:-1])
    return found


def _table(path: Path, own: Collection[int]) -> Iterator[Socket]:
    """The sockets of these inodes, and those in which something waits: of a busy machine's thousands the few."""
    with contextlib.suppress(OSError):
        for line in path.read_text("ascii").splitlines()[1:]:
            parts = line.split()
            state = STATES.get(int(parts[3], 16), parts[3])
            send, _, receive = parts[4].partition(":")
            waits, inode = int(receive, 16), int(parts[9])
            if inode not in own and not (state in _OPEN and (inode == 0 or waits)):
                continue
            yield Socket(
                local=_address(parts[1]),
                peer=_address(parts[2]),
                state=state,
                recv_queue=waits,
                send_queue=int(send, 16),
                inode=inode,
                fd=-1,
            )


def _address(text: str) -> str:
    """``0100007F:1388`` is ``127.0.0.1:5000``: the address is made of words in the machine's byte order."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[at : at + 8]) for at in range(0, len(host), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    name = str(mapped or address)
    return f"[{name}]:{int(port, 16)}" if ":" in name else f"{name}:{int(port, 16)}"


def connections_dropped(port: int) -> int:
    """How many connections the kernel dropped because the queue of new ones of whoever listens at ``port`` was full.

    The listening socket's own count, by ``sock_diag`` (``man 7 sock_diag``): other servers of the machine do not count.
    0 where nobody listens there, or where the system does not say.
    """
    try:
        with socket.socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(DIAG_LIMIT_S)
            return sum(_drops_of(kernel, family, port) for family in (socket.AF_INET, socket.AF_INET6))
    except OSError:
        return 0


def _drops_of(kernel: socket.socket, family: int, port: int) -> int:
    """The drops of all sockets of one family that listen at a port."""
    request = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 1 << (_MEMINFO - 1), 1 << _LISTENING)
    head = struct.pack("=IHHII", _HEAD.size + len(request), _BY_FAMILY, _REQUEST_DUMP, 1, 0)
    kernel.sendto(head + request, (0, 0))
    found = 0
    while True:
        data = kernel.recv(1 << 16)
        while data:
            length, kind, _, _, _ = _HEAD.unpack_from(data)
            if kind in {_DONE, _ERROR}:
                return found
            found += _drops_in(data[_HEAD.size : length], port)
            data = data[(length + 3) // 4 * 4 :]


def _drops_in(message: bytes, port: int) -> int:
    """The drops of the one socket that a message is about; 0 when that listens at another port."""
    (own_port,) = struct.unpack_from(">H", message, 4)
    if own_port != port:
        return 0
    at = _MESSAGE_BYTES
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == _MEMINFO and length >= 4 + 4 * _FIELDS:
            return int(struct.unpack_from(f"={_FIELDS}I", message, at + 4)[_FIELDS - 1])
        at += max(4, (length + 3) // 4 * 4)
    return 0
