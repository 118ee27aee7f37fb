"""What every screen that draws frames shares."""
