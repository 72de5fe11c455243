"""`hopline serve`: settings from flags, environment and file, handed to the server."""

import os

import typer

from hopline.cli import serve_options as options
from hopline.cli.options import ConfigOption, DataDirOption

__all__ = ["serve"]


def serve(
    host: options.Host = None,
    port: options.Port = None,
    data_dir: DataDirOption = None,
    base_url: options.BaseUrl = None,
    workers: options.Workers = None,
    config: ConfigOption = None,
    geoip_db: options.GeoipDb = None,
    log_level: options.LogLevel = None,
    redirect_status: options.RedirectStatus = None,
    allow_credentials: options.AllowCredentials = None,
    avoid_lookalikes: options.AvoidLookalikes = None,
    avoid_rude: options.AvoidRude = None,
    max_url_length: options.MaxUrlLength = None,
    code_cache_size: options.CodeCacheSize = None,
    cache_ttl: options.CacheTtl = None,
    shutdown_timeout: options.ShutdownTimeout = None,
    journal_segment_bytes: options.JournalSegmentBytes = None,
) -> None:
    """Run the link shortener: redirects, API, dashboard.

    Every option is also a variable (--data-dir is HOPLINE_DATA_DIR) and a line of the configuration file
    (data_dir = "…"); the option goes before the variable, the variable before the file. Without any, the
    server listens on 127.0.0.1:8080 and keeps its data in the user's data folder, which it prints.
    HOPLINE_ADMIN_KEY sets the first API key of a new data folder; without it, one is made and printed.
    """
    # Each parameter is the setting of its name, which a test makes sure of.
    flags: dict[str, object] = {name: value for name, value in locals().items() if name != "config"}
    from hopline.shortener.main import run
    from hopline.shortener.settings import Settings

    raise typer.Exit(run(Settings.load(flags, os.environ, config)))
