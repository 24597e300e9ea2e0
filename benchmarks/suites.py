"""The suites by name. Each sets up its contenders, measures, prints tables and returns outcomes."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import (
    bedesten_contender,
    decide_contenders,
    gate_contenders,
    haproxy,
    nginx,
    postgres,
    report,
    shop_contenders,
    timing,
)
from benchmarks.bedesten_contender import Program
from benchmarks.checkout import HERE, Checkout
from benchmarks.decide_contenders import BEHIND, DIRECT, Front
from benchmarks.flat_contenders import FilledShop
from benchmarks.gate_contenders import COLD, KEY, TOKENS, WARM
from benchmarks.harness import ORDER, READ, Contender, Outcome, Plan, measure, measure_cases, started
from benchmarks.key_contenders import ONE_EACH, TEN, UNIFORM, Keys
from benchmarks.machine import Cores
from benchmarks.material import prepare
from benchmarks.peer_contenders import CEILING, FASTAPI_ORM, FASTAPI_RAW, on_postgres
from benchmarks.refused_contenders import patient, strict
from benchmarks.report import BEFORE, SUBJECT

STORED: Final = (1_000, 10_000, 100_000, 1_000_000)
ORDERS_A_SECOND: Final = 5_000
"""The stock suffices for this many orders a second. A round that has used its share ends early."""


@dataclass(frozen=True, slots=True)
class Job:
    """The options of the command line, and the directory for data."""

    plan: Plan
    cores: Cores
    directory: Path
    stock: int | None = None
    peers_only: bool = False
    before: Checkout | None = None
    postgres: str | None = None
    tenants: int = 10_000
    keys_each: int = 100
    stored: tuple[int, ...] = STORED
    shops: tuple[str, ...] = ()
    environments: Path | None = None

    def place(self, name: str) -> Path:
        """Create a directory for one suite's contenders."""
        made = self.directory / name
        made.mkdir()
        return made

    def versions(self) -> dict[str, Checkout]:
        """Return the checkouts of Bedesten to measure, by the name of the contender."""
        ours = {} if self.peers_only else {SUBJECT: HERE}
        return ours | ({BEFORE: self.before} if self.before else {})

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
    ours = [
        bedesten_contender.contender(stock, Program(checkout=checkout), name=name)
        for name, checkout in job.versions().items()
    ]
    chosen = [*ours, FASTAPI_RAW, FASTAPI_ORM, CEILING]
    if workload == ORDER:
        shops = job.environments or job.place("environments")
        chosen += [shop_contenders.SHOPS[name](shops) for name in job.shops]
    return _compared(measure(chosen, [workload], job.plan, job.cores, job.place(workload)))


def gate(job: Job) -> list[Outcome]:
    """The gate alone with a trivial response: one token, a token each time, an API key; beside FastAPI and HAProxy."""
    place = job.place("gate")
    prepare("gate", place / "prepared", "--tokens", str(TOKENS))
    if job.before:
        prepare("gate", place / "prepared-before", "--tokens", str(TOKENS), checkout=job.before)
    if haproxy.program() is None:
        print("! HAProxy is left out: there is no haproxy in the path (Debian: apt install haproxy)")
    prepared = {SUBJECT: place / "prepared", BEFORE: place / "prepared-before"}
    ours = [
        gate_contenders.bedesten(prepared[name], name, checkout=checkout) for name, checkout in job.versions().items()
    ]
    chosen = [*ours, *gate_contenders.peers(place / "prepared")]
    return _compared(measure(chosen, [WARM, COLD, KEY], job.plan, job.cores, place))


def decide(job: Job) -> list[Outcome]:
    """Decide about requests to another service, directly and behind nginx (`auth_request`); beside FastAPI."""
    place = job.place("decide")
    known = {SUBJECT: HERE} | job.versions()
    prepared = {name: place / f"prepared-{name}" for name in known}
    for name, checkout in known.items():
        prepare("gate", prepared[name], "--tokens", str(TOKENS), checkout=checkout)
    with ExitStack() as stack:
        beside = Cores(job.cores.generator, None)
        front = Front(stack, None, place, beside.server)
        if nginx.program():
            front = replace(
                front, service=stack.enter_context(started(replace(CEILING, name="service"), place, beside))
            )
        else:
            print("! nginx is left out: there is no nginx in the path (Debian: apt install nginx)")
        ours = [
            decide_contenders.bedesten(prepared[name], front, name, checkout)
            for name, checkout in job.versions().items()
        ]
        chosen = [*ours, decide_contenders.fastapi(prepared[SUBJECT], front)]
        workloads = list(DIRECT)
        if front.service:
            chosen.append(decide_contenders.ceiling(prepared[SUBJECT], front))
            workloads += BEHIND
        return _compared(measure(chosen, workloads, job.plan, job.cores, place))


def keys(job: Job) -> list[Outcome]:
    """Check an API key among a million in 10,000 tenants, beside ten in one; also memory and start-up time."""
    many, few = Keys(job.tenants, job.keys_each), Keys(1, 10)
    workloads = [TEN, ONE_EACH, UNIFORM]
    outcomes = measure([many.contender(), few.contender()], workloads, job.plan, job.cores, job.place("keys"))
    for outcome in outcomes:
        print("\n" + report.table(outcome) + "\n" + report.ratio_table(outcome, many.name))
    print()
    for one in (many, few):
        memory = max(each.memory_mib for outcome in outcomes for each in outcome.samples[one.name])
        print(
            f"{one.name}: {memory:.0f} MiB in the largest process at most, "
            f"{one.ready_s:.2f} s from the start to the first response, filled in {one.filled_s:.0f} s"
        )
    return outcomes


def refused(job: Job) -> list[Outcome]:
    """The CPU of the server for a refusal, beside accepted requests."""
    place = job.place("refused")
    plan = replace(job.plan, seconds=job.plan.seconds / 2)
    chosen = []
    for name, checkout in ({SUBJECT: HERE} | job.versions()).items():
        prefix = f"{BEFORE}: " if name == BEFORE else ""
        for kind, make in (("patient", patient), ("strict", strict)):
            prepared = place / f"{name}-{kind}"
            prepare("gate", prepared, checkout=checkout)
            chosen.append(make(prepared, checkout, prefix))
    outcome = measure_cases(chosen, "refused", plan, job.cores, place)
    pairs = report.split_cases(outcome)
    print("\n" + report.table(outcome))
    for baseline in ("accepted: token", "accepted: API key", "accepted: account read"):
        print("\n" + report.cost_table(outcome, baseline))
    return [outcome, *pairs]


def revision(job: Job) -> list[Outcome]:
    """The gate with and without the revision check, on both engines."""
    outcomes = []
    with ExitStack() as stack:
        engines: dict[str, str | None] = {"sqlite": None}
        if job.postgres:
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
    server = job.postgres
    if server is None:
        return []
    with ExitStack() as stack:
        chosen: list[Contender] = []
        for name, checkout in job.versions().items():
            program = Program(stack.enter_context(postgres.database(server)), checkout)
            chosen.append(bedesten_contender.contender(job.stock_for(job.plan), program, 2, products, name))
        chosen.append(on_postgres(stack.enter_context(postgres.database(server))))
        loose = Cores(None, None)
        outcomes = measure(chosen, [ORDER], job.plan, loose, job.place(f"postgres-{products}"))
    for outcome in outcomes:
        outcome.workload = f"order, postgresql, products: {products}"
    return _compared(outcomes)


def flat(job: Job) -> list[Outcome]:
    """The durable order with 1,000 to 1,000,000 stored orders, on both engines: an order must not cost more."""
    outcomes = []
    stock = job.stock_for(job.plan)
    for engine, server in (("sqlite", None), *([("postgresql", job.postgres)] if job.postgres else [])):
        with ExitStack() as stack:
            shops = []
            for count in job.stored:
                url = stack.enter_context(postgres.database(server)) if server else None
                shops.append(FilledShop(stock, Program(url), 2 if url else 1, orders=count))
            cores = Cores(None, None) if server else job.cores
            chosen = [shop.contender() for shop in shops]
            (outcome,) = measure(chosen, [ORDER], job.plan, cores, job.place(f"flat-{engine}"))
        outcome.workload = f"order, {engine}"
        print("\n" + report.table(outcome) + "\n" + report.growth_table(outcome))
        outcomes.append(outcome)
    return outcomes


def times(job: Job) -> list[Outcome]:
    """Whether the response time of a refusal reveals its cause: interleaved medians of causes with the same response."""
    print(timing.table(timing.measure(job.plan, job.cores, job.place("timing"))))
    return []


def _compared(outcomes: list[Outcome]) -> list[Outcome]:
    for outcome in outcomes:
        print("\n" + report.table(outcome))
        if compared := report.ratio_table(outcome):
            print(compared)
    return outcomes


COMPARES_VERSIONS: Final = (READ, ORDER, "gate", "decide", "refused", "postgres", "postgres-many")
"""The suites in which `--before` has an effect."""
NEEDS_POSTGRES: Final = ("revision", "postgres", "postgres-many", "flat")
SUITES: Final[dict[str, Callable[[Job], list[Outcome]]]] = {
    READ: read,
    ORDER: order,
    "gate": gate,
    "decide": decide,
    "keys": keys,
    "refused": refused,
    "revision": revision,
    "postgres": postgresql,
    "postgres-many": postgresql_many,
    "flat": flat,
    "timing": times,
}
USUAL: Final = (READ, ORDER, "gate")
