#include "ending_signals.h"

#include <time.h>

#include <chrono>

namespace pop3load {
namespace {

sigset_t ending_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

HeldSignals::HeldSignals() {
    const sigset_t set = ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

HeldSignals::~HeldSignals() {
    while (wait({})) continue;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool HeldSignals::wait(restante::Duration time) {
    const sigset_t set = ending_signals();
    const timespec timeout{.tv_sec = time / std::chrono::seconds(1),
                           .tv_nsec = (time % std::chrono::seconds(1)).count()};
    return ::sigtimedwait(&set, nullptr, &timeout) > 0;
}

}  // namespace pop3load
