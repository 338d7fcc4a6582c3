"""Results that nobody measured."""

from benchmarks.measured import Measured, Origin, Ratio, Results, Series, Table

ORIGIN = Origin(
    command="make bench",
    commit="0123456789ab",
    began="2026-01-02T03:04:05+00:00",
    seconds=12.5,
    quick=False,
    cpus=2,
    cpu="A processor",
    system="Linux x86_64",
    python="CPython 3.11.15",
    versions={"starlette": "0.49.1", "redis": "8.1.0"},
)

ADDED = Table(
    title="Added time",
    unit="µs",
    series=(
        Series(name="gatepost", runs=(2.4, 2.5, 2.6, 2.5)),
        Series(name="ten lines by hand", runs=(1.6, 1.7, 1.6, 1.5), note="No expiry | no revocation."),
        Series(name="keyshield", runs=(151.0, 149.0, 150.0, 152.0)),
        Series(name="a rival", runs=(), note="It cannot do it."),
    ),
    ratios=(
        Ratio(of="gatepost", to="ten lines by hand", runs=(1.5, 1.47, 1.6, 1.5), limit=1.75),
        Ratio(of="gatepost", to="keyshield", runs=(0.0166, 0.0167)),
    ),
    figures={"round trips": "0"},
    note="In process.",
)

CONNECTIONS = Table(
    title="Requests per second",
    unit="requests/s",
    axis="connections",
    series=tuple(
        Series(name=name, at=at, runs=(rate * at, rate * at * 1.02, rate * at * 0.98))
        for name, rate in (("gatepost", 95.0), ("bare app", 99.0), ("nginx map", 99.0), ("keyshield", 25.0))
        for at in (1.0, 64.0, 1000.0)
    ),
    ratios=(
        Ratio(of="gatepost", to="bare app", runs=(0.93, 0.94, 0.95), at=64.0, limit=0.95, bound="at least"),
        Ratio(of="gatepost", to="gatepost", runs=(1.2,), at=1000.0, to_at=1.0, limit=1.3),
    ),
)

SIZE = Table(
    title="Memory per key",
    unit="bytes",
    series=(Series(name="gatepost, in process", runs=(510.0,), limit=500.0),),
)


def measured(*tables: Table) -> Measured:
    """A scenario's answers."""
    return Measured(origin=ORIGIN, tables=tables)


def results() -> Results:
    """Of three scenarios: two of four numbers are held."""
    return Results(scenarios={"refused": measured(ADDED), "redis_hit": measured(CONNECTIONS), "growth": measured(SIZE)})
