"""Engines that trimtab started: who they are, how far a start is, why one ended, stopping it."""
