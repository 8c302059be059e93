#include "sim/office_wire.h"

#include <algorithm>

#include "base/assert.h"
#include "sim/tls_client.h"

namespace restante::sim {
namespace {

constexpr std::size_t record_octets_max = 16 * 1024;

TlsClientSettings some_settings(SimRandom& random, const KeptTlsSession& kept) {
    TlsClientSettings settings;
    if (random.chance(0.3)) settings.max_version = TLS1_2_VERSION;
    if (random.coin()) settings.server_name = "pop.example.org";
    if (random.coin()) settings.alpn = "";
    if (random.coin()) settings.session = kept.get();
    return settings;
}

}  // namespace

void KeptTlsSession::keep(ssl_session_st* session) {
    SSL_SESSION_free(session_);
    session_ = session;
}

OfficeWire::OfficeWire(Client client, SimRandom& random)
    : client_(std::move(client)), random_(random) {}

OfficeWire::~OfficeWire() = default;

void OfficeWire::secure(std::string_view came, const KeptTlsSession& kept) {
    ASSERT(tls_ == nullptr);
    tls_ = std::make_unique<TlsClient>(some_settings(random_, kept));
    tls_->feed(came);
    is_open_ = tls_->handshake();
    flush();
}

void OfficeWire::send(std::string_view text, bool hold) {
    ASSERT(is_open());
    if (tls_ == nullptr) {
        client_.send(text);
        said_octets_ += text.size();
        whole_octets_ = said_octets_;
        return;
    }
    if (!held_.empty()) client_.send(std::exchange(held_, {}));
    if (!is_attacked_) whole_octets_ = std::max(whole_octets_, held_end_);
    seal(text);
    while (!records_.empty()) {
        Record record = std::move(records_.front());
        records_.pop_front();
        if (hold && records_.empty() && tampering_ < 0) {
            const std::size_t kept = 1 + random_.below(record.octets.size());
            held_ = record.octets.substr(record.octets.size() - kept);
            held_end_ = record.end;
            record.octets.resize(record.octets.size() - kept);
            record.end = whole_octets_;
        }
        pass(std::move(record));
    }
}

/// As one record, or as several.
void OfficeWire::seal(std::string_view text) {
    if (text.empty()) return;
    if (random_.chance(0.05) && SSL_version(tls_->ssl()) == TLS1_3_VERSION)
        SSL_key_update(tls_->ssl(), SSL_KEY_UPDATE_REQUESTED);
    const std::size_t octets_max = random_.coin() ? record_octets_max : 1 + random_.below(40);
    while (!text.empty()) {
        const std::size_t octets = std::min(octets_max, text.size());
        tls_->write(text.substr(0, octets));
        said_octets_ += octets;
        records_.push_back({tls_->take_outgoing(), said_octets_});
        text.remove_prefix(octets);
    }
}

void OfficeWire::pass(Record record) {
    if (tampering_ >= 0) {
        const auto how = static_cast<Tampering>(std::exchange(tampering_, -1));
        if (how == Tampering::flips_bit) {
            record.octets[random_.below(record.octets.size())] ^=
                static_cast<char>(1 << random_.below(8));
        }
        if (how == Tampering::repeats) {
            whole_octets_ = record.end;
            record.octets += record.octets;
        }
        is_attacked_ = true;
        if (how == Tampering::drops) return;
    }
    client_.send(record.octets);
    if (!is_attacked_) whole_octets_ = record.end;
}

/// What TLS has to say by itself.
void OfficeWire::flush() {
    const std::string octets = tls_->take_outgoing();
    if (octets.empty() || has_finished_) return;
    if (held_.empty()) {
        client_.send(octets);
    } else {
        held_ += octets;
    }
}

std::string OfficeWire::take_received() {
    std::string came = client_.take_received();
    if (tls_ == nullptr) return came;
    tls_->feed(came);
    if (!is_open_) is_open_ = tls_->handshake();
    flush();
    if (!is_open_) return {};
    std::string text = tls_->read();
    flush();
    return text;
}

void OfficeWire::finish(bool politely) {
    if (politely && tls_ != nullptr && is_open_) {
        tls_->close();
        flush();
        if (!held_.empty()) client_.send(std::exchange(held_, {}));
        if (!is_attacked_) whole_octets_ = std::max(whole_octets_, held_end_);
    }
    has_finished_ = true;
    client_.finish();
}

void OfficeWire::tamper(Tampering how) {
    ASSERT(is_secure());
    ASSERT(is_open());
    tampering_ = static_cast<int>(how);
}

void OfficeWire::inject(std::string_view octets) {
    is_attacked_ = true;
    client_.send(octets);
}

const std::string& OfficeWire::failure() const {
    static const std::string none;
    return tls_ == nullptr ? none : tls_->failure();
}

bool OfficeWire::was_closed() const { return tls_ != nullptr && tls_->has_close_notify(); }

bool OfficeWire::is_resumed() const { return SSL_session_reused(tls_->ssl()) == 1; }

std::string OfficeWire::common_name() const { return tls_->common_name(); }

void OfficeWire::keep_session(KeptTlsSession& kept) const {
    if (tls_ != nullptr && is_open_) kept.keep(tls_->take_session());
}

}  // namespace restante::sim
