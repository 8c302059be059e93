#pragma once
/// SIGINT and SIGTERM, as something to wait for.

#include <signal.h>

#include "base/clock.h"

namespace pop3load {

/// Holds both back from the thread that makes it and those it starts. One that came and was not
/// waited for is dropped in the end: what is printed then must still be printed.
class HeldSignals {
public:
    HeldSignals();
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;
    /// Waits for one of them, so long at most, while they are held; whether one came.
    static bool wait(restante::Duration time);

private:
    sigset_t before_;
};

}  // namespace pop3load
