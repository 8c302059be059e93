#pragma once
/// What arrives for any connection of a ring lies here first: a connection that waits holds no
/// buffer.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct io_uring_buf_ring;

namespace restante {

/// Of one ring: memory that the kernel takes a buffer from when octets have come
/// (IORING_REGISTER_PBUF_RING, kernel >= 5.19), and gets back as soon as they were looked at. Holds
/// passwords no longer than that.
class ReceiveBuffers {
public:
    /// Many pipelined commands, a TLS ClientHello.
    static constexpr std::size_t buffer_octets = 2048;

    /// `count`: a power of two.
    explicit ReceiveBuffers(unsigned count);

    unsigned count() const { return count_; }
    /// What the kernel is to be told of: count() entries, page-aligned.
    io_uring_buf_ring* entries() const { return entries_; }
    /// Gives all of them to the kernel; once, after it was told.
    void lend_all();
    /// What the kernel has put into buffer `id`.
    std::span<const char> octets(unsigned id, std::size_t octets) const;
    /// Overwrites the `octets` that were received, and lends the buffer again.
    void give_back(unsigned id, std::size_t octets);

private:
    void lend(unsigned id);

    struct Free {
        void operator()(std::byte* memory) const;
    };
    const unsigned count_;
    std::unique_ptr<std::byte, Free> memory_;  // the entries, then the buffers
    io_uring_buf_ring* entries_;
    char* buffers_;
    std::uint16_t tail_ = 0;
};

}  // namespace restante
