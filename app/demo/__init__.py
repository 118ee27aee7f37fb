"""The demo: a real engine with real traffic on this machine, and the screen or a tour on it.

rig.py       starts the engine and the traffic, and stops them, however this process ends
guardian.py  the process that stops them when this one was killed
tour.py      the demo without a person: turns knobs, measures, checks the effects
"""
