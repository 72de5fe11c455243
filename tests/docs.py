"""Python blocks of Markdown files: found, judged and run."""

import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "blocks", "run", "unexplained"]

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
_REASON = re.compile(r"# not run: .*\w")


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is the first line of its code."""

    line: int
    info: str
    code: str

    @property
    def runs(self) -> bool:
        """Whether it is Python that is to be run."""
        return self.info.split() == ["python"]


def blocks(text: str) -> list[Block]:
    """Every fenced block whose language is Python, in order, indented ones (in lists) included."""
    found: list[Block] = []
    lines = list(enumerate(text.splitlines(), 1))
    while lines:
        number, line = lines.pop(0)
        opening = _FENCE.match(line)
        if opening is None:
            continue
        indent, fence, info = opening[1], opening[2], opening[3].strip()
        code = []
        while lines:  # a block that is never closed ends with the file
            line = lines.pop(0)[1]
            closing = _FENCE.match(line)
            if closing and closing[2].startswith(fence) and not closing[3].strip():
                break
            code.append(line.removeprefix(indent) + "\n")
        if info.lower().startswith("py"):
            found.append(Block(number + 1, info, "".join(code)))
    return found


def unexplained(path: Path) -> list[str]:
    """One line for each Python block that would be passed over without a reason."""
    faults = []
    for block in blocks(path.read_text("utf-8")):
        if block.runs:
            continue
        if block.info.split() != ["python", "no-run"]:
            faults.append(f"{path.name}:{block.line - 1} is marked {block.info!r}; use `python` or `python no-run`")
        elif _REASON.match(block.code) is None:
            faults.append(f"{path.name}:{block.line} is not run and does not say why; begin it with `# not run: …`")
    return faults


def run(path: Path) -> int:
    """Run the blocks of one file in order, in one namespace; how many there were. What they raise is raised."""
    name = "hopline_documentation"
    module = types.ModuleType(name)
    sys.modules[name] = module  # dataclasses and others look themselves up there
    try:
        count = 0
        for block in blocks(path.read_text("utf-8")):
            if block.runs:
                # Empty lines in front, so that a traceback gives the line in the file.
                code = compile("\n" * (block.line - 1) + block.code, str(path), "exec", dont_inherit=True)
                exec(code, module.__dict__)  # noqa: S102 - running the documentation is the test
                count += 1
        return count
    finally:
        del sys.modules[name]
