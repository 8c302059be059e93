#pragma once
/// What challenge mechanisms compute with for users that there are not, so that their exchanges
/// look and take as long as anybody's.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "auth/digest.h"
#include "auth/scram.h"
#include "base/wipe.h"

namespace restante {

/// A function of a key and the name: who asks twice is told the same, whichever reactor is asked.
/// Copied freely.
class FalseCredentials {
public:
    /// The key is the machine's (machine-id(5), which strangers are not told): a salt that changed
    /// with a restart would tell that there is no such user. Not of a user's stored password, by
    /// which salts could be used to guess it. Without a machine-id the key is random, until the
    /// next start. Blocks; before the process is confined.
    static FalseCredentials make(const std::string& machine_id_path = "/etc/machine-id");

    /// Of a user whose password is stored otherwise, as well as of one that there is not.
    std::string salt(std::string_view user, std::size_t octets = scram_salt_octets) const;
    /// A password that nobody has, in hex.
    Secret secret(std::string_view user) const;
    /// Keys that no password has.
    ScramKeys scram_keys(std::string_view user, const ScramSalt& salt,
                         DigestAlgorithm algorithm) const;

private:
    static constexpr std::size_t key_octets = 32;
    std::string derive(std::string_view what, std::string_view user, std::size_t octets) const;

    std::array<unsigned char, key_octets> key_{};
};

}  // namespace restante
