from __future__ import annotations

import socket

from tools.local_stack.ports import LOOPBACK, any_free_port, is_free, pick_port


def test_preferred_port_is_taken_when_it_is_free():
    port = any_free_port()

    assert pick_port([port]) == port


def test_port_that_somebody_listens_on_is_passed_over():
    with socket.create_server((LOOPBACK, 0)) as server:
        busy = server.getsockname()[1]

        picked = pick_port([busy])

        assert not is_free(busy)
        assert picked != busy
        assert is_free(picked)


def test_second_choice_comes_before_any_port():
    second = any_free_port()
    with socket.create_server((LOOPBACK, 0)) as server:
        assert pick_port([server.getsockname()[1], second]) == second


def test_port_given_to_another_part_is_not_given_again():
    port = any_free_port()

    assert pick_port([port], taken=[port]) != port


def test_port_is_free_again_right_after_its_server_stopped():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as client:
            connection, _ = server.accept()
            connection.close()
            client.recv(1)

    assert is_free(port)
