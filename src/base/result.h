#pragma once
/// Errors of the world as values. Errors of ours are ASSERT (assert.h); what a client does wrong is
/// a pop3::Reply.

#include <cstdint>
#include <expected>
#include <string>

namespace restante {

/// What the caller does next; six and no more.
enum class ErrorKind : std::uint8_t {
    peer_closed,  ///< end the session, nothing to tell
    timed_out,    ///< end the session (a deadline passed or the operation was cancelled)
    not_found,    ///< refuse the command, go on
    refused,      ///< permission or a lock held by another: refuse, go on
    exhausted,    ///< out of space, descriptors, memory or queue: refuse with [SYS/TEMP]
    broken,       ///< anything else: log it, refuse with [SYS/PERM]
};

/// 16 octets, cheap to return, no strings built.
struct Error {
    ErrorKind kind;
    int system_errno;       ///< 0 where no system call failed
    const char* operation;  ///< a string literal: what was tried, e.g. "open maildrop"
};
static_assert(sizeof(Error) == 16);

template <class T>
using Result = std::expected<T, Error>;

/// The kind that an errno value (positive) stands for.
ErrorKind kind_of_errno(int system_errno);

/// `operation` must be a string literal; `system_errno` is positive.
Error error_of_errno(int system_errno, const char* operation);

/// "open maildrop: Permission denied", for log lines; never sent to a client.
std::string describe(const Error& error);

}  // namespace restante
