"""Benchmarks: Bedesten and plain applications, measured side by side on one machine in one run.

`load` generates requests, `peers` has the plain applications, `bedesten_contender` sets Bedesten up through its own program,
`harness` alternates between the contenders and `report` prints the results. README.md states what is compared.
"""
