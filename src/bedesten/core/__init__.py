"""What every package may use: clock, ids, money, secrets that never print, strict JSON, kinds of text. No I/O of its own."""
