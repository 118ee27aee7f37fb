"""The processes that own an engine's address and its life, so that both outlive whoever watches.

__main__     the keeper: holds the listening socket and starts the supervisor, again if it is killed
supervisor   starts the engine, starts it again when it crashes, lets it finish before it stops
client       how the rest of trimtab starts and asks one
"""
