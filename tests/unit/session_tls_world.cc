#include "unit/session_tls_world.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "auth/login_verifier.h"
#include "base/assert.h"
#include "base/system_time.h"
#include "net/tls_certificates.h"
#include "net/tls_self_signed.h"
#include "server/policies.h"
#include "sim/world.h"

namespace restante::sim {
namespace {

std::unique_ptr<TlsCertificates> make_certificates() {
    std::string folder = (std::filesystem::temp_directory_path() / "session_tls.XXXXXX").string();
    ASSERT(::mkdtemp(folder.data()) != nullptr);
    const auto made = make_self_signed();
    ASSERT(made.has_value());
    TlsSettings settings;
    settings.pairs.push_back({folder + "/certificate", folder + "/key", ""});
    std::ofstream(settings.pairs[0].certificate) << made->certificate;
    std::ofstream(settings.pairs[0].key) << made->key;
    auto opened = TlsCertificates::open(settings, system_time());
    std::filesystem::remove_all(folder);
    ASSERT(opened.has_value());
    return std::move(opened->certificates);
}

const TlsCertificates& certificates() {
    static const std::unique_ptr<TlsCertificates> only = make_certificates();
    return *only;
}

Config make_config(bool allow_cleartext) {
    Config config;
    config.auth.allow_cleartext = allow_cleartext;
    config.hostname = "pop.example.org";
    config.storage.maildir = fmt::format("{}/{{user}}", mail_root);
    config.log.level = LogLevel::debug;
    return config;
}

}  // namespace

struct TlsServer::Parts {
    Parts(const SimOptions& options, bool allow_cleartext)
        : ring(options),
          log_sink(ring.open_sink()),
          listener(ring.listen("192.0.2.25:110")),
          config(make_config(allow_cleartext)) {
        verifier.add("mrose", "secret");
        const std::string maildrop = World::maildrop("mrose");
        for (const char* part : {"/new", "/cur", "/tmp"}) {
            ring.files().make_directory(maildrop + part);
        }
        ring.files().write_file(maildrop + "/new/1.M1P1.host",
                                SimContent(std::string(tls_server_message)));
    }
    SessionService service() {
        return {ring, login,  store,           *delivery, buffers,
                log,  policy, &certificates(), throttle,  user_sessions};
    }

    SimRing ring;
    const int log_sink;
    const int listener;
    const Config config;
    SimVerifier verifier{ring};
    SessionPolicy policy = session_policy(config);
    Throttle throttle{throttle_settings(config)};
    Tally user_sessions;
    Tally address_connections;
    LoginVerifier login{LoginSources{verifier, user_name_rules(config)}};
    BufferPool buffers;
    ReactorLog log{ring, log_sink, config.log.level, config.log.ident};
    const StoreOptions options_of_store = store_options(config).value();
    MaildirStore store{ring, log, buffers, options_of_store};
    std::unique_ptr<Delivery> delivery = make_delivery(config.delivery, ring, buffers);
    std::unique_ptr<Reactor> reactor;
};

TlsServer::TlsServer(TlsMode mode, const SimOptions& options, bool allow_cleartext)
    : parts_(std::make_unique<Parts>(options, allow_cleartext)) {
    std::vector<ListeningSocket> listeners;
    listeners.push_back({Handle(parts_->ring, parts_->listener), mode});
    parts_->reactor = std::make_unique<Reactor>(
        parts_->service(), parts_->log, parts_->address_connections, std::move(listeners),
        ReactorLimits{100, 0, parts_->config.limits.drain_timeout});
    parts_->reactor->start();
}

TlsServer::~TlsServer() {
    parts_->reactor->stop();
    while (!parts_->reactor->is_finished()) {
        parts_->reactor->after_turn();
        parts_->ring.turn();
    }
    ASSERT(parts_->ring.operations_in_flight() == 0);
    ASSERT(parts_->buffers.lent() == 0);
}

SimRing& TlsServer::ring() { return parts_->ring; }

Client TlsServer::connect() { return parts_->ring.connect(parts_->listener); }

std::vector<std::string> TlsServer::messages() {
    return parts_->ring.files().list(World::maildrop("mrose") + "/new");
}

const std::string& TlsServer::log() {
    parts_->ring.run_for(std::chrono::seconds(1));
    parts_->reactor->after_turn();
    parts_->ring.run_for(std::chrono::seconds(1));
    return parts_->ring.written(parts_->log_sink);
}

}  // namespace restante::sim
