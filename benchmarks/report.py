"""What came of a run: tables for people, a document for programs."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from benchmarks.harness import Outcome, Plan, Sample

SUBJECT = "bedesten"
YARDSTICK = "ceiling"
"""Shows what the generator can ask; compares nothing."""
_HEAD = f"{'':14}{'req/s':>8}  {'min–max':>15}{'p50 ms':>9}{'p99 ms':>9}{'µs/req':>8}{'srv':>6}{'gen':>6}{'errors':>8}"


def table(outcome: Outcome) -> str:
    """Medians over the rounds; `µs/req` and `srv` are the server's CPU, `gen` the generator's share of its core."""
    lines = [f"{outcome.workload}", _HEAD]
    lines += [_line(name, samples) for name, samples in outcome.samples.items()]
    return "\n".join(lines + list(_warnings(outcome)))


def _line(name: str, samples: list[Sample]) -> str:
    rates = [each.result.rate for each in samples]
    spread = f"{min(rates):,.0f}–{max(rates):,.0f}"
    return (
        f"{name:14}{median(rates):>8,.0f}  {spread:>15}"
        f"{median(each.result.p50_ms for each in samples):>9.2f}"
        f"{median(each.result.p99_ms for each in samples):>9.2f}"
        f"{median(each.cpu_us for each in samples):>8.0f}"
        f"{median(each.server_cpu_s / each.result.seconds for each in samples):>6.0%}"
        f"{median(each.result.cpu_share for each in samples):>6.0%}"
        f"{sum(each.result.errors for each in samples):>8}"
    )


def _warnings(outcome: Outcome) -> Iterable[str]:
    for name, samples in outcome.samples.items():
        if name == YARDSTICK:
            yield "  ceiling: what the generator can ask of a server that does nothing"
        elif any(each.result.generator_bound for each in samples):
            yield f"! {name}: the generator was the bottleneck; the server can do more than is shown"
        if first := next((each.result.first_error for each in samples if each.result.errors), None):
            yield f"! {name}: not every answer was a 200; the first that was not: {first[:300]!r}"


def ratios(outcome: Outcome, subject: str = SUBJECT) -> dict[str, list[float]]:
    """How many times a peer's rate the subject reached, for each peer, round by round."""
    ours = outcome.samples.get(subject)
    if ours is None:
        return {}
    return {
        name: [a.result.rate / b.result.rate if b.result.rate else 0.0 for a, b in zip(ours, theirs, strict=True)]
        for name, theirs in outcome.samples.items()
        if name not in (subject, YARDSTICK)
    }


def ratio_table(outcome: Outcome) -> str:
    """One line a peer: the median of the ratios of the rounds, and their spread."""
    return "\n".join(
        f"{outcome.workload}: {SUBJECT} / {name:14} {median(each):6.2f} ×   ({min(each):.2f}–{max(each):.2f})"
        for name, each in ratios(outcome).items()
    )


def save(path: Path, outcomes: list[Outcome], plan: Plan, machine: dict[str, object]) -> None:
    """The run as one JSON document, every round included."""
    document = {
        "machine": machine,
        "plan": {"rounds": plan.rounds, "seconds": plan.seconds, "connections": plan.connections},
        "workloads": {each.workload: _document(each) for each in outcomes},
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _document(outcome: Outcome) -> dict[str, object]:
    rounds = {name: [_numbers(each) for each in samples] for name, samples in outcome.samples.items()}
    compared = {
        name: {"median": round(median(each), 3), "min": round(min(each), 3), "max": round(max(each), 3)}
        for name, each in ratios(outcome).items()
    }
    return {"rounds": rounds, "ratios": compared}


def _numbers(sample: Sample) -> dict[str, float | int]:
    result = sample.result
    return {
        "requests": result.requests,
        "errors": result.errors,
        "rate": round(result.rate),
        "p50_ms": round(result.p50_ms, 3),
        "p99_ms": round(result.p99_ms, 3),
        "server_cpu_us_per_request": round(sample.cpu_us, 1),
        "generator_cpu_share": round(result.cpu_share, 3),
    }
