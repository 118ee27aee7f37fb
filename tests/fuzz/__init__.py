"""Fuzzing of the private sockets: hostile requests to our servers, hostile answers to our clients.

`make fuzz` runs `__main__.py`. A case is made from the seed and its number alone, so that what was
found can be had again.
"""
