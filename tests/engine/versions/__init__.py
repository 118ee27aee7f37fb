"""What trimtab can do on a version of vLLM: `make versions`, and the table of it.

The checks are engine tests: they fail where trimtab does something wrong. What a version cannot do
is no fault: a check tells it as a finding, with vLLM's reason. Findings are kept, a file for each
version, and `docs/versions.md` is written of them.
"""
