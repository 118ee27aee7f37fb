"""Values to coloured lines, without Textual: figures, effects, plots, steps."""
