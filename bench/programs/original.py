"""What the Python package Socket_Singleton does on the wire, without the rest of it. Messages for the benchmark go to Node's channel."""

import json
import os
import socket
import sys
import threading

endpoint = json.loads(os.environ["BENCH_ENDPOINT"])
address = (endpoint["host"], endpoint["port"])


def report(message):
    os.write(int(os.environ["NODE_CHANNEL_FD"]), json.dumps(message).encode() + b"\n")


def listen(server):
    server.listen()
    report("ready")
    while True:
        connection, _ = server.accept()
        with connection:
            data = b""
            while chunk := connection.recv(1024):
                data += chunk
        report(len(data.decode().split("\0")))


server = socket.socket()
try:
    server.bind(address)
except OSError:
    with socket.create_connection(address) as connection:
        connection.sendall("\0".join(sys.argv[1:]).encode())
    sys.exit()
threading.Thread(target=listen, args=[server]).start()
