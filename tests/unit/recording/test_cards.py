"""A recorder on a host whose GPUs fail, by the real pynvml on the C library that plays a driver."""

from __future__ import annotations

from typing import Any

import pytest

from store.metrics.cost import MS_PER_HOUR
from tests.unit.devices import test_gpus
from tests.unit.devices.test_gpus import GIB, Driver

library, driver = test_gpus.library, test_gpus.driver

H100 = "NVIDIA H100 80GB HBM3"
RECORD = """
import asyncio, contextlib, sqlite3, subprocess
from concurrent.futures import ThreadPoolExecutor
from engines.devices import calls as calls_module, cards as cards_module
from engines.devices import gpu_share
from engines.devices.nvml import sampling
from engines.engine_info import EngineInfo
from engines.recording.cards import card_watch
from engines.recording.engine_recorder import EngineRecorder
from engines.recording.recorder import Recorder
from store.ledger.connection import Ledger
from store.metrics.account import account_of
from store.metrics.cards import account_for_cards
from store.metrics.prices import PriceBook
from store.tables import events
from store.tables.engines import find_engine
from store.windows.device_set import read_device_set
from store.windows.window import read_window
from tests.servers import REAL_PAGE, reply, serving

# Less patience than in the field: a test is shorter than an outage.
cards_module.SILENT_S = 1.0
cards_module.LIST_TROUBLED_S = 0.2
calls_module.LEFT_BEHIND_S = 0.5
gpus.CARDS._calls._left_behind_s = 0.5
sampling.PROCESSES_EVERY_S = card_watch.NO_CARD_PAUSE_S = 0.2
gpu_share.SHARES_EVERY_S = 0.5

async def same_engine(_): pass
EngineRecorder._find_again = same_engine

PRICES = PriceBook(prices={"H100": 3.6}, source="test")
DB = Path(os.environ["FAKE_NVML"]).with_name("ledger.db")
PAGE = reply(REAL_PAGE)

async def answer(reader, writer):
    while True:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(PAGE)
        await writer.drain()

def now():
    return round(time.time() * 1000)

class Host:
    def __init__(self, *pids):
        self.servers = [serving(answer) for _ in pids]
        urls = [server.__enter__().url for server in self.servers]
        self.urls = urls
        engines = [EngineInfo(url, f"e{i}", pid=pid, vllm_version="0.32.0")
                   for i, (url, pid) in enumerate(zip(urls, pids))]
        self.recorder = Recorder(DB, engines, 0.1)
        self.recorder.start()

    def stop(self):
        self.recorder.stop()
        for server in self.servers:
            server.__exit__(None, None, None)
        self.ledger = Ledger.open(DB)

    def until(self, query, limit_s=50):
        # Wait until a query of the ledger answers 1; the instant.
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(
                sqlite3.connect(DB)) as connection:
                if connection.execute(query).fetchone()[0]:
                    return now()
            time.sleep(0.05)
        raise AssertionError(query)

    def held(self, devices=1):
        # Wait until so many devices are held, and all cards kept.
        self.until(f"SELECT count(*) >= {devices} FROM run_devices")
        return self.until("SELECT min(told_ms) > 0 FROM cards")

    def state(self, index, state):
        return self.until(f"SELECT state = '{state}' FROM cards WHERE card_index = '{index}'")

    def told_since(self, ms):
        # Wait until every card that answers told of what is after an instant, twice.
        return self.until(f"SELECT min(told_ms) > {ms + 300} FROM cards WHERE state = 'ok'")

    def end(self):
        # The last instant at which all runs and all cards were looked at.
        return min(row[0] for row in self.ledger.conn.execute(
            "SELECT max(ts_ms) FROM device_readings GROUP BY run_id "
            "UNION ALL SELECT seen_ms FROM cards"))

    def engine(self, index=0):
        return find_engine(self.ledger, self.urls[index]).id

    def window(self, from_ms, to_ms, index=0):
        return read_window(self.ledger, self.engine(index), from_ms, to_ms)

    def account(self, *span):
        return account_of(self.ledger, self.window(*span), PRICES)

    def told(self, index=0):
        rows = events.recent(self.ledger, self.engine(index), 99)
        return [row.text for row in reversed(rows) if row.kind == "gpu"]

def sleeper():
    return subprocess.Popen(["sleep", "600"])
"""


def card(index: int, processes: str = "") -> dict[str, str]:
    """A working H100."""
    told = {
        "uuid": f"GPU-{index}",
        "name": H100,
        "util": "50",
        "memory": f"{70 * GIB},{80 * GIB}",
        "energy": "1000000",
        "power": "500000",
        "limit": "700000",
        "temperature": "60",
        "clock.1": "1755",
        "reasons": "0",
        "field.4": "0",
        "processes": processes,
        "xids": "79,0",
    }
    return {f"{index}.{name}": value for name, value in told.items()}


def run(driver: Driver, cards: dict[str, str], code: str) -> Any:
    driver.run({}, "told(0)")  # the modules are compiled now
    return driver.run(cards, RECORD + code)


def test_all_engines_and_idle_cards_are_the_bill_of_the_host(driver: Driver) -> None:
    """Through the loss of one card, a hang of another, and the return of both."""
    cards = {"count": "3", **card(0), **card(1), **card(2)}
    code = """
one, two = sleeper(), sleeper()
held = {"0_processes": f"{one.pid}:70", "1_processes": f"{one.pid}:3000,{two.pid}:1000"}
scenario(**held)
host = Host(one.pid, two.pid)
t0 = host.held(3)
scenario(**held, **{"0_util": "!15", "0_handle": "!15", "1_hang": "1"})
host.state(0, "lost"), host.state(1, "unknown")
time.sleep(2)
scenario(**held)
host.state(0, "ok"), host.told_since(host.state(1, "ok"))
host.stop()
one.kill(), two.kill()
t1 = host.end()
accounts = account_for_cards(host.ledger, t0, t1, PRICES)
whole_s = (t1 - t0) / 1000
parts = {}
for each in accounts:
    for engine, seconds in each.values["engines"].items():
        parts[f"{each.values['gpu']} {engine}"] = seconds / whole_s
    parts[f"{each.values['gpu']} idle"] = each.values["idle_seconds"] / whole_s
bill = sum(each.values["cost_usd"] for each in accounts)
spans = [host.window(t0, t1, i) for i in (0, 1)]
told({
    "parts": parts,
    "bill": bill / (3 * 3.6 / 3600 * whole_s),
    "engines": [host.account(t0, t1, i).cost.allocated_usd / (span.to_ms - span.from_ms)
                for i, span in enumerate(spans)],
    "states": [(e.values["lost_seconds"] > 1, e.values["unknown_seconds"] > 1) for e in accounts],
    "at the end": [each.values["state"] for each in accounts],
    "told": [host.told(0), host.told(1)],
})
"""
    found = run(driver, cards, code)
    shares = {"0 e0": 1, "0 idle": 0, "1 e0": 0.75, "1 e1": 0.25, "1 idle": 0, "2 idle": 1}
    assert found["parts"].keys() == shares.keys()
    for name, share in shares.items():
        assert abs(found["parts"][name] - share) < 0.001, (name, found["parts"])
    assert abs(found["bill"] - 1) < 0.001
    per_ms = 3.6 / MS_PER_HOUR
    assert found["engines"] == pytest.approx([1.75 * per_ms, 0.25 * per_ms], rel=0.001)
    assert found["states"] == [[True, False], [False, True], [False, False]]
    assert found["at the end"] == ["ok", "ok", "ok"]
    assert {"GPU 0 is lost: GPU is lost", "GPU 0 answers again"} <= set(found["told"][0])
    assert "GPU 1 does not answer: it does not answer" in found["told"][1]
    assert not [text for text in found["told"][1] if text.startswith("GPU 0")]


def test_a_gpu_that_is_lost_is_held_and_paid_until_the_engine_ends(driver: Driver) -> None:
    code = """
engine = sleeper()
scenario(**{"0_processes": f"{engine.pid}:70"})
host = Host(engine.pid)
host.held()
scenario(**{"0_util": "!15", "0_handle": "!15"})
host.state(0, "lost")
time.sleep(4)
t0 = now()
time.sleep(3)
host.stop(); engine.kill()
t1 = host.end()
account, window = host.account(t0, t1), host.window(t0, t1)
devices = read_device_set(host.ledger, window)
told([account.cost.allocated_usd / (window.to_ms - window.from_ms),
      account.values["gpu_utilisation_mean"], account.values["energy_j"],
      [[device.uuid, outage.state, outage.reason] for device, outage in devices.outages],
      len(devices.held), devices.joined, devices.left])
"""
    paid, *found = run(driver, {"count": "1", **card(0)}, code)
    assert paid == pytest.approx(3.6 / MS_PER_HOUR, rel=0.001)
    outages = [["GPU-0", "lost", "GPU is lost"]]
    assert found == [None, None, outages, 1, [], []]


def test_a_driver_that_comes_late_is_no_host_and_no_saving(driver: Driver) -> None:
    """A mismatch after an update of the driver, then a reload: unknown, then the GPU's price."""
    code = """
engine = sleeper()
held = {"0_processes": f"{engine.pid}:70"}
scenario(init="18", **held)
host = Host(engine.pid)
t0 = host.until("SELECT count(*) > 2 FROM reading_rows")
t1 = host.until("SELECT count(*) > 9 FROM reading_rows")
scenario(**held)
t2 = host.told_since(host.held())
host.until(f"SELECT max(ts_ms) > {t2 + 1000} FROM reading_rows")
host.stop(); engine.kill()
t3 = host.end()
before, across, after = host.account(t0, t1), host.account(t0, t3), host.account(t2, t3)
told([before.cost.allocated_usd, before.unknown["cost_usd"],
      across.cost.allocated_usd, across.unknown["cost_usd"].endswith(
          "so it is not known which GPUs this engine holds"),
      [line.device.name for line in after.cost.devices], after.cost.allocated_usd is not None])
"""
    why = (
        "NVML does not start: RM has detected an NVML/RM version mismatch., "
        "so it is not known which GPUs this engine holds"
    )
    found = run(driver, {"count": "1", **card(0)}, code)
    assert found == [None, why, None, True, [H100], True]


def test_a_gap_neither_dilutes_a_mean_nor_is_zero(driver: Driver) -> None:
    """Energy goes on by its counter over the gap; utilisation has its own watched time."""
    code = """
engine = sleeper()
held = {"0_processes": f"{engine.pid}:70"}
scenario(**held)
host = Host(engine.pid)
t0 = host.told_since(host.held())
scenario(**held, **{"0_util": "!999", "0_energy": "2000000"})
host.told_since(now())
scenario(**held, **{"0_hang": "1", "0_energy": "2000000"})
host.state(0, "unknown")
scenario(**held, **{"0_energy": "5000000"})
host.told_since(host.state(0, "ok"))
host.stop(); engine.kill()
t1 = host.end()
account = host.account(t0, t1)
(card,) = account_for_cards(host.ledger, 0, now(), PRICES)
told([account.values["gpu_utilisation_mean"], account.values["energy_j"],
      account.values["gpu_memory_bytes"], card.values["gpu_utilisation_mean"],
      card.values["energy_j"], card.values["power_w"], card.values["power_limit_w"],
      card.values["temperature_max_c"], card.values["sm_clock_mhz"], card.values["sm_active"]])
"""
    found = run(driver, {"count": "1", **card(0)}, code)
    means = [0.5, 4000.0, 0, 0.5, 4000.0, 500.0, 700.0, 60, 1755.0]
    assert found.pop() is None
    assert found == pytest.approx(means, rel=0.01)  # of milliseconds rounded down


def test_what_befalls_a_card_is_told_to_its_engine(driver: Driver) -> None:
    code = """
engine = sleeper()
held = {"0_processes": f"{engine.pid}:70"}
scenario(**held)
host = Host(engine.pid)
host.told_since(host.held())
host.until("SELECT min(xids) = 0 FROM (SELECT max(xids) AS xids FROM card_readings "
           "GROUP BY device_id)")
held |= {"0_reasons": "64"}
scenario(**held)
host.told_since(now())
held |= {"0_xids": "79,1", "0_field.4": "2", "1_xids": "31,1"}
scenario(**held)
host.until("SELECT count(*) = 2 FROM events WHERE text LIKE '%XID%'")
host.told_since(now())
scenario(**held, **{"0_energy": "5"})
host.until("SELECT count(*) > 0 FROM events WHERE text LIKE '%reset%'")
host.stop(); engine.kill()
(first, second) = account_for_cards(host.ledger, 0, now(), PRICES)
told([sorted(text for text in host.told() if "answer" not in text),
      first.values["xids"], first.values["ecc_uncorrected"],
      first.values["throttled_seconds"]["hw_thermal"] > 0.2, second.values["xids"]])
"""
    events = [
        "GPU 0 was reset, or its driver loaded anew: its counters begin again",
        "GPU 0: 2 uncorrected memory errors (ECC)",
        "GPU 0: XID 79",
        "GPU 0: its clocks are held back by heat, by the board itself",
        "GPU 1: XID 31",
    ]
    found = run(driver, {"count": "2", **card(0), **card(1), "1.xids": "31,0"}, code)
    assert found == [events, 1, 2, True, 1]
