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
    "a complaint of somebody else's line": (
        4,
        ("UPDATE complaints SET line_id = '{by_code}' WHERE id = '{refunded}'",),
        r"complaint cmp_\w+ is about code cod_\w+ of line odl_\w+, buyer par_\w+ and order ord_\w+, which do not belong",
    ),
    "a replaced code that is not bad": (
        4,
        ("UPDATE stock_codes SET state = 2 WHERE id = (SELECT code_id FROM complaints WHERE id = '{replaced}')",),
        r"complaint cmp_\w+ replaced code cod_\w+ with state 2 by code cod_\w+ with state 2",
    ),
    "a bad code without a complaint": (
        4,
        ("DELETE FROM complaints WHERE id = '{replaced}'",),
        r"code cod_\w+ of line odl_\w+ is bad, and no complaint replaced it",
    ),
    "a bad code that still has a place": (
        4,
        ("UPDATE stock_codes SET unit = 0 WHERE id = (SELECT code_id FROM complaints WHERE id = '{replaced}')",),
        r"stock code cod_\w+ with state 5 is unit 0 of 2 of line odl_\w+",
    ),
    "a complaint that says another refund": (
        5,
        ("UPDATE complaints SET refunded = 499 WHERE id = '{refunded}'",),
        r"complaint cmp_\w+ with state 2 says that 499 were refunded, its refund is of 500",
    ),
    "a refund whose complaint is gone": (
        5,
        ("DELETE FROM complaints WHERE id = '{refunded}'",),
        r"refund rfd_\w+ of 500 was made for a complaint that does not exist",
    ),
    "a complaint that says another claw-back": (
        5,
        ("UPDATE complaints SET charged = 119 WHERE id = '{replaced}'",),
        r"complaint cmp_\w+ says that 119 were taken back from supplier sup_\w+, its claw-back is of 120",
    ),
}
