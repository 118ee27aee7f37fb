"""GPUs through the real pynvml, on a C library that plays the driver (tests/fakes/nvml)."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engines.devices.host_device import host_device
from tests.fakes.engine_trees import child_of, fake_engine

SOURCE = Path(__file__).parents[2] / "fakes" / "nvml" / "nvml.c"
ROOT = Path(__file__).parents[3]
GIB = 1 << 30
H200 = {
    "count": "1",
    "0.uuid": "GPU-aaaa",
    "0.name": "NVIDIA H200",
    "0.util": "50",
    "0.memory": f"{GIB},{4 * GIB}",
    "0.energy": "123456",
    "0.power": "700000",
    "0.processes": "",
}
PRELUDE = """
import json, os, sys, time
from dataclasses import asdict
from pathlib import Path
from engines.devices import gpus
def scenario(**changes):
    dotted = {k.replace("0_", "0.", 1): v for k, v in changes.items()}
    values = json.loads(os.environ["SCENARIO"]) | dotted
    text = "".join(f"{k}={v}\\n" for k, v in values.items())
    Path(os.environ["FAKE_NVML"]).write_text(text)
def calls(name):
    return Path(os.environ["FAKE_NVML_CALLS"]).read_text().split().count(name)
scenario()
def told(value):
    print(json.dumps(value))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("nvml")
    target = directory / "libnvidia-ml.so.1"
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", target, SOURCE], check=True
    )
    return directory


class Driver:
    """Runs Python code against the fake library and gives back what it told."""

    def __init__(self, library: Path, home: Path) -> None:
        self.library = library
        self.home = home

    def run(self, scenario: dict[str, str], code: str, within: Sequence[str] = ()) -> Any:
        """What the code told, run by a command (`within`) where one is given."""
        done = subprocess.run(
            [*within, sys.executable, "-c", PRELUDE + code],
            env={
                "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH": str(self.library),
                "PYTHONPATH": str(ROOT),
                "FAKE_NVML": str(self.home / "scenario"),
                "FAKE_NVML_CALLS": str(self.home / "calls"),
                "SCENARIO": json.dumps(scenario),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def driver(library: Path, tmp_path: Path) -> Driver:
    return Driver(library, tmp_path)


def test_a_sample_holds_what_the_gpu_tells(driver: Driver) -> None:
    assert driver.run(H200, "told(asdict(gpus.sample('GPU-aaaa')))") == {
        "uuid": "GPU-aaaa",
        "utilisation": 0.5,
        "memory_used": GIB,
        "memory_total": 4 * GIB,
        "energy_mj": 123456,
        "power_mw": 700000,
        "problem": "",
    }


def test_a_later_sample_is_a_new_one(driver: Driver) -> None:
    code = """
before = gpus.sample("GPU-aaaa").energy_mj
scenario(**{"0_energy": "200000", "0_util": "0"})
after = gpus.sample("GPU-aaaa")
told([before, after.energy_mj, after.utilisation])
"""
    assert driver.run(H200, code) == [123456, 200000, 0.0]


def test_a_missing_field_is_none_and_asked_for_once(driver: Driver) -> None:
    code = """
samples = [gpus.sample("GPU-aaaa") for _ in range(3)]
told([[s.energy_mj, s.utilisation, s.problem] for s in samples] + [calls("energy"), calls("util")])
"""
    without = {**H200, "0.energy": "!3"}
    assert driver.run(without, code) == [[None, 0.5, ""]] * 3 + [1, 3]


def test_a_lost_gpu_tells_so_and_may_come_back(driver: Driver) -> None:
    code = """
lost = {f"0_{name}": "!15" for name in ("util", "memory", "energy", "power", "processes")}
seen = [gpus.sample("GPU-aaaa").problem]
scenario(**lost)
gone = gpus.sample("GPU-aaaa")
seen += [gone.problem, gone.utilisation, gone.memory_used, gpus.devices_of(os.getpid()).holds]
scenario()
seen += [gpus.sample("GPU-aaaa").problem]
told(seen)
"""
    assert driver.run(H200, code) == ["", "GPU 0: GPU is lost", None, None, [], ""]


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        ({"init": "9"}, "NVML does not start: Driver Not Loaded"),
        ({"init": "4"}, "NVML does not start: Insufficient Permissions"),
        ({"init": "18"}, "NVML does not start: RM has detected an NVML/RM version mismatch."),
        ({"count": "0"}, "the NVIDIA driver sees no GPU"),
        ({"count": "1", "0.handle": "!15"}, "GPU 0: GPU is lost"),
    ],
)
def test_no_gpus_with_the_reason(driver: Driver, scenario: dict[str, str], why: str) -> None:
    code = (
        "told([gpus.gpus(), gpus.devices_of(1).holds, gpus.sample('x').problem, gpus.why_none()])"
    )
    assert driver.run(scenario, code) == [[], [], why, why]


def test_a_driver_that_is_loaded_later_is_found(driver: Driver) -> None:
    code = "scenario(init='9'); a = len(gpus.gpus()); scenario(); told([a, len(gpus.gpus())])"
    assert driver.run(H200, code) == [0, 1]


def test_a_reloaded_driver_is_started_again(driver: Driver) -> None:
    code = """
gpus.sample("GPU-aaaa")
scenario(**{"0_util": "!1", "0_memory": "!1", "0_energy": "!1", "0_power": "!1"})
first = gpus.sample("GPU-aaaa").problem
scenario()
told([first, gpus.sample("GPU-aaaa").utilisation])
"""
    assert driver.run(H200, code) == ["GPU 0: Uninitialized", 0.5]


def test_no_library_is_no_gpu(driver: Driver, tmp_path: Path) -> None:
    driver.library = tmp_path
    found, why = driver.run({}, "told([gpus.gpus(), gpus.why_none()])")
    if not found:  # a machine with a real driver finds its own
        assert "cannot be loaded" in why


def test_text_of_the_driver_is_only_text(driver: Driver) -> None:
    code = "told([[g.uuid, g.name] for g in gpus.gpus()])"
    ((uuid, name),) = driver.run({**H200, "0.name": "\x1b[31mH200"}, code)
    assert (uuid, name.isprintable()) == ("GPU-aaaa", True)


def test_old_drivers_list_processes_in_the_old_way(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        old = {**H200, "0.processes": "!13", "0.processes_v2": f"{engine.pid}:{GIB}"}
        code = f"told([h.memory_mib for h in gpus.devices_of({engine.pid}).holds])"
        assert driver.run(old, code) == [1024]


def test_mig_slices_are_devices_of_their_own(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        scenario = {
            **H200,
            "0.mig": "2",
            "0.0.uuid": "MIG-one",
            "0.0.name": "NVIDIA H200 MIG 1g.18gb",
            "0.0.memory": f"0,{GIB}",
            "0.0.processes": f"{engine.pid}:{GIB // 2}",
            "0.1.uuid": "MIG-two",
            "0.1.name": "NVIDIA H200 MIG 2g.35gb",
            "0.1.memory": f"0,{2 * GIB}",
            "0.1.processes": "",
        }
        code = f"""
hold, = gpus.devices_of({engine.pid}).holds
told([[g.index, g.uuid, g.part] for g in gpus.gpus()] + [hold.device.uuid, hold.share]
     + [gpus.sample("MIG-one").utilisation])
"""
        assert driver.run(scenario, code) == [
            ["0:0", "MIG-one", 0.25],
            ["0:1", "MIG-two", 0.5],
            "MIG-one",
            1.0,
            None,
        ]


def test_a_hung_driver_keeps_one_thread_and_nobody_waiting(driver: Driver) -> None:
    code = """
import threading
scenario(delay_ms="3600000")
first = gpus.within(0.1, gpus.gpus, "late")
second = gpus.within(0.1, gpus.gpus, "late")
told([first, second, [t.name for t in threading.enumerate()].count("nvml")])
"""
    assert driver.run(H200, code) == ["late", "late", 1]


def test_find_engines_names_the_gpus(driver: Driver, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m") as engine:
        scenario = {**H200, "0.processes": f"{child_of(engine.pid)}:{GIB}"}
        code = f"""
from engines.discovery.find import find_engines
told([list(e.gpus) for e in find_engines() if e.pid == {engine.pid}])
"""
        assert driver.run(scenario, code) == [["GPU 0: NVIDIA H200"]]


def test_the_host_is_one_device_that_hides_the_machine_id() -> None:
    device = host_device()
    assert device == host_device()
    assert device.kind == "host"
    assert device.name and device.name.isprintable()
    machine_id = Path("/etc/machine-id")
    if machine_id.exists() and os.access(machine_id, os.R_OK):
        assert machine_id.read_text().strip() not in device.uuid
