"""The ledger: what was read, kept, summed and compared. Knows no engine and no screen."""
