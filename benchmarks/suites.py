"""The suites by name. Each sets up its contenders, measures, prints tables and returns outcomes."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import bedesten_contender, gate_contenders, haproxy, postgres, report, timing
from benchmarks.gate_contenders import COLD, KEY, TOKENS, WARM
from benchmarks.harness import ORDER, READ, Contender, Outcome, Plan, measure, measure_cases
from benchmarks.key_contenders import UNIFORM, Keys
from benchmarks.machine import Cores
from benchmarks.material import prepare
from benchmarks.peer_contenders import CEILING, FASTAPI_ORM, FASTAPI_RAW, on_postgres
from benchmarks.refused_contenders import patient, strict

ORDERS_A_SECOND: Final = 20_000


@dataclass(frozen=True, slots=True)
class Job:
    """The options of the command line, and the directory for data."""

    plan: Plan
    cores: Cores
    directory: Path
    stock: int | None = None
    peers_only: bool = False
    postgres: str = postgres.SERVER
    tenants: int = 10_000
    keys_each: int = 100

    def place(self, name: str) -> Path:
        """Create a directory for one suite's contenders."""
        made = self.directory / name
        made.mkdir()
        return made

    def stock_for(self, plan: Plan) -> int:
        """Return enough codes for the orders of a whole run, at most 200,000."""
        enough = int((plan.warm_up + plan.rounds * plan.seconds) * ORDERS_A_SECOND)
        return self.stock or min(enough, 200_000)


def read(job: Job) -> list[Outcome]:
    """Read an account's balance: token, revocation, scope, one row; beside FastAPI with the raw driver and the ORM."""
    return _market(job, READ, bedesten_contender.CHUNK)


def order(job: Job) -> list[Outcome]:
    """Place a durable order of one unit; beside FastAPI, which inserts one row."""
    return _market(job, ORDER, job.stock_for(job.plan))


def _market(job: Job, workload: str, stock: int) -> list[Outcome]:
    chosen = [FASTAPI_RAW, FASTAPI_ORM, CEILING]
    if not job.peers_only:
        chosen.insert(0, bedesten_contender.contender(stock))
    return _compared(measure(chosen, [workload], job.plan, job.cores, job.place(workload)))


def gate(job: Job) -> list[Outcome]:
    """The gate alone with a trivial response: one token, a token each time, an API key; beside FastAPI and HAProxy."""
    place = job.place("gate")
    prepare("gate", place / "prepared", "--tokens", str(TOKENS))
    if haproxy.program() is None:
        print("! HAProxy is left out: there is no haproxy in the path (Debian: apt install haproxy)")
    chosen = gate_contenders.contenders(place / "prepared", peers_only=job.peers_only)
    return _compared(measure(chosen, [WARM, COLD, KEY], job.plan, job.cores, place))


def keys(job: Job) -> list[Outcome]:
    """Check an API key among a million in 10,000 tenants, beside ten in one; also memory and start-up time."""
    many, few = Keys(job.tenants, job.keys_each), Keys(1, 10)
    outcomes = measure([many.contender(), few.contender()], [UNIFORM], job.plan, job.cores, job.place("keys"))
    for outcome in outcomes:
        print("\n" + report.table(outcome) + "\n" + report.ratio_table(outcome, many.name))
        for one in (many, few):
            memory = max(each.memory_mib for each in outcome.samples[one.name])
            print(
                f"{one.name}: {memory:.0f} MiB in the worker at most, "
                f"{one.ready_s:.2f} s from the start to the first answer, filled in {one.filled_s:.0f} s"
            )
    return outcomes


def refused(job: Job) -> list[Outcome]:
    """The CPU of the server for a refusal, beside accepted requests."""
    place = job.place("refused")
    plan = replace(job.plan, seconds=job.plan.seconds / 2)
    for name in ("one", "other"):
        prepare("gate", place / name)
    outcome = measure_cases([patient(place / "one"), strict(place / "other")], "refused", plan, job.cores, place)
    print("\n" + report.table(outcome))
    for baseline in ("accepted: token", "accepted: API key", "accepted: account read"):
        print("\n" + report.cost_table(outcome, baseline))
    return [outcome]


def revision(job: Job) -> list[Outcome]:
    """The gate with and without the revision check, on both engines."""
    outcomes = []
    with ExitStack() as stack:
        engines: dict[str, str | None] = {"sqlite": None}
        if _has_postgres(job):
            engines["postgresql"] = stack.enter_context(postgres.database(job.postgres))
        for engine, url in engines.items():
            place = job.place(f"revision-{engine}")
            prepare("gate", place / "prepared", *(["--database", url] if url else []))
            chosen = [
                gate_contenders.bedesten(place / "prepared", name, application, url)
                for name, application in (("checked", "whole"), ("unchecked", "unchecked"))
            ]
            (outcome,) = measure(chosen, [WARM], job.plan, job.cores, place)
            outcome.workload = f"{WARM}, {engine}"
            print("\n" + report.table(outcome) + "\n" + report.ratio_table(outcome, "checked"))
            outcomes.append(outcome)
    return outcomes


def postgresql(job: Job) -> list[Outcome]:
    """The durable order on PostgreSQL, two processes each; beside FastAPI with the ORM. Servers are not pinned."""
    return _on_postgresql(job, 1)


def postgresql_many(job: Job) -> list[Outcome]:
    """The same with eight products, each ordered by a partner of its own."""
    return _on_postgresql(job, 8)


def _on_postgresql(job: Job, products: int) -> list[Outcome]:
    if not _has_postgres(job):
        return []
    with postgres.database(job.postgres) as ours, postgres.database(job.postgres) as theirs:
        chosen: list[Contender] = [on_postgres(theirs)]
        if not job.peers_only:
            chosen.insert(0, bedesten_contender.contender(job.stock_for(job.plan), 2, ours, products))
        loose = Cores(None, None)
        outcomes = measure(chosen, [ORDER], job.plan, loose, job.place(f"postgres-{products}"))
    for outcome in outcomes:
        outcome.workload = f"order, postgresql, products: {products}"
    return _compared(outcomes)


def times(job: Job) -> list[Outcome]:
    """Whether the response time of a refusal reveals its cause: interleaved medians of causes with the same response."""
    print(timing.table(timing.measure(job.plan, job.cores, job.place("timing"))))
    return []


def _has_postgres(job: Job) -> bool:
    problem = postgres.reachable(job.postgres)
    if problem:
        print(f"! PostgreSQL is left out: {problem} (--postgres URL names another)")
    return problem is None


def _compared(outcomes: list[Outcome]) -> list[Outcome]:
    for outcome in outcomes:
        print("\n" + report.table(outcome))
        if compared := report.ratio_table(outcome):
            print(compared)
    return outcomes


SUITES: Final[dict[str, Callable[[Job], list[Outcome]]]] = {
    READ: read,
    ORDER: order,
    "gate": gate,
    "keys": keys,
    "refused": refused,
    "revision": revision,
    "postgres": postgresql,
    "postgres-many": postgresql_many,
    "timing": times,
}
USUAL: Final = (READ, ORDER, "gate")
