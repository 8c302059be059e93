#include "auth/false_credentials.h"

#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "base/assert.h"

namespace restante {
namespace {

constexpr std::string_view purpose = "restante false credentials";
constexpr std::size_t machine_id_octets = 32;  // in hex
static_assert(machine_id_octets >= crypto_generichash_KEYBYTES_MIN);
static_assert(machine_id_octets <= crypto_generichash_KEYBYTES_MAX);

/// "" where there is none, or none yet ("uninitialized").
std::string machine_id_in(const std::string& path) {
    std::string id;
    std::ifstream(path) >> id;
    const bool is_hex = std::ranges::all_of(id, [](unsigned char c) { return std::isxdigit(c); });
    return is_hex && id.size() == machine_id_octets ? id : std::string();
}

}  // namespace

FalseCredentials FalseCredentials::make(const std::string& machine_id_path) {
    ASSERT(sodium_init() >= 0);
    FalseCredentials made;
    const std::string id = machine_id_in(machine_id_path);
    if (id.empty()) {
        randombytes_buf(made.key_.data(), made.key_.size());
        return made;
    }
    // Hashed for this use, as machine-id(5) asks.
    crypto_generichash(made.key_.data(), made.key_.size(),
                       reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size(),
                       reinterpret_cast<const unsigned char*>(id.data()), id.size());
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
