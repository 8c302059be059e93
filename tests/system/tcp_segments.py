"""What the kernel has counted of a client's connection (struct tcp_info, linux/tcp.h)."""
import socket
import struct

SEGMENTS_IN = struct.Struct("140xI")
DATA_SEGMENTS_IN = struct.Struct("152xI")


def _counted(client, counter):
    octets = client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, counter.size)
    return counter.unpack(octets)[0]


def received(client):
    """Segments of every kind: acknowledgements and the end, too."""
    return _counted(client, SEGMENTS_IN)


def received_with_data(client):
    return _counted(client, DATA_SEGMENTS_IN)


def most_octets(client):
    """Of one segment of this connection."""
    return client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
