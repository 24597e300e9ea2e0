"""The invariants as questions to the store: each gives no row unless something is broken.

Every statement groups and joins inside the database, so that a million orders are a few passes over a few tables. The
first column is the tenant, the others fill the sentence that says what is wrong: row ids, numbers and names of columns,
never what a row keeps secret.

Database constraints hold much of this already: the questions trust none of them.
"""
