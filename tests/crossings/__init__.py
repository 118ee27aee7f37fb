"""Each act beside each fault: what an operator does, and what happens to it in the midst.

The cells are the product of `acts.ACTS` and `faults.FAULTS`: a new value in either gets its row or
column, and each cell must hold `invariants.check`. They run on a stand-in engine
(`tests/fakes/served_engine.py`) with the real front and plugin, under the real supervisor, with the
real command line and the real recorder. `docs/crossings.md` is written from what ran.
"""
