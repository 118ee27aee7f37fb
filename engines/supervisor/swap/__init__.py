"""One swap: start the other engine, verify it, hand over the address, or go back."""
