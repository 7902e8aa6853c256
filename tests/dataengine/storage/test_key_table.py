"""The flat index answers like a dictionary, one by one and many at once."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataengine.storage.key_table import KeyTable, Place, halves, packed_places

FEW_HEADS = st.builds(lambda head, tail: bytes([head]) * 8 + bytes([tail]) * 8, st.integers(0, 3), st.integers(0, 5))
"""Keys that nearly all collide."""
ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine that gives this test no CPU for seconds says nothing about the table."""
PLACES = st.builds(Place, st.integers(0, (1 << 20) - 1), st.integers(0, (1 << 28) - 1), st.booleans())


def plain(numbers: list[int]) -> list[bytes]:
    return [hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in numbers]


@ON_A_BUSY_MACHINE
@given(st.lists(st.tuples(FEW_HEADS, PLACES), max_size=40))
def test_it_answers_like_a_dictionary(given: list[tuple[bytes, Place]]) -> None:
    table, known = KeyTable(), {}
    for key, place in given:
        table.put(key, place)
        known[key] = place
    assert len(table) == len(known)
    assert all(table.get(key) == place for key, place in known.items())


@ON_A_BUSY_MACHINE
@given(st.lists(st.tuples(FEW_HEADS, st.integers(0, 99)), min_size=1, max_size=40), st.lists(st.tuples(FEW_HEADS, PLACES), max_size=20))
def test_many_at_once_is_the_same_as_one_by_one(many: list[tuple[bytes, int]], before: list[tuple[bytes, Place]]) -> None:
    one, all_at_once = KeyTable(), KeyTable()
    for key, place in before:
        one.put(key, place)
        all_at_once.put(key, place)
    for key, at in many:
        one.put(key, Place(5, at))
    ats = np.array([at for _, at in many])
    all_at_once.put_many(*halves([key for key, _ in many]), packed_places(5, ats, np.zeros(len(many), dtype=bool)))
    keys = {key for key, _ in [*many, *before]}
    assert len(one) == len(all_at_once)
    assert [one.get(key) for key in keys] == [all_at_once.get(key) for key in keys]


def test_rows_move_to_another_file_unless_they_were_replaced_in_the_meantime() -> None:
    keys, nothing = plain(list(range(5_000))), np.zeros(5_000, dtype=bool)
    table = KeyTable()
    table.put_many(*halves(keys), packed_places(0, np.arange(5_000), nothing))
    table.put(keys[17], Place(1, 0))
    table.move_many(*halves(keys), old=packed_places(0, np.arange(5_000), nothing), new=packed_places(2, np.arange(5_000), nothing))
    assert [table.get(key) for key in keys] == [Place(1, 0) if at == 17 else Place(2, at) for at in range(5_000)]


def test_ten_million_keys_take_a_few_hundred_megabytes() -> None:
    table = KeyTable()
    rng = np.random.default_rng(1)
    for file in range(4):
        heads, tails = rng.integers(1, 1 << 63, size=(2, 100_000)).astype(np.uint64)
        table.put_many(heads, tails, packed_places(file, np.arange(100_000), np.zeros(100_000, dtype=bool)))
    assert len(table) == 400_000
    assert table.bytes / len(table) <= 48  # right after the arrays doubled; 16 * 2**24 bytes at ten million
