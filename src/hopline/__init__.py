"""Hopline: a self-hosted link shortener, and the backend blocks it is built on.

Import a block, not this package: `from hopline.cache import Cache`. Each block stands alone.
"""

__version__ = "0.1.0"
