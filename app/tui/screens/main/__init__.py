"""The main screen: one engine, its figures, knobs and last impact."""
