"""What `make release` looks at can fail."""

import shutil
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.readme import ROOT
from tests.release import IN_THE_WHEEL, ReleaseError, build, check, missing, run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist of this source."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def without(wheel: Path, name: str, folder: Path) -> Path:
    """A wheel that lacks one file."""
    poorer = folder / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(poorer, "w") as archive:
        for each in whole.namelist():
            if each != name:
                archive.writestr(each, whole.read(each))
    return poorer


def test_what_is_built_here_may_go_out(built: tuple[Path, Path]) -> None:
    check(*built)


@pytest.mark.parametrize("name", IN_THE_WHEEL)
def test_a_wheel_without_what_it_needs_may_not(built: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    wheel, sdist = built
    assert [*missing(without(wheel, name, tmp_path), sdist)] == [f"the wheel lacks {name}"]


def test_a_wheel_with_other_files_than_its_sdist_or_somebody_elses_may_not(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, sdist = built
    richer = Path(shutil.copy(wheel, tmp_path))
    with zipfile.ZipFile(richer, "a") as archive:
        archive.writestr("tests/__init__.py", "")
    with pytest.raises(ReleaseError, match="none of its own\na wheel made of the sdist has other files"):
        check(richer, sdist)


def test_a_wheel_in_which_something_was_compiled_may_not(built: tuple[Path, Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=ROOT, GATEPOST_PURE="")
    (compiled,) = tmp_path.glob("*.whl")
    assert [*missing(compiled, built[1])] == [f"{compiled.name} is not for every Python and system"]
    assert f"-cp{sys.version_info[0]}{sys.version_info[1]}-" in compiled.name
    with zipfile.ZipFile(compiled) as one, zipfile.ZipFile(built[0]) as other:
        more = {*one.namelist()} - {*other.namelist()}
    assert more == {f"gatepost/compiled/_hit{sysconfig.get_config_var('EXT_SUFFIX')}"}
