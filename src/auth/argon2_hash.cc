#include "auth/argon2_hash.h"

#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>

namespace restante {
namespace {

constexpr std::string_view salt_and_hash_octets =
    "$ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Takes `before` and the number after it off the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view before) {
    if (!text.starts_with(before)) return std::nullopt;
    text.remove_prefix(before.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::invalid_argument) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc::result_out_of_range ? UINT64_MAX : number;
}

bool is_within_limits(std::uint64_t memory_kib, std::uint64_t passes, std::uint64_t lanes) {
    if (memory_kib > hash_memory_kib_max || lanes > argon2_lanes_max) return false;
    return passes <= argon2_kib_passes_max && memory_kib * passes <= argon2_kib_passes_max;
}

/// libsodium picks its fastest code once; later calls cost a lock.
bool is_ready() { return sodium_init() >= 0; }

}  // namespace

std::expected<void, PasswordFault> check_argon2_hash(std::string_view hash) {
    const std::unexpected<PasswordFault> malformed(PasswordFault::malformed);
    if (hash.size() >= crypto_pwhash_STRBYTES) return malformed;
    std::string_view rest = hash;
    const std::string_view prefix = rest.starts_with("$argon2id") ? "$argon2id" : "$argon2i";
    if (!rest.starts_with(prefix)) return malformed;
    rest.remove_prefix(prefix.size());

    const std::optional<std::uint64_t> version = take_number(rest, "$v=");
    const std::optional<std::uint64_t> memory_kib = take_number(rest, "$m=");
    const std::optional<std::uint64_t> passes = take_number(rest, ",t=");
    const std::optional<std::uint64_t> lanes = take_number(rest, ",p=");
    if (!version || !memory_kib || !passes || !lanes) return malformed;
    if (*version != 19 || *passes == 0 || *lanes == 0 || *memory_kib < 8) return malformed;
    if (!is_within_limits(*memory_kib, *passes, *lanes)) {
        return std::unexpected(PasswordFault::too_costly);
    }

    const std::size_t between = rest.find('$', 1);  // "$salt$hash"
    if (!rest.starts_with('$') || between == std::string_view::npos) return malformed;
    if (between < 2 || between + 1 == rest.size()) return malformed;
    if (rest.find_first_not_of(salt_and_hash_octets) != std::string_view::npos) return malformed;
    return {};
}

std::uint64_t argon2_hash_memory_kib(std::string_view hash) {
    std::string_view rest = hash.substr(std::min(hash.size(), hash.find("$m=")));
    return take_number(rest, "$m=").value_or(0);
}

std::expected<bool, PasswordFault> verify_argon2_hash(std::string_view secret,
                                                      std::string_view hash) {
    if (!is_ready()) return std::unexpected(PasswordFault::unavailable);
    const std::string text(hash);
    errno = 0;
    if (crypto_pwhash_str_verify(text.c_str(), secret.data(), secret.size()) == 0) return true;
    if (errno == EINVAL) {
        return false;  // what libsodium sets for a wrong password, and for nothing else
    }
    return std::unexpected(errno == ENOMEM ? PasswordFault::unavailable : PasswordFault::malformed);
}

std::expected<std::string, PasswordFault> make_argon2_hash(std::string_view secret, bool argon2id) {
    char made[crypto_pwhash_STRBYTES];
    const unsigned long long passes = argon2id ? crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE
                                               : crypto_pwhash_argon2i_OPSLIMIT_INTERACTIVE;
    const std::size_t memory = argon2id ? crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE
                                        : crypto_pwhash_argon2i_MEMLIMIT_INTERACTIVE;
    const int algorithm = argon2id ? crypto_pwhash_ALG_ARGON2ID13 : crypto_pwhash_ALG_ARGON2I13;
    if (!is_ready() ||
        crypto_pwhash_str_alg(made, secret.data(), secret.size(), passes, memory, algorithm) != 0) {
        return std::unexpected(PasswordFault::unavailable);
    }
    return std::string(made);
}

}  // namespace restante
