from pathlib import Path

import pytest

from hopline.clock import ManualClock
from tests.shortener.clicks.clicking import NOW, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, ManualClock(NOW))
