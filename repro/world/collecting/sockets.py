"""The sockets of a process as the kernel sees them: peers, and how many bytes lie unread or unsent.

From ``/proc/PID/fd`` and ``/proc/PID/net/tcp{,6}`` (``man 5 proc``); empty where there is no ``/proc``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
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
    """

    local: str
    peer: str
    state: str
    recv_queue: int
    send_queue: int
    inode: int
    fd: int

    @property
    def unread(self) -> int:
        """How much has come that nobody has read: bytes, and one for the peer's end of the connection."""
        return 0 if self.state == "listening" else self.recv_queue + (self.state == "close-wait")


def sockets_of(pid: int) -> tuple[Socket, ...]:
    """The TCP sockets of a process, by descriptor; a descriptor that was duplicated shows once for each."""
    descriptors = _descriptors(pid)
    rows = {row.inode: row for name in ("tcp", "tcp6") for row in _table(PROC / str(pid) / "net" / name)}
    return tuple(
        Socket(row.local, row.peer, row.state, row.recv_queue, row.send_queue, row.inode, fd)
        for fd, inode in sorted(descriptors.items())
        if (row := rows.get(inode)) is not None
    )


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


def _table(path: Path) -> Iterator[Socket]:
    with contextlib.suppress(OSError):
        for line in path.read_text("ascii").splitlines()[1:]:
            parts = line.split()
            send, _, receive = parts[4].partition(":")
            yield Socket(
                local=_address(parts[1]),
                peer=_address(parts[2]),
                state=STATES.get(int(parts[3], 16), parts[3]),
                recv_queue=int(receive, 16),
                send_queue=int(send, 16),
                inode=int(parts[9]),
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


def listen_overflows() -> int:
    """How many connections the kernel dropped because a server's queue of new ones was full; 0 if it does not say."""
    try:
        lines = (PROC / "net" / "netstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    names, values = (line.split() for line in lines[:2])
    return int(dict(zip(names, values, strict=True)).get("ListenOverflows", 0))
