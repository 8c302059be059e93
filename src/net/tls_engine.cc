#include "net/tls_engine.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "net/tls_failure.h"
#include "net/tls_identity.h"

namespace restante {
namespace {

/// Octets that a record has beside its plaintext, at most (RFC 8446 §5.2: 256; TLS 1.2's GCM: 29).
constexpr std::size_t record_overhead_max = 5 + 256;
/// Of the ciphers at hand (TLS 1.3: 22, 1.2: 29): what is reserved, and held as long as a reply.
constexpr std::size_t record_overhead_usual = 32;
constexpr std::size_t record_octets = SSL3_RT_MAX_PLAIN_LENGTH;
static_assert(tls_incoming_octets_max >= SSL3_RT_MAX_PACKET_SIZE);
static_assert(tls_outgoing_octets_max >=
              tls_write_octets / record_octets * (record_octets + record_overhead_max));

constexpr std::size_t failure_octets_max = 256;

/// OpenSSL would hold what the keys were agreed on with as long as the connection: 400 octets, and
/// by them its past could be read.
void forget_ephemeral_keys(SSL* ssl) {
    for (const int which : {SSL_CTRL_GET_TMP_KEY, SSL_CTRL_GET_PEER_TMP_KEY}) {
        EVP_PKEY* key = nullptr;
        if (SSL_ctrl(ssl, which, 0, &key) != 1) continue;
        EVP_PKEY_set_type(key, EVP_PKEY_get_id(key));  // ends the key in it
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
}

}  // namespace

void TlsEngine::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {
    ASSERT(context_ != nullptr);
}

TlsEngine::~TlsEngine() = default;

void TlsEngine::use_kernel_tls(int socket) {
    ASSERT(ssl_ == nullptr);
    wire_.want_kernel(socket);
}

std::size_t TlsEngine::room() const {
    if (is_failed_) return 0;
    const std::size_t room = tls_incoming_octets_max - wire_.incoming.size();
    return is_established_ ? room : std::min(room, tls_handshake_octets_max - fed_);
}

std::size_t TlsEngine::feed(std::span<const char> ciphertext) {
    const std::size_t taken = std::min(ciphertext.size(), room());
    wire_.incoming.append(ciphertext.first(taken));
    if (!is_established_) fed_ += taken;
    return taken;
}

bool TlsEngine::begin() {
    ssl_.reset(context_->new_connection());
    BIO* bio = ssl_ != nullptr ? wire_.make_bio() : nullptr;
    if (bio == nullptr) return false;
    SSL_set_bio(ssl_.get(), bio, bio);
    if (wire_.kernel != nullptr) SSL_set_options(ssl_.get(), SSL_OP_ENABLE_KTLS);
    return true;
}

TlsStatus TlsEngine::handshake() {
    if (is_failed_) return TlsStatus::failed;
    if (is_established_) return TlsStatus::ready;
    ERR_clear_error();
    if (ssl_ == nullptr && wire_.incoming.size() > 0 && !begin()) return fail(take_tls_error());
    const int result = ssl_ != nullptr ? SSL_do_handshake(ssl_.get()) : -1;
    if (result == 1) {
        is_established_ = true;
        forget_ephemeral_keys(ssl_.get());
        return TlsStatus::ready;
    }
    const TlsStatus status = ssl_ != nullptr ? stopped(result) : wait_for_input();
    if (status != TlsStatus::wants_input || fed_ < tls_handshake_octets_max) return status;
    return fail("the client's part of the handshake is too long");
}

TlsRead TlsEngine::read(std::span<char> target) {
    ASSERT(is_established_);
    ASSERT(!target.empty());
    if (is_failed_) return {TlsStatus::failed};
    ERR_clear_error();
    std::size_t octets = 0;
    const int result = SSL_read_ex(ssl_.get(), target.data(), target.size(), &octets);
    // OpenSSL owes the client an update of our keys, before more is sent (RFC 8446 §4.6.3).
    if (wire_.is_kernel_sending && SSL_get_key_update_type(ssl_.get()) != SSL_KEY_UPDATE_NONE)
        return {fail("the client asks for new keys, which the kernel's TLS cannot change")};
    if (result == 1) return {TlsStatus::ready, octets};
    return {stopped(result)};
}

std::size_t TlsEngine::write(std::span<const char> plaintext) {
    ASSERT(is_established_);
    ASSERT(!is_kernel_tls_sending());
    if (is_failed_ || is_closed_) return 0;
    ERR_clear_error();
    const std::size_t records = (plaintext.size() + record_octets - 1) / record_octets;
    const std::size_t room =
        tls_outgoing_octets_max - std::min(tls_outgoing_octets_max, wire_.outgoing.size());
    wire_.outgoing.reserve(std::min(room, plaintext.size() + records * record_overhead_usual));
    std::size_t taken = 0;
    while (taken < plaintext.size()) {
        const auto piece =
            plaintext.subspan(taken, std::min(record_octets, plaintext.size() - taken));
        const std::size_t needed = piece.size() + record_overhead_max;
        if (wire_.outgoing.size() + needed > tls_outgoing_octets_max) break;
        std::size_t written = 0;
        const int result = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written);
        if (result != 1) {
            stopped(result);
            break;
        }
        taken += written;
    }
    return taken;
}

void TlsEngine::close() {
    if (!is_established_ || is_failed_ || is_closed_) return;
    is_closed_ = true;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

bool TlsEngine::has_plaintext_pending() const {
    return ssl_ != nullptr && SSL_pending(ssl_.get()) > 0;
}

/// What a call that did not succeed comes to.
TlsStatus TlsEngine::stopped(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN) return TlsStatus::closed;
    if (error == SSL_ERROR_WANT_READ) return wait_for_input();
    // Where nothing is outgoing there is nothing to wait for: the kernel's socket is full.
    if (error == SSL_ERROR_WANT_WRITE && wire_.outgoing.size() > 0) return TlsStatus::wants_output;
    return fail(take_tls_error());
}

TlsStatus TlsEngine::wait_for_input() {
    if (!is_input_over_) return TlsStatus::wants_input;
    if (!is_established_) failure_ = "TLS handshaking: Disconnected";
    return TlsStatus::truncated;
}

TlsStatus TlsEngine::fail(const std::string& reason) {
    is_failed_ = true;
    failure_ = is_established_ ? "TLS: " : "TLS handshaking: SSL_accept() failed: ";
    failure_ += log_escaped(reason, failure_octets_max);
    wire_.incoming.drop(wire_.incoming.size());
    if (!is_established_) ssl_.reset();
    return TlsStatus::failed;
}

TlsDetails TlsEngine::details() const {
    ASSERT(is_established_);
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return {SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()),
            SSL_session_reused(ssl_.get()) == 1, name != nullptr ? name : ""};
}

std::optional<std::string> TlsEngine::channel_binding(ChannelBinding kind) const {
    ASSERT(is_established_);
    switch (kind) {
        case ChannelBinding::tls_exporter: return tls_exporter_binding(ssl_.get());
        case ChannelBinding::tls_unique: return tls_unique_binding(ssl_.get());
        case ChannelBinding::tls_server_end_point: return tls_server_end_point_binding(ssl_.get());
    }
    return std::nullopt;
}

bool TlsEngine::has_channel_binding() const {
    ASSERT(is_established_);
    return can_export_binding(ssl_.get());
}

std::optional<std::string> TlsEngine::client_user() const {
    ASSERT(is_established_);
    return client_certificate_user(ssl_.get());
}

std::string TlsEngine::client_certificate_problem() const {
    ASSERT(is_established_);
    return client_certificate_fault(ssl_.get());
}

}  // namespace restante
