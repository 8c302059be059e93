#include "net/stream.h"

#include "net/tls_engine.h"

namespace restante {
namespace {

Error handshake_error(std::int64_t result) {
    return error_of_errno(static_cast<int>(-result), "TLS handshake");
}

}  // namespace

Stream::Stream(Handle socket) : socket_(std::move(socket)) {}
Stream::~Stream() = default;

Task<Result<void>> Stream::secure(std::shared_ptr<const TlsContext> context, bool in_kernel,
                                  Instant deadline) {
    tls_ = std::make_unique<TlsEngine>(std::move(context));
    if (in_kernel) tls_->use_kernel_tls(socket_.get());
    for (;;) {
        const TlsStatus status = tls_->handshake();
        if (status == TlsStatus::ready) co_return Result<void>();  // a ticket leaves with a reply
        if (status == TlsStatus::wants_output) {
            const std::int64_t sent = co_await send({}, false, deadline);
            if (sent < 0) co_return std::unexpected(handshake_error(sent));
            forget_sent();
            continue;
        }
        if (status != TlsStatus::wants_input) {
            is_broken_ = true;
            co_return std::unexpected(Error{ErrorKind::peer_closed, 0, "TLS handshake"});
        }
        const Received got =
            co_await Reception(ring(), exchange({}, deadline), &in_flight_, is_refused());
        if (got.result < 0) co_return std::unexpected(handshake_error(got.result));
        if (got.result == 0) tls_->feed_end();
        feed(got.octets());
    }
}

bool Stream::sends_plain() const { return tls_ == nullptr || tls_->is_kernel_tls_sending(); }

bool Stream::can_exchange() const { return tls_ == nullptr || !tls_->is_kernel_tls_sending(); }

void Stream::feed(std::span<const char> ciphertext) {
    forget_sent();
    if (tls_->feed(ciphertext) < ciphertext.size()) is_broken_ = true;
    // A client that makes TLS answer and does not take the answers.
    if (tls_->outgoing().size() > tls_answers_octets_max) is_broken_ = true;
}

std::int64_t Stream::read(std::span<char> target) {
    if (is_broken_) return -EPROTO;
    const TlsRead read = tls_->read(target);
    switch (read.status) {
        case TlsStatus::ready: return static_cast<std::int64_t>(read.octets);
        case TlsStatus::wants_input:
        case TlsStatus::wants_output: return -EAGAIN;
        case TlsStatus::closed:
        case TlsStatus::truncated: return 0;
        case TlsStatus::failed: break;
    }
    is_broken_ = true;
    return -EPROTO;
}

bool Stream::has_input_pending() const {
    return tls_ != nullptr &&
           (is_broken_ || tls_->has_input_pending() || tls_->has_plaintext_pending());
}

/// Behind it may lie what TLS itself has to say (a key update), which leaves with the next octets.
std::span<const char> Stream::encrypted(std::span<const char> source) {
    forget_sent();
    if (tls_->is_kernel_tls_sending()) return source;
    if (!source.empty() && tls_->write(source) < source.size()) is_broken_ = true;
    sealed_octets_ = static_cast<std::uint32_t>(tls_->outgoing().size());
    return tls_->outgoing();
}

std::span<const char> Stream::sealed_last(std::span<const char> source) {
    if (tls_ == nullptr) return source;
    const std::span<const char> octets = encrypted(source);
    owes_goodbye_ = tls_->is_kernel_tls_sending();
    if (owes_goodbye_) return octets;
    tls_->close();
    sealed_octets_ = static_cast<std::uint32_t>(tls_->outgoing().size());
    return tls_->outgoing();
}

/// Only one operation is in flight, and it has ended: what was given to the kernel is sent, or the
/// connection is lost.
void Stream::forget_sent() {
    if (sealed_octets_ > 0) tls_->consumed(sealed_octets_);
    sealed_octets_ = 0;
}

/// The kernel's TLS takes records of its own in their order only: once the last octets are there.
void Stream::say_goodbye() {
    if (owes_goodbye_) tls_->close();
    owes_goodbye_ = false;
}

/// FIN. Not left to close(), which throws away what is not sent yet where octets of the client are
/// unread.
Completion Stream::end_sending() {
    say_goodbye();
    return Completion(ring(), Request::shutdown(socket_.get()), &in_flight_, false);
}

Task<std::int64_t> Stream::send_last(std::span<const char> source, Instant deadline) {
    const std::span<const char> octets = sealed_last(source);
    const bool waits_for_end = !owes_goodbye_;
    const Request sending = Request::send(socket_.get(), octets, waits_for_end).until(deadline);
    const std::int64_t sent = co_await Completion(ring(), sending, &in_flight_, is_broken_);
    if (sent >= 0) co_await end_sending();
    co_return sent;
}

void Stream::close() {
    say_goodbye();
    socket_.reset();
}

Task<void> Stream::close_lingering() {
    const Instant deadline = ring().now() + linger_max;
    const std::span<const char> alert = is_broken_ ? sealed({}) : std::span<const char>();
    std::int64_t ended = 0;
    if (!alert.empty()) {
        const Request sending = Request::send(socket_.get(), alert, false).until(deadline);
        ended = co_await Completion(ring(), sending, &in_flight_, is_interrupted_);
    }
    if (ended >= 0) ended = co_await end_sending();
    std::size_t left = ended == 0 ? linger_octets_max : 0;
    while (left > 0) {
        const Received got = co_await Reception(
            ring(), Request::receive(socket_.get()).until(deadline), &in_flight_, is_interrupted_);
        if (got.result <= 0) break;
        left -= std::min(left, got.octets().size());
    }
    close();
}

}  // namespace restante
