from __future__ import annotations

from pathlib import Path

from sottovoce.ops import bench_ring


def test_the_ring_is_measured_between_processes() -> None:
    """Every frame reaches every reader, none is wrong, and the figures that are promised are there."""
    before = set(Path("/dev/shm").glob("sottovoce-bench-*"))
    report = bench_ring.run(readers=(2,), seconds=0.5)
    (paced,) = report["paced"]
    assert paced["readers"] == 2
    assert (paced["bad"], paced["lost"]) == (0, 0)
    assert paced["frames"] > 10
    assert paced["read"] == 2 * paced["frames"]
    assert report["unpaced"]["bad"] == 0
    assert report["unpaced"]["frames"] > 1000
    for name in ("publish_us", "latency_us"):
        assert 0 < paced[f"{name}_p50"] <= paced[f"{name}_p99"]
    assert set(Path("/dev/shm").glob("sottovoce-bench-*")) <= before
    table = bench_ring.render(report)
    assert "2 readers" in table
    assert len({len(line) for line in table.splitlines()}) == 1
