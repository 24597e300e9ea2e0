"""`python -m benchmarks`: all contenders, all workloads, one table each and the ratios."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import bedesten_contender, report
from benchmarks.harness import ORDER, READ, Contender, Outcome, Plan, measure
from benchmarks.machine import choose_cores, describe
from benchmarks.peer_contenders import CEILING, FASTAPI_ORM, FASTAPI_RAW

_RESULTS = Path(__file__).with_name("results") / "latest.json"
_ORDERS_A_SECOND = 20_000
_QUICK = Plan(rounds=2, seconds=1.0, warm_up=0.5)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=[READ, ORDER], help="one workload instead of both")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: a smoke test, not a measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each turn")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--stock", type=int, help="codes that Bedesten is filled with (default: enough, 200,000 at most)"
    )
    parser.add_argument("--peers-only", action="store_true", help="leave Bedesten out")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/latest.json")
    parser.add_argument("--dir", type=Path, help="where the data goes: a real disk (default: the temporary directory)")
    return parser.parse_args(words)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that the command line asks for."""
    base = _QUICK if arguments.quick else Plan()
    return Plan(
        rounds=arguments.rounds or base.rounds,
        seconds=arguments.seconds or base.seconds,
        warm_up=base.warm_up,
        connections=arguments.connections,
    )


def contenders_of(arguments: argparse.Namespace, plan: Plan) -> list[Contender]:
    """Bedesten first, then the peers, then the yardstick."""
    chosen = [FASTAPI_RAW, FASTAPI_ORM, CEILING]
    if not arguments.peers_only:
        enough = int((plan.warm_up + plan.rounds * plan.seconds) * _ORDERS_A_SECOND)
        stock = arguments.stock or (min(enough, 200_000) if arguments.only != READ else bedesten_contender.CHUNK)
        chosen.insert(0, bedesten_contender.contender(stock))
    return chosen


def show(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        print("\n" + report.table(outcome))
    print()
    for outcome in outcomes:
        if compared := report.ratio_table(outcome):
            print(compared)


def main() -> int:
    """Runs what was asked for.

    Gives 1 if an answer was not a 200, since such a figure compares nothing, and 2 if a contender would not run.
    """
    arguments = parse()
    plan, cores = plan_of(arguments), choose_cores()
    workloads = [arguments.only] if arguments.only else [READ, ORDER]
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-", dir=arguments.dir) as name:
        directory = Path(name)
        machine = describe(directory)
        print(", ".join(f"{key} {value}" for key, value in machine.items()))
        print(f"server on core {cores.server}, generator on core {cores.generator}; {plan}")
        if machine["filesystem"] == "tmpfs":
            print("! the data is in memory: nothing here is durable; choose a disk with --dir")
        try:
            outcomes = measure(contenders_of(arguments, plan), workloads, plan, cores, directory)
        except RuntimeError as error:
            print(f"! {error}", file=sys.stderr)
            return 2
    show(outcomes)
    if arguments.save:
        report.save(_RESULTS, outcomes, plan, machine)
    return int(any(each.result.errors for outcome in outcomes for row in outcome.samples.values() for each in row))


if __name__ == "__main__":
    sys.exit(main())
