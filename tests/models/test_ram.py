"""How much memory there is, from files as kernels write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sottovoce.models.ram import Ram, meminfo, read_ram, stall

GB = 1 << 30
MEMINFO = """\
MemTotal:       16314488 kB
MemFree:          437828 kB
MemAvailable:    9713824 kB
Buffers:          612340 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""
PRESSURE = """\
some avg10=12.34 avg60=3.10 avg300=0.71 total=8812331
full avg10=8.00 avg60=2.00 avg300=0.50 total=6612331
"""
STAT_V2 = "anon 500000000\nfile 300000000\nshmem 100000000\ninactive_file 150000000\nactive_file 50000000\n"
STAT_V1 = "cache 9\ninactive_file 1\ntotal_inactive_file 150000000\ntotal_active_file 50000000\n"


def machine(root: Path, cgroup: str, groups: Mapping[str, Mapping[str, str]], *, psi: bool = True) -> Path:
    """Write a /proc and a /sys as they were recorded."""
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup}
    if psi:
        files["proc/pressure/memory"] = PRESSURE
    for group, contents in groups.items():
        files |= {f"sys/fs/cgroup/{group}/{name}": text for name, text in contents.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v2(limit: str, used: int, stat: str = STAT_V2) -> dict[str, str]:
    """Return the files of a group of version 2."""
    return {"memory.max": f"{limit}\n", "memory.high": "max\n", "memory.current": f"{used}\n", "memory.stat": stat}


def test_the_machine_itself(tmp_path: Path) -> None:
    """Without limits it is what the kernel estimates to be available, and how long programs waited."""
    ram = read_ram(machine(tmp_path, "0::/user.slice\n", {"user.slice": v2("max", GB), "": v2("max", GB)}))
    assert ram == Ram(16314488 * 1024, 9713824 * 1024, "", 12.34)
    assert ram.used_percent == pytest.approx(40.46, abs=0.01)


def test_a_limit_of_a_group(tmp_path: Path) -> None:
    """Within a limit, what the group may drop (files, not memory that is shared) counts as free."""
    ram = read_ram(machine(tmp_path, "0::/a/b\n", {"a/b": v2(str(GB), 900_000_000)}))
    assert ram == Ram(GB, GB - 900_000_000 + 200_000_000, "/a/b", 12.34)


def test_the_tightest_of_the_groups_above(tmp_path: Path) -> None:
    """A limit holds for all groups below it; the one with the least left is the one that counts."""
    groups = {"a/b": v2(str(4 * GB), GB), "a": v2(str(2 * GB), 2 * GB - 1000, "inactive_file 0\nactive_file 0\n")}
    ram = read_ram(machine(tmp_path, "0::/a/b\n", groups))
    assert (ram.total, ram.free, ram.limited_by) == (2 * GB, 1000, "/a")


def test_the_limit_that_slows_down(tmp_path: Path) -> None:
    """memory.high, beyond which a group is slowed down, is a limit as well."""
    group = v2("max", 900_000_000) | {"memory.high": f"{GB}\n"}
    assert read_ram(machine(tmp_path, "0::/a\n", {"a": group})).total == GB


def test_in_a_container(tmp_path: Path) -> None:
    """Where the path is the host's and the mount the container's, the mount's own limit is found."""
    ram = read_ram(machine(tmp_path, "0::/../../host/path\n", {"": v2(str(GB), 900_000_000)}))
    assert (ram.total, ram.limited_by) == (GB, "/")


def test_groups_of_version_1(tmp_path: Path) -> None:
    """The older control groups have other names, and an absurd number for "none"."""
    group = {"memory.usage_in_bytes": "900000000\n", "memory.stat": STAT_V1}
    none = group | {"memory.limit_in_bytes": "9223372036854771712\n"}
    cgroup = "4:memory:/a\n1:cpu:/\n0::/\n"
    assert read_ram(machine(tmp_path, cgroup, {"memory/a": none})).limited_by == ""
    limited = group | {"memory.limit_in_bytes": f"{GB}\n"}
    ram = read_ram(machine(tmp_path, cgroup, {"memory/a": limited}))
    assert (ram.total, ram.free, ram.limited_by) == (GB, GB - 700_000_000, "/a")


def test_what_is_not_told(tmp_path: Path) -> None:
    """A kernel without PSI, or a group without a file, is no error."""
    root = machine(tmp_path, "0::/a\n", {"a": {"memory.max": f"{GB}\n"}}, psi=False)
    assert read_ram(root) == Ram(16314488 * 1024, 9713824 * 1024, "", None)
    assert stall("full avg10=1.00 total=3\n") is None


def test_this_machine() -> None:
    """The real files can be read, and the numbers are within each other."""
    ram = read_ram()
    assert 0 < ram.free <= ram.total <= meminfo(Path("/proc/meminfo").read_text())[0]
