"""A POP3 server that answers wrongly on purpose, in one way at a time: what a load generator must
notice. One thread a connection; a fixed maildrop a user."""
import base64
import hashlib
import socketserver
import threading
import time

MAIL = [b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\n.dot\r\nsecond\r\n", b"Subject: three\r\n\r\n" + b"x" * 70 + b"\r\n"]


class FalseServer(socketserver.ThreadingTCPServer):
    """With `mischief`, one of the names that Session.spoil() and below look for; "" is honest."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, mischief=""):
        self.mischief = mischief
        self.lock = threading.Lock()
        self.deleted = {}   # user -> set of indexes
        self.sessions = 0   # that logged in
        self.honest = 1     # of them, before mail is lost
        self.stalled = False
        super().__init__(("127.0.0.1", 0), Session)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, *_):
        """A client that found a fault resets its connection."""

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    TIMESTAMP = "<1@false.example>"  # for APOP

    def is_(self, mischief):
        return self.server.mischief == mischief

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.user, self.marked = "", set()
        if self.is_("garbage"):
            return self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if self.is_("hang"):
            return time.sleep(30)
        self.say("+OK POP3 ready" + ("" if self.is_("no timestamp") else " " + self.TIMESTAMP))
        while words := self.rfile.readline().decode().split():
            if not self.answer(words[0].lower(), words[1:]):
                break
        return None

    def answer(self, verb, arguments):
        handler = getattr(self, "do_" + verb, None)
        if handler is None:
            self.say("-ERR unknown")
            return True
        return handler(*arguments) is not False

    def do_user(self, name):
        self.user = name
        self.say("+OK")

    def do_pass(self, password):
        return self.log_in(password == "secret")

    def do_apop(self, name, digest):
        self.user = name
        return self.log_in(digest == hashlib.md5(self.TIMESTAMP.encode() + b"secret").hexdigest())

    def do_auth(self, mechanism, response):
        identity, self.user, password = base64.b64decode(response).decode().split("\0")
        return self.log_in((mechanism, identity, password) == ("PLAIN", "", "secret"))

    def log_in(self, is_right):
        if self.is_("refuse login") or not (is_right or self.is_("accept anything")):
            return self.say("-ERR [AUTH] no")
        with self.server.lock:
            self.server.sessions += 1
            self.number = self.server.sessions
        gone = self.server.deleted.setdefault(self.user, set())
        self.mail = [i for i in range(len(MAIL)) if i not in gone]
        if self.is_("lost message") and self.number > self.server.honest:
            self.mail = self.mail[:-1]
        if self.is_("resurrected message") and self.number > 1:
            self.mail = list(range(len(MAIL)))
        if self.is_("lost all") and self.number > 1:
            self.mail = []
        self.say("+OK")
        return None

    def do_capa(self):
        self.say("+OK\r\nUSER\r\n.")

    def do_stat(self):
        if self.is_("stall") and self.number == 20:
            self.server.stalled = True
            time.sleep(1)
            self.server.stalled = False
        while self.server.stalled:
            time.sleep(0.01)
        is_wrong = self.is_("wrong stat") or (self.is_("early wrong stat") and self.number <= 5)
        octets = sum(len(MAIL[i]) for i in self.mail) + (1 if is_wrong else 0)
        if self.is_("rare bare line feed") and self.number == 20:
            return self.wfile.write(f"+OK {len(self.mail)} {octets}\n".encode())
        return self.say(f"+OK {len(self.mail)} {octets}")

    def do_list(self):
        self.say("+OK")
        for number, i in enumerate(self.mail, 1):
            self.say(f"{number} {len(MAIL[i])}")
        if not self.is_("no final dot in list"):
            self.say(".")
        return not self.is_("no final dot in list")

    def do_uidl(self):
        self.say("+OK")
        for number, i in enumerate(self.mail, 1):
            if self.is_("short uidl") and number == 2:
                break
            name = "same" if self.is_("repeated unique-id") else f"id{i}"
            if self.is_("changed unique-id") and self.number > 1 and i == 1:
                name = "other"
            if self.is_("long unique-id"):
                name += "x" * 70
            self.say(f"{number} {name}")
        self.say(".")

    def text_of(self, index):
        return MAIL[index]

    def do_retr(self, number):
        text = self.text_of(self.mail[int(number) - 1])
        if self.is_("refused retr"):
            return self.say("-ERR no such message")
        if self.is_("wrong octets"):
            text = text[:-3] + text[-2:]
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line
                           for line in text.splitlines(keepends=True))
        if self.is_("bare line feeds"):
            stuffed = stuffed.replace(b"\r\n", b"\n")
        self.wfile.write(b"+OK\r\n" + stuffed)
        if self.is_("no final dot"):
            return False
        self.wfile.write(b".\r\n")
        return None

    def do_top(self, number, _lines):
        text = self.text_of(self.mail[int(number) - 1])
        headers = text[:text.index(b"\r\n\r\n") + 4]
        self.wfile.write(b"+OK\r\n" + headers + (text if self.is_("long top") else b"") + b".\r\n")

    def do_dele(self, number):
        self.marked.add(self.mail[int(number) - 1])
        if self.is_("deletes too much"):
            self.marked.update(self.mail)
        if self.is_("deletes another"):
            self.marked = {self.mail[int(number) % len(self.mail)]}
        self.say("+OK")

    def do_noop(self):
        self.say("+OKAY" if self.is_("okay") else "+OK")

    def do_quit(self):
        if self.is_("refuse quit"):
            self.say("-ERR some messages were not removed")
            return False
        if self.user:
            self.server.deleted.setdefault(self.user, set()).update(self.marked)
        self.say("+OK")
        return False
