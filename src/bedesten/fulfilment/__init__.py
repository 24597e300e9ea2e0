"""Fulfilment: suppliers see the lines that wait for them and deliver, with codes or with a note.

A line that waits is `queued` with status 2. A delivery stores the encrypted codes, captures the line's part of the
order's hold, books what the supplier earned, and writes the event, all in one transaction, once.
"""
