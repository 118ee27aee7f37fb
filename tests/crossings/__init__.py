"""Each act beside each fault: what an operator does, and what happens to it in the midst.

The cells are the product of `acts.ACTS` and `faults.FAULTS`: a new value in either gets its row or
column, and each cell must hold `invariants.check`. They run on a stand-in engine with the real
plugin, the real command line and the real recorder. What moves an engine (swap, adopt, stop) has a
supervisor and is crossed with its faults on stand-ins in `tests/unit/supervisor` and on the real
engine in `tests/engine`.
"""
