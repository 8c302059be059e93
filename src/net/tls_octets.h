#pragma once
/// Octets on their way between a socket and OpenSSL.

#include <cstdint>
#include <memory>
#include <span>

namespace restante {

/// A queue that holds no memory while it is empty. Not wiped: it is for ciphertext.
class TlsOctets {
public:
    std::span<const char> octets() const { return {memory_.get() + first_, after_ - first_}; }
    std::size_t size() const { return after_ - first_; }
    /// Moves octets() unless they have room to grow.
    void append(std::span<const char> octets);
    /// Forgets the first `count`; what follows stays in place. Frees the memory with the last.
    void drop(std::size_t count);
    /// Makes room for `octets` more at once.
    void reserve(std::size_t octets);

private:
    std::unique_ptr<char[]> memory_;
    std::uint32_t room_ = 0;
    std::uint32_t first_ = 0;
    std::uint32_t after_ = 0;
};

}  // namespace restante
