"""The command line of a swapped engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.command_line.flags import cut, flag_name, joined, last_value
from engines.variants.merge import merged_arguments
from engines.variants.variant import Variant


def merged(running: str, arguments: str = "", model: str = "/m/a") -> str:
    return " ".join(
        merged_arguments(running.split(), Variant("v", model, tuple(arguments.split())))
    )


@pytest.mark.parametrize(
    ("running", "arguments", "expected"),
    [
        ("/m/a --max-num-seqs 8", "--max-num-seqs 16", "/m/a --max-num-seqs 16"),
        ("/m/a --max_num_seqs=8", "--max-num-seqs 16", "/m/a --max-num-seqs 16"),
        ("/m/a --max-num-seqs 8", "--max_num_seqs=16", "/m/a --max_num_seqs=16"),
        ("/m/a --max-num-seqs 8 --max-num-seqs=9", "--max-num-seqs 1", "/m/a --max-num-seqs 1"),
        (
            "/m/a --enable-prefix-caching --port 1",
            "--no-enable-prefix-caching",
            "/m/a --port 1 --no-enable-prefix-caching",
        ),
        ("/m/a --no_enforce_eager", "--enforce-eager", "/m/a --enforce-eager"),
        ("/m/a -tp 2", "--tensor-parallel-size 4", "/m/a --tensor-parallel-size 4"),
        ("/m/a -O3", "-O 2", "/m/a -O 2"),
        ("/m/a --seed -1 --port 1", "--seed 2", "/m/a --port 1 --seed 2"),
        ("/m/a --api-key a b --port 1", "--api-key c", "/m/a --port 1 --api-key c"),
        (
            "/m/a --compilation-config.level 3 --port 1",
            '--compilation-config {"level":0}',
            '/m/a --port 1 --compilation-config {"level":0}',
        ),
        ("/m/a --a.b_c 1 --a.d 2", "--a.d 3", "/m/a --a.b_c 1 --a.d 3"),
        ("/m/a --port 1", "", "/m/a --port 1"),
    ],
)
def test_a_flag_replaces_the_same_flag(running: str, arguments: str, expected: str) -> None:
    assert merged(running, arguments) == expected


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ("/m/a --port 1", "/m/b --port 1 --served-model-name /m/a"),
        ("/m/a --served_model_name=x", "/m/b --served_model_name=x"),
        ("--model /m/a --port 1", "--model /m/b --port 1 --served-model-name /m/a"),
        ("--port 1 --model=/m/a", "--model /m/b --port 1 --served-model-name /m/a"),
        ("--config x.yaml", "/m/b --config x.yaml"),
        ("/m/a -q awq --revision 1 --port 1", "/m/b --port 1 --served-model-name /m/a"),
    ],
)
def test_another_model_keeps_the_name_clients_use_and_sheds_the_old_files_flags(
    running: str, expected: str
) -> None:
    assert merged(running, model="/m/b") == expected


def test_a_variant_may_name_itself() -> None:
    assert merged("/m/a", "--served-model-name new", "/m/b") == "/m/b --served-model-name new"


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["--a", "--no-b", "-tp", "--c_d=1", "--e.f", "-1", "-.5", "-", "--"]),
            st.text(max_size=6),
        )
    )
)
def test_cutting_loses_no_word(words: list[str]) -> None:
    assert joined(cut(words)) == tuple(words)


def test_merging_twice_is_merging_once() -> None:
    variant = Variant("v", "/m/b", ("--max-num-seqs", "16", "--no-enforce-eager"))
    once = merged_arguments(["/m/a", "--enforce-eager", "--port", "1"], variant)
    assert merged_arguments(once, variant) == once


def test_names_and_values() -> None:
    assert flag_name("--No_Foo=1") == "foo"
    assert flag_name("-O.level=3") == "optimization-level.level"
    assert last_value(["m", "--x", "1", "--x=2"], "x") == "2"
    assert last_value(["m", "--x", "--y"], "x") is None
