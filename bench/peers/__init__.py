"""Doors to the programs that bgjobs is measured beside: each has one module, with the interface `peer.Peer`.

Their packages come with `make bench` alone, and most have no types, so a door loads its package when it is opened.
"""
