"""Which engine holds which GPU: by the real pynvml on the C library that plays the driver."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine_trees import child_of, fake_engine
from tests.unit.devices import test_gpus
from tests.unit.devices.test_gpus import GIB, H200, Driver

library, driver = test_gpus.library, test_gpus.driver
NOBODY = 3999991
NAMESPACE = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
TELL = """
from engines.devices.joining import holding
from engines.devices.joining.holding import Asked
def only(*pids):
    '''On a machine where others test, too: the engines of this test are all there are.'''
    every = holding.engine_trees
    holding.engine_trees = lambda: [tree for tree in every() if tree.root.pid in pids]
def hold(pid, stated=""):
    holding = gpus.devices_of(pid, stated)
    return [holding.why_none, [asdict(each) for each in holding.holds]]
"""


def host(count: int, **changes: str) -> dict[str, str]:
    """A host of some H100s, nobody on them but as `gpu0="PID:BYTES"` says."""
    scenario = {"count": str(count)}
    for index in range(count):
        scenario |= {
            f"{index}.uuid": f"GPU-{'abcdefgh'[index] * 4}",
            f"{index}.name": "NVIDIA H100 80GB HBM3",
            f"{index}.memory": f"{GIB},{80 * GIB}",
            f"{index}.processes": changes.get(f"gpu{index}", ""),
        }
    return scenario


@contextmanager
def job(name: str = "train") -> Iterator[int]:
    """A process that is no engine."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import time\nopen('/proc/self/comm','w').write({name!r})\n"
            "print(1,flush=True)\ntime.sleep(99)",
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_an_engine_holds_the_gpu_of_its_core(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        core = child_of(engine.pid)
        (why, (hold,)) = driver.run(
            {**H200, "0.processes": f"{core}:{3 * GIB}"}, TELL + f"told(hold({engine.pid}))"
        )
    assert why == ""
    assert hold == {
        "device": {"kind": "gpu", "uuid": "GPU-aaaa", "name": "NVIDIA H200"},
        "share": 1.0,
        "memory_mib": 3 * 1024,
        "index": "0",
        "by": "pid",
        "confidence": "certain",
        "shared": "",
        "ranks": [{"label": "EngineCore", "pid": core, "memory_mib": 3 * 1024}],
    }


@pytest.mark.parametrize(
    ("memory", "shares", "mib", "how"),
    [
        (("3221225472", "1073741824"), [0.75, 0.25], [3072, 1024], "by memory"),
        (("3221225472", "?"), [0.5, 0.5], [3072, None], "equally"),
        (("0", "0"), [0.5, 0.5], [None, None], "equally"),
    ],
)
def test_engines_share_a_gpu_by_memory_and_say_so(
    driver: Driver,
    tmp_path: Path,
    memory: tuple[str, str],
    shares: list[float],
    mib: list[int],
    *,
    how: str,
) -> None:
    with (
        fake_engine(tmp_path / "a", "m", plugins=[False]) as first,
        fake_engine(tmp_path / "b", "m", plugins=[False]) as second,
    ):
        pids = (first.pid, second.pid)
        processes = ",".join(f"{child_of(p)}:{m}" for p, m in zip(pids, memory, strict=True))
        code = TELL + f"told([hold(pid)[1][0] for pid in {list(pids)}])"
        held = driver.run({**H200, "0.processes": processes}, code)
    assert [one["share"] for one in held] == shares
    assert [one["memory_mib"] for one in held] == mib
    assert all(one["shared"].startswith(f"shared with 1 other engine, {how}") for one in held)


def test_a_job_that_is_no_engine_has_its_share(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine, job() as other:
        processes = f"{child_of(engine.pid)}:{3 * GIB},{other}:{GIB},{NOBODY}:{GIB}"
        _, (hold,) = driver.run(
            {**H200, "0.processes": processes}, TELL + f"told(hold({engine.pid}))"
        )
    assert hold["share"] == pytest.approx(0.6)
    assert hold["shared"] == (
        f"shared with a process that cannot be seen from here (PID {NOBODY}), "
        f"train (PID {other}), by memory"
    )


def test_ranks_of_a_tensor_parallel_engine_are_seen_apart(driver: Driver, tmp_path: Path) -> None:
    names = ["VLLM::Worker_TP0", "VLLM::Worker_TP1"]
    with fake_engine(tmp_path / "e", "m", workers=names, plugins=[]) as engine:
        first, second = children(engine.pid)
        scenario = host(3, gpu0=f"{first}:{70 * GIB}", gpu2=f"{second}:{40 * GIB}")
        code = """
from engines.held_gpus import imbalance
holds = gpus.devices_of(PID).holds
told([[[h.index, h.share, [r.label for r in h.ranks]] for h in holds], imbalance(holds)])
""".replace("PID", str(engine.pid))
        ranks, uneven = driver.run(scenario, code)
    assert ranks == [["0", 1.0, ["Worker_TP0"]], ["2", 1.0, ["Worker_TP1"]]]
    assert uneven == (
        "its GPUs do not hold alike: GPU 0 (Worker_TP0) 70.0 GiB, GPU 2 (Worker_TP1) 40.0 GiB"
    )


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(
    ("variables", "arguments", "indexes", "why"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1"}, (), ["1"], ""),
        ({"CUDA_VISIBLE_DEVICES": "GPU-cc"}, (), ["2"], ""),
        ({"CUDA_VISIBLE_DEVICES": "3,1,0"}, ("-tp", "2"), ["1", "3"], ""),
        ({"CUDA_VISIBLE_DEVICES": "3,1,0"}, (), ["3"], ""),
        ({"CUDA_VISIBLE_DEVICES": ""}, (), [], "leaves it no GPU"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, (), [], "leaves it no GPU"),
        ({"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, (), ["1"], ""),
        ({}, (), [], "no GPU tells of a process of this engine"),
        ({"NVIDIA_VISIBLE_DEVICES": "2"}, (), [], "no GPU tells of a process of this engine"),
    ],
)
def test_without_pids_the_environment_tells_what_is_likely(
    driver: Driver,
    tmp_path: Path,
    variables: dict[str, str],
    arguments: tuple[str, ...],
    *,
    indexes: list[str],
    why: str,
) -> None:
    with fake_engine(tmp_path / "e", "m", *arguments, env=variables) as engine:
        code = TELL + f"only({engine.pid})\ntold(hold({engine.pid}))"
        problem, holds = driver.run(host(4), code)
    assert [hold["index"] for hold in holds] == indexes
    assert why in problem and bool(problem) == bool(why)
    for hold in holds:
        assert (hold["by"], hold["confidence"]) == ("environment", "likely")
        assert (hold["share"], hold["memory_mib"]) == (1.0, None)


def test_processes_that_cannot_be_seen_are_the_only_claimants(
    driver: Driver, tmp_path: Path
) -> None:
    """In a container the driver tells the memory of the host's PIDs: whose else would they be?"""
    with fake_engine(tmp_path / "e", "m", env={"CUDA_VISIBLE_DEVICES": "0"}) as engine:
        scenario = host(1, gpu0=f"{NOBODY}:{60 * GIB}")
        code = TELL + f"only({engine.pid})\ntold(hold({engine.pid}))"
        _, (hold,) = driver.run(scenario, code)
    assert (hold["share"], hold["memory_mib"], hold["shared"]) == (1.0, 60 * 1024, "")


def test_two_that_claim_one_gpu_share_it_equally(driver: Driver, tmp_path: Path) -> None:
    only_first = {"CUDA_VISIBLE_DEVICES": "0"}
    with (
        fake_engine(tmp_path / "a", "m", env=only_first) as first,
        fake_engine(tmp_path / "b", "m", env=only_first) as second,
    ):
        scenario = host(2, gpu0=f"{NOBODY}:{60 * GIB}")
        pids = [first.pid, second.pid]
        code = TELL + f"only(*{pids})\ntold([hold(pid)[1][0]['share'] for pid in {pids}])"
        assert driver.run(scenario, code) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("stated", "indexes", "why"),
    [
        ("1", ["1"], ""),
        ("0,GPU-bb", ["0", "1"], ""),
        ("none", [], "set to hold no GPU"),
        ("7", [], "'7' means no GPU here (there are: 0, 1)"),
    ],
)
def test_what_a_person_states_comes_before_the_environment(
    driver: Driver, tmp_path: Path, stated: str, indexes: list[str], why: str
) -> None:
    with fake_engine(tmp_path / "e", "m", env={"CUDA_VISIBLE_DEVICES": "0"}) as engine:
        code = TELL + f"only({engine.pid})\ntold(hold({engine.pid}, {stated!r}))"
        problem, holds = driver.run(host(2), code)
    assert [hold["index"] for hold in holds] == indexes
    assert all((hold["by"], hold["confidence"]) == ("setting", "stated") for hold in holds)
    assert why in problem and bool(problem) == bool(why)


def test_what_the_driver_measures_comes_before_what_is_stated(
    driver: Driver, tmp_path: Path
) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        scenario = host(2, gpu0=f"{child_of(engine.pid)}:{GIB}")
        _, holds = driver.run(scenario, TELL + f"told(hold({engine.pid}, '1'))")
    assert [(hold["index"], hold["by"]) for hold in holds] == [("0", "pid")]


def test_unseen_processes_are_named_with_a_way_out(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        scenario = host(1, gpu0=f"{NOBODY}:{69 * GIB}")
        why, holds = driver.run(scenario, TELL + f"told(hold({engine.pid}))")
    assert holds == []
    assert why.startswith("GPU 0 is used by processes that cannot be seen from here: ")
    assert "--gpus" in why and "settings.toml" in why and "--pid=host" in why


IN_NAMESPACE = """
import sys
from tests.fakes.engine_trees import child_of, fake_engine
env = {"LD_PRELOAD": os.environ["PRELOADED"]} if os.environ["PRELOADED"] else {}
with fake_engine(Path(os.environ["HOME_OF_ENGINE"]), "m", env=env) as engine:
    core = child_of(engine.pid)
    scenario(**{"0_processes": os.environ["LISTED"].replace("CORE", str(core))})
    told([core] + hold(engine.pid))
"""


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to make a PID namespace",
)
class TestInANamespaceOfItsOwn:
    """As in a container: PIDs begin at 1, and the driver may count as the host does."""

    def join(self, driver: Driver, home: Path, listed: str, *, on_gpu: bool) -> list[Any]:
        preloaded = ""
        if on_gpu:
            preloaded = str(home / "libcuda.so.1")
            empty = home / "empty.c"
            empty.write_text("int none;\n")
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", preloaded, empty], check=True)
        variables = [f"PRELOADED={preloaded}", f"HOME_OF_ENGINE={home / 'e'}", f"LISTED={listed}"]
        result = driver.run(H200, TELL + IN_NAMESPACE, within=[*NAMESPACE, "env", *variables])
        assert isinstance(result, list)
        return result

    def test_an_equal_number_alone_means_nothing(self, driver: Driver, tmp_path: Path) -> None:
        core, why, holds = self.join(driver, tmp_path, f"CORE:{GIB}", on_gpu=False)
        assert core < 1000
        assert holds == []
        assert "cannot be seen from here" in why

    def test_numbers_that_all_fit_are_those_of_this_namespace(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        _, why, holds = self.join(driver, tmp_path, f"CORE:{GIB}", on_gpu=True)
        assert (why, [hold["by"] for hold in holds]) == ("", ["pid"])

    def test_one_number_that_is_nobodys_says_that_the_host_counts(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        listed = f"CORE:{GIB},{NOBODY}:{GIB}"
        _, why, holds = self.join(driver, tmp_path, listed, on_gpu=True)
        assert holds == []
        assert "cannot be seen from here" in why


RAY_WORKER = """
import socket, sys, time
open("/proc/self/comm", "w").write("ray::RayWorkerWrapper.execute"[:15])
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
end, _ = server.accept() if sys.argv[1] == "talks" else (None, None)
time.sleep(99)
"""
RAY = ("--distributed-executor-backend", "ray")


@contextmanager
def ray_worker(talks: bool) -> Iterator[tuple[int, int]]:
    """A worker as Ray starts it, in no engine's tree: its PID, and the port that it listens at."""
    process = subprocess.Popen(
        [sys.executable, "-c", RAY_WORKER, "talks" if talks else "silent"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_the_worker_of_the_only_engine_with_ray_is_its(driver: Driver, tmp_path: Path) -> None:
    with (
        fake_engine(tmp_path / "r", "m", *RAY) as engine,
        fake_engine(tmp_path / "o", "n") as other,
        ray_worker(talks=False) as (worker, _),
    ):
        scenario = host(2, gpu1=f"{worker}:{GIB}")
        code = TELL + f"only({engine.pid}, {other.pid})\ntold(hold({engine.pid}))"
        _, holds = driver.run(scenario, code)
    assert [(hold["index"], hold["by"], hold["confidence"]) for hold in holds] == [
        ("1", "ray", "likely")
    ]
    assert holds[0]["share"] == 1.0


def test_of_two_engines_with_ray_the_one_that_is_connected_has_the_worker(
    driver: Driver, tmp_path: Path
) -> None:
    with (
        ray_worker(talks=True) as (worker, port),
        fake_engine(tmp_path / "a", "m", *RAY, connect_to=port) as first,
        fake_engine(tmp_path / "b", "m", *RAY) as second,
    ):
        scenario = host(1, gpu0=f"{worker}:{GIB}")
        code = TELL + f"told([hold({first.pid}), hold({second.pid})])"
        found, other = driver.run(scenario, code)
    assert [(hold["by"], hold["confidence"]) for hold in found[1]] == [("ray", "certain")]
    assert other[1] == []


def test_of_two_engines_with_ray_none_is_guessed(driver: Driver, tmp_path: Path) -> None:
    with (
        fake_engine(tmp_path / "a", "m", *RAY) as first,
        fake_engine(tmp_path / "b", "m", *RAY),
        ray_worker(talks=False) as (worker, _),
    ):
        scenario = host(1, gpu0=f"{worker}:{GIB}")
        why, holds = driver.run(scenario, TELL + f"told(hold({first.pid}))")
    assert holds == []
    assert "--gpus" in why


def test_find_engines_takes_what_was_stated(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "some/model") as engine:
        code = f"""
from engines.discovery.find import find_engines
from engines.held_gpus import StatedGpus
stated = StatedGpus({{"model": "1"}})
told([list(e.gpus) for e in find_engines(stated=stated) if e.pid == {engine.pid}])
"""
        assert driver.run(host(2), code) == [["GPU 1: NVIDIA H100 80GB HBM3"]]
