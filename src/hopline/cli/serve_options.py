"""The options of `hopline serve`, one a setting; None where an option isn't given."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowCredentials",
    "AvoidLookalikes",
    "AvoidRude",
    "BaseUrl",
    "CacheTtl",
    "CodeCacheSize",
    "GeoipDb",
    "Host",
    "JournalSegmentBytes",
    "LogLevel",
    "MaxUrlLength",
    "Port",
    "RedirectStatus",
    "ShutdownTimeout",
    "Workers",
]

Host = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[int | None, typer.Option("--port", metavar="N", help="0: any that is free.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="What short URLs begin with.")]
Workers = Annotated[int | None, typer.Option("--workers", metavar="N", help="Worker processes.")]
GeoipDb = Annotated[Path | None, typer.Option("--geoip-db", metavar="FILE", help="A MaxMind database.")]
LogLevel = Annotated[str | None, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")]
RedirectStatus = Annotated[
    int | None, typer.Option("--redirect-status", metavar="N", help="Redirect of links that choose none.")
]
AllowCredentials = Annotated[
    bool | None, typer.Option("--allow-credentials/--no-credentials", help="URLs with a password in them.")
]
AvoidLookalikes = Annotated[
    bool | None, typer.Option("--avoid-lookalikes/--allow-lookalikes", help="No 0O or 1lI in new codes.")
]
AvoidRude = Annotated[bool | None, typer.Option("--avoid-rude/--allow-rude", help="No rude words in new codes.")]
MaxUrlLength = Annotated[int | None, typer.Option("--max-url-length", metavar="N", help="Longest URL, in characters.")]
CodeCacheSize = Annotated[
    int | None, typer.Option("--code-cache-size", metavar="N", help="Links each worker keeps in memory.")
]
CacheTtl = Annotated[float | None, typer.Option("--cache-ttl", metavar="SECONDS", help="How long it keeps them.")]
ShutdownTimeout = Annotated[
    float | None, typer.Option("--shutdown-timeout", metavar="SECONDS", help="For requests to end.")
]
JournalSegmentBytes = Annotated[
    int | None, typer.Option("--journal-segment-bytes", metavar="N", help="Size of a click journal file.")
]
