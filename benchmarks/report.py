"""The results of a run: tables for people, a JSON document for programs."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from benchmarks.harness import Outcome, Plan, Sample

SUBJECT = "bedesten"
BEFORE = "before"
"""The name of another checkout of Bedesten, measured in the same run."""
YARDSTICK = "ceiling"
"""The contender that shows the generator's limit. It is not compared."""
_HEAD = (
    f"{'req/s':>8}  {'min–max':>15}{'p50 ms':>9}{'p99 ms':>9}{'µs/req':>8}{'db µs':>8}{'srv':>6}{'gen':>6}{'errors':>8}"
)


def table(outcome: Outcome) -> str:
    """Format medians over the rounds. `µs/req` and `srv`: the server's CPU, `db µs`: a database server's.

    `gen`: the generator's share of its core.
    """
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
        f"{_or_dash(median(each.database_cpu_us for each in samples)):>8}"
        f"{median(each.server_cpu_s / each.result.seconds for each in samples):>6.0%}"
        f"{median(each.result.cpu_share for each in samples):>6.0%}"
        f"{sum(each.result.errors for each in samples):>8}"
    )


def _or_dash(value: float) -> str:
    return f"{value:.0f}" if value else "–"


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
    """The CPU of server and database server for a request: less is better.

    On a busy machine it is steadier than the rate.
    """
    return sample.cpu_us + sample.database_cpu_us


def p50(sample: Sample) -> float:
    """The median latency in milliseconds."""
    return sample.result.p50_ms


def p99(sample: Sample) -> float:
    """The latency in milliseconds that one request in a hundred exceeds."""
    return sample.result.p99_ms


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


def split_cases(outcome: Outcome) -> list[Outcome]:
    """Return an outcome for each case that both versions have. `outcome.samples`: by case, the old ones with a prefix."""
    prefix = f"{BEFORE}: "
    found = []
    for case in [name for name in outcome.samples if name.startswith(prefix)]:
        old, name = outcome.samples.pop(case), case.removeprefix(prefix)
        if name in outcome.samples:
            found.append(Outcome(f"{outcome.workload}, {name}", {SUBJECT: outcome.samples[name], BEFORE: old}))
    return found


def version_table(outcomes: list[Outcome]) -> str:
    """Format new / old of each workload that has both: medians of the rounds, and the smallest and largest ratio.

    Above 1 is better for the rate, below 1 for CPU and latency. Returns an empty text if there is no such workload.
    """
    both = [outcome for outcome in outcomes if {SUBJECT, BEFORE} <= set(outcome.samples)]
    if not both:
        return ""
    return _ratio_rows("new / before", [(outcome.workload, outcome, SUBJECT, BEFORE) for outcome in both])


def growth_table(outcome: Outcome) -> str:
    """Format each contender's ratio to the first one, as `version_table` does."""
    first, *others = outcome.samples
    return _ratio_rows(f"{outcome.workload}, / {first}", [(name, outcome, name, first) for name in others])


def _ratio_rows(title: str, rows: list[tuple[str, Outcome, str, str]]) -> str:
    """Format one line for each label, outcome, contender and the contender that it is compared with."""
    measures: dict[str, Measure] = {"req/s": rate, "CPU a request": cost, "p50": p50, "p99": p99}
    width = 2 + max(len(text) for text in [title, *(label for label, *_ in rows)])
    lines = [f"{title:{width}}" + "".join(f"{name:>22}" for name in measures)]
    for label, outcome, subject, other in rows:
        cells = [ratios(outcome, subject, measure)[other] for measure in measures.values()]
        texts = [f"{median(each):.2f} × ({min(each):.2f}–{max(each):.2f})" for each in cells]
        lines.append(f"{label:{width}}" + "".join(f"{text:>22}" for text in texts))
    return "\n".join(lines)


def cost_table(outcome: Outcome, baseline: str) -> str:
    """Format one line for each case: its CPU relative to the baseline's. Below 1 it is cheaper."""
    width = 2 + max(len(name) for name in outcome.samples)
    used = median(each.cpu_us for each in outcome.samples[baseline])
    lines = [f"{outcome.workload}: CPU of a request beside {baseline!r} ({used:.0f} µs)"]
    for name, each in ratios(outcome, baseline, cost).items():
        theirs = [1 / value if value else 0.0 for value in each]
        lines.append(f"{name:{width}}{median(theirs):5.2f} ×   ({min(theirs):.2f}–{max(theirs):.2f})")
    return "\n".join(lines)


MAX_COMPARED = 6
"""An outcome with more contenders consists of cases, which `cost_table` compares."""


def markdown(outcomes: list[Outcome]) -> str:
    """Format one row for each workload, for README.md: medians, and the smallest and the largest of a round.

    The row describes Bedesten, or the first contender if all are Bedesten.
    """
    lines = ["| workload | requests a second | p50, p99 | ratio by rate | by CPU |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        subject = SUBJECT if SUBJECT in outcome.samples else next(iter(outcome.samples))
        if len(outcome.samples) > MAX_COMPARED or subject == YARDSTICK:
            continue
        samples = outcome.samples[subject]
        tail = f"{median(map(p50, samples)):.1f}, {median(map(p99, samples)):.1f} ms"
        rates = ", ".join(f"{_spread(each)} {name}" for name, each in ratios(outcome, subject).items())
        cheaper = {
            name: [1 / value if value else 0.0 for value in each]
            for name, each in ratios(outcome, subject, cost).items()
        }
        costs = ", ".join(f"{_spread(each)} {name}" for name, each in cheaper.items())
        cells = [
            f"{outcome.workload}, {subject}",
            _spread([rate(each) for each in samples], ",.0f"),
            tail,
            rates,
            costs,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _spread(values: list[float], form: str = ".2f") -> str:
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


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
        "database_cpu_us_per_request": round(sample.database_cpu_us, 1),
        "generator_cpu_share": round(result.cpu_share, 3),
    }
