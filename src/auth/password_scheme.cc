#include "auth/password_scheme.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "auth/argon2_hash.h"
#include "auth/digest.h"
#include "base/assert.h"
#include "base/base64.h"

namespace restante {

namespace {
enum class Method : std::uint8_t { plain, crypt, argon2, digest, scram };
}

struct PasswordScheme {
    std::string_view name;
    Method method;
    DigestAlgorithm algorithm = DigestAlgorithm::md5;  ///< Method::digest and scram
    bool salted = false;                 ///< Method::digest: the salt follows the digest
    const char* crypt_prefix = nullptr;  ///< Method::crypt, as crypt_gensalt(3) takes it
    unsigned long crypt_cost = 0;        ///< 0: crypt_gensalt(3)'s
};

namespace {

/// Octets of new salts.
constexpr std::size_t salt_octets = 16;
/// bcrypt's cost for new hashes: 60 ms; crypt_gensalt(3)'s 5 is of 1999.
constexpr unsigned long bcrypt_cost = 10;

constexpr PasswordScheme schemes[] = {
    {.name = "PLAIN", .method = Method::plain},
    {.name = "CLEARTEXT", .method = Method::plain},
    {.name = "CLEAR", .method = Method::plain},
    {.name = "CRYPT", .method = Method::crypt, .crypt_prefix = "$6$"},
    {.name = "SHA512-CRYPT", .method = Method::crypt, .crypt_prefix = "$6$"},
    {.name = "SHA256-CRYPT", .method = Method::crypt, .crypt_prefix = "$5$"},
    {.name = "BLF-CRYPT",
     .method = Method::crypt,
     .crypt_prefix = "$2y$",
     .crypt_cost = bcrypt_cost},
    {.name = "YESCRYPT", .method = Method::crypt, .crypt_prefix = "$y$"},
    {.name = "GOST-YESCRYPT", .method = Method::crypt, .crypt_prefix = "$gy$"},
    {.name = "SCRYPT", .method = Method::crypt, .crypt_prefix = "$7$"},
    {.name = "SHA1-CRYPT", .method = Method::crypt, .crypt_prefix = "$sha1"},
    {.name = "SUNMD5-CRYPT", .method = Method::crypt, .crypt_prefix = "$md5"},
    {.name = "MD5-CRYPT", .method = Method::crypt, .crypt_prefix = "$1$"},
    {.name = "NT-CRYPT", .method = Method::crypt, .crypt_prefix = "$3$"},
    {.name = "BSDI-CRYPT", .method = Method::crypt, .crypt_prefix = "_"},
    {.name = "DES-CRYPT", .method = Method::crypt, .crypt_prefix = ""},
    {.name = "ARGON2ID", .method = Method::argon2},
    {.name = "ARGON2I", .method = Method::argon2},
    {.name = "SHA", .method = Method::digest, .algorithm = DigestAlgorithm::sha1},
    {.name = "SHA1", .method = Method::digest, .algorithm = DigestAlgorithm::sha1},
    {.name = "SHA256", .method = Method::digest, .algorithm = DigestAlgorithm::sha256},
    {.name = "SHA512", .method = Method::digest, .algorithm = DigestAlgorithm::sha512},
    {.name = "SSHA", .method = Method::digest, .algorithm = DigestAlgorithm::sha1, .salted = true},
    {.name = "SSHA256",
     .method = Method::digest,
     .algorithm = DigestAlgorithm::sha256,
     .salted = true},
    {.name = "SSHA512",
     .method = Method::digest,
     .algorithm = DigestAlgorithm::sha512,
     .salted = true},
    {.name = "SCRAM-SHA-256", .method = Method::scram, .algorithm = DigestAlgorithm::sha256},
    {.name = "SCRAM-SHA-1", .method = Method::scram, .algorithm = DigestAlgorithm::sha1},
};

constexpr auto names = [] {
    std::array<std::string_view, std::size(schemes)> list;
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = schemes[i].name;
    return list;
}();

enum Family : std::uint8_t {
    family_plain,
    family_digest,
    family_argon2,
    family_locked,
    family_scram,
    family_crypt
};
static_assert(family_crypt + crypt_methods == StoredPassword::families);

char upper(char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, upper, upper);
}

const PasswordScheme* find_scheme(std::string_view name) {
    for (const PasswordScheme& scheme : schemes) {
        if (equal_ignoring_case(scheme.name, name)) return &scheme;
    }
    return nullptr;
}

/// A field of a passwd-file holds it as it is.
bool fits_passwd_field(std::string_view secret) {
    return std::ranges::all_of(
        secret, [](char octet) { return octet > ' ' && octet <= '~' && octet != ':'; });
}

std::expected<std::string, PasswordFault> make_digest(std::string_view secret,
                                                      const PasswordScheme& scheme) {
    std::string salt;
    if (scheme.salted) {
        if (sodium_init() < 0) return std::unexpected(PasswordFault::unavailable);
        salt.resize(salt_octets);
        randombytes_buf(salt.data(), salt.size());
    }
    const std::optional<Digest> digest = digest_of(scheme.algorithm, secret, salt);
    if (!digest) return std::unexpected(PasswordFault::unavailable);
    return base64_encode(std::string(digest->view()) + salt);
}

std::expected<std::string, PasswordFault> make_scram(std::string_view secret,
                                                     const PasswordScheme& scheme) {
    if (sodium_init() < 0) return std::unexpected(PasswordFault::unavailable);
    ScramSalt salt{.octets = std::string(scram_salt_octets, '\0')};
    randombytes_buf(salt.octets.data(), salt.octets.size());
    const std::expected<ScramKeys, PasswordFault> keys =
        derive_scram_keys(secret, salt, scheme.algorithm);
    if (!keys) return std::unexpected(keys.error());
    return scram_keys_text(*keys);
}

}  // namespace

const char* describe(PasswordFault fault) {
    switch (fault) {
        case PasswordFault::unknown_scheme: return "unknown password scheme";
        case PasswordFault::malformed:
            return "password hash is malformed (a plain password is {PLAIN}...)";
        case PasswordFault::too_costly: return "password hash costs more than is allowed to verify";
        case PasswordFault::unavailable: return "password hash cannot be computed here";
    }
    return "";
}

std::expected<StoredPassword, PasswordFault> StoredPassword::parse(std::string_view stored) {
    std::expected<StoredPassword, PasswordFault> parsed = take_apart(stored);
    if (!parsed) return parsed;
    if (const std::optional<PasswordFault> fault = parsed->examine()) {
        return std::unexpected(*fault);
    }
    return parsed;
}

StoredPassword StoredPassword::recall(std::string_view stored) {
    const std::expected<StoredPassword, PasswordFault> parsed = take_apart(stored);
    ASSERT(parsed.has_value());
    return *parsed;
}

std::expected<StoredPassword, PasswordFault> StoredPassword::take_apart(std::string_view stored) {
    std::string_view name = "CRYPT";
    std::string_view payload = stored;
    Encoding encoding = Encoding::native;
    if (stored.starts_with('{')) {
        const std::size_t end = stored.find('}');
        if (end == std::string_view::npos) return std::unexpected(PasswordFault::malformed);
        name = stored.substr(1, end - 1);
        payload = stored.substr(end + 1);
        const std::size_t dot = name.find('.');
        if (dot != std::string_view::npos) {
            const std::string_view suffix = name.substr(dot + 1);
            const bool is_base64 =
                equal_ignoring_case(suffix, "b64") || equal_ignoring_case(suffix, "base64");
            if (!is_base64 && !equal_ignoring_case(suffix, "hex")) {
                return std::unexpected(PasswordFault::unknown_scheme);
            }
            encoding = is_base64 ? Encoding::base64 : Encoding::hex;
            name = name.substr(0, dot);
        }
    }
    const PasswordScheme* scheme = find_scheme(name);
    if (scheme == nullptr) return std::unexpected(PasswordFault::unknown_scheme);
    if (payload.empty() || payload.size() > password_hash_octets_max) {
        return std::unexpected(PasswordFault::malformed);
    }
    StoredPassword parsed(*scheme, encoding, payload);
    parsed.locked_ = scheme->method == Method::crypt && (payload[0] == '*' || payload[0] == '!');
    return parsed;
}

/// Sets the family; the fault of the hash, where there is one.
std::optional<PasswordFault> StoredPassword::examine() {
    if (locked_) {
        family_ = family_locked;
        return std::nullopt;
    }
    const std::optional<Secret> payload = decoded();
    if (!payload || payload->empty()) return PasswordFault::malformed;
    switch (scheme_->method) {
        case Method::plain: family_ = family_plain; return std::nullopt;
        case Method::digest: {
            family_ = family_digest;
            const std::size_t octets = digest_octets(scheme_->algorithm);
            const std::size_t held = payload->text().size();
            const bool fits = scheme_->salted ? held > octets : held == octets;
            return fits ? std::nullopt : std::optional(PasswordFault::malformed);
        }
        case Method::argon2: {
            family_ = family_argon2;
            const std::expected<void, PasswordFault> checked = check_argon2_hash(payload->text());
            return checked ? std::nullopt : std::optional(checked.error());
        }
        case Method::scram: {
            family_ = family_scram;
            const std::expected<ScramKeys, PasswordFault> keys =
                parse_scram_keys(payload->text(), scheme_->algorithm);
            return keys ? std::nullopt : std::optional(keys.error());
        }
        case Method::crypt: break;
    }
    const std::expected<std::size_t, PasswordFault> method = check_crypt_hash(payload->text());
    if (!method) return method.error();
    family_ = static_cast<std::uint8_t>(family_crypt + *method);
    return std::nullopt;
}

/// The payload without its encoding. Digests are base64, or hex where the length says so.
std::optional<Secret> StoredPassword::decoded() const {
    const bool is_digest = scheme_->method == Method::digest;
    Encoding encoding = encoding_;
    if (encoding == Encoding::native && is_digest) {
        const bool looks_hex =
            !scheme_->salted && payload_.size() == 2 * digest_octets(scheme_->algorithm);
        encoding = looks_hex ? Encoding::hex : Encoding::base64;
    }
    if (encoding == Encoding::native) return Secret(payload_);
    std::optional<std::string> octets =
        encoding == Encoding::hex ? hex_decode(payload_) : base64_decode(payload_);
    if (!octets) return std::nullopt;
    return Secret(std::move(*octets));
}

std::uint64_t StoredPassword::memory_kib() const {
    const bool may_take_some =
        scheme_->method == Method::argon2 || scheme_->method == Method::crypt;
    if (locked_ || !may_take_some) return 0;
    const std::optional<Secret> payload = decoded();
    ASSERT(payload.has_value());
    return scheme_->method == Method::argon2 ? argon2_hash_memory_kib(payload->text())
                                             : crypt_hash_memory_kib(payload->text());
}

bool StoredPassword::is_cheap() const {
    return locked_ || scheme_->method == Method::plain || scheme_->method == Method::digest;
}

std::string_view StoredPassword::scheme_name() const { return scheme_->name; }

std::expected<bool, PasswordFault> StoredPassword::verify(std::string_view secret) const {
    if (locked_) return false;
    const std::optional<Secret> payload = decoded();
    ASSERT(payload.has_value());
    switch (scheme_->method) {
        case Method::plain: return equal_in_constant_time(secret, payload->text());
        case Method::crypt: return verify_crypt_hash(secret, payload->text());
        case Method::argon2: return verify_argon2_hash(secret, payload->text());
        case Method::scram: {
            const std::expected<ScramKeys, PasswordFault> keys =
                parse_scram_keys(payload->text(), scheme_->algorithm);
            ASSERT(keys.has_value());
            return verify_scram_keys(secret, *keys);
        }
        case Method::digest: break;
    }
    const std::string_view stored = payload->text();
    const std::size_t octets = digest_octets(scheme_->algorithm);
    const std::optional<Digest> digest =
        digest_of(scheme_->algorithm, secret, stored.substr(octets));
    if (!digest) return std::unexpected(PasswordFault::unavailable);
    return equal_in_constant_time(digest->view(), stored.substr(0, octets));
}

std::optional<Secret> StoredPassword::plain_secret() const {
    return scheme_->method == Method::plain ? decoded() : std::nullopt;
}

std::optional<ScramKeys> StoredPassword::scram_keys(DigestAlgorithm algorithm) const {
    if (scheme_->method != Method::scram || scheme_->algorithm != algorithm) return std::nullopt;
    const std::optional<Secret> payload = decoded();
    ASSERT(payload.has_value());
    std::expected<ScramKeys, PasswordFault> keys = parse_scram_keys(payload->text(), algorithm);
    if (!keys) return std::nullopt;
    return std::move(*keys);
}

std::expected<bool, PasswordFault> verify_password(std::string_view secret,
                                                   std::string_view stored) {
    const std::expected<StoredPassword, PasswordFault> parsed = StoredPassword::parse(stored);
    if (!parsed) return std::unexpected(parsed.error());
    return parsed->verify(secret);
}

std::expected<std::string, PasswordFault> hash_password(std::string_view secret,
                                                        std::string_view scheme) {
    const PasswordScheme* row = find_scheme(scheme);
    if (row == nullptr) return std::unexpected(PasswordFault::unknown_scheme);
    if (secret.empty() || secret.size() > password_octets_max ||
        secret.find('\0') != std::string_view::npos) {
        return std::unexpected(PasswordFault::malformed);
    }
    const std::string prefix = "{" + std::string(row->name) + "}";
    if (row->method == Method::plain) {
        if (fits_passwd_field(secret)) return prefix + std::string(secret);
        return "{" + std::string(row->name) + ".b64}" + base64_encode(secret);
    }
    std::expected<std::string, PasswordFault> made =
        row->method == Method::crypt ? make_crypt_hash(secret, row->crypt_prefix, row->crypt_cost)
        : row->method == Method::argon2 ? make_argon2_hash(secret, row->name == "ARGON2ID")
        : row->method == Method::scram  ? make_scram(secret, *row)
                                        : make_digest(secret, *row);
    if (!made) return std::unexpected(made.error());
    return prefix + *made;
}

std::span<const std::string_view> password_scheme_names() { return names; }

bool is_password_scheme(std::string_view name) { return find_scheme(name) != nullptr; }

}  // namespace restante
