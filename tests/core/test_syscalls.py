"""System calls that keep the GIL return what Python's own return."""

import errno
import os
from pathlib import Path

import pytest

from bedesten.core import syscalls


def test_a_file_has_the_same_identity_as_in_python(tmp_path: Path) -> None:
    for name in ("plain", "with blank", "söhne-\u65e5", "x" * 200):
        (tmp_path / name).touch()
        found = os.stat(tmp_path / name)
        assert syscalls.identity(os.fsencode(tmp_path / name)) == (found.st_dev, found.st_ino)
    (tmp_path / "link").symlink_to("plain")
    assert syscalls.identity(os.fsencode(tmp_path / "link")) == syscalls.identity(os.fsencode(tmp_path / "plain"))
    assert syscalls.identity(os.fsencode(tmp_path)) != syscalls.identity(os.fsencode(tmp_path / "plain"))


@pytest.mark.parametrize(
    ("name", "number"), [("nothing", errno.ENOENT), ("file/below", errno.ENOTDIR), ("x" * 300, errno.ENAMETOOLONG)]
)
def test_a_missing_file_raises_the_same_error_as_in_python(tmp_path: Path, name: str, number: int) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r".") as raised:
        syscalls.identity(os.fsencode(tmp_path / name))
    assert raised.value.errno == number
    with pytest.raises(OSError, match=r".") as expected:
        os.stat(tmp_path / name)
    assert type(raised.value) is type(expected.value)


def test_bytes_are_read_as_in_python(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        for size, at in (
            (0, 0),
            (1, 0),
            (8, 8),
            (16, len(content) - 4),
            (4, len(content) + 9),
            (5_000, 17),
            (9_999, 0),
        ):
            assert syscalls.pread(file.fileno(), size, at) == os.pread(file.fileno(), size, at)
        number = file.fileno()
        with pytest.raises(OSError, match=r".") as raised:
            syscalls.pread(number, 1, -1)
        assert raised.value.errno == errno.EINVAL
    with pytest.raises(OSError, match=r".") as raised:
        syscalls.pread(number, 1, 0)
    assert raised.value.errno == errno.EBADF


def test_this_machine_supports_the_fast_system_calls() -> None:
    assert syscalls.identity.__name__ == "identity"
    assert syscalls.pread.__name__ == "pread"
