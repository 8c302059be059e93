#pragma once
/// One connection's octets: TCP, and from secure() on TLS over it.

#include <memory>
#include <span>

#include "base/result.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// How long octets of a refused client are still read, and how many, so that its last reply is not
/// lost to a reset (close() with unread octets sends one).
inline constexpr Duration linger_max = std::chrono::seconds(1);
inline constexpr std::size_t linger_octets_max = 256 * 1024;

class TlsContext;
class TlsEngine;

/// Owns the socket. One coroutine uses it: at most one operation is in flight.
class Stream {
public:
    explicit Stream(Handle socket);
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream();

    /// TLS from the next octet on: the handshake, as the server. With `in_kernel`, the kernel
    /// encrypts what is sent, where it can. After an error the stream is only good for closing;
    /// tls()->failure() then says more, if it was TLS's.
    Task<Result<void>> secure(std::shared_ptr<const TlsContext> context, bool in_kernel,
                              Instant deadline);
    /// nullptr before secure().
    const TlsEngine* tls() const { return tls_.get(); }
    /// TLS failed: what is asked for now comes to nothing. close_lingering() tells the client why.
    bool is_broken() const { return is_broken_; }
    /// Files and mappings can be sent as they are: no octet has to be encrypted here.
    bool sends_plain() const;
    /// False with kernel TLS, which refuses MSG_WAITALL: exchange() then only receives.
    bool can_exchange() const;
    /// With tls(): takes the ciphertext that came.
    void feed(std::span<const char> ciphertext);
    /// With tls(): octets of plaintext, now in `target`; 0 at the end; -EAGAIN: feed() more;
    /// another -errno.
    std::int64_t read(std::span<char> target);
    /// read() may have octets already, without another feed().
    bool has_input_pending() const;

    // What is received is ciphertext where there is tls(); what is sent is not.

    /// Octets received, 0 at the end; -errno.
    Reception receive(Instant deadline) {
        return Reception(ring(), Request::receive(socket_.get()).until(deadline), &in_flight_,
                         is_refused());
    }
    /// All of `source`, or -errno. `more`: it may wait for the next send.
    Completion send(std::span<const char> source, bool more, Instant deadline) {
        return start(Request::send(socket_.get(), sealed(source), more).until(deadline));
    }
    /// Octets sent, see Request::send_file; what follows is held back for more. -errno.
    /// Where sends_plain().
    Completion send_file(const FilePart& part, FileSending sending, Instant deadline) {
        return start(Request::send_file(socket_.get(), part, sending, true).until(deadline));
    }
    /// All of `source`, from where it lies; -errno. Where sends_plain().
    Completion send_zero_copy(std::span<const char> source, Instant deadline) {
        return start(Request::send_zero_copy(socket_.get(), source).until(deadline));
    }
    /// For a Sequence, with ring() and in_flight(): a send().
    Request sending(std::span<const char> source, bool more, Instant deadline) {
        return Request::send(socket_.get(), sealed(source), more).until(deadline);
    }
    /// Likewise: a receive() once all of `source`, if anything, was sent; -EPIPE where it was not.
    /// With can_exchange(), or an empty `source`.
    Request exchange(std::span<const char> source, Instant deadline) {
        const std::span<const char> octets = sealed(source);  // TLS may have something to say, too
        const int socket = socket_.get();
        if (octets.empty()) return Request::receive(socket).until(deadline);
        return Request::exchange(socket, octets).until(deadline);
    }
    /// Until `until`: always ends with -ETIMEDOUT or -ECANCELED.
    Completion pause(Instant until) { return start(Request::sleep().until(until)); }
    /// send() of the last octets there are, which an earlier interrupt() does not refuse; TLS's
    /// close_notify goes with them, and FIN, in one segment.
    Task<std::int64_t> send_last(std::span<const char> source, Instant deadline);
    /// Ends what is in flight, and all that is asked later, with -ECANCELED.
    void interrupt() {
        is_interrupted_ = true;
        if (in_flight_ != nullptr) ring().cancel(*in_flight_);
    }

    Instant now() const { return ring().now(); }
    Ring& ring() const { return socket_.ring(); }
    /// What is interrupt()ed; nothing may begin after that.
    Operation*& in_flight() { return in_flight_; }

    /// Closes at once.
    void close();
    /// Sends TLS's alert if that failed, then FIN; reads and forgets what is still coming; closes.
    Task<void> close_lingering();

private:
    Completion start(const Request& request) {
        return Completion(ring(), request, &in_flight_, is_refused());
    }
    bool is_refused() const { return is_interrupted_ || is_broken_; }
    /// What to send on the socket for `source`, valid until the next call.
    std::span<const char> sealed(std::span<const char> source) {
        return tls_ == nullptr ? source : encrypted(source);
    }
    std::span<const char> sealed_last(std::span<const char> source);
    Completion end_sending();
    std::span<const char> encrypted(std::span<const char> source);
    void forget_sent();
    void say_goodbye();

    Handle socket_;
    Operation* in_flight_ = nullptr;
    std::unique_ptr<TlsEngine> tls_;
    std::uint32_t sealed_octets_ = 0;  // of tls_->outgoing(), given to the kernel
    bool is_interrupted_ = false;
    bool is_broken_ = false;
    bool owes_goodbye_ = false;  // close_notify behind what the kernel encrypts
};

}  // namespace restante
