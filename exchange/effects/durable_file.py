"""Files that are still there after the power went: what is written is on the disk, and so is its name in the folder."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names of the files in a folder as durable as their content. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: whoever opens `path`, at whatever instant, finds the old content or the new.

    Raises `OSError`; then the old content stands.
    """
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)
