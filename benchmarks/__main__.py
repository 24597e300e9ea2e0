"""`python -m benchmarks [SUITE …]`: contenders beside each other, one table a workload, and the ratios."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import postgres, report
from benchmarks.harness import Outcome, Plan
from benchmarks.machine import choose_cores, describe
from benchmarks.suites import SUITES, USUAL, Job

_RESULTS = Path(__file__).with_name("results") / "latest.json"
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
    parser.add_argument("--postgres", metavar="URL", default=postgres.SERVER, help="where databases may be made")
    parser.add_argument("--peers-only", action="store_true", help="leave Bedesten out")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/latest.json")
    parser.add_argument("--dir", type=Path, help="where the data goes: a real disk (default: the temporary directory)")
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.suites if name not in SUITES]:
        parser.error(f"there is no suite {unknown[0]!r}: choose from {', '.join(SUITES)}")
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


def main() -> int:
    """Run the suites of the command line.

    Return 1 if a response was not the expected one, which makes a figure meaningless, and 2 if a contender does not start.
    """
    arguments = parse()
    plan, cores = plan_of(arguments), choose_cores()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-", dir=arguments.dir) as name:
        machine = describe(Path(name))
        print(", ".join(f"{key} {value}" for key, value in machine.items()))
        print(f"server on core {cores.server}, generator on core {cores.generator}; {plan}")
        if machine["filesystem"] == "tmpfs":
            print("! the data is in memory: nothing here is durable; choose a disk with --dir")
        job = Job(
            plan,
            cores,
            Path(name),
            stock=arguments.stock,
            peers_only=arguments.peers_only,
            postgres=arguments.postgres,
            tenants=arguments.tenants,
            keys_each=arguments.keys,
        )
        try:
            for suite in arguments.suites or USUAL:
                outcomes += SUITES[suite](job)
        except RuntimeError as error:
            print(f"! {error}", file=sys.stderr)
            return 2
    if arguments.save:
        report.save(_RESULTS, outcomes, plan, machine)
    return int(any(each.result.errors for outcome in outcomes for row in outcome.samples.values() for each in row))


if __name__ == "__main__":
    sys.exit(main())
