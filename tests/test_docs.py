"""What the documentation shows, works: every Python block of README and docs runs."""

import traceback
from pathlib import Path

import pytest

from tests import docs

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
SILENT = "page.md:2 is not run and does not say why; begin it with `# not run: …`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert docs.unexplained(page) == []
    docs.run(page)


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_blocks_run_in_order_in_one_namespace(tmp_path: Path) -> None:
    page = write(
        tmp_path,
        "```python\nfrom dataclasses import dataclass\n\n@dataclass\nclass X:\n    y: 'int' = 1\n```\n"
        "- in a list:\n\n  ```python\n  assert X().y == 1\n  ```\n"
        "````python\nfence = '''\n```\n'''\n````\n"
        "```bash\nnot python\n```\n",
    )

    assert docs.unexplained(page) == []
    assert docs.run(page) == 3


def test_a_block_that_fails_fails_with_its_line_in_the_file(tmp_path: Path) -> None:
    page = write(tmp_path, "# Title\n\n```python\nx = 1\nassert x == 2\n```\n")

    with pytest.raises(AssertionError) as failure:
        docs.run(page)

    last = traceback.extract_tb(failure.tb)[-1]
    assert (last.filename, last.lineno) == (str(page), 5)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("```python no-run\nx = 1\n```\n", ["page.md:2 is not run and does not say why; begin it with `# not run: …`"]),
        (
            "```python no-run\n# not run:\n```\n",
            ["page.md:2 is not run and does not say why; begin it with `# not run: …`"],
        ),
        ("```python no-run\n# not run: it needs a server in another town\n```\n", []),
        ("```py\nx = 1\n```\n", ["page.md:1 is marked 'py'; use `python` or `python no-run`"]),
        ("```pycon\n>>> 1\n", ["page.md:1 is marked 'pycon'; use `python` or `python no-run`"]),
        ("```Python skip\nx = 1\n```\n", ["page.md:1 is marked 'Python skip'; use `python` or `python no-run`"]),
    ],
)
def test_a_block_is_passed_over_only_for_a_reason(block: str, says: list[str], tmp_path: Path) -> None:
    page = write(tmp_path, block)

    assert docs.unexplained(page) == says
    assert docs.run(page) == 0
