"""The thread that reads the ledger each second, and the frame it hands to the screen."""
