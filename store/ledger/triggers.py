"""The triggers that keep `peaks` and `device_peaks`: the highest gauge value of each minute.

They make the maximum over a day 1,440 small rows instead of 86,400 wide ones. A peak may outlive
the rows it came from: thinning folds a dropped row's maximum forward into the next row kept, so a
minute that lies wholly inside a window still belongs to it.
"""

from __future__ import annotations

from store.ledger.schema import MINUTE_MS
from store.reading_columns import MAXIMA


def _grow(table: str, key: str, columns: tuple[str, ...]) -> str:
    """Body of a trigger that raises the minute's peaks to the new row's; else it writes nothing."""
    names = ", ".join(columns)
    new = ", ".join(f"new.{column}" for column in columns)
    keys = ", ".join(f"new.{column}" for column in key.split(", "))
    highest = ", ".join(
        f"{column} = max(ifnull({column}, excluded.{column}), ifnull(excluded.{column}, {column}))"
        for column in columns
    )
    grows = " OR ".join(
        f"excluded.{column} > {column} OR ({column} IS NULL AND excluded.{column} IS NOT NULL)"
        for column in columns
    )
    return (
        f"INSERT INTO {table} ({key}, minute, {names}) "
        f"VALUES ({keys}, new.ts_ms / {MINUTE_MS}, {new}) "
        f"ON CONFLICT ({key}, minute) DO UPDATE SET {highest} WHERE {grows};"
    )


def _peak_triggers(source: str, table: str, key: str, columns: tuple[str, ...]) -> dict[str, str]:
    """The two triggers that keep `table` as the per-minute maximum of `source`."""
    body = _grow(table, key, columns)
    return {
        f"{source}_inserted": f"AFTER INSERT ON {source} BEGIN {body} END",
        f"{source}_updated": f"AFTER UPDATE OF {', '.join(columns)} ON {source} BEGIN {body} END",
    }


TRIGGERS: dict[str, str] = {
    **_peak_triggers("reading_rows", "peaks", "run_id", MAXIMA),
    **_peak_triggers("device_readings", "device_peaks", "run_id, device_id", ("memory_max_mib",)),
}
"""What follows `CREATE TRIGGER` and the name of each trigger."""
