import os
from pathlib import Path

import pytest

from hopline.shortener.clicks.filesystems import preallocates


def mounts(path: Path, *kinds: str, device: int | None = None) -> Path:
    number = path.stat().st_dev if device is None else device
    lines = [
        f"{index} 1 {os.major(number)}:{os.minor(number)} / /mnt/{index} rw,relatime shared:1 - {kind} /dev/x rw"
        for index, kind in enumerate(kinds)
    ]
    file = path / "mountinfo"
    file.write_text("24 1 0:22 / /proc rw - proc proc rw\n" + "".join(line + "\n" for line in lines))
    return file


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs"])
def test_file_systems_that_overwrite_in_place_are_mapped(tmp_path: Path, kind: str) -> None:
    assert preallocates(tmp_path, mounts(tmp_path, kind, kind))


@pytest.mark.parametrize("kind", ["btrfs", "zfs", "overlay", "nfs4", "f2fs", "fuse.sshfs", "9p", "unheard-of"])
def test_all_others_are_written(tmp_path: Path, kind: str) -> None:
    assert not preallocates(tmp_path, mounts(tmp_path, kind))


def test_a_device_on_no_line_is_written(tmp_path: Path) -> None:
    # So it looks on btrfs, whose files carry a device number that mountinfo doesn't list.
    assert not preallocates(tmp_path, mounts(tmp_path, "ext4", device=os.makedev(0, 9999)))


def test_without_a_list_of_mounts_it_is_written(tmp_path: Path) -> None:
    assert not preallocates(tmp_path, tmp_path / "absent")
