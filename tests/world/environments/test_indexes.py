"""Where installers look, by variables and files as people have them; uv itself is asked whether it looks there too."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from repro.model import EnvironmentSpec
from repro.world.environments.cache import resolve
from repro.world.environments.indexes import Index, Settings, certificates, indexes, passed_on, user_settings
from repro.world.environments.releases import releases

OURS, THEIRS = "https://ours.example/simple", "https://theirs.example/simple"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without any settings; what is in it is all that counts."""
    (tmp_path / "home" / ".config" / "uv").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "pip").mkdir(parents=True)
    return tmp_path / "home"


def settings(home: Path, **environ: str) -> Settings:
    return user_settings({"HOME": str(home), **environ}, home)


def test_without_settings_it_is_the_public_index(home: Path) -> None:
    assert indexes({"HOME": str(home)}, home) == (Index(url=PYPI_SIMPLE_ENDPOINT),)


def test_uvs_variables_count_before_its_files_and_pips(home: Path) -> None:
    (home / ".config" / "uv" / "uv.toml").write_text(f'index-url = "{THEIRS}"\nfind-links = ["wheels"]\n')
    environ = {"UV_DEFAULT_INDEX": OURS, "PIP_INDEX_URL": THEIRS, "PIP_EXTRA_INDEX_URL": "https://more.example/simple"}
    found = settings(home, **environ)
    assert found.default == OURS
    assert found.more == ("https://more.example/simple",)
    assert found.links == (str(home / ".config" / "uv" / "wheels"),)
    assert settings(home, UV_NO_CONFIG="1") == Settings()


def test_a_projects_file_counts_before_the_users(home: Path) -> None:
    (home / ".config" / "uv" / "uv.toml").write_text(f'index-url = "{THEIRS}"\n')
    project = home / "project" / "inner"
    project.mkdir(parents=True)
    (project.parent / "pyproject.toml").write_text(
        f'[[tool.uv.index]]\nname = "ours"\nurl = "{OURS}"\ndefault = true\n'
        '[[tool.uv.index]]\nname = "only-asked-for"\nurl = "https://x.example/simple"\nexplicit = true\n'
        '[[tool.uv.index]]\nname = "files"\nurl = "https://files.example/"\nformat = "flat"\n'
    )
    found = user_settings({"HOME": str(home)}, project)
    assert found == Settings(default=f"ours={OURS}", links=("https://files.example/",))


def test_pips_file_counts_where_it_names_an_index_and_uv_has_none(home: Path) -> None:
    file = home / ".config" / "pip" / "pip.conf"
    file.write_text("[global]\nextra-index-url = https://more.example/simple\n")
    assert settings(home) == Settings()
    file.write_text(f"[global]\nindex-url = {OURS}\nextra-index-url =\n  https://a.example\n  https://b.example\n")
    assert settings(home) == Settings(default=OURS, more=("https://a.example", "https://b.example"))
    variables, arguments = passed_on({"HOME": str(home)}, home)
    assert variables == {"UV_DEFAULT_INDEX": OURS, "UV_INDEX": "https://a.example https://b.example"}
    assert arguments == []
    assert passed_on({"HOME": str(home), "UV_DEFAULT_INDEX": THEIRS, "UV_INDEX": THEIRS}, home) == ({}, [])


def test_credentials_of_a_named_index_and_certificates_are_the_users(home: Path) -> None:
    environ = {"UV_INDEX": f"in-house={OURS}", "UV_INDEX_IN_HOUSE_USERNAME": "me", "UV_INDEX_IN_HOUSE_PASSWORD": "p"}
    assert indexes({"HOME": str(home), **environ}, home)[0] == Index(url=OURS, auth=("me", "p"))
    assert certificates({"PIP_CERT": "/ca.pem"}) == "/ca.pem"
    assert passed_on({"HOME": str(home), "PIP_CERT": "/ca.pem"}, home)[0] == {"SSL_CERT_FILE": "/ca.pem"}


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
@pytest.mark.parametrize("form", ["path", "address"])
def test_a_folder_is_an_index_for_us_and_for_the_installer(
    variable: str, form: str, index_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "1.1"):
        index_folder.add("planted", version)
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv(variable, str(index_folder.root) if form == "path" else index_folder.root.as_uri())
    assert [str(one) for one in releases("Planted")] == ["1.0", "1.1"]
    assert resolve(EnvironmentSpec(pins={"planted": "1.0"})) == {"planted": "1.0"}


@pytest.mark.parametrize("variable", ["UV_FIND_LINKS", "PIP_FIND_LINKS"])
def test_files_in_a_folder_are_found_beside_the_index_or_alone(
    variable: str, index_folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_folder.add("planted", "1.0")
    index_folder.add("planted", "1.1")
    folder = tmp_path / "wheels"
    folder.mkdir()
    (index_folder.root / "planted" / "planted-1.1-py3-none-any.whl").rename(folder / "planted-1.1-py3-none-any.whl")
    index_folder.add("planted", "1.0")
    monkeypatch.setenv(variable, str(folder))
    assert [str(one) for one in releases("planted")] == ["1.0", "1.1"]
    assert resolve(EnvironmentSpec(pins={"planted": "1.1"})) == {"planted": "1.1"}
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert [str(one) for one in releases("planted")] == ["1.1"]
    assert resolve(EnvironmentSpec(pins={"planted": "1.1"})) == {"planted": "1.1"}


@pytest.fixture
def page_of_links(index_folder) -> Iterator[str]:
    """The address of a page whose links are files of packages."""
    index_folder.add("planted", "2.0")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, directory=str(index_folder.root / "planted"), **kwargs)  # type: ignore[arg-type]  # passed through

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_page_of_links_is_a_place_with_files(page_of_links: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_FIND_LINKS", page_of_links)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert [str(one) for one in releases("planted")] == ["2.0"]
    assert resolve(EnvironmentSpec(pins={"planted": "2.0"})) == {"planted": "2.0"}
