"""The Storefront surface, under `/Storefront/`: for web shops and apps of end customers.

Customers use bearer tokens from their login. The operations that they need before a login are anonymous.
"""
