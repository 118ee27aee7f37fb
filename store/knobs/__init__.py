"""What each knob is called, its unit, and its bounds in words."""
