"""Every real client fetches every real message: keeps, fetches again, deletes. The octets that crossed
the wire are judged against the files, the stored copies against what the client documents to add."""
import collections
import fcntl
import os
import shutil
import time

import harness
import mail_clients
import recording_proxy


class ClientTest:
    """What each class below does with its `client_type`."""

    client_type = None

    def setUp(self):
        super().setUp()
        if shutil.which(self.client_type.program) is None:
            self.fail(f"{self.client_type.program} is not installed (tools/install test)")
        self.messages = self.world.deliver_corpus()
        self.server = self.world.serve()
        self.proxy = recording_proxy.RecordingProxy(self, self.server.port)
        self.client = self.client_type(self.world.root, self.proxy.port)

    def fetch(self, keep):
        """One run of the client, as what crossed the wire."""
        self.client.fetch(keep, len(self.messages))
        exchanges = self.proxy.take_exchanges()
        self.wait_until_unlocked()
        return exchanges

    def wait_until_unlocked(self):
        """The server's lock is gone soon after a client is, however that left."""
        directory = os.open(self.world.maildrop(), os.O_RDONLY)
        deadline = time.monotonic() + harness.SECONDS_TO_ANSWER
        try:
            while True:
                try:
                    fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    self.assertLess(time.monotonic(), deadline, "the maildrop stays locked")
                    time.sleep(0.01)
        finally:
            os.close(directory)

    def assert_all_crossed(self, exchanges):
        """Each message once, whole: by RETR, or by a TOP of more lines than there are."""
        crossed = collections.defaultdict(list)
        for exchange in exchanges:
            words = exchange.command.split()
            if words[0] == "RETR" or (words[0] == "TOP" and int(words[2]) > 9999):
                crossed[int(words[1])].append(exchange.body)
        self.assertEqual(sorted(crossed), list(range(1, len(self.messages) + 1)))
        for number, message in enumerate(self.messages, 1):
            self.assertEqual(len(crossed[number]), 1, f"message {number} crossed more than once")
            self.assert_same_octets(crossed[number][0], harness.crlf_form(message), f"message {number}")

    def assert_all_stored(self):
        stored = self.client.stored()
        self.assertEqual(len(stored), len(self.messages))
        for number, (copy, message) in enumerate(zip(stored, self.messages), 1):
            self.assert_same_octets(self.client.normalised(copy), self.client.as_stored(message),
                                    f"stored message {number}")

    def assert_only_expected_refusals(self, exchanges):
        refused = [exchange for exchange in exchanges if not exchange.reply.startswith(("+OK", "+ "))]
        self.assertEqual([each for each in refused if each.command.split()[0] not in ("AUTH", "APOP")], [])

    def test_fetches_all_and_keeps(self):
        exchanges = self.fetch(keep=True)
        self.assert_only_expected_refusals(exchanges)
        self.assert_all_crossed(exchanges)
        self.assert_all_stored()
        self.assertEqual(sorted(self.world.stored().values()), sorted(self.messages))
        self.server.stop()

    def test_fetches_nothing_twice(self):
        self.fetch(keep=True)
        if not self.client.tracks_unique_ids:
            self.assert_all_crossed(self.fetch(keep=True))
            return
        self.server.stop()  # neither a restart nor the loss of the index changes a unique-id
        index = os.path.join(self.world.maildrop(), "restante.index")
        if os.path.exists(index):
            os.remove(index)
        self.world.serve()
        commands = [exchange.command.split()[0] for exchange in self.fetch(keep=True)]
        self.assertIn("UIDL", commands)
        self.assertNotIn("RETR", commands)
        self.assertNotIn("TOP", commands)
        self.assert_all_stored()

    def test_fetches_and_deletes(self):
        exchanges = self.fetch(keep=False)
        self.assert_only_expected_refusals(exchanges)
        self.assert_all_crossed(exchanges)
        self.assert_all_stored()
        self.assertEqual(self.world.stored(), {})
        self.server.stop()


for client_type in mail_clients.ALL:
    name = client_type.__name__ + "Test"
    globals()[name] = type(name, (ClientTest, harness.SystemTest), {"client_type": client_type})
