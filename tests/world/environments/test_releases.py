"""The releases of a distribution, from an index whose content is known, and from the real one."""

from __future__ import annotations

from datetime import date

import pytest
from packaging.version import Version

from repro.errors import UntestableError
from repro.world.environments.releases import Release, releases

DAY = date(2024, 3, 15)


@pytest.fixture
def index(package_index):
    package_index.add("demo", "1.10", released=date(2023, 1, 2), requires_python=">=3.8")
    package_index.add("demo", "1.9", released=date(2022, 1, 2), requires_python="<3.11")
    package_index.add("demo", "1.11", released=DAY, yanked="broken")
    package_index.add("demo", "2.0rc1", released=date(2024, 5, 1))
    package_index.add("demo", "2.0", released=date(2024, 6, 1), requires_python=">=3.5.*")
    return package_index


def names(**options: object) -> list[str]:
    return [str(release) for release in releases("demo", **options)]  # type: ignore[arg-type]  # its own options


@pytest.mark.usefixtures("index")
def test_releases_come_the_oldest_first_without_what_nobody_gets() -> None:
    assert names() == ["1.9", "1.10", "2.0"]
    assert names(include_prereleases=True) == ["1.9", "1.10", "2.0rc1", "2.0"]
    assert names(include_yanked=True) == ["1.9", "1.10", "1.11", "2.0"]


@pytest.mark.usefixtures("index")
def test_only_those_that_an_interpreter_takes_and_one_that_says_nonsense() -> None:
    assert names(python="3.11") == ["1.10", "2.0"]
    assert names(python="3.11.7") == ["1.10", "2.0"]
    assert names(python="3.7") == ["1.9", "2.0"]


@pytest.mark.usefixtures("index")
def test_a_release_says_when_it_came() -> None:
    first, *_, last = releases("demo", include_yanked=True)
    assert first == Release(Version("1.9"), date(2022, 1, 2), requires_python="<3.11")
    assert [one.is_yanked for one in releases("demo", include_yanked=True)] == [False, False, True, False]
    assert last.released == date(2024, 6, 1)


def test_a_release_of_several_files_is_out_since_the_first_and_withdrawn_with_the_last(package_index) -> None:
    package_index.add("demo", "1.0", released=date(2024, 2, 2), yanked=True)
    package_index.add("demo", "1.0", released=date(2024, 1, 1))
    (release,) = releases("demo")
    assert release.released == date(2024, 1, 1)


def test_an_index_beside_the_default_one_is_asked_first(package_index, monkeypatch: pytest.MonkeyPatch) -> None:
    package_index.add("demo", "1.0")
    monkeypatch.setenv("UV_INDEX", f"ours={package_index.url}")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/nothing-is-here")
    assert names() == ["1.0"]


@pytest.mark.usefixtures("index")
def test_an_unknown_name_says_so() -> None:
    with pytest.raises(UntestableError, match="the package index does not have 'nothing'; check its name"):
        releases("nothing")


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_the_index_is_that_of_the_users_installer(variable: str, index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv(variable, index.url)
    assert names()[-1] == "2.0"


def test_the_index_may_have_a_name(index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"mine={index.url}")
    assert names()[-1] == "2.0"


def test_an_index_that_is_not_there_is_one_sentence_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://user:secret@127.0.0.1:9/simple")
    with pytest.raises(UntestableError, match=r"the package index cannot be asked for demo: \w+; check") as caught:
        releases("demo")
    assert "secret" not in str(caught.value)


@pytest.mark.registry
def test_real_releases_are_those_of_their_days() -> None:
    found = {str(release): release for release in releases("locust")}
    assert found["2.24.0"].released == date(2024, 2, 29)
    assert list(found).index("2.9.0") < list(found).index("2.24.0")
    assert "2.24.0" in {str(release) for release in releases("locust", python="3.11")}
    assert "2.24.0" not in {str(release) for release in releases("locust", python="3.7")}
