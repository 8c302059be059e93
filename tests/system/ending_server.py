"""kill_server (tests/kill): the whole server, with a ring that ends the process before or after one of
its operations. Those that are answered inline count too."""
import contextlib
import os
import re
import subprocess

import harness

# [runtime] backend
BACKENDS = ("uring", "epoll")
# Of operations, as Request::Kind has them; those with the most of them in a session first.
KINDS = ("open", "status_at", "read", "exchange", "status", "receive", "send", "send_file", "write",
         "sleep", "accept", "sync", "list_directory", "lock", "remove", "replace_file", "map", "offload",
         "shutdown")
# How long a server that has said goodbye may still have something to do.
SECONDS_AFTER_QUIT = 0.2


def need(test):
    """The test is skipped where kill_server was not built."""
    harness.need_program(test, "kill_server")


class EndingWorld(harness.World):
    """One configuration for all its servers: writing another would touch the maildrops. `backend`: None is
    what run.py is told. Never "auto", whose warning where io_uring is refused would be a complaint."""

    def __init__(self, test, backend=None, parent=None):
        super().__init__(test, parent)
        if backend is None:
            backend = "epoll" if harness.settings.backend == "epoll" else "uring"
        self.config = self.configuration(
            runtime={"reactors": "1", "backend": f'"{backend}"'}, limits={"connections": "100"})


class EndingServer(harness.Server):
    """Listens, or has stopped or ended already; the test is skipped where its ring is refused. `ending`: as
    RESTANTE_ENDING has it; None: the server itself."""

    def __init__(self, test, world, ending=None):
        command = [harness.settings.binary, "serve", "--config", world.config]
        if ending is not None:
            command = [harness.need_program(test, "kill_server"), world.config]
        super().__init__(test, [], world.port, folder=world.root,
                         command=harness.unprivileged(command, as_root=True),
                         environment={"RESTANTE_ENDING": ending} if ending else None)
        harness.wait_until(lambda: self.is_serving() or self.has_stopped_or_ended(), "the server",
                           harness.SECONDS_TO_START)
        if refusal := re.search(r"io_uring is not available.*", self.log()):
            test.skipTest(refusal[0])

    def is_serving(self):
        return "serving POP3" in self.log()

    def has_stopped_or_ended(self):
        options = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
        return self.process.returncode is not None or os.waitid(os.P_PID, self.process.pid, options) is not None

    def wait_for_its_end(self, session):
        """Its exit code; None: its end was not reached."""
        seconds = SECONDS_AFTER_QUIT if session.is_acknowledged else harness.SECONDS_TO_STOP
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def complaints(self):
        return [line for line in self.log().splitlines() if re.search(r"\b(warning|error):", line)]
