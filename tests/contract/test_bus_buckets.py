"""Buckets: values by their keys, and who wrote last."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simbuilder.bus.errors import BadNameError, BusConflictError, NoStreamError
from simbuilder.bus.protocol import Bus, Entry
from tests.buses import HERE, NOTES, BusServer, on_empty, some, soon, until


def shown(entries: list[Entry]) -> list[tuple[str, bytes, bool]]:
    return [(one.key, one.value, one.deleted) for one in entries]


def test_what_was_put_is_there(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        assert await notes.get("a") is None
        first = await notes.put("a", b"1")
        second = await notes.put("a", b"\x00\xff")
        assert second > first
        async with bus_server.open() as other:
            found = await other.bucket("notes").get("a")
        assert found is not None
        assert (found.key, found.value, found.revision, found.deleted) == (
            "a",
            b"\x00\xff",
            second,
            False,
        )
        assert abs(found.time - datetime.now(UTC)) < timedelta(seconds=30)

    on_empty(bus_server, test)


def test_an_empty_value_is_a_value(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        await notes.put("a", b"")
        found = await notes.get("a")
        assert found is not None
        assert found.value == b""
        assert await notes.keys() == ["a"]

    on_empty(bus_server, test)


def test_revisions_are_those_of_the_bucket(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        assert [await notes.put(key, b"") for key in "abab"] == [1, 2, 3, 4]
        await notes.delete("a")
        assert await notes.put("c", b"") == 6

    on_empty(bus_server, test)


def test_what_is_there_cannot_be_created(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        await notes.create("a", b"1")
        with pytest.raises(BusConflictError):
            await notes.create("a", b"2")
        found = await notes.get("a")
        assert found is not None
        assert found.value == b"1"

    on_empty(bus_server, test)


def test_what_was_deleted_can_be_created(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        first = await notes.create("a", b"1")
        await notes.delete("a")
        assert await notes.get("a") is None
        assert await notes.keys() == []
        assert await notes.create("a", b"2") > first + 1
        with pytest.raises(BusConflictError):
            await notes.create("a", b"3")
        await notes.delete("a")
        await notes.delete("a")
        assert await notes.put("a", b"4") > first

    on_empty(bus_server, test)


def test_an_update_compares_revisions(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        first = await notes.put("a", b"1")
        await notes.put("b", b"other")
        second = await notes.update("a", b"2", first)
        with pytest.raises(BusConflictError):
            await notes.update("a", b"3", first)
        with pytest.raises(BusConflictError):
            await notes.update("nothing", b"3", first)
        found = await notes.get("a")
        assert found is not None
        assert (found.value, found.revision) == (b"2", second)
        await notes.delete("a")
        with pytest.raises(BusConflictError):
            await notes.update("a", b"3", second)

    on_empty(bus_server, test)


def test_a_deletion_compares_revisions_if_asked_to(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        first = await notes.put("a", b"1")
        second = await notes.put("a", b"2")
        with pytest.raises(BusConflictError):
            await notes.delete("a", first)
        assert await notes.keys() == ["a"]
        await notes.delete("a", second)
        assert await notes.keys() == []

    on_empty(bus_server, test)


def test_of_many_who_create_or_update_one_succeeds(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        async with bus_server.open() as other:
            both = (notes, other.bucket("notes"))
            made = await asyncio.gather(
                *(both[n % 2].create("a", str(n).encode()) for n in range(10)),
                return_exceptions=True,
            )
            revisions = [one for one in made if isinstance(one, int)]
            assert len(revisions) == 1
            changed = await asyncio.gather(
                *(both[n % 2].update("a", b"", revisions[0]) for n in range(10)),
                return_exceptions=True,
            )
        assert len([one for one in changed if isinstance(one, int)]) == 1
        losers = [one for one in (*made, *changed) if not isinstance(one, int)]
        assert {type(one) for one in losers} == {BusConflictError}

    on_empty(bus_server, test)


def test_keys_are_in_order_and_of_letters_digits_and_signs(bus_server: BusServer) -> None:
    keys = ["a", "a.b", "a/b=c", "Z_1-2", "0"]

    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        for key in keys:
            await notes.put(key, b"")
        assert await notes.keys() == sorted(keys)
        for wrong in ("", ".a", "a.", "a b", "a*", ">", "ä"):
            with pytest.raises(BadNameError):
                await notes.put(wrong, b"")
            with pytest.raises(BadNameError):
                await notes.get(wrong)

    on_empty(bus_server, test)


def test_whoever_watches_sees_what_is_there_and_every_change(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        await notes.put("a", b"1")
        await notes.put("b", b"1")
        await notes.put("a", b"2")
        async with notes.watch() as entries, bus_server.open() as other:
            assert shown(await some(entries, 2)) == [("b", b"1", False), ("a", b"2", False)]
            theirs = other.bucket("notes")
            await theirs.put("c", b"3")
            assert shown(await some(entries, 1)) == [("c", b"3", False)]
            await theirs.delete("a")
            [gone] = await some(entries, 1)
            assert (gone.key, gone.deleted) == ("a", True)
            revision = await theirs.create("a", b"4")
            [back] = await some(entries, 1)
            assert (back.key, back.value, back.revision) == ("a", b"4", revision)

    on_empty(bus_server, test)


def test_what_was_deleted_before_is_not_there_for_a_watcher(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        await notes.put("a", b"1")
        await notes.delete("a")
        await notes.put("b", b"2")
        async with notes.watch() as entries:
            assert shown(await some(entries, 1)) == [("b", b"2", False)]

    on_empty(bus_server, test)


def test_a_watcher_may_choose_keys(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        for key in ("run.1", "run.2", "step.1"):
            await notes.put(key, key.encode())
        async with notes.watch("run.*") as runs, notes.watch("step.1") as step:
            assert [one.key for one in await some(runs, 2)] == ["run.1", "run.2"]
            assert [one.key for one in await some(step, 1)] == ["step.1"]
            await notes.put("step.1", b"new")
            await notes.put("run.3", b"new")
            assert [one.key for one in await some(runs, 1)] == ["run.3"]
            assert shown(await some(step, 1)) == [("step.1", b"new", False)]

    on_empty(bus_server, test)


def test_what_is_too_old_is_gone(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        notes = bus.bucket("notes")
        await notes.create("a", b"1")

        async def gone() -> bool:
            return await notes.get("a") is None

        assert not await gone()
        await soon(until(gone))
        await notes.create("a", b"2")

    short = replace(NOTES, max_age_s=0.5)
    on_empty(bus_server, test, replace(HERE, buckets=(short,)))


def test_buckets_do_not_mix(bus_server: BusServer) -> None:
    more = replace(NOTES, name="more")

    async def test(bus: Bus) -> None:
        await bus.bucket("notes").put("a", b"1")
        assert await bus.bucket("more").keys() == []
        assert await bus.bucket("more").get("a") is None

    on_empty(bus_server, test, replace(HERE, buckets=(NOTES, more)))


def test_a_bucket_that_is_not_there_is_named(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        nowhere = bus.bucket("nowhere")
        with pytest.raises(NoStreamError):
            await soon(nowhere.put("a", b""))
        with pytest.raises(NoStreamError):
            await soon(nowhere.get("a"))
        with pytest.raises(NoStreamError):
            await soon(nowhere.keys())

    on_empty(bus_server, test)
