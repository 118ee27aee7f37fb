"""Planning the adoption of an engine that somebody else started, and asking for it.

origin       what /proc tells of a running engine: command, directory, environment, limits
ownership    whom it belongs to, and what to add there where it is not ours to restart
plan         what would be done, and every reason not to
begin        the order to a new supervisor, followed to its end

The restart itself is done in the supervisor's process: `engines/supervisor/takeover/`.
"""
