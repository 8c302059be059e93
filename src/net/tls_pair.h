#pragma once
/// Certificates, keys and stapled responses as they lie in files, with what is wrong with them in
/// words: for tls_context.cc.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/wipe.h"
#include "net/tls_handles.h"
#include "net/tls_settings.h"

namespace restante {

/// Largest of all files that TLS reads.
inline constexpr std::size_t tls_file_octets_max = 1024 * 1024;

struct LoadedPair {
    CertificateHandle certificate;
    CertificatesHandle chain;  ///< the certificates that follow it in its file
    KeyHandle key;
};

/// The octets of a regular file. `what`: "TLS key", for the sentence that is the error.
std::expected<Secret, std::string> read_tls_file(std::string_view what, const std::string& path);

/// The certificates in `pem`, in their order; one at least.
std::expected<CertificatesHandle, std::string> parse_certificates(std::string_view what,
                                                                  const std::string& path,
                                                                  const Secret& pem);

/// Reads both files; they match. What is no reason not to go on is added to `warnings`.
std::expected<LoadedPair, std::string> load_pair(const TlsPair& pair, WallTime now,
                                                 std::vector<std::string>& warnings);

/// Seconds since 1970; 0 where `time` says nothing.
std::int64_t seconds_of(const ASN1_TIME* time);
/// "2026-01-31".
std::string date_of(std::int64_t seconds);

}  // namespace restante
