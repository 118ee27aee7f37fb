"""GPUs through the real pynvml, on a C library that plays the driver (tests/fakes/nvml)."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engines.devices.host.host_device import host_device
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
import json, os, re, sys, time
from dataclasses import asdict
from pathlib import Path
from engines.devices import gpus
def scenario(**changes):
    dotted = {re.sub(r"^(\\d)_", r"\\1.", k): v for k, v in changes.items()}
    values = json.loads(os.environ["SCENARIO"]) | dotted
    text = "".join(f"{k}={v}\\n" for k, v in values.items())
    file = Path(os.environ["FAKE_NVML"])
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)
def calls(name):
    return Path(os.environ["FAKE_NVML_CALLS"]).read_text().split().count(name)
scenario()
def look(deadline_s=3):
    gpus.CARDS.tick(deadline_s)
    return gpus.CARDS.seen()
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
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def driver(library: Path, tmp_path: Path) -> Driver:
    return Driver(library, tmp_path)


def test_a_sample_holds_what_the_gpu_tells(driver: Driver) -> None:
    told = {
        **H200,
        "0.limit": "700000",
        "0.temperature": "61",
        "0.clock.1": "1755",
        "0.clock.2": "3201",
        "0.reasons": "4",
        "0.field.3": "5",
        "0.field.4": "1",
        "0.field.197": "4096",
        "0.field.198": "8192",
        "0.field.138": "3",
        "0.field.139": "4",
        "0.field.74": "9000000",
        "0.field.269": "8000000",
        "0.gpm.2": "55.5",
        "0.gpm.5": "20",
        "0.gpm.10": "30",
    }
    code = "look(); sample = asdict(look()[0].sample); sample.pop('at_us'); told(sample)"
    assert driver.run(told, code) == {
        "uuid": "GPU-aaaa",
        "utilisation": 0.5,
        "memory_used": GIB,
        "memory_total": 4 * GIB,
        "energy_mj": 123456,
        "power_mw": 700000,
        "limit_mw": 700000,
        "temperature_c": 61,
        "sm_mhz": 1755,
        "memory_mhz": 3201,
        "reasons": 4,
        "throttled_ns": {"power": 9000000, "thermal": 8000000},
        "ecc_corrected": 5,
        "ecc_uncorrected": 1,
        "xids": None,
        "pcie_tx_bytes": 4096,
        "pcie_rx_bytes": 8192,
        "nvlink_tx_bytes": 3072,
        "nvlink_rx_bytes": 4096,
        "sm_active": 0.555,
        "tensor_active": 0.2,
        "dram_active": 0.3,
        "processes": [],
        "fault": "",
        "problem": "",
    }


def test_a_later_sample_is_a_new_one(driver: Driver) -> None:
    code = """
before = look()[0].sample.energy_mj
scenario(**{"0_energy": "200000", "0_util": "0"})
after = look()[0].sample
told([before, after.energy_mj, after.utilisation])
"""
    assert driver.run(H200, code) == [123456, 200000, 0.0]


def test_a_missing_field_is_none_and_asked_for_once(driver: Driver) -> None:
    code = """
samples = [look()[0].sample for _ in range(3)]
told([[s.power_mw, s.utilisation, s.problem] for s in samples] + [calls("power"), calls("util")])
"""
    without = {**H200, "0.power": "!3"}
    assert driver.run(without, code) == [[None, 0.5, ""]] * 3 + [1, 3]


def test_energy_comes_by_its_own_call_from_a_driver_without_field_values(driver: Driver) -> None:
    assert driver.run({**H200, "0.fields": "!13"}, "told(look()[0].sample.energy_mj)") == 123456


def test_zero_bytes_of_a_process_are_not_told(driver: Driver) -> None:
    code = "told([process.memory for process in look()[0].sample.processes])"
    assert driver.run({**H200, "0.processes": f"1:0,2:?,3:{GIB}"}, code) == [None, None, GIB]


def test_memory_that_cpu_and_gpu_share_is_that_of_the_processes(driver: Driver) -> None:
    """A GB10 does not tell its memory, and the host's is not the GPU's."""
    gb10 = {**H200, "0.name": "NVIDIA GB10", "0.memory": "!3", "0.processes": f"1:{GIB},2:{GIB}"}
    code = "sample = look()[0].sample; told([sample.memory_used, sample.memory_total])"
    assert driver.run(gb10, code) == [2 * GIB, None]
    assert driver.run({**gb10, "0.processes": f"1:{GIB},2:?"}, code) == [None, None]
    assert driver.run({**gb10, "0.processes": ""}, code) == [None, None]


def test_a_virtual_gpu_tells_what_it_has(driver: Driver) -> None:
    """Under vGPU a guest sees utilisation and memory, no power, energy or clocks' reasons."""
    vgpu = {**H200, "0.name": "NVIDIA H100-20C", "0.power": "!3", "0.energy": "!3"}
    code = """
card, = look()
told([card.state, card.sample.utilisation, card.sample.power_mw, card.sample.energy_mj])
"""
    assert driver.run(vgpu, code) == ["ok", 0.5, None, None]


LOST = {f"0.{name}": "!15" for name in ("util", "memory", "energy", "power", "processes")}


@pytest.mark.parametrize(
    "lost",
    [LOST, {"0.util": "!15", "0.handle": "!15"}, {"0.memory": "!16"}],
    ids=["all", "energy and processes answer on", "reset required"],
)
def test_a_lost_gpu_stays_and_may_come_back(driver: Driver, lost: dict[str, str]) -> None:
    code = f"""
seen = [look()[0].state]
scenario(**{lost})
for _ in range(2):
    gone, = look()
    seen += [[gone.state, gone.reason != "", gone.gpu.uuid, gone.sample.energy_mj]]
scenario()
gpus.CARDS._list_at = 0  # the driver is asked anew within seconds; not in a test
look()
told([*seen, look()[0].state])
"""
    gone = ["lost", True, "GPU-aaaa", 123456]
    assert driver.run(H200, code) == ["ok", gone, gone, "ok"]


def test_a_gpu_that_the_driver_no_longer_lists_is_lost(driver: Driver) -> None:
    two = {**H200, "count": "2", "1.uuid": "GPU-bbbb", "1.name": "NVIDIA H200", "1.util": "1"}
    code = """
seen = [[card.state for card in look()]]
scenario(count="1")
gpus.CARDS._list_at = 0
look()
time.sleep(0.2)
told([*seen, [(card.gpu.uuid, card.state, card.reason) for card in gpus.CARDS.seen()]])
"""
    assert driver.run(two, code) == [
        ["ok", "ok"],
        [["GPU-aaaa", "ok", ""], ["GPU-bbbb", "lost", "the driver no longer lists it"]],
    ]


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
    code = "told([look(), list(gpus.devices_of(1).holds), gpus.why_none()])"
    assert driver.run(scenario, code) == [[], [], why]


def test_a_driver_that_is_loaded_later_is_found(driver: Driver) -> None:
    code = """
scenario(init="18")
before = len(look())
scenario()
gpus.CARDS._list_at = 0
told([before, len(look()), gpus.why_none()])
"""
    assert driver.run(H200, code) == [0, 1, ""]


def test_a_reloaded_driver_is_started_again(driver: Driver) -> None:
    code = """
look()
stale = {f"0_{name}": "!1" for name in ("util", "memory", "energy", "power", "fields")}
scenario(count="!1", **stale)
gpus.CARDS._list_at = 0
look()
seen = [gpus.CARDS.seen()[0].reason]
scenario(**{"0_energy": "7"})
gpus.CARDS._list_at = 0
look(); time.sleep(0.1); card, = look()
told([*seen, card.state, card.sample.energy_mj, calls("init")])
"""
    assert driver.run(H200, code) == ["Uninitialized", "ok", 7, 2]


def test_no_library_is_no_gpu(driver: Driver, tmp_path: Path) -> None:
    driver.library = tmp_path
    found, why = driver.run({}, "told([look(), gpus.why_none()])")
    if not found:  # a machine with a real driver finds its own
        assert "cannot be loaded" in why


def test_text_of_the_driver_is_only_text(driver: Driver) -> None:
    code = "told([[card.gpu.uuid, card.gpu.name] for card in look()])"
    ((uuid, name),) = driver.run({**H200, "0.name": "\x1b[31mH200"}, code)
    assert (uuid, name.isprintable()) == ("GPU-aaaa", True)


def test_a_name_that_is_no_text_is_unknown(driver: Driver) -> None:
    code = r"""
file = Path(os.environ["FAKE_NVML"])
file.write_bytes(file.read_bytes().replace(b"NVIDIA H200", b"\xff\xfe\x80"))
card, = look()
told([card.gpu.uuid, card.gpu.name, card.sample.utilisation, gpus.why_none()])
"""
    assert driver.run(H200, code) == ["GPU-aaaa", "GPU of unknown name", 0.5, ""]


def test_a_uuid_that_is_no_text_is_a_reason(driver: Driver) -> None:
    code = r"""
file = Path(os.environ["FAKE_NVML"])
file.write_bytes(file.read_bytes().replace(b"GPU-aaaa", b"\xff\xfe\x80"))
told([look(), gpus.CARDS.dead()])
"""
    dead = {"0": "nvmlDeviceGetUUID broke: UnicodeDecodeError"}
    assert driver.run(H200, code) == [[], dead]


def eight() -> dict[str, str]:
    """A machine of eight."""
    cards = {"count": "8"}
    for index in range(8):
        cards |= {key.replace("0.", f"{index}.", 1): value for key, value in H200.items()}
        cards |= {"count": "8", f"{index}.uuid": f"GPU-{index}"}
    return cards


def test_eight_cards_of_a_slow_driver_are_read_beside_each_other(driver: Driver) -> None:
    code = """
began = time.monotonic()
look(30)
first_s = time.monotonic() - began
scenario(delay_ms="100", **{f"{i}_energy": "777" for i in range(8)})
for _ in range(8):
    gpus.CARDS.tick(0.5)
    time.sleep(0.5)
told([[card.state, card.sample.energy_mj] for card in gpus.CARDS.seen()])
"""
    assert driver.run(eight(), code) == [["ok", 777]] * 8


def test_one_hung_card_costs_itself_alone(driver: Driver) -> None:
    code = """
import threading
from engines.devices.cards import Cards
from engines.devices.calls import Calls
from engines.devices import cards as module
module.SILENT_S = 0.3
cards = Cards(calls=Calls(left_behind_s=0.4))
cards.tick(5)
scenario(**{"3_hang": "1", "0_util": "7"})
ticks = []
for _ in range(40):
    began = time.monotonic()
    cards.tick(0.2)
    ticks.append(time.monotonic() - began)
    time.sleep(0.1)
hung = {card.gpu.index: card.state for card in cards.seen() if card.state != "ok"}
threads = [thread.name for thread in threading.enumerate()].count("nvml GPU-3")
util = cards.seen()[0].sample.utilisation
scenario()
time.sleep(0.5)
cards.tick(1)
told([hung, threads, util, max(ticks) < 0.5, cards.seen()[3].state])
"""
    assert driver.run(eight(), code) == [{"3": "unknown"}, 4, 0.07, True, "ok"]


def test_a_driver_that_hangs_at_its_start_keeps_few_threads_and_nobody_waiting(
    driver: Driver,
) -> None:
    code = """
import threading
from engines.devices.calls import Calls
from engines.devices.cards import Cards
from engines.devices import cards as module
module.LIST_TROUBLED_S = 0.1
scenario(hang="1")
cards = Cards(calls=Calls(left_behind_s=0.2))
began = time.monotonic()
for _ in range(20):
    cards.tick(0.1)
waited_s = time.monotonic() - began
threads = [thread.name for thread in threading.enumerate()].count("nvml driver")
hung = cards.seen()
scenario()
time.sleep(0.5)
cards.tick(1)
told([hung, waited_s < 5, threads, len(cards.seen())])
"""
    assert driver.run(H200, code) == [[], True, 4, 1]


def test_xids_are_counted_from_when_one_listens(driver: Driver) -> None:
    code = """
look()
gpus.CARDS.watch_xids()
time.sleep(0.5)
before = gpus.CARDS.xids_of("GPU-aaaa")
scenario(**{"0_xids": "79,5"})
time.sleep(0.5)
told([before, gpus.CARDS.xids_of("GPU-aaaa"), gpus.CARDS.seen()[0].last_xid])
"""
    assert driver.run({**H200, "0.xids": "13,3"}, code) == [0, 2, 79]


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
cards = look()
told([[c.gpu.index, c.gpu.uuid, c.gpu.part] for c in cards] + [hold.device.uuid, hold.share]
     + [cards[0].sample.utilisation])
"""
        assert driver.run(scenario, code) == [
            ["0:0", "MIG-one", 0.25],
            ["0:1", "MIG-two", 0.5],
            "MIG-one",
            1.0,
            None,
        ]


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


def test_the_doctor_names_a_card_that_is_dead_at_the_start(driver: Driver) -> None:
    code = """
from engines.doctor.diagnosis import _gpus
told([[check.name, check.ok, check.what] for check in _gpus()])
"""
    two = {**H200, "count": "3", "1.handle": "!15", "2.uuid": "!999"}
    assert driver.run(two, code) == [
        ["GPU 0", True, "NVIDIA H200"],
        ["GPU 1", False, "it does not answer: GPU is lost"],
        ["GPU 2", False, "it does not answer: Unknown Error"],
    ]
    assert driver.run({"count": "1", "0.handle": "!15"}, code) == [
        ["GPU 0", False, "it does not answer: GPU is lost"]
    ]
