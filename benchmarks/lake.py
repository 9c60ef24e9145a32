"""What the data lake costs: a year of flights from bytes to gold tables, against a plain script.

Three programs, each in processes of its own, in an order that is drawn anew for each round:

- ours: bronze, silver and gold Delta tables as the department configures them, with contracts,
  quarantine, foreign keys, reconciliation, digests and lineage, without Prefect;
- ours, again: the same on the lake that is there, so nothing has changed;
- plain: pandas reads every CSV file, drops what the contracts would reject, removes duplicates,
  aggregates, and writes Parquet. It keeps nothing else.

Of each: wall and CPU seconds of the whole process, imports included, and the most memory that it
held. Both must count the same flights. ``--times 10`` measures as well with ten times the data
(the same months of later years): the memory of ours must not be ten times as much.

Run it on a quiet Linux machine: ``python benchmarks/lake.py [--months 12] [--times 10]``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from airnub_prefect_starter.core.configuration import load_yaml
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.store import FetchCommit, Store, open_store
from airnub_prefect_starter.demo.data import SMALL_TABLES, SampleTables
from benchmarks.measuring import cpu_seconds, machine, peak_rss
from flows.dept_data_lake.processing.lake_etl.config import CATEGORY, LakeEtlConfig

ROOT = Path(__file__).parents[1]
FIRST_YEAR = 2013
MIB = 1 << 20
GROWTH_BAR = 3.0
NAMES = ("ours", "ours, again", "plain")
POSTS = b'{"userId":1,"id":1,"title":"t","body":"b"}\n'


@dataclass(frozen=True)
class Cost:
    """What one run of a program took, and how many flights it counted."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    flights: int


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--months", type=int, default=12, choices=range(1, 13), metavar="1..12")
    parser.add_argument("--times", type=int, default=1, help="measure with so much data as well")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--program", choices=tuple(PROGRAMS), help=argparse.SUPPRESS)
    parser.add_argument("--years", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        run_program(options)
        return 0
    print(machine(options.dir), flush=True)
    peaks = {years: measure(options, years) for years in sorted({1, options.times})}
    if options.times > 1:
        ratio = peaks[options.times] / peaks[1]
        print(
            f"\n{options.times} times the data: {ratio:.2f} times the memory (bar <= {GROWTH_BAR})"
        )
    return 0


def measure(options: argparse.Namespace, years: int) -> int:
    """Measure all programs with the data of some years; return the peak of ours, in bytes."""
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="lake-") as name:
        folder = Path(name)
        size = write_sources(folder / "csv", options.months, years)
        costs: dict[str, list[Cost]] = {each: [] for each in NAMES}
        random = Random(1)  # noqa: S311 - an order, no secret
        for _ in range(options.rounds):
            lake = folder / "lake"
            fill_store(lake, folder / "csv")
            first = random.sample(["ours", "plain"], 2)
            for program in (*first, "ours, again"):
                costs[program].append(cost_of(program, folder, options.months, years))
            shutil.rmtree(lake)
            shutil.rmtree(folder / "parquet")
    require_equal(costs)
    flights = costs["plain"][0].flights
    print(f"\n{flights:,} flights, {size / MIB:.0f} MiB of CSV, {options.rounds} rounds\n")
    show(costs)
    return int(statistics.median(each.peak_bytes for each in costs["ours"]))


def cost_of(program: str, folder: Path, months: int, years: int) -> Cost:
    """Run a program in a process of its own; stop if it fails."""
    begun = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.lake", "--program", program.partition(",")[0]),
            *("--dir", str(folder), "--months", str(months), "--years", str(years)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{program} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return Cost(wall_s=wall, **json.loads(done.stdout.splitlines()[-1]))


def run_program(options: argparse.Namespace) -> None:
    """Do the work of one program in this process, and print what it took."""
    flights = PROGRAMS[options.program](options.dir, batches(options.months, options.years))
    print(json.dumps({"cpu_s": cpu_seconds(), "peak_bytes": peak_rss(), "flights": flights}))


# The data


def batches(months: int, years: int) -> list[str]:
    return [
        f"flights-{FIRST_YEAR + later}-{month:02}"
        for later in range(years)
        for month in range(1, months + 1)
    ]


def write_sources(folder: Path, months: int, years: int) -> int:
    """Write every CSV file; those of later years are those of 2013 with another year."""
    folder.mkdir()
    tables = SampleTables()
    for name in SMALL_TABLES:
        (folder / f"{name}.csv").write_bytes(tables.csv_bytes(name))
    header, *hours = tables.csv_bytes("weather").splitlines(keepends=True)
    moved = (line for later in range(years) for line in later_rows(header, hours, later))
    (folder / "weather.csv").write_bytes(b"".join([header, *moved]))
    for name in batches(months, years):
        _, year, month = name.split("-")
        header, *lines = tables.flights_csv(int(month)).splitlines(keepends=True)
        rows = later_rows(header, lines, int(year) - FIRST_YEAR)
        (folder / f"{name}.csv").write_bytes(b"".join([header, *rows]))
    return sum(file.stat().st_size for file in folder.iterdir())


def later_rows(header: bytes, lines: Iterable[bytes], years: int) -> Iterator[bytes]:
    names = header.rstrip().split(b",")
    year, hour = names.index(b"year"), names.index(b"time_hour")
    for line in lines:
        columns = line.split(b",")
        columns[year] = b"%d" % (int(columns[year]) + years)
        columns[hour] = b"%04d%b" % (int(columns[hour][:4]) + years, columns[hour][4:])
        yield b",".join(columns)


def fill_store(lake: Path, sources: Path) -> None:
    """Land every file, which is not measured here (`store_local.py` does)."""
    store = open_store(lake.as_uri(), durability="none")
    for file in sorted(sources.iterdir()):
        land(store, file.stem, file.read_bytes(), "ingestion.flight_files")
    land(store, "posts", POSTS, "ingestion.public_api_data")


def land(store: Store, name: str, body: bytes, namespace: str) -> None:
    url = f"http://sources.example/{name}"
    with store.spool() as spool:
        spool.write(body)
        source = Source(url=url, final_url=url)
        store.commit_fetch(FetchCommit(namespace, name, source, spool))


# Ours


def configured(names: list[str]) -> LakeEtlConfig:
    """Give the department's steps, for these batches and their years."""
    config = load_yaml(ROOT / CATEGORY.config_file, LakeEtlConfig)
    values: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    for step in values["bronze"]:
        if step["name"] == "flights":
            step["inputs"] = [f"ingestion.flight_files/{name}" for name in names]
    for step in values["silver"]:
        for column in step["contract"]["columns"]:
            if step["name"] == "flights" and column["name"] == "year":
                column["maximum"] = max(int(name.split("-")[1]) for name in names)
    return LakeEtlConfig.model_validate(values)


def ours(folder: Path, names: list[str]) -> int:
    # Late, so that the plain program does not pay for what it does not use.
    from airnub_prefect_starter.core.lake.bronze import core_load_bronze  # noqa: PLC0415
    from airnub_prefect_starter.core.lake.gold import core_make_gold  # noqa: PLC0415
    from airnub_prefect_starter.core.lake.lake import Lake  # noqa: PLC0415
    from airnub_prefect_starter.core.lake.order import silver_waves  # noqa: PLC0415
    from airnub_prefect_starter.core.lake.silver import core_refine_silver  # noqa: PLC0415

    store, config = open_store((folder / "lake").as_uri(), durability="none"), configured(names)
    for bronze in config.bronze:
        core_load_bronze(store, bronze, namespace=CATEGORY.namespace)
    for wave in silver_waves(config.silver):
        for silver in wave:
            core_refine_silver(store, silver, namespace=CATEGORY.namespace)
    for gold in config.gold:
        core_make_gold(store, gold, namespace=CATEGORY.namespace)
    sql = "SELECT sum(flights) AS flights FROM t"
    return int(Lake.of(store).query(sql, {"t": "gold/daily_flights"})["flights"].iloc[0])


# The plain script


def plain(folder: Path, names: list[str]) -> int:
    import pandas as pd  # noqa: PLC0415

    target = folder / "parquet"
    target.mkdir(exist_ok=True)
    read = cache(lambda name: pd.read_csv(folder / "csv" / f"{name}.csv"))
    flights = pd.concat([read(name) for name in names], ignore_index=True)
    flights["time_hour"] = pd.to_datetime(flights["time_hour"])
    flights = flights.drop_duplicates(["time_hour", "carrier", "flight"])
    weather = read("weather")
    weather["time_hour"] = pd.to_datetime(weather["time_hour"])
    weather = weather[~(weather["wind_speed"] > 250)].drop_duplicates(["origin", "time_hour"])
    tables = {
        "flights": flights,
        "weather": weather,
        **{name: read(name) for name in ("airlines", "airports", "planes")},
    }
    tables |= summaries(tables)
    for name, table in tables.items():
        table.to_parquet(target / f"{name}.parquet", index=False)
    return int(tables["daily_flights"]["flights"].sum())


def summaries(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Aggregate as the gold tables do."""
    import pandas as pd  # noqa: PLC0415

    flights = tables["flights"]
    daily = grouped(flights, ["year", "month", "day", "origin"])
    named = flights.merge(tables["airlines"], on="carrier", how="left")
    carriers = grouped(named, ["carrier", "year", "month", "name"])
    joined = flights.merge(
        tables["weather"][["origin", "time_hour", "visib", "wind_speed"]],
        on=["origin", "time_hour"],
        how="left",
    )
    infinite = float("inf")
    joined["visibility"] = pd.cut(joined["visib"], [-infinite, 3, 10, infinite], right=False)
    joined["wind"] = pd.cut(joined["wind_speed"], [-infinite, 12, 25, infinite], right=False)
    for name in ("visibility", "wind"):
        joined[name] = joined[name].astype("str")
    routes = grouped(joined, ["origin", "dest", "visibility", "wind"])
    return {"daily_flights": daily, "carrier_performance": carriers, "route_delays": routes}


def grouped(frame: Any, by: list[str]) -> Any:
    return frame.groupby(by, as_index=False).agg(
        flights=("flight", "size"),
        departed=("dep_time", "count"),
        mean_dep_delay_min=("dep_delay", "mean"),
        mean_arr_delay_min=("arr_delay", "mean"),
    )


PROGRAMS: Mapping[str, Callable[[Path, list[str]], int]] = {"ours": ours, "plain": plain}


# What is printed


def require_equal(costs: Mapping[str, list[Cost]]) -> None:
    counted = {each.flights for found in costs.values() for each in found}
    if len(counted) != 1:
        raise SystemExit(f"The programs count different flights: {sorted(counted)}")


def show(costs: Mapping[str, list[Cost]]) -> None:
    floor = min(each.cpu_s for each in costs["plain"])
    print("| | wall s | CPU s, best | median | best to plain | peak MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, found in costs.items():
        cpu = [each.cpu_s for each in found]
        wall = statistics.median(each.wall_s for each in found)
        peak = statistics.median(each.peak_bytes for each in found) / MIB
        best, median = min(cpu), statistics.median(cpu)
        figures = (f"{wall:.1f}", f"{best:.1f}", f"{median:.1f}", f"{best / floor:.1f}x")
        print(f"| {' | '.join((name, *figures, f'{peak:.0f}'))} |")


if __name__ == "__main__":
    sys.exit(main())
