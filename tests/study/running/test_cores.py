"""How many cores there are to use, by affinity, quota and what a person said."""

import os

import pytest
import torch

from focalseg.study.running import cores, local
from focalseg.study.running.cores import count_threads, read_quota, usable_cores


def write_group(root, own, files):
    """The files that Linux shows of control groups."""
    for path, text in {"proc/self/cgroup": own, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2.0),  # docker --cpus=2, version 2
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/cpu.max": "50000 100000", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, 0.5),
        ("0::/../..\n", {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0),
        (
            "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n",
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (
            "4:cpu:/job\n",
            {"sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000"},
            None,
        ),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "rubbish\n"}, None),
        ("0::/\n", {}, None),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path, own, files, quota):
    assert read_quota(write_group(tmp_path, own, files)) == quota


def test_a_system_without_control_groups_has_no_quota(tmp_path):
    assert read_quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "usable"), [(None, 64), (2.0, 2), (1.5, 2), (0.5, 1), (100.0, 64)])
def test_two_of_64_cores_start_two_workers(monkeypatch, quota, usable):
    monkeypatch.setattr(cores.os, "process_cpu_count", lambda: 64, raising=False)
    monkeypatch.setattr(cores, "read_quota", lambda: quota)
    assert usable_cores() == usable
    assert local.choose_workers(100, "cpu") == usable


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")
def test_affinity_counts():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.fixture
def eight_threads(monkeypatch):
    """A process with eight cores, in which nobody said anything of threads."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cores, "usable_cores", lambda: 8)
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("said", "of_torch", "workers", "threads"),
    [
        (None, 8, 1, 8),
        (None, 8, 3, 2),
        (None, 8, 20, 1),
        (None, 64, 1, 8),  # torch by itself knows of no quota
        (None, 1, 1, 1),  # torch.set_num_threads(1)
        ("2", 2, 1, 2),
        ("16", 16, 1, 16),  # the person's own word
        ("1", 1, 2, 1),
        ("16", 16, 4, 2),
    ],
)
def test_workers_share_the_cores_and_take_no_more_than_was_said(eight_threads, monkeypatch, said, of_torch, workers, threads):
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    torch.set_num_threads(of_torch)
    assert count_threads(workers) == threads
