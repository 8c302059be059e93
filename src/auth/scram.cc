#include "auth/scram.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/base64.h"
#include "base/decimal.h"

namespace restante {
namespace {

constexpr std::size_t digest_octets_max = 32;

const EVP_MD* method_of(DigestAlgorithm algorithm) {
    return algorithm == DigestAlgorithm::sha1 ? EVP_sha1() : EVP_sha256();
}

const unsigned char* octets_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

bool is_printable_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char octet) { return octet >= ' ' && octet <= '~'; });
}

/// SASLprep (RFC 4013); empty where it refuses. Code points that came after Unicode 3.2 stay as
/// they are.
std::optional<Secret> prepared(std::string_view password) {
    if (password.empty() || password.find('\0') != std::string_view::npos) return std::nullopt;
    if (is_printable_ascii(password)) return Secret(password);
    const Secret text(password);
    char* made = nullptr;
    if (gsasl_saslprep(text.text().c_str(), GSASL_ALLOW_UNASSIGNED, &made, nullptr) != GSASL_OK) {
        return std::nullopt;
    }
    Secret result{std::string_view(made)};
    explicit_bzero(made, std::strlen(made));
    gsasl_free(made);
    if (result.empty()) return std::nullopt;
    return result;
}

std::optional<Secret> keyed_digest(std::string_view key, std::string_view text,
                                   DigestAlgorithm algorithm) {
    std::string made(digest_octets(algorithm), '\0');
    unsigned int size = 0;
    const unsigned char* done =
        HMAC(method_of(algorithm), key.data(), static_cast<int>(key.size()), octets_of(text),
             text.size(), reinterpret_cast<unsigned char*>(made.data()), &size);
    if (done == nullptr || size != made.size()) return std::nullopt;
    return Secret(std::move(made));
}

/// The part of `rest` before the next comma, which goes with it.
std::string_view take_part(std::string_view& rest) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    return part;
}

}  // namespace

std::expected<ScramKeys, PasswordFault> parse_scram_keys(std::string_view text,
                                                         DigestAlgorithm algorithm) {
    const std::unexpected<PasswordFault> malformed(PasswordFault::malformed);
    if (std::ranges::count(text, ',') != 3) return malformed;
    std::string_view rest = text;
    const auto iterations = parse_decimal<std::uint32_t>(take_part(rest));
    std::optional<std::string> salt = base64_decode(take_part(rest));
    std::optional<std::string> stored_key = base64_decode(take_part(rest));
    std::optional<std::string> server_key = base64_decode(rest);
    if (!iterations || *iterations == 0 || !salt || !stored_key || !server_key) return malformed;
    if (salt->empty() || salt->size() > scram_salt_octets_max) return malformed;
    const std::size_t octets = digest_octets(algorithm);
    if (stored_key->size() != octets || server_key->size() != octets) return malformed;
    if (*iterations > scram_iterations_max) return std::unexpected(PasswordFault::too_costly);
    return ScramKeys{algorithm, *iterations, *std::move(salt), Secret(*std::move(stored_key)),
                     Secret(*std::move(server_key))};
}

std::string scram_keys_text(const ScramKeys& keys) {
    return std::to_string(keys.iterations) + ',' + base64_encode(keys.salt) + ',' +
           base64_encode(keys.stored_key.text()) + ',' + base64_encode(keys.server_key.text());
}

/// RFC 5802 §3: SaltedPassword, then its two keyed digests, of which one is hashed again.
std::expected<ScramKeys, PasswordFault> derive_scram_keys(std::string_view password,
                                                          const ScramSalt& salt,
                                                          DigestAlgorithm algorithm) {
    const std::unexpected<PasswordFault> unavailable(PasswordFault::unavailable);
    const std::optional<Secret> text = prepared(password);
    if (!text) return std::unexpected(PasswordFault::malformed);
    std::array<unsigned char, digest_octets_max> salted;
    const std::size_t octets = digest_octets(algorithm);
    const int done = PKCS5_PBKDF2_HMAC(text->text().data(), static_cast<int>(text->text().size()),
                                       octets_of(salt.octets), static_cast<int>(salt.octets.size()),
                                       static_cast<int>(salt.iterations), method_of(algorithm),
                                       static_cast<int>(octets), salted.data());
    const std::string_view key{reinterpret_cast<const char*>(salted.data()), octets};
    std::optional<Secret> client_key = keyed_digest(key, "Client Key", algorithm);
    std::optional<Secret> server_key = keyed_digest(key, "Server Key", algorithm);
    explicit_bzero(salted.data(), salted.size());
    if (done != 1 || !client_key || !server_key) return unavailable;
    const std::optional<Digest> stored_key = digest_of(algorithm, client_key->text(), "");
    if (!stored_key) return unavailable;
    return ScramKeys{algorithm, salt.iterations, salt.octets, Secret(stored_key->view()),
                     std::move(*server_key)};
}

std::expected<bool, PasswordFault> verify_scram_keys(std::string_view password,
                                                     const ScramKeys& keys) {
    const std::expected<ScramKeys, PasswordFault> made =
        derive_scram_keys(password, {keys.salt, keys.iterations}, keys.algorithm);
    if (made) {
        return equal_in_constant_time(made->stored_key.text(), keys.stored_key.text());
    }
    if (made.error() == PasswordFault::malformed) return false;
    return std::unexpected(made.error());
}

/// RFC 5802 §3: ClientProof is ClientKey XOR ClientSignature.
bool fits_scram_keys(const ScramKeys& keys, std::string_view message, std::string_view proof) {
    const std::optional<Secret> signature =
        keyed_digest(keys.stored_key.text(), message, keys.algorithm);
    if (!signature || proof.size() != signature->text().size()) return false;
    std::string client_key(proof);
    for (std::size_t i = 0; i < client_key.size(); ++i) client_key[i] ^= signature->text()[i];
    const std::optional<Digest> stored_key = digest_of(keys.algorithm, client_key, "");
    wipe(client_key);
    return stored_key && equal_in_constant_time(stored_key->view(), keys.stored_key.text());
}

}  // namespace restante
