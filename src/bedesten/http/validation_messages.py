"""Messages about invalid fields, in the words of JSON and not of Python."""

import re

_KINDS = {
    "array": "a list",
    "bool": "true or false",
    "decimal": "a number",
    "int": "a whole number",
    "null": "null",
    "object": "an object",
    "str": "text",
}
_PARTS = {"str": "character", "array": "item"}
_OF_ANOTHER_KIND = re.compile(r"Expected `(?P<wanted>[a-z |]+)`, got `(?P<got>[a-z]+)`")
_OUT_OF_BOUNDS = re.compile(r"Expected `(?P<kind>[a-z]+)`(?P<long> of length)? (?P<bound>[<>]=) (?P<limit>-?\d+)")
_AT_MOST, _AT_LEAST = "at most", "at least"
_NOT_VALID = "is not valid"


def validation_message(problem: str) -> str:
    """The message for a validation error of msgspec. It never repeats the value; an unknown error becomes "is not valid"."""
    if kinds := _OF_ANOTHER_KIND.fullmatch(problem):
        return _of_another_kind(kinds["wanted"].split(" | "), kinds["got"])
    if bounds := _OUT_OF_BOUNDS.fullmatch(problem):
        bound, limit = _AT_MOST if bounds["bound"] == "<=" else _AT_LEAST, int(bounds["limit"])
        if not bounds["long"]:
            return f"must be {bound} {limit:,}"
        if part := _PARTS.get(bounds["kind"]):
            return f"must have {bound} {limit:,} {part}{'' if limit == 1 else 's'}"
    if problem.startswith("Invalid enum value"):
        return "must be one of the values in the reference"
    if problem.startswith("Expected `str` matching regex"):
        return "must have the form in the reference"
    return _NOT_VALID


def _of_another_kind(wanted: list[str], got: str) -> str:
    if "decimal" in wanted:
        wanted = [kind for kind in wanted if kind != "int"]
    named = [_KINDS[kind] for kind in wanted if kind in _KINDS and kind != "null"]
    if not named or got not in _KINDS:
        return _NOT_VALID
    found = "a fraction" if got == "decimal" and "int" in wanted else _KINDS[got]
    return f"must be {' or '.join(named)}, not {found}"
