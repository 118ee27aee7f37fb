"""Sums over time that only grow, in whole numbers: what cumulative readings are made of."""
