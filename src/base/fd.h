#pragma once
/// One open descriptor with one owner.

#include <unistd.h>

#include <utility>

#include "base/assert.h"

namespace restante {

/// Owns one descriptor and closes it; move-only. A moved-from Fd is empty and may only be
/// destroyed, assigned or asked is_open().
class Fd {
public:
    Fd() = default;  ///< empty
    explicit Fd(int fd) : fd_(fd) { ASSERT(fd >= 0); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }

    bool is_open() const { return fd_ >= 0; }
    int get() const {
        ASSERT(fd_ >= 0);
        return fd_;
    }
    /// Gives the descriptor up; the caller closes it.
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

}  // namespace restante
