#pragma once
/// Signals as something to read.

#include <cstdint>

#include "base/fd.h"

namespace restante {

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and all that it starts, and ignores SIGPIPE
/// (sendfile raises it, MSG_NOSIGNAL or not), for the rest of the process. To be made on the main
/// thread before there is another; one a process.
class Signals {
public:
    enum class Kind : std::uint8_t {
        none,
        stop,    ///< SIGTERM, SIGINT
        reload,  ///< SIGHUP
    };

    Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    /// Readable when there is a signal to take.
    int descriptor() const { return signals_.get(); }
    /// The next signal; never blocks.
    Kind take() const;

private:
    Fd signals_;
};

}  // namespace restante
