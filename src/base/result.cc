#include "base/result.h"

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace restante {

ErrorKind kind_of_errno(int system_errno) {
    switch (system_errno) {
        case EPIPE:
        case ECONNRESET:
        case ECONNABORTED:
        case ENOTCONN: return ErrorKind::peer_closed;
        case ETIMEDOUT:
        case ECANCELED: return ErrorKind::timed_out;
        case ENOENT:
        case ENOTDIR: return ErrorKind::not_found;
        case EACCES:
        case EPERM:
        case EROFS:
        case ELOOP:
        case EXDEV:
        case EWOULDBLOCK:
        case EBUSY: return ErrorKind::refused;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS: return ErrorKind::exhausted;
        default: return ErrorKind::broken;
    }
}

Error error_of_errno(int system_errno, const char* operation) {
    ASSERT(system_errno > 0);
    return Error{kind_of_errno(system_errno), system_errno, operation};
}

std::string describe(const Error& error) {
    std::string text = error.operation;
    if (error.system_errno != 0) {
        text += ": ";
        text +=
            strerrordesc_np(error.system_errno);  // glibc >= 2.32; strerror() is not thread-safe
    }
    return text;
}

}  // namespace restante
