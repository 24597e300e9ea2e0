"""Cases of refunds and claw-backs, as in `violation_cases`."""

MINE = "WHERE tenant_id = '{tenant}' AND "
CLEARING = f"(SELECT min(id) FROM ledger_accounts {MINE} kind = 'clearing')"

REFUND_BREAKS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "a line that was refunded more than its refunds give": (
        5,
        ("UPDATE order_lines SET refunded = refunded + 1 WHERE id = '{by_code}'",),
        r"line odl_\w+ has 101 refunded, its refunds give 100",
    ),
    "a line that was refunded more than was paid": (
        5,
        ("UPDATE order_lines SET refunded = 701 WHERE id = '{by_code}'",),
        r"line odl_\w+ has 701 refunded, 700 were captured",
    ),
    "a refund of another amount than its transfer": (
        5,
        ("UPDATE refunds SET amount = 99 WHERE line_id = '{by_code}'",),
        r"refund rfd_\w+ of 99 has a transfer of 100",
    ),
    "a refund that is gone": (
        5,
        ("DELETE FROM refunds WHERE line_id = '{by_code}'",),
        r"transfer trf_\w+ of 100 is booked for a refund that does not exist",
    ),
    "a refund to somebody else": (
        5,
        (f"UPDATE transfers SET to_id = {CLEARING} {MINE} business_key LIKE 'refund:%'",),
        r"refund rfd_\w+ goes from an account of kind sales to acc_\w+, its order was paid from acc_\w+",
    ),
    "a claw-back of another amount than its transfer": (
        5,
        ("UPDATE clawbacks SET amount = 51 WHERE line_id = '{by_code}'",),
        r"claw-back clw_\w+ of 51 has a transfer of 50",
    ),
    "a claw-back that is gone": (
        5,
        ("DELETE FROM clawbacks WHERE line_id = '{by_code}'",),
        r"transfer trf_\w+ of 50 is booked for a claw-back that does not exist",
    ),
    "a claw-back that somebody else keeps": (
        5,
        (f"UPDATE transfers SET to_id = {CLEARING} {MINE} business_key LIKE 'clawback:%'",),
        r"claw-back clw_\w+ from supplier sup_\w+ goes from account acc_\w+ of sup_\w+ to one of kind clearing",
    ),
    "a claw-back of more than was earned": (
        5,
        ("UPDATE clawbacks SET amount = 301 WHERE line_id = '{by_code}'",),
        r"supplier sup_\w+ earned 300 with line odl_\w+, 301 were taken back",
    ),
}
