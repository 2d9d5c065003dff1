"""An ARM64 Python without an ARM64 machine: Debian's packages unpacked into a folder, run by qemu's user mode.

Nothing is installed: no root, no chroot, no binfmt. It needs apt-get, dpkg-deb and Debian's archive keyring.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
"""Debian 13: its qemu 10 runs today's ONNX Runtime, where the qemu 7.2 of Debian 12 dies on 1.28 and later."""

PYTHON = "3.13"
"""The Python of that suite."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_MANYLINUX = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


class EmulatorError(Exception):
    """The emulator cannot be set up here; the message is one line."""


@dataclass(frozen=True)
class Emulator:
    """qemu and an ARM64 Python below `root`."""

    root: Path

    @classmethod
    def prepare(cls, folder: Path) -> "Emulator":
        """Download and unpack what is not in the folder yet: about 60 MB.

        Raises:
            EmulatorError: if this machine lacks what that takes, or a download fails.
        """
        for tool in ("apt-get", "dpkg-deb"):
            if not shutil.which(tool):
                raise EmulatorError(f"expected {tool}, found none: this needs Debian, or an ARM64 machine")
        if not _KEYRING.exists():
            raise EmulatorError(f"expected {_KEYRING}, found none; run: apt-get install debian-archive-keyring")
        emulator = cls(folder / "root")
        if not emulator.root.exists():
            unpacked = folder / "unpacking"
            shutil.rmtree(unpacked, ignore_errors=True)
            packages = _download(folder / "amd64", "amd64", "qemu-user")
            packages += _download(folder / "arm64", "arm64", f"python{PYTHON}", "libstdc++6")
            for package in packages:
                _run(["dpkg-deb", "--extract", str(package), str(unpacked)])
            (unpacked / "lib").symlink_to("usr/lib")  # where programs name their loader
            unpacked.rename(emulator.root)
        return emulator

    def install(self, target: Path, *requirements: str) -> None:
        """Install ARM64 wheels and what they need into a folder, if it is not there yet.

        Raises:
            EmulatorError: if that fails.
        """
        if target.exists():
            return
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        platforms = [f"--platform={name}" for name in _MANYLINUX]
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        where = [f"--target={partial}", "--only-binary=:all:", f"--python-version={PYTHON}", *platforms]
        _run([*pip, *where, *requirements])
        partial.rename(target)

    def copy_runtime(self, runtime: Path) -> Path:
        """Return a copy of this project's runtime as it is now, which later changes leave alone."""
        target = self.root.with_name("runtime")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(runtime / "sketch_infer", target / "sketch_infer", ignore=shutil.ignore_patterns("*.onnx"))
        return target

    def python(self, processor: str, paths: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python on an ARM64 processor.

        Args:
            processor: as qemu calls it, such as "cortex-a72".
            paths: where it finds packages.
            arguments: of Python.
        """
        environment = {
            "PYTHONHOME": self.root / "usr",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        settings = [word for name, value in environment.items() for word in ("-E", f"{name}={value}")]
        qemu = [str(self.root / "usr/bin/qemu-aarch64"), "-cpu", processor, "-L", str(self.root), *settings]
        command = [*qemu, str(self.root / f"usr/bin/python{PYTHON}"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    @property
    def version(self) -> str:
        """Return qemu's version."""
        return _run([str(self.root / "usr/bin/qemu-aarch64"), "--version"]).split()[2]


def _mirror() -> str:
    """Return where this machine gets Debian's packages from.

    Raises:
        EmulatorError: if it gets none, or has not asked for their list yet.
    """
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(REPO_URI)", "Created-By: Packages"]
    for line in _run(command).splitlines():
        match line.split():
            case "Debian", suite, uri if not suite.endswith(("-security", "-updates", "-backports")):
                return uri
    raise EmulatorError("expected a Debian mirror among apt-get's sources, found none; run: apt-get update")


def _download(state: Path, architecture: str, *packages: str) -> list[Path]:
    """Download packages and all that they depend on, for an architecture, with apt's own check of signatures."""
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()  # of a machine with nothing installed
    source = f"deb [signed-by={_KEYRING}] {_mirror()} {SUITE} main\n"
    (state / "sources.list").write_text(source, encoding="utf-8")
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "1",
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::State::Lists": state / "lists",
        "Dir::Cache": state,
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
    }
    apt = ["apt-get", "--quiet=2", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    _run([*apt, "update"])
    _run([*apt, "--yes", "--download-only", "install", *packages])
    return sorted((state / "archives").glob("*.deb"))


def _run(command: list[str]) -> str:
    """Return what a command prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
        raise EmulatorError(f"{Path(command[0]).name} fails: {said}")
    return result.stdout
