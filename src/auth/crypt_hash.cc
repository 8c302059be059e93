#include "auth/crypt_hash.h"

#include <crypt.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "auth/digest.h"
#include "base/assert.h"

namespace restante {
namespace {

static_assert(password_octets_max + 1 <= CRYPT_MAX_PASSPHRASE_SIZE);

constexpr std::string_view itoa64 =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether what a hash costs is within the limits; empty where that cannot be read.
using CostReader = std::optional<bool> (*)(std::string_view after_prefix);

std::optional<std::uint64_t> leading_number(std::string_view text, char after) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) return UINT64_MAX;
    if (error != std::errc() || end == text.data() + text.size() || *end != after) {
        return std::nullopt;
    }
    return number;
}

/// Little-endian base 64, as scrypt and BSDi write numbers.
std::optional<std::uint64_t> base64_number(std::string_view digits) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const std::size_t value = itoa64.find(digits[i]);
        if (value == std::string_view::npos) return std::nullopt;
        number |= std::uint64_t{value} << (6 * i);
    }
    return number;
}

std::optional<bool> is_free(std::string_view) { return true; }

std::optional<bool> rounds_are_bounded(std::string_view text) {
    constexpr std::string_view key = "rounds=";
    if (!text.starts_with(key)) return true;  // 5000
    const std::optional<std::uint64_t> rounds = leading_number(text.substr(key.size()), '$');
    if (!rounds) return std::nullopt;
    return *rounds <= crypt_rounds_max;
}

std::optional<bool> sun_rounds_are_bounded(std::string_view text) {
    return text.starts_with(',') ? rounds_are_bounded(text.substr(1)) : true;
}

std::optional<bool> sha1_rounds_are_bounded(std::string_view text) {
    const std::optional<std::uint64_t> rounds = leading_number(text, '$');
    if (!rounds) return std::nullopt;
    return *rounds <= crypt_rounds_max;
}

std::optional<bool> bcrypt_cost_is_bounded(std::string_view text) {
    const std::optional<std::uint64_t> cost = leading_number(text, '$');
    if (!cost) return std::nullopt;
    return *cost <= bcrypt_cost_max;
}

std::optional<bool> bsdi_rounds_are_bounded(std::string_view text) {
    const std::optional<std::uint64_t> rounds = base64_number(text.substr(0, 4));
    if (!rounds) return std::nullopt;
    return *rounds <= crypt_rounds_max;
}

/// N = 2^log2_n blocks of 128 * r octets.
std::uint64_t scrypt_kib(std::uint64_t log2_n, std::uint64_t r) {
    if (log2_n >= 32 || r > hash_memory_kib_max) return UINT64_MAX;
    return (r << log2_n) / 8;
}

/// "N rrrrr ppppp salt": one digit and two numbers of 30 bits.
std::optional<std::uint64_t> scrypt_kib_of(std::string_view text) {
    if (text.size() < 11) return std::nullopt;
    const std::optional<std::uint64_t> log2_n = base64_number(text.substr(0, 1));
    const std::optional<std::uint64_t> r = base64_number(text.substr(1, 5));
    if (!log2_n || !r) return std::nullopt;
    return scrypt_kib(*log2_n, *r);
}

std::optional<bool> scrypt_cost_is_bounded(std::string_view text) {
    const std::optional<std::uint64_t> kib = scrypt_kib_of(text);
    if (!kib) return std::nullopt;
    const std::optional<std::uint64_t> p = base64_number(text.substr(6, 5));
    if (!p) return std::nullopt;
    return *kib <= hash_memory_kib_max && *p <= scrypt_parallelism_max;
}

/// "j9T$": flavour, log2(N) - 1, r - 1. Digits of 48 or more begin longer numbers, and further
/// digits further parameters: no tool writes either, and both are refused as too costly.
std::optional<std::uint64_t> yescrypt_kib_of(std::string_view text) {
    const std::size_t end = text.find('$');
    if (end == std::string_view::npos || end < 3) return std::nullopt;
    const std::size_t log2_n = itoa64.find(text[1]);
    const std::size_t r = itoa64.find(text[2]);
    if (log2_n == std::string_view::npos || r == std::string_view::npos) return std::nullopt;
    if (end > 3 || log2_n >= 48 || r >= 48) return UINT64_MAX;
    return scrypt_kib(log2_n + 1, r + 1);
}

std::optional<bool> yescrypt_cost_is_bounded(std::string_view text) {
    const std::optional<std::uint64_t> kib = yescrypt_kib_of(text);
    if (!kib) return std::nullopt;
    return *kib <= hash_memory_kib_max;
}

struct CryptMethod {
    std::string_view prefix;
    std::size_t tail_octets;  ///< of a whole hash, after the last '$'; without one, in all
    CostReader cost_is_bounded;
};

constexpr std::array<CryptMethod, crypt_methods> methods = {{
    {"$6$", 86, rounds_are_bounded},
    {"$5$", 43, rounds_are_bounded},
    {"$2", 53,
     [](std::string_view text) { return bcrypt_cost_is_bounded(text.substr(text.find('$') + 1)); }},
    {"$y$", 43, yescrypt_cost_is_bounded},
    {"$gy$", 43, yescrypt_cost_is_bounded},
    {"$7$", 43, scrypt_cost_is_bounded},
    {"$1$", 22, is_free},
    {"$sha1$", 28, sha1_rounds_are_bounded},
    {"$md5", 22, sun_rounds_are_bounded},
    {"$3$", 32, is_free},
    {"_", 20, bsdi_rounds_are_bounded},
    {"", 13, is_free},
}};

/// crypt_data, zeroed (as crypt_rn(3) asks) and wiped at its end.
struct CryptData {
    CryptData() : data(std::make_unique<crypt_data>()) {}
    ~CryptData() { explicit_bzero(data.get(), sizeof(crypt_data)); }
    CryptData(const CryptData&) = delete;
    CryptData& operator=(const CryptData&) = delete;
    std::unique_ptr<crypt_data> data;
};

/// The hash of `secret` under `setting`; empty where crypt(3) refuses or is out of memory.
std::string run_crypt(std::string_view secret, const char* setting) {
    char phrase[password_octets_max + 1];
    std::memcpy(phrase, secret.data(), secret.size());
    phrase[secret.size()] = '\0';
    CryptData state;
    const char* made = crypt_rn(phrase, setting, state.data.get(), sizeof(crypt_data));
    std::string hash = made != nullptr ? made : "";
    explicit_bzero(phrase, sizeof(phrase));
    return hash;
}

}  // namespace

std::expected<std::size_t, PasswordFault> check_crypt_hash(std::string_view hash) {
    const std::unexpected<PasswordFault> malformed(PasswordFault::malformed);
    if (hash.empty() || hash.size() >= CRYPT_OUTPUT_SIZE) return malformed;
    std::size_t method = 0;
    while (!hash.starts_with(methods[method].prefix)) ++method;             // the last one fits all
    const std::string_view tail = hash.substr(hash.find_last_of('$') + 1);  // npos + 1 is 0
    if (tail.size() != methods[method].tail_octets) return malformed;

    const std::string_view after_prefix = hash.substr(methods[method].prefix.size());
    const std::optional<bool> bounded = methods[method].cost_is_bounded(after_prefix);
    if (!bounded) return malformed;
    if (!*bounded) return std::unexpected(PasswordFault::too_costly);
    const int opinion = crypt_checksalt(std::string(hash).c_str());
    if (opinion == CRYPT_SALT_INVALID || opinion == CRYPT_SALT_METHOD_DISABLED) return malformed;
    return method;
}

std::uint64_t crypt_hash_memory_kib(std::string_view hash) {
    const std::string_view text = hash.substr(hash.find('$', 1) + 1);  // npos + 1 is 0
    if (hash.starts_with("$7$")) return scrypt_kib_of(text).value_or(0);
    const bool is_yescrypt = hash.starts_with("$y$") || hash.starts_with("$gy$");
    return is_yescrypt ? yescrypt_kib_of(text).value_or(0) : 0;
}

std::expected<bool, PasswordFault> verify_crypt_hash(std::string_view secret,
                                                     std::string_view hash) {
    if (secret.size() > password_octets_max) return false;
    if (secret.find('\0') != std::string_view::npos) return false;
    const std::string made = run_crypt(secret, std::string(hash).c_str());
    if (made.empty()) {
        return std::unexpected(errno == ENOMEM ? PasswordFault::unavailable
                                               : PasswordFault::malformed);
    }
    return equal_in_constant_time(made, hash);
}

std::expected<std::string, PasswordFault> make_crypt_hash(std::string_view secret,
                                                          const char* prefix, unsigned long cost) {
    ASSERT(secret.size() <= password_octets_max);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (crypt_gensalt_rn(prefix, cost, nullptr, 0, setting, sizeof(setting)) == nullptr) {
        return std::unexpected(PasswordFault::unavailable);
    }
    std::string made = run_crypt(secret, setting);
    if (made.empty()) return std::unexpected(PasswordFault::unavailable);
    return made;
}

}  // namespace restante
