"""The mutants of a module: every single change of its syntax tree that a careless hand could have made.

Left alone is what cannot change an outcome: annotations and aliases of types, docstrings, imports, and the arguments of
decorators (the sizes of memos).
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Change = tuple[str, Callable[[ast.AST], ast.AST | None]]
"""What is done to a node, in words, and the node that takes its place (None: nothing does)."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
TEXT = "XX"


@dataclass(frozen=True)
class Mutant:
    """One change: `place` is the node's number in the order of the walk, `number` which of its changes."""

    place: int
    number: int
    name: str
    line: int


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module. Two alike in one function are told apart by a number."""
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for place, (node, where) in enumerate(_walked(ast.parse(source))):
        for number, (words, _) in enumerate(_changes(node)):
            name = f"{where}: {words}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            found.append(Mutant(place, number, name, getattr(node, "lineno", 0)))
    return found


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with the change."""
    tree = ast.parse(source)
    node, _ = next(one for place, one in enumerate(_walked(tree)) if place == mutant.place)
    _, change = list(_changes(node))[mutant.number]
    changed = _Putting(node, change(node)).visit(tree)
    assert isinstance(changed, ast.Module)
    return ast.fix_missing_locations(changed)


class _Putting(ast.NodeTransformer):
    """Puts one node in the place of another one, or nothing."""

    def __init__(self, old: ast.AST, new: ast.AST | None) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST | None:
        if node is self._old:
            return self._new
        result: ast.AST = self.generic_visit(node)
        return result


def _walked(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every node that may be changed, and the name of the function or class that it is in."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, where = waiting.pop()
        yield node, where or "module"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            where = f"{where}.{node.name}".lstrip(".")
        waiting.extend((child, where) for child in reversed(list(_children(node))))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    skipped = {id(getattr(node, name, None)) for name in ("annotation", "returns")}
    skipped.update(id(one) for name in ("decorator_list", "bases") for one in getattr(node, name, ()))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Assign) and _is_type(node.value):
        return
    for child in ast.iter_child_nodes(node):
        if id(child) not in skipped and not isinstance(child, ast.Import | ast.ImportFrom):
            yield child


def _is_type(value: ast.AST) -> bool:
    """Whether what is assigned is an alias of a type: `A | B`, `Callable[...]`, `tuple[...]`, `Annotated[...]`."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return all(isinstance(one, ast.Name | ast.BinOp) for one in (value.left, value.right))
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id in (
        "Callable", "tuple", "Mapping", "dict", "list"
    )  # fmt: skip


# --- the changes of a node --------------------------------------------------------------------------------------------


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            yield from _of_comparison(node)
        case ast.BoolOp():
            yield from _of_condition(node)
        case ast.UnaryOp(op=ast.Not()):
            yield f"{_text(node)} -> without not", lambda one: one.operand  # type: ignore[attr-defined]
        case ast.BinOp() if type(node.op) in OPERATORS and not isinstance(node.left, ast.JoinedStr):
            yield f"{_text(node)} -> {OPERATORS[type(node.op)].__name__}", _with_operator
        case ast.AugAssign() if type(node.op) in OPERATORS:
            yield f"{_text(node)} -> {OPERATORS[type(node.op)].__name__}", _with_operator
        case ast.Constant():
            yield from _of_constant(node)
        case ast.If() | ast.While() | ast.IfExp():
            if not isinstance(node.test, ast.Compare) or len(node.test.ops) > 1:
                yield f"if {_text(node.test)} -> negated", _negated
        case ast.comprehension() if node.ifs:
            yield f"if {_text(node.ifs[0])} -> always", _unconditional
        case ast.match_case():
            yield from _of_case(node)
        case ast.Break():
            yield "break -> continue", lambda one: ast.copy_location(ast.Continue(), one)
        case ast.Continue():
            yield "continue -> break", lambda one: ast.copy_location(ast.Break(), one)
    yield from _of_statement(node)


def _of_comparison(node: ast.Compare) -> Iterator[Change]:
    for at, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:

            def change(one: ast.AST, at: int = at, other: type[ast.cmpop] = other) -> ast.AST:
                made = copy.copy(one)
                assert isinstance(made, ast.Compare)
                made.ops = [*made.ops[:at], other(), *made.ops[at + 1 :]]
                return made

            yield f"{_text(node)} -> {other.__name__}{'' if len(node.ops) == 1 else f' at {at}'}", change


def _of_condition(node: ast.BoolOp) -> Iterator[Change]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield f"{_text(node)} -> {other.__name__}", lambda one: ast.copy_location(ast.BoolOp(other(), one.values), one)  # type: ignore[attr-defined]
    for at, value in enumerate(node.values):

        def without(one: ast.AST, at: int = at) -> ast.AST:
            assert isinstance(one, ast.BoolOp)
            rest = [*one.values[:at], *one.values[at + 1 :]]
            return rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(one.op, rest), one)

        yield f"{_text(node)} -> without {_text(value)}", without


def _with_operator(one: ast.AST) -> ast.AST:
    made = copy.copy(one)
    assert isinstance(made, ast.BinOp | ast.AugAssign)
    made.op = OPERATORS[type(made.op)]()
    return made


def _of_constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    others: tuple[str | bytes | int, ...] = ()
    if isinstance(value, bool):
        others = (not value,)
    elif isinstance(value, int):
        others = (value + 1, value - 1)
    elif isinstance(value, str):
        others = (TEXT + value + TEXT,)
    elif isinstance(value, bytes):
        others = (TEXT.encode() + value + TEXT.encode(),)
    for other in others:
        words = "more text" if isinstance(value, str | bytes) else repr(other)

        def change(one: ast.AST, other: str | bytes | int = other) -> ast.AST:
            return ast.copy_location(ast.Constant(other), one)

        yield f"{_text(node)} -> {words}", change


def _negated(one: ast.AST) -> ast.AST:
    made = copy.copy(one)
    assert isinstance(made, ast.If | ast.While | ast.IfExp)
    made.test = ast.UnaryOp(ast.Not(), made.test)
    return made


def _unconditional(one: ast.AST) -> ast.AST:
    made = copy.copy(one)
    assert isinstance(made, ast.comprehension)
    made.ifs = made.ifs[1:]
    return made


def _of_case(node: ast.match_case) -> Iterator[Change]:
    if node.guard is not None:

        def unguarded(one: ast.AST) -> ast.AST:
            made = copy.copy(one)
            assert isinstance(made, ast.match_case)
            made.guard = None
            return made

        yield f"case {_text(node.pattern)} if {_text(node.guard)} -> always", unguarded

    def never(one: ast.AST) -> ast.AST:
        made = copy.copy(one)
        assert isinstance(made, ast.match_case)
        made.guard = ast.Constant(value=False)
        return made

    yield f"case {_text(node.pattern)} -> never", never


def _of_statement(node: ast.AST) -> Iterator[Change]:
    nothing: Callable[[ast.AST], ast.AST] = lambda one: ast.copy_location(ast.Pass(), one)  # noqa: E731
    match node:
        case ast.Raise():
            yield f"{_text(node)} -> gone", nothing
        case ast.Return(value=ast.expr()) if not _is_none(node.value):
            yield f"{_text(node)} -> return None", lambda one: ast.copy_location(ast.Return(), one)
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield f"{_text(node)} -> gone", nothing
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign() | ast.Delete():
            yield f"{_text(node)} -> gone", nothing


def _is_none(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else text[:97] + "..."
