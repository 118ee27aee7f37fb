"""What engines and their surroundings do in the field, and what must be made of it."""
