"""Certificates made for a run: an authority that only its cells trust, and a server certificate for loopback."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """An authority with its files: ``ca_file`` for those who trust, ``server_file`` (key and chain) for who serves."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        self.ca_file = folder / "ca.pem"
        self.server_file = folder / "server.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.server_file.touch(mode=0o600)
        server.private_key_and_cert_chain_pem.write_to_path(self.server_file)
