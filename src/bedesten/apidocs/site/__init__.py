"""The documentation that an installation serves: a small site on every tenant's host.

Pages are put together from `Markup`, in which everything that was not said to be markup is escaped. What depends on the
tenant is little: its name, whether it is a sandbox, which surfaces and operations it has, and its address in examples.
Nothing is fetched from anywhere else; scripts add comfort, and everything can be read without them.
"""
