"""What comes out of engines and command lines, made fit to show: secrets hidden, output tamed."""
