"""The one root of every error Hopline raises."""

__all__ = ["HoplineError"]


class HoplineError(Exception):
    """Anything Hopline raises on purpose; each block derives its own small tree from it."""
