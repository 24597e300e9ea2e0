"""Checks what ruff and mypy do not: words, names, sizes, machine paths, registry hosts, changelog fragments, lock files.

    python scripts/tidy.py                    the whole tree; prints `file:line: problem` and exits with 1 if there is any
    python scripts/tidy.py --subject FILE     the commit message in FILE (the commit-msg hook)
    python scripts/tidy.py --backlog          writes scripts/tidy_backlog.txt from the current tree

The backlog has the number of problems of each file when a rule was introduced. It may only shrink: more problems fail,
and a file that is not listed must have none. The lists are in scripts/tidy.toml. A line that ends with the comment
`tidy: data` is data, not prose: a password, a name in a test, a quotation.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BACKLOG = ROOT / "scripts" / "tidy_backlog.txt"
TEXT_SUFFIXES = frozenset({".py", ".md", ".toml", ".sh", ".yml", ".yaml", ".html", ".cfg", ".conf", ".service", ""})
NOT_PROSE = ("scripts/tidy.toml", "src/bedesten/gate/data/", "tests/vectors/", "LICENSE", "clients/python/LICENSE")
FRAGMENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\.(?:added|changed|fixed|removed|security)\.md")
SUBJECT = re.compile(r"[a-z0-9_./-]+(?: [a-z0-9_./-]+)*: \S.*")
MAX_SUBJECT = 72
MAX_AREA = 24
HOSTS = re.compile(
    "|".join(("py" + r"pi\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian\.org"))
)
MACHINE_PATHS = re.compile(r"/(?:w[o]rk|[r]oot|f[a]rm|tmp/bash_[j]obs)/")
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


class Rules(NamedTuple):
    """The lists of scripts/tidy.toml, ready to use."""

    words: dict[str, str]
    pattern: re.Pattern[str]
    classes: frozenset[str]
    names: frozenset[str]
    constants: frozenset[str]
    prefixes: tuple[str, ...]
    sizes: dict[str, int]
    exceptions: dict[str, frozenset[str]]

    def allows(self, path: str, name: str) -> bool:
        """Whether this file may use the name."""
        return any(path.startswith(place) and name in names for place, names in self.exceptions.items())


def rules() -> Rules:
    """Reads scripts/tidy.toml."""
    table = tomllib.loads((ROOT / "scripts" / "tidy.toml").read_text("utf-8"))
    words: dict[str, str] = table["words"]
    longest_first = sorted(words, key=len, reverse=True)
    pattern = r"\b(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first) + r")\b"
    names = table["names"]
    return Rules(
        words=words,
        pattern=re.compile(pattern, re.IGNORECASE),
        classes=frozenset(names["classes"].split()),
        names=frozenset(names["names"].split()),
        constants=frozenset(names["constants"].split()),
        prefixes=tuple(names["prefixes"].split()),
        sizes=table["sizes"],
        exceptions={place: frozenset(allowed.split()) for place, allowed in table["exceptions"].items()},
    )


def problems_of_text(path: str, text: str, using: Rules) -> Iterator[str]:
    """Words, machine paths and registry hosts in one file."""
    for number, line in enumerate(text.splitlines(), 1):
        if HOSTS.search(line):
            yield f"{path}:{number}: names a package registry"
        if MACHINE_PATHS.search(line):
            yield f"{path}:{number}: names a path of one machine"
    if path.startswith(NOT_PROSE):
        return
    for found in using.pattern.finditer(text):
        number = text.count("\n", 0, found.start()) + 1
        if not text.splitlines()[number - 1].rstrip().endswith("tidy: data"):
            said = " ".join(found[0].split())
            yield f"{path}:{number}: {said!r}: write {using.words[said.lower()]!r}"


def problems_of_python(path: str, text: str, using: Rules) -> Iterator[str]:
    """Names of a module that the glossary has replaced, and replaced words within names."""
    for name, number in sorted(defined_names(ast.parse(text)), key=lambda one: one[1]):
        plain = name.strip("_")
        if found := using.pattern.search(plain.replace("_", " ")):
            yield f"{path}:{number}: {found[0]!r} in the name {name}: write {using.words[found[0].lower()]!r}"
        replaced = plain in using.classes or plain in using.constants or plain in using.names
        if (replaced or plain.startswith(using.prefixes)) and not using.allows(path, name):
            yield f"{path}:{number}: the name {name}: take the glossary's (docs/explanation/glossary.md)"
    for part in Path(path).with_suffix("").parts:
        if part in using.names:
            yield f"{path}:1: the module or package {part}: take the glossary's word (docs/explanation/glossary.md)"


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a module defines (classes, functions, parameters, variables, attributes), with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.alias(asname=str() as local):
                yield local, node.lineno


def problems_of_size(path: str, text: str, using: Rules) -> Iterator[str]:
    """A file that is too long."""
    budget = using.sizes.get(path.partition("/")[0])
    lines = text.count("\n")
    if budget is not None and path.endswith(".py") and lines > budget and not using.allows(path, "SIZE"):
        yield f"{path}:{budget + 1}: {lines} lines, of at most {budget}"


def problems_of_fragment(path: str, text: str) -> Iterator[str]:
    """A changelog fragment that towncrier would ignore."""
    folder, _, name = path.rpartition("/")
    if folder != "changelog.d" or name in ("README.md", "_template.md.jinja"):
        return
    if FRAGMENT.fullmatch(name) is None:
        yield f"{path}:1: a fragment is named words-of-it.KIND.md, KIND one of added, changed, fixed, removed, security"
    if not text.strip():
        yield f"{path}:1: an empty fragment"


def problems_of_lock(constraints: str, lock: str, path: str) -> Iterator[str]:
    """Packages that a lock file pins otherwise than constraints.txt, or without a hash."""
    pinned = {_normal(found["name"]): found["version"] for found in PIN.finditer(constraints)}
    for entry in re.split(r"\n(?=[A-Za-z])", lock):
        found = PIN.match(entry)
        if found is None:
            continue
        name = _normal(found["name"])
        if pinned.get(name, found["version"]) != found["version"]:
            yield f"{path}:1: {name} {found['version']}, constraints.txt has {pinned[name]}: run make lock"
        if "--hash=sha256:" not in entry:
            yield f"{path}:1: {name} has no hash: run make lock"


def problems_of_subject(message: str) -> Iterator[str]:
    """A commit subject that is not `area: imperative`, or too long."""
    subject, _, rest = message.partition("\n")
    area = subject.partition(":")[0]
    if SUBJECT.fullmatch(subject) is None or len(area) > MAX_AREA:
        yield f"subject {subject!r}: write `area: imperative`, the area in lower case"
    if len(subject) > MAX_SUBJECT:
        yield f"subject has {len(subject)} characters, of at most {MAX_SUBJECT}: the why goes into the body"
    if rest and not rest.startswith("\n"):
        yield "the second line of the message is not empty"


def problems_of_tree(files: Iterable[str], using: Rules) -> Iterator[str]:
    """Every problem of the files, in their order."""
    for path in files:
        suffix = Path(path).suffix
        if suffix not in TEXT_SUFFIXES:
            continue
        text = (ROOT / path).read_text("utf-8")
        yield from problems_of_text(path, text, using)
        yield from problems_of_size(path, text, using)
        yield from problems_of_fragment(path, text)
        if suffix == ".py":
            yield from problems_of_python(path, text, using)
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    for path in ("requirements.lock", "deploy/image.lock"):
        yield from problems_of_lock(constraints, (ROOT / path).read_text("utf-8"), path)


def beyond_backlog(problems: Iterable[str], backlog: str) -> list[str]:
    """The problems of every file that has more of them than the backlog lists."""
    listed = {path: int(count) for count, path in (line.split() for line in backlog.splitlines())}
    found: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        found[problem.partition(":")[0]].append(problem)
    return [one for path, many in found.items() if len(many) > listed.get(path, 0) for one in many]


def write_backlog(problems: Iterable[str]) -> None:
    """Writes the number of problems of each file."""
    counts: dict[str, int] = defaultdict(int)
    for problem in problems:
        counts[problem.partition(":")[0]] += 1
    BACKLOG.write_text("".join(f"{count} {path}\n" for path, count in sorted(counts.items())), "utf-8")


def tracked_files() -> list[str]:
    """Files that git tracks, and new files that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607  git is where the developer has it
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for path in sorted(set(listed.stdout.splitlines())) if (ROOT / path).is_file()]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """Prints every problem; returns 1 if there is any."""
    if arguments[:1] == ["--subject"]:
        found = list(problems_of_subject(Path(arguments[1]).read_text("utf-8")))
    elif arguments == ["--backlog"]:
        write_backlog(problems_of_tree(tracked_files(), rules()))
        return 0
    else:
        found = beyond_backlog(problems_of_tree(tracked_files(), rules()), BACKLOG.read_text("utf-8"))
    for problem in found:
        sys.stdout.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
