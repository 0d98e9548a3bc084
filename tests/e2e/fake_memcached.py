# SPDX-License-Identifier: MIT
"""A memcached that speaks enough of the meta protocol to store values, and can be told to lie."""
import socketserver
import threading


def flags_of(tokens):
    """The flags that an answer repeats: the opaque token."""
    return "".join(" " + t for t in tokens if t.startswith("O"))


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.store = self.server.store
        while True:
            line = self.rfile.readline()
            if not line:
                return
            tokens = line.decode("latin-1").split()
            answer = self.answer(tokens) if tokens else b"ERROR\r\n"
            self.wfile.write(answer)

    def answer(self, tokens):
        command = tokens[0]
        if command == "mn":
            return b"MN\r\n"
        if command == "version":
            return b"VERSION 0.fake\r\n"
        key, flags = tokens[1], flags_of(tokens[2:])
        if command == "ms":
            size = int(tokens[2])
            value = self.rfile.read(size + 2)[:size]
            self.store[key] = value
            return f"HD{flags_of(tokens[3:])}\r\n".encode()
        if command == "mg":
            value = self.store.get(key)
            if value is None:
                return f"EN{flags}\r\n".encode()
            value = self.server.lie(value)
            return f"VA {len(value)}{flags}\r\n".encode() + value + b"\r\n"
        if command == "md":
            return f"HD{flags}\r\n".encode() if self.store.pop(key, None) else \
                f"NF{flags}\r\n".encode()
        if command == "ma":
            value = str(int(self.store.get(key, b"0")) + 1).encode()
            self.store[key] = value
            return f"VA {len(value)}{flags}\r\n".encode() + value + b"\r\n"
        return b"ERROR\r\n"


class FakeMemcached(socketserver.ThreadingTCPServer):
    """`lie` turns a stored value into the one that is sent."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, lie=lambda value: value):
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = {}
        self.lie = lie
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.server_address[1]

    def close(self):
        self.shutdown()
        self.server_close()
