"""The steps of a request, as data: one list, which the documents repeat.

The docstring of `http.pipeline` and `ARCHITECTURE.md` contain `as_list()`, `docs/reference/http.md` contains `as_table()`.
`tests/pipeline/test_steps.py` holds them equal, and checks that the pipeline takes the steps in this order.
"""

from typing import NamedTuple


class Step(NamedTuple):
    """One step: its name, what it does, and the error codes with which a request can end there."""

    name: str
    does: str
    codes: tuple[int, ...] = ()


STEPS = (
    Step("framing", "the target is a path; headers that may appear once are not repeated", (-2,)),
    Step("revision check", "this process knows every change that was made before the request arrived", (-9,)),
    Step("host", "the canonical `Host` names a tenant", (-2, -10)),
    Step("CORS preflight", "Storefront only: a preflight is answered here, without a credential"),
    Step("route", "path and method lead to an operation; below a surface of API keys an unknown one goes on", (-3, -4)),
    Step("refused address", "an address with too many refusals waits", (-7,)),
    Step("address limit", "the tenant's limit for one address", (-7,)),
    Step("credential", "the bearer token or the API key is valid for this tenant", (-10, -20, -21, -22, -23)),
    Step("rate limits", "the tenant's limits for itself and for one credential", (-7,)),
    Step("idle time-out", "the bearer token was used recently; this use is recorded", (-22,)),
    Step("access", "surface, scope or grant, and what the operator switched off", (-3, -24, -25)),
    Step("key usage", "the use of the API key is recorded; written first if the secret is new", (-23,)),
    Step("region", "`h-region-code` has a valid form", (-2,)),
    Step("media type", "JSON in UTF-8, without a content coding", (-6,)),
    Step("body", "the body arrives within its size limit and its deadline", (-2, -5)),
    Step("schema", "strict JSON, and every field is valid", (-2,)),
    Step("idempotency", "`Idempotency-Key`: a stored answer is given again", (-2, -8)),
    Step("handler", "the operation, in its transaction: object, state, money"),
    Step("conditional GET", "documents and cacheable routes: 304 if the client has the current version"),
    Step("refusal records", "a refusal is logged and audited, and counts against the address"),
    Step("response", "the envelope of success after COMMIT, or of the refusal, with the nearest rate limit"),
    Step("CORS headers", "Storefront only: the tenant's origins may read the answer"),
    Step("metrics", "status, error code and duration are counted"),
)
"""Every step of `Pipeline.handle`, in order. Those up to `key usage` are `Admission`, which forward-auth shares."""

ADMISSION = tuple(step.name for step in STEPS[: [step.name for step in STEPS].index("key usage") + 1])


def as_list() -> str:
    """The steps as a numbered list."""
    return "\n".join(f"{number}. {step.name}: {step.does}" for number, step in enumerate(STEPS, 1))


def as_table() -> str:
    """The steps as a Markdown table, with the errors of each."""
    lines = ["| | step | what it does | refuses with |", "|---|---|---|---|"]
    for number, step in enumerate(STEPS, 1):
        lines.append(f"| {number} | {step.name} | {step.does} | {', '.join(map(str, step.codes))} |")
    return "\n".join(lines)
