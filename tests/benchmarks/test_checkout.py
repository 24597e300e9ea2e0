"""Another checkout runs from its own tree, whatever is installed, and is compared with this one in each round."""

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.checkout import HERE, Checkout, SetupError
from benchmarks.harness import Outcome
from tests.benchmarks.test_report import sample


def checkout(root: Path, program: str, part: str) -> Checkout:
    """A tree with only a program and a package of parts."""
    for package, text in (("src/bedesten", program), (f"benchmarks/{part}", "")):
        root.joinpath(package).mkdir(parents=True)
        root.joinpath(package, "__init__.py").write_text(text, encoding="utf-8")
    return Checkout(root)


def test_a_checkout_takes_precedence_over_the_installation(tmp_path: Path) -> None:
    checkout(tmp_path, "", "app").confirm()
    HERE.confirm()


def test_a_directory_without_the_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="is not what runs"):
        Checkout(tmp_path).confirm()


def test_a_checkout_that_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"(?s)does not run: .*another interpreter"):
        checkout(tmp_path, "raise RuntimeError('another interpreter')", "app").confirm()


@pytest.mark.parametrize("part", ["app", "house"])
def test_a_checkout_prepares_and_serves_with_its_own_parts(tmp_path: Path, part: str) -> None:
    line = checkout(tmp_path, "", part).part("prepare", "gate")
    assert line[1:] == ["-m", f"benchmarks.{part}.prepare", "gate"]


def test_versions_are_compared_only_where_both_were_measured() -> None:
    both = Outcome("order", {report.SUBJECT: [sample(300), sample(90)], report.BEFORE: [sample(100), sample(60)]})
    alone = Outcome("read", {report.SUBJECT: [sample(300)]})
    head, line = report.version_table([alone, both]).splitlines()
    assert head.split() == ["new", "/", "before", "req/s", "CPU", "a", "request", "p50", "p99"]
    assert line.startswith("order  ")
    assert "2.25 × (1.50–3.00)" in line
    assert report.version_table([alone]) == ""


def test_cases_of_both_versions_become_separate_outcomes() -> None:
    names = ("unknown path", "new case", "before: unknown path", "before: old case")
    outcome = Outcome("refused", {name: [sample(100 + len(name))] for name in names})
    (pair,) = report.split_cases(outcome)
    assert pair.workload == "refused, unknown path"
    assert {name: [each.result.rate for each in rounds] for name, rounds in pair.samples.items()} == {
        report.SUBJECT: [112.0],
        report.BEFORE: [120.0],
    }
    assert list(outcome.samples) == ["unknown path", "new case"]
