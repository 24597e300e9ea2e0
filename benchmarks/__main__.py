"""`python -m benchmarks [SUITE …]`: contenders beside each other, one table a workload, and the ratios."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import postgres, report
from benchmarks.checkout import HERE, Checkout
from benchmarks.harness import ORDER, Outcome, Plan
from benchmarks.machine import choose_cores, describe
from benchmarks.shop_contenders import SHOPS
from benchmarks.suites import COMPARES_VERSIONS, NEEDS_POSTGRES, STORED, SUITES, USUAL, Job

_RESULTS = Path(__file__).with_name("results") / "latest.json"
_QUICK_STORED = (1_000, 10_000)
_QUICK = Plan(rounds=2, seconds=1.0, warm_up=0.5)
_WIDTH = max(map(len, SUITES))
_SUITES = "\n".join(f"  {name:{_WIDTH}}  {suite.__doc__}" for name, suite in SUITES.items())


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"suites (without a name: {', '.join(USUAL)}):\n{_SUITES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="any of those below")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: a smoke test, not a measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each turn")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--stock", type=int, help="codes that Bedesten is filled with (default: enough, 200,000 at most)"
    )
    parser.add_argument("--tenants", type=int, default=10_000, help="of the suite keys")
    parser.add_argument("--keys", type=int, default=100, help="of the suite keys: API keys of each tenant")
    parser.add_argument(
        "--postgres", metavar="URL", help="where databases may be made (default: the local server, else an own one)"
    )
    parser.add_argument(
        "--stored",
        type=lambda text: tuple(int(each) for each in text.split(",")),
        metavar="N,N,…",
        help="of the suite flat: stored orders, the smallest first (default: 1,000 to 1,000,000)",
    )
    parser.add_argument(
        "--with",
        dest="shops",
        action="append",
        choices=SHOPS,
        default=[],
        help="of the suite order: also this shop, which is installed from its registry first",
    )
    parser.add_argument(
        "--environments",
        metavar="DIR",
        type=lambda text: Path(text).resolve(),
        help="where shops of --with are installed and found again (default: for one run)",
    )
    parser.add_argument("--peers-only", action="store_true", help="leave Bedesten out")
    parser.add_argument(
        "--before",
        metavar="CHECKOUT",
        type=lambda text: Checkout(Path(text).resolve()),
        help=f"another checkout of Bedesten, measured in turns with this one ({', '.join(COMPARES_VERSIONS)})",
    )
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/latest.json")
    parser.add_argument("--dir", type=Path, help="where the data goes: a real disk (default: the temporary directory)")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.suites if name not in SUITES]:
        parser.error(f"there is no suite {unknown[0]!r}: choose from {', '.join(SUITES)}")
    if arguments.before and (without := set(arguments.suites) - set(COMPARES_VERSIONS)):
        parser.error(f"--before has no effect in {', '.join(sorted(without))}")
    if arguments.shops and ORDER not in (arguments.suites or USUAL):
        parser.error(f"--with has an effect only in {ORDER}")
    return arguments


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan for the command line."""
    base = _QUICK if arguments.quick else Plan()
    return Plan(
        rounds=arguments.rounds or base.rounds,
        seconds=arguments.seconds or base.seconds,
        warm_up=base.warm_up,
        connections=arguments.connections,
    )


def run(job: Job, arguments: argparse.Namespace) -> list[Outcome]:
    """Run the suites, with a PostgreSQL server if one of them needs it."""
    for checkout in job.versions().values():
        checkout.confirm()
    outcomes: list[Outcome] = []
    suites = arguments.suites or USUAL
    with ExitStack() as stack:
        if set(suites) & set(NEEDS_POSTGRES):
            job = replace(job, postgres=stack.enter_context(postgres.server(arguments.postgres, arguments.dir)))
        for suite in suites:
            outcomes += SUITES[suite](job)
    return outcomes


def main() -> int:
    """Run the suites of the command line.

    Return 1 if a response was not the expected one, which makes a figure meaningless, and 2 if a contender does not start.
    """
    arguments = parse()
    plan, cores = plan_of(arguments), choose_cores()
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-", dir=arguments.dir) as name:
        machine = describe(Path(name)) | {"commit": HERE.commit()}
        if arguments.before:
            machine["before"] = arguments.before.commit()
        print(", ".join(f"{key} {value}" for key, value in machine.items()))
        print(f"server on core {cores.server}, generator on core {cores.generator}; {plan}")
        if machine["filesystem"] == "tmpfs":
            print("! the data is in memory: nothing here is durable; choose a disk with --dir")
        job = Job(
            plan,
            cores,
            Path(name).resolve(),
            stock=arguments.stock,
            peers_only=arguments.peers_only,
            before=arguments.before,
            tenants=arguments.tenants,
            shops=tuple(arguments.shops),
            environments=arguments.environments,
            keys_each=arguments.keys,
            stored=arguments.stored or (_QUICK_STORED if arguments.quick else STORED),
        )
        try:
            outcomes = run(job, arguments)
        except RuntimeError as error:
            print(f"! {error}", file=sys.stderr)
            return 2
    if compared := report.version_table(outcomes):
        print("\n" + compared)
    if rows := report.markdown(outcomes):
        print("\n" + rows)
    if arguments.save:
        report.save(_RESULTS, outcomes, plan, machine)
    return int(any(each.result.errors for outcome in outcomes for row in outcome.samples.values() for each in row))


if __name__ == "__main__":
    sys.exit(main())
