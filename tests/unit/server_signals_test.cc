#include "server/signals.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

using restante::Fd;
using restante::Signals;

namespace {

/// What a Signals leaves blocked and ignored is undone: other tests share the process.
class SignalsRestored {
public:
    SignalsRestored() {
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
        ::sigaction(SIGPIPE, nullptr, &pipe_);
    }
    ~SignalsRestored() {
        ::sigaction(SIGPIPE, &pipe_, nullptr);
        ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    }
    SignalsRestored(const SignalsRestored&) = delete;
    SignalsRestored& operator=(const SignalsRestored&) = delete;

private:
    sigset_t mask_;
    struct sigaction pipe_;
};

bool is_readable(const Signals& signals, int milliseconds_max) {
    pollfd wait{signals.descriptor(), POLLIN, 0};
    return ::poll(&wait, 1, milliseconds_max) == 1;
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT mean stop, SIGHUP reload; each is taken once") {
    const SignalsRestored restored;
    const Signals signals;
    CHECK(signals.take() == Signals::Kind::none);
    CHECK_FALSE(is_readable(signals, 0));
    for (const int stop : {SIGTERM, SIGINT}) {
        ::kill(::getpid(), stop);
        CHECK(is_readable(signals, 5000));
        CHECK(signals.take() == Signals::Kind::stop);
        CHECK(signals.take() == Signals::Kind::none);
    }
    ::kill(::getpid(), SIGHUP);
    CHECK(is_readable(signals, 5000));
    CHECK(signals.take() == Signals::Kind::reload);
}

TEST_CASE("a signal that a later thread could get is still the main thread's to take") {
    const SignalsRestored restored;
    const Signals signals;
    std::thread([] { ::kill(::getpid(), SIGTERM); }).join();
    CHECK(is_readable(signals, 5000));
    CHECK(signals.take() == Signals::Kind::stop);
}

TEST_CASE("a peer that is gone is EPIPE, not a signal") {
    const SignalsRestored restored;
    const Signals signals;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const Fd ours(ends[0]);
    ::close(ends[1]);
    CHECK(::write(ours.get(), "x", 1) == -1);
    CHECK(errno == EPIPE);
}
