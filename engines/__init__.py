"""Everything that touches an engine, a GPU or this host; writes what it reads into `store`."""
