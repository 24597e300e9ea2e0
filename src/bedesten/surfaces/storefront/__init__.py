"""The Storefront surface: web shops and apps of end customers, with bearer tokens from the login.

It lies under `/Storefront/`. The calls that a customer makes before a login are anonymous, and the table says which.
"""
