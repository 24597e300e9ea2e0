"""A yardstick: responds to everything with the same bytes, to show the generator's limit."""

import argparse
import select
import socket

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
"""Without a body: nginx does not keep the connection of an `auth_request` whose answer has one."""


def serve(port: int) -> None:
    """Serve until stopped. Treats each received piece as one request."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    clients: dict[int, socket.socket] = {}
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    print(f"ready {port}", flush=True)
    while True:
        for fd, _ in epoll.poll():
            if (client := clients.get(fd)) is None:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                epoll.register(client.fileno(), select.EPOLLIN)
                continue
            try:
                data = client.recv(1 << 16)
                if data:
                    client.sendall(_ANSWER)
                    continue
            except ConnectionError:
                pass
            epoll.unregister(fd)
            clients.pop(fd).close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", help="not used")
    serve(parser.parse_args().port)
