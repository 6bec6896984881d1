"""Ports that are chosen now and listened on a moment later."""

from __future__ import annotations

from flowkit_mcp.cli.ports import free_ports, taken


def test_free_ports_are_free_different_and_none_that_an_outgoing_connection_is_given() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not any(taken(port) for port in ports)
    assert all(1024 <= port < 32_768 for port in ports), "Linux gives connections those from 32768"
