#include "auth/false_credentials.h"

#include <sodium.h>

#include "base/assert.h"

namespace restante {

FalseCredentials FalseCredentials::make() {
    ASSERT(sodium_init() >= 0);
    FalseCredentials made;
    randombytes_buf(made.key_.data(), made.key_.size());
    return made;
}

/// `what` ends in a NUL, which it has none of: no two uses are the same text.
std::string FalseCredentials::derive(std::string_view what, std::string_view user,
                                     std::size_t octets) const {
    ASSERT(octets >= crypto_generichash_BYTES_MIN);
    ASSERT(octets <= crypto_generichash_BYTES_MAX);
    std::string text(what);
    text += '\0';
    text += user;
    std::string made(octets, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(made.data()), octets,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       key_.data(), key_.size());
    return made;
}

std::string FalseCredentials::salt(std::string_view user, std::size_t octets) const {
    std::string made = derive("salt", user, crypto_generichash_BYTES_MAX);
    made.resize(octets);
    return made;
}

Secret FalseCredentials::secret(std::string_view user) const {
    const Secret made(derive("secret", user, crypto_generichash_BYTES));
    return Secret(hex_encode(made.text()));
}

ScramKeys FalseCredentials::scram_keys(std::string_view user, const ScramSalt& salt,
                                       DigestAlgorithm algorithm) const {
    const std::size_t octets = digest_octets(algorithm);
    return {algorithm, salt.iterations, salt.octets, Secret(derive("stored key", user, octets)),
            Secret(derive("server key", user, octets))};
}

}  // namespace restante
