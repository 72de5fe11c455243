"""Which file systems keep the promise of preallocation.

A mapped journal relies on this: a block that was written once is overwritten in place, so a later write can't
fail for want of space. Copy-on-write and log-structured file systems (btrfs, zfs, bcachefs, f2fs, APFS) write
elsewhere each time; network and layered ones promise nothing. Hence a list of those that are known to be
good, and the slower written mode for everything else.
"""

import os
from pathlib import Path
from typing import Final

__all__ = ["preallocates"]

_IN_PLACE: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})
_MOUNTS: Final = Path("/proc/self/mountinfo")


def preallocates(directory: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether records in `directory` can be mapped: its file system is known to overwrite in place."""
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:  # macOS, or a /proc that is not there
        return False
    # "36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/root rw": proc_pid_mountinfo(5). btrfs and
    # the like give files a device number of their own, which is then on no line.
    kinds = {line.partition(" - ")[2].split(" ", 1)[0] for line in lines if line.split(" ", 3)[2:3] == [wanted]}
    return bool(kinds) and kinds <= _IN_PLACE
