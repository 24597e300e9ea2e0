"""Cases of `test_check_violations` about assignments, deliveries and earnings of suppliers."""

ITS_ASSIGNMENT = "(SELECT assignment_id FROM purchases WHERE id = '{purchase}')"
SUPPLIER_BREAKS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "a waiting line without an assignment": (
        4,
        ("DELETE FROM line_assignments WHERE line_id = '{waiting}'",),
        r"line odl_\w+ with status 2 has supplier sup_\w+, its current assignment is of -",
    ),
    "an assignment of a delivered line that goes on": (
        4,
        ("UPDATE line_assignments SET ended = NULL WHERE line_id = '{by_note}'",),
        r"line odl_\w+ with status 1 has supplier sup_\w+, its current assignment is of sup_\w+",
    ),
    "a delivery that is not noted": (
        4,
        ("DELETE FROM line_deliveries WHERE line_id = '{by_note}'",),
        r"line odl_\w+ has 2 units delivered by suppliers, their deliveries give 0",
    ),
    "a supplier that earned more": (
        5,
        ("UPDATE line_assignments SET unit_cost = unit_cost + 1 WHERE line_id = '{by_note}'",),
        r"supplier sup_\w+ earned 602 by delivering line odl_\w+, its transfers are of 600",
    ),
    "a supplier that was paid for nothing": (
        5,
        ("UPDATE line_assignments SET unit_cost = NULL WHERE line_id = '{by_note}'",),
        r"account owner sup_\w+ got 600 for line odl_\w+, of which it delivered nothing that earns",
    ),
    "a purchase for another line": (
        4,
        ("UPDATE purchases SET line_id = '{waiting}' WHERE id = '{purchase}'",),
        r"purchase pur_\w+ is for line odl_\w+ and supplier sup_\w+, its assignment is of line odl_\w+ and supplier sup_",
    ),
    "a purchase that ended while its line waits": (
        4,
        ("UPDATE line_assignments SET ended = NULL WHERE id = " + ITS_ASSIGNMENT,),
        r"purchase pur_\w+ ended with state 3, and line odl_\w+ still waits for it",
    ),
    "a card that no line received": (
        4,
        ("DELETE FROM line_deliveries WHERE assignment_id = " + ITS_ASSIGNMENT,),
        r"1 cards of purchase pur_\w+ were delivered, its assignment delivered 0 codes",
    ),
    "a credential of another row": (
        8,
        ("UPDATE supplier_connections SET credential = (SELECT secret FROM webhook_endpoints LIMIT 1)",),
        r"the credential of the connection of sup_\w+ cannot be decrypted",
    ),
}
