"""Local references, and what every source does: caching, reading again, and showing nothing."""

import copy
import functools
import logging
import os
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest

from bedesten.server.settings import Settings
from bedesten_client import Secret
from bedesten_client._base import source_of
from bedesten_client.secrets import BadReference, SecretSource, SecretUnavailable, source
from bedesten_client.secrets._cached import MAX_ATTEMPTS, MIN_WAIT_S, CachedSource
from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._local import RawSecret, text_of
from bedesten_client.secrets._references import SCHEMES, Reference, parse
from bedesten_client.secrets._secret_text import SecretText

SECRET = "ak_live_0123456789abcdef0123456789abcdef"
NEXT = "ak_live_fedcba9876543210fedcba9876543210"


@pytest.mark.parametrize("text", [SECRET, "p:a:s:s", "two\nlines", " ", "C:\\x", "a//b", "://", "é", "env", "vault"])
def test_any_other_text_is_the_secret_itself(text: str) -> None:
    assert source(text).get() == text
    assert source(text).refresh(text) == text


def test_a_value_that_looks_like_a_reference_can_be_given_as_one() -> None:
    assert source("value:https://not.a/reference").get() == "https://not.a/reference"
    assert source("VALUE:env:X").get() == "env:X"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "value:",
        "https://example.com/secret",
        "azurekv://vault/secret",
        "env:",
        "env:A B",
        "env:1",
        "env://NAME",
        "file:",
        "file:relative/path",
        "file://host/path",
        "file:/a\0b",
        "azure-kv:vault/secret",
        "azure-kv://vault",
        "azure-kv://vault.evil.example/secret",
        "azure-kv://vault/secret/version/more",
        "azure-kv://v/secret",
        "azure-kv://vault/sec ret",
        "aws-sm://name",
        "aws-sm://evil.example/name",
        "aws-sm://eu-central-1/",
        "aws-sm://eu-central-1/name#",
        "aws-sm://eu-central-1/name#a#b",
        "aws-sm://eu-central-1/na me",
        "gcp-sm://project",
        "gcp-sm://project/secret/0",
        "gcp-sm://project/../secret",
        "gcp-sm://project/secret/1/2",
        "vault://host/secret/path",
        "vault://host/secret#field",
        "vault://host/secret/path#",
        "vault://host/secret/../sys/raw#field",
        "vault://host/secret//path#field",
        "vault://host/secret/path?version=1#field",
        "vault://host:0/secret/path#field",
        "vault://host:65536/secret/path#field",
        "vault://token@host/secret/path#field",
        "vault:///secret/path#field",
        "vault+http://vault.example/secret/path#field",
        "vault+http://127.0.0.1.evil.example/secret/path#field",
    ],
)
def test_an_invalid_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadReference) as caught:
        source(text)
    assert len(text) < 20 or text not in str(caught.value)
    assert not any(part in str(caught.value) for part in ("evil", "token", "relative", "sys", "azurekv"))


@pytest.mark.parametrize(
    "text",
    [
        "azure-kv://acme-kv/api-key/0123456789abcdef",
        "aws-sm://us-gov-west-1/shop/db_1+x=.@-z#pass word",
        "aws-sm://eu-central-1/arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf",
        "gcp-sm://example.com:acme-1/api_key/latest",
        "vault://vault.example/secret/a/b#field",
        "vault://[::1]:8200/team%2Fkv/a#field",
        "vault+http://localhost:8200/secret/a#field",
        "vault+http://[::1]/secret/a#field",
    ],
)
def test_references_are_shown_as_they_were_written(text: str) -> None:
    assert repr(source(text)) == f"<secret {text}>"


def test_a_source_is_passed_through_and_any_other_object_is_refused() -> None:
    made = source(SECRET)
    assert source(made) is made
    other: object = 7
    with pytest.raises(TypeError):
        source(other)  # type: ignore[arg-type]
    for bad in ({"ttl": 0.0}, {"ttl": float("nan")}, {"deadline": 0.0}, {"deadline": float("inf")}):
        with pytest.raises(ValueError):
            source(SECRET, **bad)  # type: ignore[arg-type]


# --- the environment and files ---


def test_a_variable_is_read_on_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_KEY", raising=False)
    secret = source("env:SHOP_KEY")
    with pytest.raises(SecretUnavailable, match=r"^env:SHOP_KEY: the variable is not set, or empty$"):
        secret.get()
    monkeypatch.setenv("SHOP_KEY", SECRET)
    assert secret.get() == SECRET
    monkeypatch.setenv("SHOP_KEY", NEXT)
    assert secret.get() == SECRET
    assert secret.refresh(SECRET) == NEXT


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_is_read_without_its_final_line_break(tmp_path: Path, end: str) -> None:
    file = _file(tmp_path, f"{SECRET}{end}".encode())
    assert source(f"file:{file}").get() == SECRET
    assert source(f"file://{file}").get() == SECRET


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_other_source_strips_a_final_line_break_too(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET + end)
    assert source("env:SHOP_KEY").get() == SECRET
    assert source(f"value:{SECRET}{end}").get() == SECRET
    assert source(SECRET + end).get() == SECRET
    assert source_of(Secret(SECRET + end)).get() == SECRET
    assert text_of(RawSecret(f"{SECRET}{end}".encode())).reveal() == SECRET, "what a manager gives"


def test_a_setting_of_the_server_is_read_without_its_final_line_break(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BEDESTEN_DATABASE", "postgresql://u@db.example/x\n")
    monkeypatch.setenv("BEDESTEN_DATABASE_PASSWORD", f"{SECRET}\r\n")
    found = Settings(data=tmp_path)
    assert (found.database, found.database_password) == ("postgresql://u@db.example/x", SECRET)


def test_only_one_line_break_is_stripped(tmp_path: Path) -> None:
    assert source(f"file:{_file(tmp_path, b' two words ' + bytes([10, 10]))}").get() == " two words \n"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602, 0o666, 0o601])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    file = _file(tmp_path, SECRET.encode(), mode)
    with pytest.raises(SecretUnavailable) as caught:
        source(f"file:{file}").get()
    assert str(caught.value) == f"file:{file}: mode {mode:04o} gives others access (chmod 600)"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_file_that_its_group_can_read_is_accepted(tmp_path: Path, mode: int) -> None:
    assert source(f"file:{_file(tmp_path, SECRET.encode(), mode)}").get() == SECRET


def test_files_without_a_usable_secret_are_refused_with_a_reason(tmp_path: Path) -> None:
    assert source(f"file:{_file(tmp_path, b'x' * 65_536)}").get() == "x" * 65_536
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    reasons = {
        _file(tmp_path, b"x" * 65_537): "is longer than 65536 bytes",
        _file(tmp_path, b""): "is empty",
        _file(tmp_path, b"\n"): "is empty",
        _file(tmp_path, b"\xff" + SECRET.encode()): "is not text in UTF-8",
        tmp_path / "none": "No such file or directory",
        tmp_path / "link": "No such file or directory",
        tmp_path / "pipe": "is not a regular file",
        tmp_path: "is not a regular file",
    }
    for file, reason in reasons.items():
        with pytest.raises(SecretUnavailable) as caught:
            source(f"file:{file}").get()
        assert str(caught.value) == f"file:{file}: {reason}"


def test_a_replaced_file_is_read_after_the_old_secret_was_refused(tmp_path: Path) -> None:
    file = _file(tmp_path, SECRET.encode())
    secret = source(f"file:{file}")
    assert secret.get() == SECRET
    _file(tmp_path, NEXT.encode()).replace(file)
    assert secret.get() == SECRET
    assert secret.refresh(SECRET) == NEXT
    assert secret.refresh(SECRET) == NEXT


# --- caching ---


class Keeper:
    """A fake manager: its next answers, and how often it was read."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def read(self, _seconds: float) -> SecretText:
        """Returns the next answer; repeats the last one."""
        self.asked += 1
        self.go_on.wait(120)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return SecretText(answer)


def _remembered(keeper: Keeper, ttl: float | None = None, deadline: float = 5.0) -> CachedSource:
    return CachedSource(Reference("a manager", keeper.read), ttl, deadline)


class Time:
    """The clock of the sources."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """A clock that stands still until a test moves it; waits between attempts take no time."""
    made = Time()
    monkeypatch.setattr("time.monotonic", made)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return made


def test_a_secret_is_read_once_and_again_only_when_the_cached_one_was_refused(time: Time) -> None:
    keeper = Keeper(SECRET, NEXT)
    secret = _remembered(keeper)
    assert [secret.get(), secret.get(), secret.refresh("older")] == [SECRET] * 3
    assert keeper.asked == 1
    assert [secret.refresh(SECRET), secret.get(), secret.refresh(SECRET)] == [NEXT] * 3
    assert keeper.asked == 2


def test_a_transient_failure_is_retried_after_waits_that_double(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    monkeypatch.setattr("bedesten_client.secrets._cached.MIN_WAIT_S", MIN_WAIT_S)
    keeper = Keeper(ReadFailure("busy", transient=True))
    assert _secret_or_problem(_remembered(keeper)) == "a manager: busy"
    assert keeper.asked == MAX_ATTEMPTS == 3
    assert waits == [MIN_WAIT_S, 2 * MIN_WAIT_S] == [0.2, 0.4]


def test_a_secret_that_stays_wrong_causes_no_storm_of_reads(time: Time) -> None:
    keeper = Keeper(SECRET)
    secret = _remembered(keeper)
    secret.get()
    assert [secret.refresh(SECRET) for _ in range(100)] == [SECRET] * 100
    assert keeper.asked == 2
    time.now += 2.0
    secret.refresh(SECRET)
    assert keeper.asked == 3


def test_a_manager_that_stays_down_is_read_ever_more_rarely(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    keeper = Keeper(SECRET, ReadFailure("away"))
    secret = _remembered(keeper)
    secret.get()
    for second in range(600):
        time.now = 2_000.0 + second
        assert secret.refresh(SECRET) == SECRET
    assert keeper.asked - 1 == 4 + 20 - 1  # after 0, 2, 6 and 14 s, then every 30 s
    assert caplog.messages[0] == "a manager: away; continuing with the cached secret"


def test_an_expired_secret_is_read_again_by_one_thread_while_the_others_use_it(time: Time) -> None:
    keeper = Keeper(SECRET, NEXT)
    secret = _remembered(keeper, ttl=60)
    secret.get()
    time.now += 59.9
    assert secret.get() == SECRET
    time.now += 0.1
    keeper.go_on.clear()
    found: list[str] = []
    one = threading.Thread(target=lambda: found.append(secret.get()), daemon=True)
    one.start()
    while keeper.asked < 2:
        threading.Event().wait(0.005)
    assert secret.get() == SECRET
    keeper.go_on.set()
    one.join(120)
    assert (found, secret.get(), keeper.asked) == ([NEXT], NEXT, 2)


def test_an_expired_secret_that_cannot_be_read_stays_in_use(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    secret = _remembered(Keeper(SECRET, ReadFailure("away")), ttl=60)
    secret.get()
    time.now += 61
    assert [secret.get(), secret.get()] == [SECRET, SECRET]
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text


def test_many_threads_share_the_first_read_and_its_error() -> None:
    for answer, expected in ((SECRET, {SECRET}), (ReadFailure("nothing there"), {"a manager: nothing there"})):
        keeper = Keeper(answer)
        keeper.go_on.clear()
        secret = _remembered(keeper)
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda s=secret, f=found: f.append(_secret_or_problem(s)), daemon=True)
            for _ in range(40)
        ]
        for one in threads:
            one.start()
        keeper.go_on.set()
        for one in threads:
            one.join(120)
        assert (len(found), set(found)) == (40, expected)
        assert keeper.asked <= 2  # after an error, a thread that came late reads again


def _secret_or_problem(secret: SecretSource) -> str:
    try:
        return secret.get()
    except SecretUnavailable as problem:
        return str(problem)


def test_a_read_that_never_returns_is_given_up(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(SECRET)
    keeper.go_on.clear()
    secret = _remembered(keeper, deadline=0.05)
    for _ in range(3):
        assert _secret_or_problem(secret) == "a manager: no response within 0.05 s"
    assert keeper.asked == 1  # it hangs, and no second read is started
    time.now += 1
    secret._deadline = 20.0  # the next read has to succeed, however busy the machine is
    keeper.go_on.set()
    assert _secret_or_problem(secret) == SECRET


def test_a_forked_process_does_not_wait_for_a_read_of_its_parent() -> None:
    keeper = Keeper(SECRET)
    keeper.go_on.clear()
    secret = _remembered(keeper)
    threading.Thread(target=_secret_or_problem, args=(secret,), daemon=True).start()
    while not keeper.asked:
        threading.Event().wait(0.005)
    assert secret._attempt is not None
    secret._attempt.process = -1
    keeper.go_on.set()
    assert secret.get() == SECRET


# --- showing nothing ---


def test_nothing_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = source(SECRET)
    secret.get()
    for shown in (repr(secret), str(secret), f"{secret!r}", repr(SecretText(SECRET)), repr(parse(SECRET))):
        assert SECRET not in shown
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a secret cannot be pickled"):
            copied(secret)
    assert SECRET not in caplog.text


class Telltale(Exception):
    """A library's exception that has the secret in its text and its frames."""


def test_a_traceback_with_local_variables_shows_no_secret() -> None:
    def read(_seconds: float) -> SecretText:
        answer = SECRET
        try:
            raise Telltale(f"cannot use {answer}")
        except Telltale as problem:
            raise RuntimeError(f"while reading {answer}") from problem

    for secret in (CachedSource(Reference("a manager", read), None, 5.0), source("file:/nowhere")):
        for ask in (secret.get, functools.partial(secret.refresh, SECRET)):
            with pytest.raises(SecretUnavailable) as caught:
                ask()
            ours = caught.value.__traceback__
            assert ours is not None
            outcome = traceback.TracebackException(type(caught.value), caught.value, ours.tb_next, capture_locals=True)
            text = "".join(outcome.format())
            assert SECRET not in text
            assert "Telltale" not in text
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_importing_the_package_imports_neither_a_vendors_library_nor_the_server() -> None:
    program = (
        "import sys, bedesten_client.secrets as s; s.source('aws-sm://eu-central-1/x'); s.source('gcp-sm://a/b');"
        "print([m for m in sys.modules if m.split('.')[0] in ('boto3', 'azure', 'hvac', 'requests', 'bedesten', 'grpc')"
        " and getattr(sys.modules[m], '__file__', None)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_supported_schemes_are_exactly_these() -> None:
    assert SCHEMES == ("value", "env", "file", "azure-kv", "aws-sm", "vault", "vault+http", "gcp-sm")


_numbers = iter(range(1_000_000))


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    made = folder / f"secret-{next(_numbers)}"
    made.write_bytes(content)
    made.chmod(mode)
    return made
