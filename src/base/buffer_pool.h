#pragma once
/// Large buffers for what is on its way, so that idle sessions hold none.

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace restante {

class BufferPool;

/// Owns one buffer of BufferPool::buffer_octets; gives it back when it ends; move-only.
class Buffer {
public:
    Buffer() = default;  ///< empty
    Buffer(Buffer&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), octets_(std::move(other.octets_)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(octets_, other.octets_);
        return *this;
    }
    ~Buffer();

    bool is_held() const { return octets_ != nullptr; }
    std::span<char> octets() const;  ///< empty where none is held
    void reset() { *this = Buffer(); }

private:
    friend class BufferPool;
    Buffer(BufferPool* pool, std::unique_ptr<char[]> octets)
        : pool_(pool), octets_(std::move(octets)) {}
    BufferPool* pool_ = nullptr;
    std::unique_ptr<char[]> octets_;
};

/// Of one thread. Must outlive its buffers.
class BufferPool {
public:
    static constexpr std::size_t buffer_octets = 128 * 1024;
    /// Buffers kept for reuse; more than these are freed when given back.
    static constexpr std::size_t kept_max = 256;

    Buffer acquire();
    std::size_t lent() const { return lent_; }

private:
    friend class Buffer;
    /// From the start of an allocation, which is a page's, to the octets. AMD's Zen copies 25 times
    /// slower (glibc 2.36's memcpy: bug 30994) where the target lies 1 to 15 octets into a page and
    /// the source begins one, as OpenSSL's record does 8.
    static constexpr std::size_t page_offset = 64;
    static constexpr std::size_t allocated_octets = page_offset + buffer_octets;
    std::vector<std::unique_ptr<char[]>> kept_;
    std::size_t lent_ = 0;
};

}  // namespace restante
