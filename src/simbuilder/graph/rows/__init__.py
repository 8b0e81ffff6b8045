# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Types of rows, a module for each family of kinds."""
