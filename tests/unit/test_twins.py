import anyio

from watchbot.listen.twins import Twins


async def test_second_delivery_waits_for_the_first_and_hears_that_it_went_back() -> None:
    twins, seen = Twins(), list[object]()

    async def deliver(name: str) -> None:
        async with twins.turn("m") as turn:
            seen.append((name, turn.went_back))
            await anyio.lowlevel.checkpoint()
            twins.give_back("m", 8 if name == "first" else 16)
            seen.append((name, twins.pause_s("m")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(deliver, "first")
        tasks.start_soon(deliver, "second")

    assert seen == [("first", False), ("first", 8), ("second", True), ("second", 8)]


async def test_delivery_after_the_end_of_the_first_begins_anew() -> None:
    twins = Twins()

    async with twins.turn("m"):
        twins.give_back("m", 8)
    async with twins.turn("m") as turn:
        assert not turn.went_back
        assert twins.pause_s("m") == 0


async def test_other_messages_wait_for_nothing() -> None:
    twins = Twins()

    async with twins.turn("a"):
        with anyio.fail_after(5):
            async with twins.turn("b") as turn:
                assert not turn.went_back
