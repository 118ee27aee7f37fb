"""The cards of this host, recorded once for all engines: what each did, and what befell it."""
