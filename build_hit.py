"""Compiles the memory hit (src/gatepost/compiled), where that can be done: a wheel without it does the same, in Python.

    pip install, hatchling build ──> Hook ──┐
    make demo, make test ──> this program ──┴> setuptools ──> gatepost/compiled/_hit.*.so, beside its source

`GATEPOST_PURE=1` leaves it out.
"""

import os
import runpy
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

ROOT = Path(__file__).parent
SOURCE = Path("src", "gatepost", "compiled")
mark_of = runpy.run_path(str(ROOT / SOURCE / "sources.py"))["mark_of"]
NAME = "gatepost.compiled._hit"


class NotBuiltError(Exception):
    """It cannot be compiled here. The message says why."""


def build(source: Path, target: Path, options: Sequence[str] = ()) -> Path:
    """Compile the folder `source` into a module in the folder `target`, for the Python that runs this; answers its
    file. `options`: for the compiler, beside those that Python itself was built with. Raises `NotBuiltError`."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise NotBuiltError("it needs the interpreter's lock, which a free-threaded Python has not")
    module = Extension(
        NAME.rpartition(".")[2],
        sorted(map(str, source.glob("*.c"))),
        depends=[str(source / "hit.h")],
        define_macros=[("GATEPOST_SOURCES", f'"{mark_of(source)}"')],
        extra_compile_args=[*options],
        extra_link_args=[option for option in options if option.startswith("-fsanitize")],
    )
    command = build_ext(Distribution({"name": "gatepost", "ext_modules": [module]}))
    with tempfile.TemporaryDirectory(prefix="gatepost-build-") as folder:
        command.build_lib = command.build_temp = folder
        try:
            command.ensure_finalized()
            command.run()
        except (BaseError, CCompilerError, OSError) as failure:
            raise NotBuiltError(str(failure)) from None
        built = Path(command.get_ext_fullpath(module.name))
        fresh = target / f"{built.name}.new"
        try:
            shutil.copy(built, fresh)
            return fresh.replace(target / built.name)  # whoever has loaded the old one keeps it
        except OSError as failure:
            raise NotBuiltError(f"its folder cannot be written to: {failure}") from None


def is_wanted() -> bool:
    """Whether `GATEPOST_PURE` does not rule it out."""
    return os.environ.get("GATEPOST_PURE", "").strip().lower() in {"", "0", "false", "no", "off"}


class Hook(BuildHookInterface[Any]):
    """What hatchling runs before it packs a wheel, or an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the wheel be for this Python on this system; leave the wheel as it is where that fails."""
        if not is_wanted():
            return
        try:
            built = build(Path(self.root, SOURCE), Path(self.root, SOURCE))
        except NotBuiltError as failure:
            self.app.display_warning(
                f"gatepost will run memory hits in Python, since they could not be compiled: {failure}"
            )
            return
        if version == "editable":  # it is found beside its source
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(built)] = f"gatepost/compiled/{built.name}"


def main() -> int:
    """Compile into the source, for an editable installation; never fails."""
    if is_wanted():
        try:
            build(ROOT / SOURCE, ROOT / SOURCE)
        except NotBuiltError as failure:
            sys.stderr.write(f"Memory hits run in Python here, since they could not be compiled: {failure}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
