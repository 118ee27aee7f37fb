"""Taking an engine that runs already under a supervisor of trimtab's.

origin       what /proc tells of a running engine: command, directory, environment, limits
ownership    whom it belongs to, and what to add there where it is not ours to restart
sockets      its listening socket, and another one beside it that gets all new connections
connections  letting it finish what it has
takeover     the restart itself, done by the supervisor: drain, end, start, or back
orphaned     an engine of trimtab's that lost its keeper, taken over as it is
"""
