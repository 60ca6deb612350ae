"""The container image and the service: every path and command in them exists, and their packages are locked."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.cli_running import run

ROOT = Path(__file__).parent.parent
DOCKERFILE, UNIT = ROOT / "Dockerfile", ROOT / "deploy" / "impasto.service"
LOCKED = sorted((ROOT / "deploy").glob("requirements*.txt"))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield importlib.import_module("make_requirements")
    sys.modules.pop("make_requirements", None)


def _program(name: str) -> str:
    """A program beside this Python or on the path."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _pins(paths: list[Path], tool: ModuleType) -> dict[str, str]:
    return dict(entry.split()[0].split("==") for path in paths for entry in tool.entries(path.read_text()))


# --- Locked packages


def test_every_locked_package_has_its_hashes(tool: ModuleType) -> None:
    assert [path.name for path in LOCKED] == ["requirements-build.txt", "requirements-torch.txt", "requirements.txt"]
    for path in LOCKED:
        entries = tool.entries(path.read_text())
        assert entries
        for entry in entries:
            assert re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( \\\n +--hash=sha256:[0-9a-f]{64})+", entry), entry


def test_locked_versions_are_those_of_the_constraints(tool: ModuleType) -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    constraints: dict[str, str] = {
        canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line
    }
    differing = {
        name: (version, known)
        for path in LOCKED
        for name, version in _pins([path], tool).items()
        if (known := constraints.get(canonicalize_name(name), version)) != version
    }
    assert not differing, "run python tools/make_requirements.py"


def test_what_the_package_needs_is_locked(tool: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"]]
    for extra in tool.EXTRAS:
        wanted += project["project"]["optional-dependencies"][extra]
    for needed, pins in (
        (wanted, _pins([tool.STUDIO, tool.TORCH], tool)),
        (project["build-system"]["requires"], _pins([tool.BUILD], tool)),
    ):
        for requirement in map(Requirement, needed):
            version = pins.get(canonicalize_name(requirement.name))
            assert version is not None and requirement.specifier.contains(version), requirement
    # A build of torch without CUDA takes the place of one whole file.
    assert "torch" in _pins([tool.TORCH], tool) and not [
        name for name in _pins([tool.STUDIO], tool) if name.startswith(("nvidia", "cuda", "triton", "torch"))
    ]


# --- The image


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(name, " ".join(rest.split())) for name, rest in pairs]


def test_the_image_takes_files_that_exist() -> None:
    copied = [shlex.split(rest) for name, rest in _instructions() if name == "COPY"]
    sources = [source for words in copied if not words[0].startswith("--from") for source in words[:-1]]
    assert {"src", "pyproject.toml", "deploy/requirements.txt"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
    # What the build backend reads beside the sources.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= set(sources)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {source.partition("/")[0] for source in sources} & set(ignored)
    commands = [rest for name, rest in _instructions() if name == "RUN"]
    for file in re.findall(r"-r (deploy/\S+)", " ".join(commands)):
        assert file.rstrip(";") in sources


def test_the_image_installs_only_what_has_the_expected_hash() -> None:
    instructions = _instructions()
    for command in (part for name, rest in instructions if name == "RUN" for part in re.split(r"&&|;", rest)):
        if re.search(r"pip (install|wheel)", command):
            assert "--no-deps" in command, command
            assert "--require-hashes" in command or "--no-index" in command, command
    assert "extra-index-url" not in DOCKERFILE.read_text()


def test_the_image_runs_an_ordinary_user_and_a_command_that_exists() -> None:
    instructions = _instructions()
    assert [rest for name, rest in instructions if name == "USER"] == ["10001"]
    # A base that is named by its digest is used for both stages.
    assert ("ARG", "BASE=python:3.13-slim") in instructions
    assert [rest.split()[0] for name, rest in instructions if name == "FROM"] == ["${BASE}", "${BASE}"]
    (command,) = [json.loads(rest) for name, rest in instructions if name == "CMD"]
    _check_command(command, "/opt/impasto/bin/impasto")
    (check,) = [rest for name, rest in instructions if name == "HEALTHCHECK"]
    program, option, code = json.loads(check.partition("CMD ")[2])
    assert (program, option) == ("/opt/impasto/bin/python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    port = next(rest for name, rest in instructions if name == "EXPOSE")
    from impasto.web import config

    assert port == str(config.DEFAULT_PORT) and f":{port}/api/health" in code
    assert command[command.index("--data") + 1] == next(rest for name, rest in instructions if name == "VOLUME")


def _check_command(words: list[str], program: str) -> None:
    """A command line of the package's own program, every option of which it knows."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert words[0] == program and Path(program).name in scripts
    usage = run(words[1], "--help").out
    assert [word for word in words[2:] if word.startswith("--") and word not in usage] == []


def test_the_image_has_no_fault_that_a_linter_knows() -> None:
    done = subprocess.run([_program("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


# --- The service


def _settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_service_runs_a_command_that_exists_in_its_own_folder() -> None:
    settings = _settings()
    (command,) = settings["ExecStart"]
    _check_command(shlex.split(command), "/opt/impasto/bin/impasto")
    words = shlex.split(command)
    assert words[words.index("--data") + 1] == f"/var/lib/{settings['StateDirectory'][0]}"
    # It must have the time that stopping may take.
    assert int(settings["TimeoutStopSec"][0]) > 20


def test_the_service_is_confined() -> None:
    settings = _settings()
    for name, value in {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectProc": "invisible",
        "PrivateUsers": "yes",
        "IPAddressDeny": "any",
        "IPAddressAllow": "localhost",
        "CapabilityBoundingSet": "",
        "UMask": "0077",
        "OOMPolicy": "continue",
    }.items():
        assert settings[name] == [value], name
    assert settings["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert {"MemoryMax", "TasksMax"} <= set(settings)


def test_systemd_finds_no_fault_in_the_service(tmp_path: Path) -> None:
    analyze = _program("systemd-analyze")
    # The program is where the instructions in the file put it; here it is another one.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/impasto/bin/impasto", sys.executable))
    checked = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60)
    ours = [line for line in checked.stderr.splitlines() if UNIT.name in line]
    assert ours == []
    rated = subprocess.run(
        [analyze, "security", "--offline=yes", "--threshold=15", str(unit)], capture_output=True, text=True, timeout=60
    )
    if "unrecognized option" in rated.stderr or "unknown option" in rated.stderr.lower():
        pytest.skip("this systemd does not rate files")
    assert rated.returncode == 0, rated.stdout + rated.stderr
