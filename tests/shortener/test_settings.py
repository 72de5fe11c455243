"""Settings: where they come from, which one wins, and what is said about one that can't be used."""

import dataclasses
from pathlib import Path

import platformdirs
import pytest

from hopline.shortener.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _no_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default data folder is an empty one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "share" / name)


def refusal(flags: dict[str, object], environ: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load(flags, environ, file)
    return str(caught.value)


def test_nothing_given_is_a_server_for_this_machine(tmp_path: Path) -> None:
    settings = Settings.load({}, {})

    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)
    assert settings.data_dir == tmp_path / "share" / "hopline"
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.redirect_status == 302
    assert settings.avoid_rude
    assert settings.admin_key is None


def test_a_flag_goes_before_a_variable_and_a_variable_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "set.toml"
    file.write_text('port = 1\nhost = "10.0.0.1"\nworkers = 3\n')
    environ = {"HOPLINE_PORT": "2", "HOPLINE_HOST": "10.0.0.2"}

    settings = Settings.load({"port": 3, "host": None}, environ, file)

    assert (settings.port, settings.host, settings.workers) == (3, "10.0.0.2", 3)


def test_the_file_is_named_by_a_variable_or_lies_in_the_data_folder(tmp_path: Path) -> None:
    named, data = tmp_path / "named.toml", tmp_path / "data"
    data.mkdir()
    named.write_text(f"workers = 2\ndata_dir = {str(data)!r}\n")
    (data / "hopline.toml").write_text("workers = 4\n")

    assert Settings.load({}, {"HOPLINE_CONFIG": str(named)}).workers == 2
    assert Settings.load({}, {"HOPLINE_CONFIG": str(named)}).data_dir == data
    assert Settings.load({"data_dir": data}, {}).workers == 4


def test_the_file_in_the_data_folder_cannot_name_another_folder(tmp_path: Path) -> None:
    (tmp_path / "hopline.toml").write_text('data_dir = "/elsewhere"\n')

    assert "can't move the folder it is in; set HOPLINE_DATA_DIR" in refusal({"data_dir": tmp_path}, {})


def test_every_setting_is_read_from_a_variable_as_from_a_file(tmp_path: Path) -> None:
    geo = tmp_path / "geo.mmdb"
    geo.touch()
    written: dict[str, tuple[str, str, object]] = {
        "host": ("10.0.0.1", '"10.0.0.1"', "10.0.0.1"),
        "port": ("0", "0", 0),
        "workers": ("2", "2", 2),
        "data_dir": (str(tmp_path), f"{str(tmp_path)!r}", tmp_path),
        "base_url": ("https://sho.rt/", '"https://sho.rt/"', "https://sho.rt"),
        "admin_key": ("k" * 40, f'"{"k" * 40}"', "k" * 40),
        "geoip_db": (str(geo), f"{str(geo)!r}", geo),
        "redirect_status": ("307", "307", 307),
        "allow_credentials": ("yes", "true", True),
        "avoid_lookalikes": ("1", "true", True),
        "avoid_rude": ("off", "false", False),
        "code_cache_size": ("1_000", "1_000", 1000),
        "cache_ttl": ("0.5", "0.5", 0.5),
        "max_url_length": ("2048", "2048", 2048),
        "shutdown_timeout": ("3", "3", 3.0),
        "log_level": ("DEBUG", '"Debug"', "debug"),
        "journal_segment_bytes": ("65536", "65536", 65_536),
    }
    file = tmp_path / "all.toml"
    file.write_text("".join(f"{name} = {toml}\n" for name, (_, toml, _) in written.items()))
    environ = {f"HOPLINE_{name.upper()}": text for name, (text, _, _) in written.items()}

    assert written.keys() == {field.name for field in dataclasses.fields(Settings)}
    expected = Settings(**{name: value for name, (_, _, value) in written.items()})  # type: ignore[arg-type]
    assert Settings.load({}, environ) == expected
    assert Settings.load({}, {}, file) == expected


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"HOPLINE_PORT": "http"}, "HOPLINE_PORT: 'http' is no whole number from 0 to 65535"),
        ({"HOPLINE_PORT": "65536"}, "HOPLINE_PORT: 65536 is no whole number from 0 to 65535"),
        ({"HOPLINE_PORT": "8080.0"}, "no whole number"),
        ({"HOPLINE_PORT": "٣"}, "no whole number"),
        ({"HOPLINE_PORT": "9" * 5000}, "no whole number"),
        ({"HOPLINE_PORT": "tcp://10.0.0.1:8080"}, "give the pod enableServiceLinks: false"),
        ({"HOPLINE_WORKERS": "0"}, "HOPLINE_WORKERS: 0 is no whole number from 1 to 512"),
        ({"HOPLINE_CACHE_TTL": "nan"}, "no number from 0.001 to 86400"),
        ({"HOPLINE_CACHE_TTL": "-1"}, "no number from 0.001 to 86400"),
        ({"HOPLINE_AVOID_RUDE": "maybe"}, "'maybe' is neither yes nor no; write true or false"),
        ({"HOPLINE_REDIRECT_STATUS": "303"}, "choose one of 301, 302, 307, 308"),
        ({"HOPLINE_LOG_LEVEL": "loud"}, "choose one of debug, info, warning, error"),
        ({"HOPLINE_HOST": "localhost:80"}, "give the port with --port, or HOPLINE_PORT"),
        ({"HOPLINE_HOST": "http://x"}, "give the port with --port, or HOPLINE_PORT"),
        ({"HOPLINE_HOST": "a b"}, "neither an address nor a host name"),
        ({"HOPLINE_GEOIP_DB": "/no/such.mmdb"}, "there is no file '/no/such.mmdb'"),
        ({"HOPLINE_DATA_DIR": "/dev/null"}, "'/dev/null' is a file; name a folder"),
        ({"HOPLINE_DATA_DIR": "~nobody-at-all/x"}, "write the path out"),
        ({"HOPLINE_BASE_URL": "sho.rt"}, "write it like https://sho.rt"),
        ({"HOPLINE_BASE_URL": "ftp://sho.rt"}, "'ftp://sho.rt' is no web address"),
        ({"HOPLINE_BASE_URL": "https://"}, "is no web address"),
        ({"HOPLINE_BASE_URL": "https://sho.rt/links"}, "has more than scheme, host and port"),
        ({"HOPLINE_BASE_URL": "https://u@sho.rt"}, "has more than scheme, host and port"),
        ({"HOPLINE_BASE_URL": "https://sho.rt:99999"}, "is no web address (port out of range 0-65535"),
        ({"HOPLINE_BASE_URL": "https://sho rt"}, "is no web address"),
        ({"HOPLINE_BASE_URL": "https://[::1"}, "is no web address"),
        ({"HOPLINE_ADMIN_KEY": "k" * 31}, "a key of 31 characters; it must have 32 to 200"),
        ({"HOPLINE_ADMIN_KEY": "ключ" * 10}, "characters that no header can carry"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_source_and_way_out(environ: dict[str, str], says: str) -> None:
    said = refusal({}, environ)

    assert said.startswith(next(iter(environ)))
    assert says in said


def test_a_refused_admin_key_is_not_repeated() -> None:
    assert "secret" not in refusal({}, {"HOPLINE_ADMIN_KEY": "a secret"})
    assert "k" * 40 not in repr(Settings(admin_key="k" * 40))


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "says"),
    [
        ({}, {"HOPLINE_PROT": "1"}, "", "HOPLINE_PROT is no setting; did you mean HOPLINE_PORT?"),
        ({}, {"HOPLINE_CONFIGS": "x"}, "", "HOPLINE_CONFIGS is no setting; did you mean HOPLINE_CONFIG?"),
        ({}, {"HOPLINE_XYZZY": "1"}, "", "HOPLINE_XYZZY is no setting; see `hopline serve --help`"),
        ({"bse_url": "x"}, {}, "", "--bse-url is no setting; did you mean --base-url?"),
        ({}, {}, "workrs = 1", "workrs in '{file}' is no setting; did you mean workers?"),
        ({}, {}, "[server]\nport = 1", "server in '{file}' is no setting"),
        ({"data_dri": 1}, {}, "", "did you mean --data-dir?"),
    ],
)
def test_a_name_nobody_knows_is_refused_with_the_nearest_one(
    flags: dict[str, object], environ: dict[str, str], toml: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "{s}.toml"
    file.write_text(toml)

    assert says.replace("{file}", str(file)) in refusal(flags, environ, file)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("port = true", "port in '{file}': True is no whole number"),
        ("port = 80.5", "no whole number"),
        ("workers = [1]", "no whole number"),
        ("host = 5", "host in '{file}'"),
        ("data_dir = 5", "5 is no path"),
        ("cache_ttl = true", "no number"),
        ("redirect_status = true", "choose one of"),
        ("port = ", "is not valid TOML"),
        ("port = 1\nport = 2", "is not valid TOML"),
        ("\xff", "is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(toml: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "set.toml"
    file.write_bytes(toml.encode("latin-1"))

    assert says.replace("{file}", str(file)) in refusal({}, {}, file)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    said = refusal({}, {"HOPLINE_CONFIG": str(tmp_path / "gone.toml")})

    assert said.endswith("gone.toml' can't be read: No such file or directory; check --config")


def test_empty_and_foreign_variables_do_not_count() -> None:
    environ = {"HOPLINE_PORT": " ", "PORT": "1", "HOPLINE_SERVER": "https://sho.rt", "HOPLINE_API_KEY": "hop_x"}

    assert Settings.load({}, environ) == Settings()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"host": "0.0.0.0", "port": 9}, "http://localhost:9"),  # noqa: S104 - read, not bound
        ({"host": "[::]"}, "http://localhost:8080"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"host": "10.1.2.3", "port": 80}, "http://10.1.2.3"),
        ({"base_url": "HTTPS://Sho.RT:443/"}, "https://sho.rt"),
        ({"base_url": "http://sho.rt:8080"}, "http://sho.rt:8080"),
        ({"base_url": "https://kürz.de"}, "https://xn--krz-hoa.de"),
        ({"base_url": "http://[0:0::1]:80"}, "http://[::1]"),
    ],
)
def test_the_public_address_is_one_a_visitor_can_ask_for(given: dict[str, object], url: str) -> None:
    assert Settings.load(given, {}).public_url == url


def test_every_setting_says_in_a_line_what_it_is() -> None:
    for field in dataclasses.fields(Settings):
        line = Settings.help(field.name)
        assert line.endswith(".")
        assert len(line) < 80
