"""What a client of Postgres says first, byte by byte."""

import socket
import struct

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def say(port, *packets):
    """Send packets to the port and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for packet in packets:
            client.sendall(packet)
        heard = b""
        try:
            while piece := client.recv(4096):
                heard += piece
        except ConnectionResetError:
            pass
        return heard


def startup(**parameters):
    """Return a startup packet."""
    content = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(content) + 8, 3 << 16) + content
