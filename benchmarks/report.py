"""The results of a run: tables for people, a JSON document for programs."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from benchmarks.harness import Outcome, Plan, Sample

SUBJECT = "bedesten"
YARDSTICK = "ceiling"
"""The contender that shows the generator's limit. It is not compared."""
_HEAD = f"{'req/s':>8}  {'min–max':>15}{'p50 ms':>9}{'p99 ms':>9}{'µs/req':>8}{'srv':>6}{'gen':>6}{'errors':>8}"


def table(outcome: Outcome) -> str:
    """Format medians over the rounds. `µs/req` and `srv`: the server's CPU. `gen`: the generator's share of its core."""
    width = 2 + max(len(name) for name in [*outcome.samples, SUBJECT])
    lines = [outcome.workload, " " * width + _HEAD]
    lines += [f"{name:{width}}" + _line(samples) for name, samples in outcome.samples.items()]
    return "\n".join(lines + list(_warnings(outcome)))


def _line(samples: list[Sample]) -> str:
    rates = [each.result.rate for each in samples]
    spread = f"{min(rates):,.0f}–{max(rates):,.0f}"
    return (
        f"{median(rates):>8,.0f}  {spread:>15}"
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
            yield f"! {name}: not every answer was as expected; the first that was not: {first[:300]!r}"


Measure = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    """Requests a second: more is better."""
    return sample.result.rate


def cost(sample: Sample) -> float:
    """The server's CPU for a request: less is better. It is steadier than the rate on a busy machine."""
    return sample.cpu_us


def ratios(outcome: Outcome, subject: str = SUBJECT, of: Measure = rate) -> dict[str, list[float]]:
    """Return the subject's ratio to each other contender, round by round."""
    ours = outcome.samples.get(subject)
    if ours is None:
        return {}
    return {
        name: [of(a) / of(b) if of(b) else 0.0 for a, b in zip(ours, theirs, strict=True)]
        for name, theirs in outcome.samples.items()
        if name not in (subject, YARDSTICK)
    }


def ratio_table(outcome: Outcome, subject: str = SUBJECT) -> str:
    """Format one line for each peer: median, smallest and largest ratio, and the ratio of CPU."""
    cheaper = ratios(outcome, subject, cost)
    return "\n".join(
        f"{outcome.workload}: {subject} / {name:12} {median(each):6.2f} ×   ({min(each):.2f}–{max(each):.2f})"
        f"   by CPU {_inverse(cheaper[name]):.2f} ×"
        for name, each in ratios(outcome, subject).items()
    )


def _inverse(values: list[float]) -> float:
    middle = median(values)
    return 1 / middle if middle else 0.0


def cost_table(outcome: Outcome, baseline: str) -> str:
    """Format one line for each case: its CPU beside the baseline's. Below 1 it is cheaper."""
    width = 2 + max(len(name) for name in outcome.samples)
    used = median(each.cpu_us for each in outcome.samples[baseline])
    lines = [f"{outcome.workload}: CPU of a request beside {baseline!r} ({used:.0f} µs)"]
    for name, each in ratios(outcome, baseline, cost).items():
        theirs = [1 / value if value else 0.0 for value in each]
        lines.append(f"{name:{width}}{median(theirs):5.2f} ×   ({min(theirs):.2f}–{max(theirs):.2f})")
    return "\n".join(lines)


def save(path: Path, outcomes: list[Outcome], plan: Plan, machine: dict[str, object]) -> None:
    """Save the run as one JSON document with every round."""
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
