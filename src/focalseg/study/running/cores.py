"""How many cores this process may use, and how they are shared out. Everything that starts threads or processes asks here."""

import math
import os
from pathlib import Path

import torch

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Where a person says how many threads arithmetic takes; torch reads them itself."""


def usable_cores() -> int:
    """Cores that this process may use at the same time: its affinity, and no more than the quota of its container."""
    # From Python 3.13 on there is a count that heeds affinity and PYTHON_CPU_COUNT.
    count = getattr(os, "process_cpu_count", None)
    if count is not None:
        cores = count()
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = read_quota()
    return max(min(cores or 1, math.ceil(quota)), 1) if quota else cores or 1


def read_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that control groups leave to this process, the least of its group and those above; None: all."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None  # no Linux
    mounts = root / "sys/fs/cgroup"
    quotas: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)  # 0::/path of version 2, 4:cpu,cpuacct:/path of version 1
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container may see its own group as the root of the mount, and its path as outside: both are looked at.
        mount = mounts / controllers if (mounts / controllers).is_dir() else mounts / "cpu"
        group = Path("/" if ".." in path.split("/") else path)
        for above in (group, *group.parents):
            quotas += _read_quota_of((mount if controllers else mounts) / above.relative_to("/"))
    return min(quotas, default=None)


def _read_quota_of(group: Path) -> list[float]:
    """The quota of one group, of either version; nothing where it has none."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
        return [int(quota) / int(period)] if quota != "max" and int(quota) > 0 < int(period) else []
    except (OSError, ValueError):
        return []


def count_threads(workers: int) -> int:
    """The most threads that each of so many workers takes: its share of the cores, and no more than torch has here.

    Torch has what the person said by OMP_NUM_THREADS or set in this process; where that is said and there is one worker, it is
    taken as it is.
    """
    threads = torch.get_num_threads()
    if workers == 1 and any(name in os.environ for name in _THREAD_VARIABLES):
        return threads
    return max(min(usable_cores() // workers, threads), 1)


def limit_threads() -> None:
    """Gives torch in this process as many threads as there are cores to use: by itself it knows of no quota."""
    torch.set_num_threads(count_threads(1))
