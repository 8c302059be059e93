#pragma once
/// A server with TLS in the simulator: World (world.h) has no certificates. Its parts are apart
/// from this header because OpenSSL's and libmd's names for SHA-256 cannot be in one source.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls_mode.h"
#include "sim/sim_ring.h"

namespace restante::sim {

/// The one message of the user `mrose`, whose password is `secret`.
inline constexpr std::string_view tls_server_message = "Subject: one\r\n\r\nhello\r\n";

/// One listener, one user, one message.
class TlsServer {
public:
    TlsServer(TlsMode mode, const SimOptions& options, bool allow_cleartext = false);
    TlsServer(const TlsServer&) = delete;
    TlsServer& operator=(const TlsServer&) = delete;
    /// Stops it, and asserts that nothing is left in flight.
    ~TlsServer();

    SimRing& ring();
    Client connect();
    /// File names.
    std::vector<std::string> messages();
    /// Two seconds pass.
    const std::string& log();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace restante::sim
