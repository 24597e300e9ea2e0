"""Ratios compare runs of the same round, and doubtful figures are marked."""

import json
from pathlib import Path

from benchmarks import report
from benchmarks.harness import Outcome, Plan, Sample
from benchmarks.load import Result


def sample(rate: int, *, errors: int = 0, cpu_s: float = 0.1) -> Sample:
    first = "HTTP/1.1 500 Oh" if errors else None
    return Sample(Result(rate + errors, 1.0, 1.0, 2.0, errors, cpu_s, first), server_cpu_s=0.5)


def outcome() -> Outcome:
    return Outcome("read", {"bedesten": [sample(300), sample(90)], "peer": [sample(100), sample(10)]})


def test_ratios_compare_runs_of_the_same_round() -> None:
    assert report.ratios(outcome()) == {"peer": [3.0, 9.0]}
    assert "6.00 ×   (3.00–9.00)" in report.ratio_table(outcome())


def test_a_row_for_the_readme_has_medians_and_spreads() -> None:
    cases = Outcome("refused", {f"case {number}": [sample(1)] for number in range(9)})
    assert report.markdown([cases]) == ""
    assert report.markdown([cases, outcome()]).splitlines()[2:] == [
        "| read, bedesten | 195 (90–300) | 1.0, 2.0 ms | 6.00 (3.00–9.00) peer | 6.00 (3.00–9.00) peer |"
    ]


def test_the_yardstick_is_shown_but_not_compared() -> None:
    both = outcome()
    both.samples[report.YARDSTICK] = [sample(1000, cpu_s=0.99)] * 2
    assert report.YARDSTICK in report.table(both)
    assert list(report.ratios(both)) == ["peer"]


def test_without_the_subject_nothing_is_compared() -> None:
    assert report.ratios(Outcome("read", {"peer": [sample(1)]})) == {}


def test_a_busy_generator_and_wrong_responses_are_reported() -> None:
    text = report.table(Outcome("read", {"busy": [sample(5, cpu_s=0.95)], "wrong": [sample(5, errors=2)]}))
    assert "busy: the generator was the bottleneck" in text
    assert "wrong: not every answer was as expected; the first that was not: 'HTTP/1.1 500 Oh'" in text


def test_costs_are_compared_by_the_servers_cpu() -> None:
    cheap, dear = (Sample(sample(100).result, server_cpu_s) for server_cpu_s in (0.01, 0.02))
    text = report.cost_table(Outcome("refused", {"accepted": [cheap] * 2, "refused": [dear] * 2}), "accepted")
    assert text.splitlines() == [
        "refused: CPU of a request beside 'accepted' (100 µs)",
        "refused    2.00 ×   (2.00–2.00)",
    ]


def test_errors_do_not_count_as_throughput() -> None:
    assert sample(5, errors=100).result.rate == 5.0


def test_a_saved_run_has_every_round(tmp_path: Path) -> None:
    report.save(tmp_path / "results" / "latest.json", [outcome()], Plan(rounds=2), {"cores": 2})
    document = json.loads((tmp_path / "results" / "latest.json").read_text(encoding="utf-8"))
    assert [each["rate"] for each in document["workloads"]["read"]["rounds"]["peer"]] == [100, 10]
    assert document["workloads"]["read"]["ratios"] == {"peer": {"median": 6.0, "min": 3.0, "max": 9.0}}
