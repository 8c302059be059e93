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

/// A function of a random key and the name: who asks twice is told the same. One key for all
/// reactors of a process (a name's salt does not depend on which of them is asked). Copied freely.
class FalseCredentials {
public:
    /// A new random key.
    static FalseCredentials make();

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
