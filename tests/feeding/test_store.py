"""A store gives back what was read, from memory or from its file, and leaves nothing behind."""

import errno
import gc
import subprocess
import sys

import numpy as np
import pytest
import torch

from focalseg.errors import DataError, MachineError, ShapeError
from focalseg.feeding import store
from focalseg.feeding.store import CaseStore

DTYPES = (np.uint8, np.int16, np.uint16, np.float32)


def make_case(number, *, dtype=np.uint8, shape=(3, 5, 7)):
    random = np.random.default_rng(number)
    image = random.integers(0, 255, shape).astype(dtype) - dtype(number % 2)
    return image, random.integers(0, 3, shape[1:]).astype(np.uint8)


CASE_BYTES = 3 * 5 * 7 + 5 * 7


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("most_bytes", [0, 1000, 10**9])
def test_what_was_read_comes_back_in_its_own_number_type(tmp_path, dtype, most_bytes):
    cases = [make_case(number, dtype=dtype) for number in range(9)]
    with CaseStore.build(9, lambda number: cases[number], most_bytes=most_bytes, folder=tmp_path) as store:
        assert len(store) == 9
        assert store.sizes == [(5, 7)] * 9
        for number, (image, mask) in enumerate(cases):
            found = store[number]
            np.testing.assert_array_equal(found[0], image)
            np.testing.assert_array_equal(found[1], mask)
            assert (found[0].dtype, found[1].dtype) == (dtype, np.uint8)
        images, masks = store.gather(torch.tensor([4, 0, 4, 8]))
        assert images.dtype == torch.from_numpy(cases[0][0]).dtype
        np.testing.assert_array_equal(images.numpy(), np.stack([cases[number][0] for number in (4, 0, 4, 8)]))
        np.testing.assert_array_equal(masks.numpy(), np.stack([cases[number][1] for number in (4, 0, 4, 8)]))
        np.testing.assert_array_equal(images.float().numpy(), images.numpy().astype(np.float32))


def test_every_case_is_read_once_in_order(tmp_path):
    asked = []

    def read(number):
        asked.append(number)
        return make_case(number)

    with CaseStore.build(6, read, most_bytes=2 * CASE_BYTES, folder=tmp_path) as store:
        store.gather([5, 1])
        store.gather([5, 1])
    assert asked == list(range(6))


@pytest.mark.parametrize(("most_bytes", "in_memory"), [(0, 0), (CASE_BYTES - 1, 0), (2 * CASE_BYTES, 2), (6 * CASE_BYTES, 6)])
def test_memory_is_used_up_to_its_bound_and_the_rest_is_one_file(tmp_path, most_bytes, in_memory):
    folder = tmp_path / "not" / "yet"
    with CaseStore.build(6, make_case, most_bytes=most_bytes, folder=folder) as store:
        assert store.bytes_in_memory == in_memory * CASE_BYTES
        assert store.bytes_on_disk == (6 - in_memory) * CASE_BYTES
        files = list(folder.iterdir()) if folder.exists() else []
        assert files == ([] if in_memory == 6 else [store.path])
        assert all(isinstance(store[number][0].base, np.memmap) == (number >= in_memory) for number in range(6))
    assert not folder.exists() or not list(folder.iterdir())
    assert len(store) == 0


def test_a_case_that_still_fits_is_kept_in_memory_after_one_that_does_not(tmp_path):
    sizes = [(1, 4, 4), (1, 40, 40), (1, 4, 4)]
    cases = [make_case(number, shape=shape) for number, shape in enumerate(sizes)]
    with CaseStore.build(3, lambda number: cases[number], most_bytes=100, folder=tmp_path) as store:
        assert store.bytes_in_memory == 64
        assert store.sizes == [(4, 4), (40, 40), (4, 4)]


def test_nobody_can_write_to_the_store_and_the_store_does_not_hold_on_to_what_was_read(tmp_path):
    image, mask = make_case(0)
    for most_bytes in (0, 10**6):
        with CaseStore.build(1, lambda _: (image, mask), most_bytes=most_bytes, folder=tmp_path) as store:
            for array in store[0]:
                assert not np.shares_memory(array, image)
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0
            gathered = store.gather([0])[0]
            gathered.zero_()
            np.testing.assert_array_equal(store[0][0], image)


def test_arrays_that_do_not_lie_in_one_piece_are_stored_as_they_look(tmp_path):
    image, mask = np.arange(60, dtype=np.int16).reshape(4, 5, 3).transpose(2, 0, 1), np.ones((5, 4), np.uint8).T
    for most_bytes in (0, 10**6):
        with CaseStore.build(1, lambda _: (image, mask), most_bytes=most_bytes, folder=tmp_path) as store:
            np.testing.assert_array_equal(store[0][0], image)


def test_a_batch_of_different_sizes_is_refused(tmp_path):
    with CaseStore.build(
        2, lambda number: make_case(number, shape=(1, 4, 4 + number)), most_bytes=10**6, folder=tmp_path
    ) as store:
        with pytest.raises(ShapeError) as raised:
            store.gather([0, 1])
        assert str(raised.value) == (
            "The cases are [(1, 4, 4), (1, 4, 5)]; expected one size to make a batch of. Cut patches out of them."
        )


def test_an_empty_store_holds_nothing(tmp_path):
    with CaseStore.build(0, make_case, most_bytes=100, folder=tmp_path) as store:
        assert len(store) == store.bytes_in_memory == store.bytes_on_disk == 0


def test_a_case_that_cannot_be_read_leaves_no_file(tmp_path):
    def read(number):
        if number == 3:
            raise DataError("case_3 is broken.")
        return make_case(number)

    with pytest.raises(DataError, match=r"^case_3 is broken\.$"):
        CaseStore.build(5, read, most_bytes=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_with_the_path_and_the_bytes_and_leaves_no_file(tmp_path, monkeypatch):
    """The third case finds no room: ten cases of the size of those before it are then to be expected, one of them in memory."""
    really_open = store.open_to_append
    opened = []

    def run_full(path):
        opened.append(path)
        if len(opened) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really_open(path)

    monkeypatch.setattr(store, "open_to_append", run_full)
    with pytest.raises(MachineError) as raised:
        CaseStore.build(10, make_case, most_bytes=CASE_BYTES, folder=tmp_path)
    assert str(raised.value) == (
        f"{opened[0]} cannot be written (No space left on device); the cases that do not fit into memory take about "
        f"{9 * CASE_BYTES} bytes. Free that much, or allow more memory (data.cache_mib), then run again."
    )
    assert opened[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError) as raised:
        CaseStore.build(2, make_case, most_bytes=0, folder=tmp_path / "file" / "cache")
    assert str(raised.value) == (
        f"{tmp_path}/file/cache cannot be written (Not a directory); the cases that do not fit into memory take about "
        f"{2 * CASE_BYTES} bytes. Check the path and who may write there, or allow more memory (data.cache_mib), then run "
        "again."
    )


def test_a_store_that_is_forgotten_removes_its_file(tmp_path):
    store = CaseStore.build(2, make_case, most_bytes=0, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    del store
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_program_that_ends_without_closing_leaves_no_file(tmp_path):
    program = (
        "import sys, pathlib, numpy\nfrom focalseg.feeding.store import CaseStore\n"
        "one = numpy.ones((1, 4, 4), 'uint8')\n"
        "store = CaseStore.build(2, lambda n: (one, one[0]), most_bytes=0, folder=pathlib.Path(sys.argv[1]))\n"
        "assert store.path.exists()\nraise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 3
    assert list(tmp_path.iterdir()) == []
