#include "server/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace restante {

Signals::Signals() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, signal);
    const int blocked = ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
    ASSERT(blocked == 0);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    const int ignored = ::sigaction(SIGPIPE, &ignore, nullptr);
    ASSERT(ignored == 0);
    signals_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

Signals::Kind Signals::take() const {
    signalfd_siginfo taken;
    if (::read(signals_.get(), &taken, sizeof taken) != sizeof taken) return Kind::none;
    return taken.ssi_signo == SIGHUP ? Kind::reload : Kind::stop;
}

}  // namespace restante
