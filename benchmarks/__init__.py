"""What Bedesten reaches beside plain applications, measured on one machine in one run.

`load` makes the requests, `peers` holds the plain applications, `bedesten_contender` sets Bedesten up through its own
program, `harness` lets them take turns and `report` prints what came of it. README.md says what is and is not compared.
"""
