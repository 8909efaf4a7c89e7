"""Ports of the local servers."""

import socket

import pytest

from local.emulator.processes import LOOPBACK, StartError, choose_port, docker_bridge


def test_a_free_port_is_taken_and_one_in_use_is_not() -> None:
    free = choose_port(0)
    assert choose_port(free) == free
    with socket.socket() as taken:
        taken.bind((LOOPBACK, free))
        taken.listen()
        other = choose_port(free)
    assert other not in (free, 0)


def test_an_address_of_another_machine_is_refused_by_name() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1"):
        choose_port(0, "192.0.2.1")  # reserved for documentation


def test_an_interfaces_address_is_found_by_its_name() -> None:
    assert docker_bridge("lo") == LOOPBACK


def test_a_missing_bridge_is_told_of() -> None:
    with pytest.raises(StartError, match="is Docker running"):
        docker_bridge("no-such-bridge")
