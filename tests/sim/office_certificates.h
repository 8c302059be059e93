#pragma once
/// What a simulated post office needs for TLS: certificates that are replaced while it works, and
/// the sessions that its clients have kept to resume. All of OpenSSL's randomness comes from the
/// seed while it lives.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/tls_certificates.h"
#include "sim/sim_tls_random.h"

namespace restante::sim {

class OfficeCertificates {
public:
    explicit OfficeCertificates(std::uint64_t seed);

    const TlsCertificates& in_force() const { return *certificates_; }
    /// The next of the pairs there are, as on SIGHUP.
    void replace(WallTime now);
    /// A pair that does not fit together: the former stays in force.
    void spoil(WallTime now);
    /// What is done every minute: ticket keys grow old.
    void check(WallTime now) { certificates_->check(now); }

    /// A moment; grows when a certificate is replaced.
    std::size_t now() const { return names_.size() - 1; }
    /// Whether the certificate of that common name was in force then or later.
    bool was_in_force_since(std::size_t moment, std::string_view common_name) const;

private:
    const SimTlsRandom random_;
    std::unique_ptr<TlsCertificates> certificates_;
    std::vector<std::string> names_;
};

}  // namespace restante::sim
