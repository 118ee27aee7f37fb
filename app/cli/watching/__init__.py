"""Commands that read: the screen, the list of engines, one window, recording and exporting."""
