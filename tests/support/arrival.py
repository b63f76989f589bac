"""What an instance, or QEMU for it, says on its tap when it begins to run there."""
import socket
import struct

ARP, RARP = 0x0806, 0x8035
REQUEST, REVERSE_REQUEST = 1, 3
MAC = bytes.fromhex("525400123456")


def say(namespace, device, protocol, operation, sender):
    """To everybody behind `device`, as `arping -U` does, with `sender` as both addresses."""
    packet = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + 2 * (MAC + socket.inet_aton(sender))
    sock = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sock, namespace.entered():
        sock.bind((device, protocol))
        sock.send(b"\xff" * 6 + MAC + struct.pack("!H", protocol) + packet)


def gratuitous_arp(namespace, address, device="eth0"):
    say(namespace, device, ARP, REQUEST, address)


def rarp(namespace, device="eth0"):
    say(namespace, device, RARP, REVERSE_REQUEST, "0.0.0.0")
