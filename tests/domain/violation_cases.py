"""Cases of `test_check_violations`: the invariant, the statements that violate it, and the reported violation."""

MINE = "WHERE tenant_id = '{tenant}' AND "
PARTNER = MINE + "kind = 'partner'"
A_FREE_CODE = "WHERE id = (SELECT min(id) FROM stock_codes WHERE product_id = '{card}' AND state = 0)"

BREAKS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "a cached balance": (
        1,
        (f"UPDATE ledger_accounts SET posted = posted + 1 {PARTNER}",),
        r"posted, its transfers give",
    ),
    "a transfer that is gone": (
        1,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'deposit%'",),
        r"has -?\d+ posted, its transfers give -?\d+",
    ),
    "a cached balance of the tenant's own": (
        1,
        (f"UPDATE ledger_accounts SET posted = 5 {MINE} kind = 'sales'",),
        r"of kind sales with bounded = 0 caches 5 posted and 0 held",
    ),
    "a partner without bounds": (
        1,
        (f"UPDATE ledger_accounts SET bounded = 0 {PARTNER}",),
        r"of kind partner with bounded = 0 caches",
    ),
    "a transfer of nothing": (
        1,
        (f"UPDATE transfers SET amount = 0 {MINE} business_key LIKE 'cost%'",),
        r"transfer trf_\w+ of 0 USD .* needs an amount above 0",
    ),
    "a transfer to oneself": (
        1,
        (f"UPDATE transfers SET to_id = from_id {MINE} business_key LIKE 'cost%'",),
        r"two accounts of its currency",
    ),
    "a transfer between currencies": (
        1,
        (f"UPDATE ledger_accounts SET currency = 'EUR' {MINE} kind = 'clearing'",),
        r"from acc_\w+ in EUR to acc_\w+ in USD",
    ),
    "an overdrawn account": (
        2,
        (f"UPDATE ledger_accounts SET credit_limit = 1, overdraft_limit = 1 {PARTNER}",),
        r"a credit limit of 1: it is overdrawn",
    ),
    "an overdraft that nobody granted": (
        2,
        (f"UPDATE ledger_accounts SET overdraft_limit = overdraft_limit + 1 {PARTNER}",),
        r"may go \d+ below zero: that is neither its credit limit",
    ),
    "a limit beyond all amounts": (
        2,
        (f"UPDATE ledger_accounts SET credit_limit = 1000000000000000, overdraft_limit = 1000000000000000 {PARTNER}",),
        r"together they reach 10\^15",
    ),
    "a stock level": (
        4,
        ("UPDATE stock_levels SET available = available - 1 WHERE product_id = '{card}'",),
        r"product prd_\w+ has 4 available, its free codes are 5",
    ),
    "a counter of taken codes": (
        4,
        ("UPDATE stock_counters SET taken = taken + 1 WHERE product_id = '{card}'",),
        r"product prd_\w+ has 4 available, its free codes are 5",
    ),
    "a product without a stock level": (
        4,
        ("DELETE FROM stock_levels WHERE product_id = '{card}'",),
        r"has -1 available, its free codes are 5",
    ),
    "a code that a delivered line lost": (
        4,
        ("DELETE FROM stock_codes WHERE line_id = '{by_code}'",),
        r"line odl_\w+ \(status 1, order state 1\) has 0 claimed and 0 delivered codes, it should have 0 and 1",
    ),
    "a line from stock with a note in place of its codes": (
        4,
        (
            "DELETE FROM stock_codes WHERE line_id = '{sold}'",
            "UPDATE order_lines SET note = '[]' WHERE id = '{sold}'",
        ),
        r"has 0 claimed and 0 delivered codes, it should have 0 and 2",
    ),
    "a code that was delivered before it was paid": (
        4,
        ("UPDATE stock_codes SET state = 2 WHERE line_id = '{unpaid_line}'",),
        r"\(status 2, order state 0\) has 0 claimed and 1 delivered codes, it should have 1 and 0",
    ),
    "a code that an expired checkout kept": (
        4,
        (
            f"UPDATE stock_codes SET state = 1, line_id = '{{expired_line}}', line_quantity = 1, unit = 0 {A_FREE_CODE}",
            "UPDATE stock_levels SET available = available - 1 WHERE product_id = '{card}'",
        ),
        r"\(status 2, order state 2\) has 1 claimed and 0 delivered codes, it should have 0 and 0",
    ),
    "a code beyond what was ordered": (
        4,
        ("UPDATE stock_codes SET unit = 2 WHERE line_id = '{sold}' AND unit = 1",),
        r"is unit 2 of 2 of line odl_\w+, which has 2 units",
    ),
    "a code that thinks its line is larger": (
        4,
        ("UPDATE stock_codes SET line_quantity = 7 WHERE line_id = '{sold}'",),
        r"is unit \d of 7 of line odl_\w+, which has 2 units",
    ),
    "a free code with a line": (
        4,
        ("UPDATE stock_codes SET state = 0 WHERE line_id = '{sold}' AND unit = 0",),
        r"with state 0 is unit 0 of 2 of line",
    ),
    "a code of another product": (
        4,
        ("UPDATE stock_codes SET product_id = 'prd_other' WHERE line_id = '{sold}'",),
        r"of product prd_other belongs to line odl_\w+ of product prd_\w+",
    ),
    "a line that waits for nobody": (
        4,
        ("UPDATE order_lines SET queued = NULL WHERE id = '{waiting}'",),
        r"line odl_\w+ with status 2 and version 1 cannot be in an order with state 1, or its supplier was not asked",
    ),
    "a line whose status its units do not give": (
        4,
        ("UPDATE order_lines SET status = 1 WHERE id = '{cancelled}'",),
        r"line odl_\w+ with status 1 has 2 units, of which 0 are delivered and 2 cancelled",
    ),
    "a cancelled line that its supplier still has": (
        4,
        ("UPDATE order_lines SET queued = 1 WHERE id = '{cancelled}'",),
        r"line odl_\w+ with status 0 and version 2 cannot be in an order with state 1",
    ),
    "a line that moved before it was paid": (
        4,
        ("UPDATE order_lines SET version = 1 WHERE id = '{unpaid_line}'",),
        r"with status 2 and version 1 cannot be in an order with state 0",
    ),
    "two codes that are one": (
        4,
        (
            "UPDATE stock_codes SET folded_digest = digest WHERE product_id = '{card}'",
            "UPDATE stock_codes SET folded_digest = (SELECT digest FROM stock_codes LIMIT 1) WHERE product_id = '{card}'",
        ),
        r"product prd_\w+ has \d codes that are equal by its comparison: cod_\w+ to cod_\w+",
    ),
    "a product that compares its codes otherwise than before": (
        4,
        ("UPDATE products SET code_comparison = 'exact' WHERE id = '{card}'",),
        r"stock code cod_\w+ of product prd_\w+ is compared differently from its product, which says exact",
    ),
    "a batch that lost a code": (
        4,
        ("UPDATE stock_batches SET codes = codes + 1 WHERE product_id = '{card}'",),
        r"batch bat_\w+ with state 1 should have 10 codes, it has 9, of which 0 are loading",
    ),
    "a batch whose codes are sold before it is complete": (
        4,
        ("UPDATE stock_batches SET state = 0 WHERE product_id = '{card}'",),
        r"batch bat_\w+ with state 0 should have 9 codes, it has 9, of which 0 are loading",
    ),
    "a level that overlooks an expiry": (
        4,
        ("UPDATE stock_levels SET next_expiry = NULL WHERE product_id = '{consigned}'",),
        r"a code of product prd_\w+ expires at \d+, its stock level expects -1",
    ),
    "a supplier who earned nothing with its stock": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'cost:{{earning}}:%'",),
        r"supplier sup_\w+ earns 240 with the stock codes of line odl_\w+, its transfers are of 0",
    ),
    "a supplier who earned with somebody else's stock": (
        5,
        ("UPDATE stock_batches SET supplier_id = NULL WHERE product_id = '{consigned}'",),
        r"transfer trf_\w+ of 240 pays a supplier for stock codes that the line does not have",
    ),
    "a supplier's money on another account": (
        5,
        (f"UPDATE ledger_accounts SET owner_id = '{{theirs}}' {MINE} kind = 'supplier'",),
        r"transfer trf_\w+ for line odl_\w+ goes to account acc_\w+ of ten_\w+, which its key does not name",
    ),
    "an order's total": (5, ("UPDATE orders SET total = total + 1 WHERE id = '{paid}'",), r"its lines give 500"),
    "an order without lines": (
        5,
        (
            "DELETE FROM order_lines WHERE order_id = '{unpaid}'",
            "DELETE FROM stock_codes WHERE line_id = '{unpaid_line}'",
        ),
        r"has a total of 1200, its lines give -1",
    ),
    "a placed order without a hold": (
        5,
        ("DELETE FROM holds WHERE order_id = '{paid}'",),
        r"order ord_\w+ with state 1 has 0 holds",
    ),
    "a hold of an order that was not placed": (
        5,
        ("UPDATE orders SET state = 2 WHERE id = '{paid}'",),
        r"order ord_\w+ with state 2 has 1 holds",
    ),
    "a hold that captured too little": (
        5,
        ("UPDATE holds SET captured = captured - 100 WHERE order_id = '{paid}'",),
        r"hold of order ord_\w+ has 500 placed, 400 captured, 0 released; the order gives 500, 500 and 0",
    ),
    "a hold that released what nobody cancelled": (
        5,
        ("UPDATE holds SET released = 50 WHERE order_id = '{paid}'",),
        r"500 captured, 50 released; the order gives 500, 500 and 0",
    ),
    "a hold that did not release what was cancelled": (
        5,
        ("UPDATE holds SET released = released - 700 WHERE order_id = '{with_cancelled}'",),
        r"hold of order ord_\w+ has 1400 placed, 0 captured, 700 released; the order gives 1400, 0 and 1400",
    ),
    "a hold on somebody else's account": (
        5,
        (f"UPDATE holds SET account_id = (SELECT id FROM ledger_accounts {PARTNER}) WHERE order_id = '{{paid}}'",),
        r"the hold of order ord_\w+ is on account acc_\w+ of par_\w+, the buyer is cus_\w+",
    ),
    "an account that holds more than its holds": (
        5,
        (f"UPDATE ledger_accounts SET held = held + 1 {PARTNER}",),
        r"has 701 held, its open holds give 700",
    ),
    "a delivered line that nobody paid": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'line:{{by_code}}'",),
        r"line odl_\w+ was delivered for 700, its transfers are of 0",
    ),
    "a line that was paid from another account": (
        5,
        (f"UPDATE transfers SET from_id = 'acc_other' {MINE} business_key = 'line:{{by_code}}'",),
        r"pays line odl_\w+ from account acc_other, its order's hold is on acc_\w+",
    ),
    "a transfer for a line that was not delivered": (
        5,
        ("UPDATE order_lines SET status = 2, delivered = 0 WHERE id = '{by_code}'",),
        r"transfer trf_\w+ of 700 is booked for a delivered line that does not exist or is not in that state",
    ),
    "what a supplier earned with a line that was not delivered": (
        5,
        ("UPDATE order_lines SET status = 2, delivered = 0 WHERE id = '{by_note}'",),
        r"transfer trf_\w+ of 600 is booked for a delivered line that does not exist or is not in that state",
    ),
    "a confirmed deposit without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'deposit%'",),
        r"deposit dep_\w+ of 500 with state 1 has a transfer of 0",
    ),
    "a transfer of a deposit that was not confirmed": (
        5,
        ("UPDATE deposits SET state = 0 WHERE id = '{deposit}'",),
        r"transfer trf_\w+ of 500 is booked for a confirmed deposit that does not exist or is not in that state",
    ),
    "a captured payment without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'payment:{{payment}}'",),
        r"payment pay_\w+ with state 1 has captured 500 of 500, its transfers give 0",
    ),
    "a transfer of a payment that is gone": (
        5,
        ("DELETE FROM payments WHERE id = '{payment}'",),
        r"transfer trf_\w+ of 500 is booked for a captured payment that does not exist or is not in that state",
    ),
    "an order that was paid twice": (
        5,
        ("UPDATE payments SET state = 1, captured = amount WHERE id = '{second_payment}'",),
        r"order ord_\w+ with state 1 and a total of 500 has 2 captured payments",
    ),
    "a paid order that nobody paid": (
        5,
        ("UPDATE payments SET state = 0, captured = 0 WHERE id = '{payment}'",),
        r"order ord_\w+ with state 1 and a total of 500 has 0 captured payments",
    ),
    "captures by reference of more than was captured": (
        5,
        ("UPDATE payment_captures SET amount = 501 WHERE payment_id = '{given_back}'",),
        r"payment pay_\w+ has captured 500, its captures by reference give 501",
    ),
    "more given back than the refunds": (
        5,
        ("UPDATE payments SET refunded = 41 WHERE id = '{given_back}'",),
        r"payment pay_\w+ has captured 500 and given back 41 of it, its refunds give 40",
    ),
    "a refund without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'payment_refund:{{refund}}'",),
        r"refund rfd_\w+ with state 1 has booked 40, its transfer is of 0",
    ),
    "a failed refund whose money did not return": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'payment_refund_return:{{failed_refund}}'",),
        r"refund rfd_\w+ with state 2 has booked 80, the transfer that returns it is of 0",
    ),
    "a transfer of a refund that is gone": (
        5,
        ("DELETE FROM payment_refunds WHERE id = '{refund}'",),
        r"transfer trf_\w+ of 40 is booked for a refund that does not exist or is not in that state",
    ),
    "money that returned although the refund is done": (
        5,
        ("UPDATE payment_refunds SET state = 1 WHERE id = '{failed_refund}'",),
        r"transfer trf_\w+ of 80 is booked for a failed refund that does not exist or is not in that state",
    ),
    "a lost dispute without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key = 'payment_dispute:{{lost}}'",),
        r"payment pay_\w+ with state 8 has lost 500, its transfer is of 0",
    ),
    "a dispute that was not lost and took the money": (
        5,
        ("UPDATE payments SET state = 7 WHERE id = '{lost}'",),
        r"transfer trf_\w+ of 500 is booked for a lost payment that does not exist or is not in that state",
    ),
    "a refused payment that asks for no refund": (
        5,
        ("UPDATE payment_refunds SET reference = 'x' WHERE payment_id = '{refused}'",),
        r"payment pay_\w+ with state 3 has 0 refunds of a refusal",
    ),
    "a payment into the account of somebody else": (
        5,
        ("UPDATE orders SET buyer_id = '{theirs}' WHERE id = '{paid}'",),
        r"transfer trf_\w+ of order ord_\w+ moves money of account acc_\w+ of cus_\w+, the buyer is ten_\w+",
    ),
    "a large deposit that nobody approved": (
        5,
        ("UPDATE deposits SET approval = 1 WHERE id = '{deposit}'",),
        r"deposit dep_\w+ of 500 with state 1 has approval 1",
    ),
    "a deposit that waits for no approval": (
        5,
        ("UPDATE deposits SET approval = 0 WHERE id = '{awaiting}'",),
        r"deposit dep_\w+ of 801 with state 3 has approval 0",
    ),
    "a payment that was refused and is open again": (
        5,
        ("UPDATE payments SET refusal = -402 WHERE id = '{second_payment}'",),
        r"payment pay_\w+ with state 0 was refused with -402",
    ),
    "an expired checkout that was paid": (
        5,
        ("UPDATE orders SET state = 3 WHERE id = '{paid}'",),
        r"order ord_\w+ with state 3 and a total of 500 has 1 captured payments",
    ),
    "a change without its event": (
        6,
        ("DELETE FROM events WHERE line_id = '{by_code}' AND sequence = 1",),
        r"line odl_\w+ has version 2 and 1 events, from 2 to 2",
    ),
    "an event without a change": (
        6,
        ("UPDATE events SET sequence = 3 WHERE line_id = '{by_code}' AND sequence = 2",),
        r"line odl_\w+ has version 2 and 2 events, from 1 to 3",
    ),
    "an event that says something else": (
        6,
        ("UPDATE events SET status = 0 WHERE line_id = '{by_code}' AND sequence = 2",),
        r"line odl_\w+ has status 1, its latest event evt_\w+ says 0",
    ),
    "an event of a line that belongs to another account": (
        6,
        ("UPDATE events SET owner_id = 'par_other' WHERE line_id = '{sold}'",),
        r"event evt_\w+ of line odl_\w+ belongs to par_other, who is not its buyer",
    ),
    "an event that was not passed on to the endpoint's URL": (
        6,
        ("DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{sold}')",),
        r"event evt_\w+ has no delivery for endpoint whk_\w+",
    ),
    "an event that was not passed on to the order's URL": (
        6,
        ("DELETE FROM deliveries WHERE event_id IN (SELECT id FROM events WHERE line_id = '{by_note}')",),
        r"event evt_\w+ has no delivery for its order's notifyUrl",
    ),
    "a delivery past the order's URL": (
        6,
        ("UPDATE deliveries SET url = 'https://thief.example.com/' WHERE url LIKE 'https%orders%'",),
        r"delivery dlv_\w+ of event evt_\w+ goes to endpoint whk_\w+, which is not its owner's, or past",
    ),
    "a delivery to somebody else's endpoint": (
        6,
        (f"UPDATE webhook_endpoints SET owner_id = '{{theirs}}' {MINE} url IS NOT NULL",),
        r"goes to endpoint whk_\w+, which is not its owner's",
    ),
    "a trial balance that is not zero": (
        1,
        (f"UPDATE ledger_accounts SET posted = posted + 1 {PARTNER}",),
        r"the trial balance in USD is 1 minor units, not 0",
    ),
    "a booking by hand without its transfer": (
        5,
        (f"DELETE FROM transfers {MINE} business_key LIKE 'money:%'",),
        r"money order mny_\w+ of -40 with state 1 has a transfer of 0",
    ),
    "a booking by hand that only waits": (
        5,
        (f"UPDATE money_orders SET state = 0 {MINE} state = 1",),
        r"transfer trf_\w+ of 40 is booked for a money order that does not exist or is not booked",
    ),
    "a correction that pretends to be a payout": (
        5,
        (f"UPDATE money_orders SET kind = 'withdraw' {MINE} state = 1",),
        r"money order mny_\w+ of kind withdraw is booked against an account of kind adjustments",
    ),
    "a statement with a wrong balance": (
        1,
        (f"UPDATE statement_entries SET balance = balance + 1 {MINE} seq = 1",),
        r"entry 1 of the statement of account acc_\w+ has a balance of -?\d+; -?\d+ before it",
    ),
    "a statement that lists another account's transfer": (
        1,
        (f"UPDATE statement_entries SET transfer_id = 'trf_x' {MINE} seq = 1",),
        r"entry 1 of the statement of account acc_\w+ has a balance of -?\d+; -?\d+ before it and a transfer of 0",
    ),
    "a statement that lost its last row": (
        1,
        (
            f"DELETE FROM statement_entries {MINE} seq = (SELECT max(seq) FROM statement_entries)",
            f"UPDATE statement_heads SET settled = settled + 3600001 {MINE} settled > 0",
        ),
        r"the statement of account acc_\w+ lacks transfer trf_\w+",
    ),
    "a booking that one person approved alone": (
        5,
        (f"UPDATE money_orders SET decided_by = created_by {MINE} state = 1",),
        r"money order mny_\w+ above the limit was requested by ann and approved by ann",
    ),
}
