"""The keyring file: who can read it, how it is replaced, and which files are refused."""

import os
import re
import stat
from pathlib import Path

import pytest

from bedesten.admin.keyring_file import read_keyring, write_keyring
from bedesten.gate.keyring import Keyring
from tests.gate.gate_fixture import seeded_randomness


@pytest.fixture(scope="module")
def keyring() -> Keyring:
    return Keyring.generate(seeded_randomness("keyring"))


@pytest.mark.requirement(212)
@pytest.mark.parametrize("umask", [0, 0o777])
def test_only_its_owner_can_read_a_keyring_file(keyring: Keyring, tmp_path: Path, umask: int) -> None:
    path = tmp_path / "secrets.json"
    before = os.umask(umask)
    try:
        write_keyring(keyring, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keyring(path).to_json() == keyring.to_json()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.requirement(212)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o601])
def test_a_file_that_others_can_reach_is_refused(keyring: Keyring, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets.json"
    write_keyring(keyring, path)
    path.chmod(mode)
    with pytest.raises(ValueError) as refused:
        read_keyring(path)
    assert str(refused.value) == f"{path} has mode {mode:04o}: others can reach it: chmod 600 {path}"


def test_a_file_is_overwritten_only_on_request(keyring: Keyring, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    write_keyring(keyring, path)
    other = keyring.rotate_signing(seeded_randomness("r"))
    with pytest.raises(FileExistsError):
        write_keyring(other, path)
    assert read_keyring(path).sign.ids == ("s1",)
    write_keyring(other, path, overwrite=True)
    assert read_keyring(path).sign.ids == ("s2", "s1")
    assert list(tmp_path.iterdir()) == [path]


def test_a_bad_file_is_named_and_not_shown(keyring: Keyring, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.touch(0o600)
    path.write_bytes(b'{"sign": "\xff secret"}')
    with pytest.raises(ValueError) as refused:
        read_keyring(path)
    assert str(refused.value) == f"{path}: keyring: not UTF-8"
    path.write_bytes(b" " * 70_000)
    with pytest.raises(ValueError, match=rf"^{path} is too large for a keyring$"):
        read_keyring(path)
    with pytest.raises(FileNotFoundError):
        read_keyring(tmp_path / "absent.json")


def test_only_regular_files_are_read() -> None:
    with pytest.raises(ValueError, match=r"^/dev/null is not a regular file$"):
        read_keyring(Path("/dev/null"))


def test_a_file_may_be_as_large_as_64_kib(keyring: Keyring, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    text = keyring.to_json().rstrip()
    path.touch(0o600)
    path.write_text(text.ljust(65_536))
    assert read_keyring(path).to_json() == keyring.to_json()
    path.write_text(text.ljust(65_537))
    with pytest.raises(ValueError, match=r" is too large for a keyring$"):
        read_keyring(path)


def test_a_hidden_draft_beside_the_file_is_written_and_file_and_folder_are_synced(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int]] = []
    synced: list[str] = []
    real_open, real_sync = os.open, os.fsync

    def opening(path: Path, flags: int, mode: int = 0o777) -> int:
        made.append((Path(path).name, mode))
        return real_open(path, flags, mode)

    def syncing(descriptor: int) -> None:
        at = os.readlink(f"/proc/self/fd/{descriptor}")
        synced.append("folder" if Path(at).is_dir() else Path(at).read_text())
        real_sync(descriptor)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fsync", syncing)
    before = len(os.listdir("/proc/self/fd"))
    write_keyring(keyring, tmp_path / "secrets.json")
    assert len(os.listdir("/proc/self/fd")) == before
    assert re.fullmatch(r"\.secrets\.json\.[0-9a-f]{16}", made[0][0])
    assert made[0][1] == 0o600
    assert synced == [keyring.to_json(), "folder"]
