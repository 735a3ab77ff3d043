import os
import socket
import time

from repro.world.collecting.sockets import connections_dropped, sockets_of


def test_what_came_and_was_not_read_is_counted():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"12345")
            client.recv(1, socket.MSG_PEEK)  # until it has come
            rows = {row.fd: row for row in sockets_of(os.getpid())}
            row = rows[client.fileno()]
            assert (row.state, row.recv_queue, row.unread) == ("established", 5, 5)
            assert row.peer == "{}:{}".format(*server.getsockname())
            assert not rows[accepted.fileno()].unread
            listening = rows[server.fileno()]
            assert (listening.state, listening.unread) == ("listening", 0)
        client.recv(5)
        assert client.recv(1) == b""
        assert next(row for row in sockets_of(os.getpid()) if row.fd == client.fileno()).state == "close-wait"


def test_what_the_other_side_has_not_accepted_or_not_read_is_unserved():
    def is_unserved(client: socket.socket) -> bool:
        return next(row for row in sockets_of(os.getpid()) if row.fd == client.fileno()).is_unserved

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert is_unserved(client)
        accepted, _ = server.accept()
        with accepted:
            assert not is_unserved(client)
            client.sendall(b"12345")
            accepted.recv(1, socket.MSG_PEEK)  # until it has come
            assert is_unserved(client)
            accepted.recv(5)
            assert not is_unserved(client)  # what was read and not answered is another matter


def test_a_connection_that_finds_the_queue_full_is_unserved():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        established = [row for row in sockets_of(os.getpid()) if row.fd in {client.fileno() for client in clients}]
        assert all(row.is_unserved for row in established if row.state == "established")
        assert any(row.state == "established" for row in established)
        for client in clients:
            client.close()


def test_an_address_of_version_6_is_read_in_order():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        row = next(row for row in sockets_of(os.getpid()) if row.fd == server.fileno())
        assert row.local == f"[::1]:{server.getsockname()[1]}"


def test_a_process_that_is_gone_has_none():
    assert sockets_of(2**22 + 1) == ()


def test_a_queue_of_connections_that_is_full_is_counted_for_its_own_server_alone():
    with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port, others = server.getsockname()[1], other.getsockname()[1]
        assert connections_dropped(port) == 0
        clients = [socket.socket() for _ in range(6)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        deadline = time.monotonic() + 20
        while connections_dropped(port) == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert connections_dropped(port) > 0
        assert connections_dropped(others) == 0
        for client in clients:
            client.close()
    assert connections_dropped(port) == 0  # nobody listens there any more
