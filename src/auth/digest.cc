#include "auth/digest.h"

#include <openssl/evp.h>

#include <memory>

#include "base/free_with.h"

namespace restante {
namespace {

const EVP_MD* method_of(DigestAlgorithm algorithm) {
    switch (algorithm) {
        case DigestAlgorithm::md5: return EVP_md5();
        case DigestAlgorithm::sha1: return EVP_sha1();
        case DigestAlgorithm::sha256: return EVP_sha256();
        case DigestAlgorithm::sha512: return EVP_sha512();
    }
    return nullptr;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

}  // namespace

std::size_t digest_octets(DigestAlgorithm algorithm) {
    switch (algorithm) {
        case DigestAlgorithm::md5: return 16;
        case DigestAlgorithm::sha1: return 20;
        case DigestAlgorithm::sha256: return 32;
        case DigestAlgorithm::sha512: return 64;
    }
    return 0;
}

std::optional<Digest> digest_of(DigestAlgorithm algorithm, std::string_view first,
                                std::string_view second) {
    const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    if (context == nullptr) return std::nullopt;
    Digest digest;
    unsigned int size = 0;
    const bool done = EVP_DigestInit_ex(context.get(), method_of(algorithm), nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1 &&
                      EVP_DigestUpdate(context.get(), second.data(), second.size()) == 1 &&
                      EVP_DigestFinal_ex(context.get(), digest.octets.data(), &size) == 1;
    if (!done) return std::nullopt;
    digest.size = size;
    return digest;
}

bool equal_in_constant_time(std::string_view presented, std::string_view stored) {
    if (stored.empty()) return presented.empty();
    volatile unsigned difference = presented.size() != stored.size() ? 1 : 0;
    std::size_t at = 0;
    for (const char octet : presented) {
        difference = difference | static_cast<unsigned char>(octet ^ stored[at]);
        at = at + 1 < stored.size() ? at + 1 : 0;
    }
    return difference == 0;
}

std::string hex_encode(std::string_view octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(octets.size() * 2);
    for (const char octet : octets) {
        text += digits[static_cast<unsigned char>(octet) >> 4];
        text += digits[static_cast<unsigned char>(octet) & 0x0FU];
    }
    return text;
}

std::optional<std::string> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    for (const char digit : text) {
        if (hex_value(digit) < 0) return std::nullopt;
    }
    std::string octets;
    octets.reserve(text.size() / 2);
    for (std::size_t at = 0; at < text.size(); at += 2) {
        octets += static_cast<char>(hex_value(text[at]) << 4 | hex_value(text[at + 1]));
    }
    return octets;
}

}  // namespace restante
