"""The address for a phone in the same network, and the code to scan."""

from __future__ import annotations

import ipaddress

import pytest

from impasto.cli import lan


def test_the_address_of_this_machine_takes_the_place_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan, "own_address", lambda: "192.168.1.7")
    assert lan.reachable("http://desk:8765/#token=abc") == "http://192.168.1.7:8765/#token=abc"
    monkeypatch.setattr(lan, "own_address", lambda: None)
    assert lan.reachable("http://desk:8765/#token=abc") == "http://desk:8765/#token=abc"


def test_the_own_address_is_one_that_others_can_reach() -> None:
    found = lan.own_address()
    assert found is None or not ipaddress.ip_address(found).is_loopback


def test_a_token_is_long_and_new() -> None:
    assert len(lan.token()) >= 20
    assert lan.token() != lan.token()


def test_the_code_is_square_and_says_the_address() -> None:
    pytest.importorskip("segno", reason="the code needs impasto[web]")
    shown = lan.code("http://192.168.1.7:8765/#token=abc")
    assert len(shown.splitlines()) > 10
    assert shown != lan.code("http://192.168.1.8:8765/#token=abc")
