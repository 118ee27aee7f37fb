"""Linux as it is: processes, listening sockets, memory, ending what we started."""
