"""Tenants: the brands of one installation. A tenant owns everything else; nothing is shared between two of them.

States: live (0), suspended (1). A suspended tenant's credentials are refused and its anonymous calls find no shop.
A sandbox tenant has `ak_test_` keys and play money; the wall between play money and money is the wall between tenants.
"""
