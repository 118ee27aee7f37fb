"""Which engines there are: on this machine out of /proc, elsewhere by address."""
