"""The processes that own an engine's address and its life, so that both outlive whoever watches.

__main__     the keeper: holds the listening socket and starts the supervisor, again if it is killed
process      the supervisor: lives through `states` and answers on its socket
start        how the rest of trimtab starts both; it asks them through `engines.supervisor_client`
"""
