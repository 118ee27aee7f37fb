"""What a keeper holds for the next supervisor, over any number of swaps."""

from dataclasses import replace
from pathlib import Path

from engines.launch.launch import Launch
from engines.supervisor.common.memory import GivenBack, InStop, InSwap, Memory, from_line, to_line
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from store.records import AS_STARTED


def launch(variant: str = AS_STARTED) -> Launch:
    return Launch(
        name="chat",
        model="m",
        command=("vllm", "serve", "m", "--odd", "a b\n\u2028"),
        environ={"VLLM_API_KEY": "sk-secret"},
        address=("127.0.0.1", 8000),
        url="http://127.0.0.1:8000",
        cores=(1,),
        variant=variant,
        db="/l.db",
    )


def order(name: str | None) -> Order:
    variant = None if name is None else Variant(name, "m", ("--x", "1"), {"A": "b"})
    return Order(
        "id-" + (name or "back"),
        variant,
        db=Path("/l.db"),
        texts=Path("/t.jsonl"),
        asked_ms=1_800_000_000_000,
    )


def after(memory: Memory, name: str | None, to: str) -> Memory:
    done = Memory(memory.launch, memory.before, InSwap(order(name))).swapped_to(launch(to))
    return Memory(done.launch, done.before)


def test_it_comes_back_from_a_line_as_it_was() -> None:
    memory = Memory(
        launch("int4"), (launch(), launch("fp8")), InSwap(order("awq"), taken_over=True)
    )
    line = to_line(memory)
    assert line.count("\n") == 1
    assert from_line(line) == memory
    assert from_line(to_line(Memory(launch()))) == Memory(launch())
    assert from_line(to_line(Memory(launch(), (), InSwap(order(None))))).swap == InSwap(order(None))

    for under_way in (InStop(7.5), InStop(0.0, InSwap(order("awq"))), GivenBack(7, 8)):
        memory = Memory(launch(), (), under_way)
        assert from_line(to_line(memory)) == memory


def test_a_stop_keeps_the_swap_that_is_not_finished_and_leaves_what_was_given_back() -> None:
    swap = InSwap(order("awq"), taken_over=True)
    stopping = Memory(launch(), (), swap).stopping(7.5)
    assert stopping.swap == swap
    assert stopping.swap_finished().under_way == InStop(7.5)
    given_back = Memory(launch(), (), GivenBack(7, 8))
    assert given_back.stopping(7.5) == given_back


def test_swaps_are_taken_back_one_after_the_other() -> None:
    memory = after(after(Memory(launch()), "int4", "int4"), "fp8", "fp8")
    assert [one.variant for one in memory.before] == [AS_STARTED, "int4"]
    assert memory.launch.swap_id == "id-fp8"
    memory = after(memory, None, "int4")
    assert (memory.launch.variant, len(memory.before)) == ("int4", 1)
    memory = after(memory, None, AS_STARTED)
    assert (memory.launch.variant, memory.before) == (AS_STARTED, ())


def test_it_does_not_grow_without_end() -> None:
    memory = Memory(launch())
    for number in range(30):
        memory = after(memory, str(number), str(number))
    assert [one.variant for one in memory.before] == [str(n) for n in range(21, 29)]


def test_a_plan_is_for_one_launch_and_one_way_back() -> None:
    memory = Memory(launch())
    ids = {
        memory.launch_id,
        Memory(replace(launch(), environ={"VLLM_API_KEY": "sk-other"})).launch_id,
        Memory(replace(launch(), directory="/elsewhere")).launch_id,
        Memory(launch("int4"), (replace(launch(), command=("vllm", "serve", "n")),)).launch_id,
        Memory(launch("int4"), (launch(),)).launch_id,
    }
    assert len(ids) == 5
    assert from_line(to_line(memory)).launch_id == memory.launch_id


def test_keys_are_not_shown() -> None:
    assert "sk-secret" not in repr(Memory(launch()))
