"""Each peer with its place, its mail and its control group: started when first needed, started anew when a
workload wants it otherwise."""
import os

import load
import peers
import sessions


class Server:
    """A peer that is running from the first prepare() to stop()."""

    def __init__(self, peer, place, store, make_group):
        self.peer = peer
        self.place = place
        self.store = store
        self.make_group = make_group  # (name, charges_sockets) -> cgroups.Group
        self.running = None
        self.variant = None
        self.visited = set()  # prefixes

    def prepare(self, workload):
        """Serves the mail of `workload`. The memory of sockets is charged where memory is measured, and only
        there: counting it costs CPU time."""
        if self.peer.reads_maildirs:
            self.store.make(self.peer.name, workload.mail_set)
        variant = (self.peer.variant(workload), workload.is_memory())
        if self.running is not None and variant != self.variant:
            self.stop()
        if self.running is None:
            group = self.make_group(self.peer.name, workload.is_memory())
            self.running = peers.Running(self.peer, self.place, group, workload)
            self.variant = variant

    def visit(self, workload):
        """One session with a listing in each maildrop, so that every index is there before it counts."""
        prefix = workload.mail_set.prefix
        if not self.peer.reads_maildirs or workload.refilled or prefix in self.visited or workload.kind == "first":
            return
        self.visited.add(prefix)
        for number in range(self.users_of(workload)):
            sessions.visit(self.place.port, f"{prefix}{number}")

    def users_of(self, workload):
        """How many maildrops it is asked for: of an idle workload no more than it holds connections."""
        users = workload.mail_set.users
        return users if workload.kind != "idle" else min(users, self.connections_of(workload))

    def connections_of(self, workload):
        """How many silent ones it is to hold; each that is logged in has a maildrop of its own."""
        most = self.peer.idle_connections_max[workload.is_logged_in]
        return min(most, workload.mail_set.users) if workload.is_logged_in else most

    def first_slice(self, workload):
        """Of a server and maildrops that know nothing of earlier slices."""
        self.stop()
        self.store.forget_indexes(self.peer.name, workload.mail_set)
        self.prepare(workload)
        return sessions.first_logins(self, workload)

    def idle_slice(self, workload):
        """Of a server started anew: what earlier connections left in its pools is not free."""
        self.stop()
        self.prepare(workload)
        return sessions.idle(self, workload)

    def refill(self, workload, binary):
        """New maildirs, the same for all servers, in place of those that were emptied."""
        if not workload.refilled or not self.peer.reads_maildirs:
            return
        self.store.remove(self.peer.name, workload.mail_set)
        load.seed(binary, os.path.join(self.place.mail, "{user}"), workload.mail_set.user_format(),
                  workload.mail_set.users, self.store.owner, "--mail", "specmail2001")

    def stop(self):
        if self.running is not None:
            self.running.stop()
            self.running = None


def make_servers(chosen, folder, store, users_path, make_group, tls_files):
    """A Server for each peer, each with ports of its own."""
    servers = {}
    for peer in chosen:
        place = peers.Place(os.path.join(folder, peer.name), store.mail_folder(peer.name), users_path,
                            peers.free_port())
        place.tls, place.tls_port = tls_files, peers.free_port()
        servers[peer.name] = Server(peer, place, store, make_group)
    return servers
