"""The recorder: scrapes and device samples become readings in the ledger."""
