#include "ring/inline_answers.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "ring/blocking_calls.h"
#include "ring/mapping.h"

namespace restante {
namespace {

/// Octets sent inline between two turns: a client that takes all it is given must not keep the
/// others waiting.
constexpr std::size_t sent_octets_max = 256 * 1024;

}  // namespace

bool InlineAnswers::attempt(Operation& operation, bool zero_copy) {
    using Kind = Request::Kind;
    switch (operation.request.kind) {
        case Kind::send:
            return !(zero_copy && operation.request.zero_copy) && attempt_send(operation);
        case Kind::send_file: return attempt_send_file(operation);
        case Kind::map: operation.result = map(operation.request); return true;
        case Kind::shutdown:  // never waits; through the ring it would always go to a worker thread
            operation.result = ::shutdown(operation.request.fd, SHUT_WR) < 0 ? -errno : 0;
            return true;
        case Kind::open:
        case Kind::status:
        case Kind::status_at:
        case Kind::lock:
        case Kind::read: return places_.may_attempt(operation.request) && attempt_file(operation);
        default: return false;
    }
}

bool InlineAnswers::attempt_file(Operation& operation) {
    using Kind = Request::Kind;
    operation.result = carry_out_cached(operation.request);
    const bool is_lock = operation.request.kind == Kind::lock;
    // -EWOULDBLOCK of a lock, the same number, is its answer.
    if (operation.result == -EAGAIN && !is_lock) return false;
    if (operation.result == -EOPNOTSUPP || operation.result == -EXDEV) return false;
    places_.note(operation);
    if (operation.request.kind != Kind::read) return true;
    const auto got = static_cast<std::size_t>(operation.result);
    if (operation.result < 0 || got == operation.request.target.size() || got == 0) return true;
    operation.progress = got;  // what is cached; the ring reads on
    return false;
}

// Room in the socket's buffer is the rule: a call instead of a turn. What did not fit is the
// ring's.
bool InlineAnswers::attempt_send(Operation& operation) {
    const Request& request = operation.request;
    if (sent_octets_ + request.source.size() > sent_octets_max) return false;
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (request.more ? MSG_MORE : 0);
    const ssize_t sent = ::send(request.fd, request.source.data(), request.source.size(), flags);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EINTR) return false;
        operation.result = -errno;
        return true;
    }
    operation.progress = static_cast<std::uint64_t>(sent);
    operation.result = sent;
    sent_octets_ += operation.progress;
    return operation.progress == request.source.size();
}

// What is left when the socket is full, or when others have waited long enough, is the ring's.
bool InlineAnswers::attempt_send_file(Operation& operation) {
    const Request& request = operation.request;
    operation.result = 0;
    if (places_.is_far(request)) return true;  // to be read
    if (request.sending == FileSending::uring_splice) return false;
    while (sent_octets_ < sent_octets_max) {
        const std::int64_t sent = file_sender_.send(request, operation.progress);
        if (sent == -EAGAIN || sent == -EINTR) return false;
        operation.progress += static_cast<std::uint64_t>(std::max<std::int64_t>(sent, 0));
        sent_octets_ += static_cast<std::size_t>(std::max<std::int64_t>(sent, 0));
        operation.result = sent < 0 ? sent : static_cast<std::int64_t>(operation.progress);
        if (sent <= 0 || operation.progress == request.octets) return true;
    }
    return false;
}

std::int64_t InlineAnswers::map(const Request& request) {
    if (places_.is_far(request)) return 0;
    const FilePart part{request.fd, request.offset, request.octets};
    if (!file_sender_.is_resident(part)) return 0;
    const int mapped = request.mapping->map(part.file, part.offset, part.octets);
    return mapped < 0 ? 0 : static_cast<std::int64_t>(part.octets);
}

}  // namespace restante
