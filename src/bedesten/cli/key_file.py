"""`bedesten keys create --from`: many API keys from a file, and their secrets, which are shown only once."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bedesten.admin import key_file
from bedesten.admin.key_file import Defaults, KeyOfFile
from bedesten.cli.command import CommandContext, CommandResult
from bedesten.cli.files import read_file
from bedesten.cli.output import Document, Output, printable
from bedesten.cli.progress import progress
from bedesten.http.schemas import encode
from bedesten.store.transaction import OutcomeUnknown

TITLES = ("id", "key", "surface", "owner")


def create_from(
    ctx: CommandContext, tenant: str, file: Path, defaults: Defaults, output: Path | None, *, create_owner: bool
) -> CommandResult:
    """Create the keys of the file, all or none. Their secrets go to `output`, a new file, or to standard output."""
    source, raw = read_file(file)
    rows = key_file.read(source, raw, defaults)
    entry = ctx.read_in(tenant, lambda _, entry: entry)
    opened = ctx.installation
    with (
        _new_file(output) as descriptor,
        progress("creating API keys", len(rows), as_json=ctx.as_json) as advance,
    ):

        def publish(made: Sequence[KeyOfFile]) -> None:
            if output is not None:
                _write(descriptor, _json(made) if output.suffix == ".json" else _csv(made))

        made = key_file.create_all(
            opened.store,
            opened.keyring,
            entry,
            source,
            rows,
            defaults,
            publish,
            create_owner=create_owner,
            advance=advance,
        )
        if not made:
            publish(made)
    counted = "1 API key" if len(made) == 1 else f"{len(made)} API keys"
    if output is not None:
        document: Document = {"created": len(made), "output": str(output)}
        return CommandResult(
            document, [f"{counted} created. Their secrets are in {printable(str(output))}, only there."]
        )
    lines: list[Output] = [*_csv(made).decode().splitlines()] if made else []
    remark = ["Store them now: they cannot be shown again."] if made else []
    return CommandResult({"created": len(made), "keys": _views(made)}, [*lines, f"{counted} created.", *remark])


@contextlib.contextmanager
def _new_file(path: Path | None) -> Iterator[int]:
    """Create a file that only its owner can read, and remove it if the block fails. Raises `OSError` if it exists.

    The file stays if the store was lost at COMMIT: the keys may be valid.
    """
    if path is None:
        yield -1
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    except OutcomeUnknown:
        raise
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    """Write the file; it is on the disk when this returns."""
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.fsync(descriptor)


def _views(made: Sequence[KeyOfFile]) -> list[Document]:
    return [dict(zip(TITLES, _cells(one), strict=True)) for one in made]


def _cells(one: KeyOfFile) -> tuple[str, ...]:
    assert one.created is not None, "the keys were made"
    return one.created.id, one.created.key.reveal(), one.surface.value, one.owner


def _json(made: Sequence[KeyOfFile]) -> bytes:
    return encode({"keys": _views(made)}) + b"\n"


def _csv(made: Sequence[KeyOfFile]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TITLES)
    writer.writerows(map(_cells, made))
    return text.getvalue().encode()
