"""Branching points: decisions of live and stored runs, what could be done at each, and what it is worth.

`collecting` runs it all; `scripted` makes points of a world without models. Nothing is imported here: the
modules bring LangChain along, and who only reads points need not wait for it.
"""
