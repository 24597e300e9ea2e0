"""The use cases that only an operator may run, behind the program `bedesten`.

Each module has plain functions over a transaction: `partners` (an account, its ledger account and its webhook endpoint),
`owners` (suppliers and integrations), `customers`, `products`, `product_file` and `product_import` (a catalogue from a
file), `stock` and `code_file` (stock codes from a file), `keys`, `key_imports`, `key_file` (API keys that a file
describes) and `leak_reports` (API keys by their id), `tenant_file`, `record_file` (what these files share), `tokens`,
`checkouts`, `deposits`, `master_secrets`, `webhook_networks`, and `inputs` (parsing of operators' values).
A use case that stays inside one domain package is called there.

What does not belong here: command lines and output (`cli`), HTTP (`admin_api`), `bedesten check` (`integrity`), and
anything that a tenant's caller may do.
"""
