"""What the commands raise when they can't go on: one line for a person, and an exit status."""

from typing import Final

from hopline.errors import HoplineError

__all__ = ["FAILED", "INTERRUPTED", "READER_GONE", "REFUSED", "USAGE", "CliError"]

FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3  # done, but some of the input was refused
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
READER_GONE: Final = 141  # 128 + SIGPIPE


class CliError(HoplineError):
    """An expected failure; its message is shown as it is, without a traceback."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
