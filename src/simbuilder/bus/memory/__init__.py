"""The bus without a server, for tests of what uses it; the contract suite holds it to the real one.

What it stores are bytes, as a server has them: what JSON cannot say cannot be sent here either.
All of it belongs to one event loop, and nothing of it runs in the background.
"""
