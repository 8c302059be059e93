#include "sim/world.h"

#include <md5.h>

#include <algorithm>

#include "maildir/maildir_name.h"
#include "maildir/scan.h"
#include "server/policies.h"
#include "sim/sim_await.h"

namespace restante::sim {
namespace {

/// What a test's configuration is unless it says otherwise.
const WorldSettings default_settings = {
    {"hostname", "\"pop.example.org\""},
    {"auth.allow_cleartext", "true"},
    {"auth.backend.local.type", "\"passwd-file\""},
    {"auth.backend.local.path", "\"/etc/restante/users\""},
    {"listener.pop3.address", "[\"192.0.2.25:110\"]"},
    {"storage.maildir", "\"/var/vmail/{user}\""},
};

Config config_of(const WorldSettings& settings) {
    std::map<std::string, std::string> values(default_settings.begin(), default_settings.end());
    for (const auto& [key, value] : settings) values[key] = value;
    std::string text;
    for (const auto& [key, value] : values) text += key + " = " + value + "\n";
    std::expected<Config, ConfigErrors> config = parse_config(text, "/etc/restante/restante.toml");
    if (!config) std::fprintf(stderr, "%s\n", config.error().front().c_str());
    ASSERT(config.has_value());
    return *config;
}

}  // namespace

std::string md5_hex(std::string_view octets) {
    char hex[MD5_DIGEST_STRING_LENGTH];
    MD5Data(reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size(), hex);
    return hex;
}

Task<Result<Credentials>> SimVerifier::credentials(CredentialQuery query, LoginOrigin) {
    const auto found = secrets_.find(query.user);
    Credentials known;
    known.secret = Secret(found == secrets_.end() ? "nobody's" : std::string_view(found->second));
    const bool is_sha_1 = query.kind == CredentialKind::scram_sha_1;
    known.scram =
        derive_scram_keys(known.secret.text(), {.octets = "of simulation", .iterations = 16},
                          is_sha_1 ? DigestAlgorithm::sha1 : DigestAlgorithm::sha256)
            .value();
    if (found != secrets_.end()) known.account.emplace().name = found->first;
    const Instant soon = ring_.now() + std::chrono::microseconds(50);
    co_await perform(ring_, Request::sleep().until(soon));
    co_return known;
}

Task<Result<Verdict>> SimVerifier::verify(Proof proof, LoginOrigin) {
    const std::string_view user = std::visit([](const auto& any) { return any.user; }, proof);
    const auto found = secrets_.find(user);
    const std::string secret = found == secrets_.end() ? "" : found->second;
    bool is_right = false;
    if (const auto* apop = std::get_if<ApopProof>(&proof)) {
        is_right = apop->digest == md5_hex(std::string(apop->timestamp) + secret);
    } else if (const auto* password = std::get_if<PasswordProof>(&proof)) {
        is_right = password->password == secret;
    } else {
        is_right = std::holds_alternative<ExternalProof>(proof);
    }
    const Instant soon = ring_.now() + std::chrono::microseconds(50);
    co_await perform(ring_, Request::sleep().until(soon));
    if (!is_right || found == secrets_.end()) co_return Verdict(Rejected());
    Account account;
    account.name = found->first;
    co_return Verdict(std::move(account));
}

World::World(const SimOptions& options, const WorldSettings& settings,
             const VerifierMaker& make_verifier)
    : ring_(options),
      config_(config_of(settings)),
      verifier_(ring_),
      policy_(session_policy(config_)),
      throttle_(throttle_settings(config_)),
      own_verifier_(make_verifier ? make_verifier(ring_, throttle_) : nullptr),
      login_(LoginSources{own_verifier_ ? *own_verifier_ : verifier_, user_name_rules(config_)}),
      store_options_(store_options(config_).value()) {
    files().make_directory(mail_root);
    start_server();
}

World::~World() {
    if (ring_.has_crashed()) restart_after_power_cut();
    stop_server();
    ASSERT(ring_.operations_in_flight() == 0);
    ASSERT(ring_.open_descriptor_count() == 1);  // the log's
    ASSERT(buffers_->lent() == 0);
}

void World::start_server() {
    log_sink_ = ring_.open_sink();
    listener_ = ring_.listen("192.0.2.25:110");
    buffers_ = std::make_unique<BufferPool>();
    log_ = std::make_unique<ReactorLog>(ring_, log_sink_, config_.log.level, config_.log.ident);
    store_ = std::make_unique<MaildirStore>(ring_, *log_, *buffers_, store_options_);
    delivery_ = make_delivery(config_.delivery, ring_, *buffers_);
    std::vector<ListeningSocket> listeners;
    listeners.push_back({Handle(ring_, listener_), TlsMode::none});
    const SessionService service{ring_, login_,  *store_, *delivery_, *buffers_,
                                 *log_, policy_, nullptr, throttle_,  user_sessions_};
    reactor_ = std::make_unique<Reactor>(
        service, *log_, address_connections_, std::move(listeners),
        ReactorLimits{config_.limits.connections, config_.limits.connections_per_ip,
                      config_.limits.drain_timeout});
    reactor_->start();
}

void World::stop_server() {
    reactor_->stop();
    for (std::size_t i = 0; i < SimRing::turns_max && !reactor_->is_finished(); ++i) {
        reactor_->after_turn();
        ring_.turn();
    }
    ASSERT(reactor_->is_finished());
    reactor_.reset();
}

void World::restart_after_power_cut() {
    ASSERT(ring_.drain_after_crash());
    reactor_.reset();
    store_.reset();
    log_.reset();
    ring_.restart();
    start_server();
}

void World::restart() {
    stop_server();
    ASSERT(buffers_->lent() == 0);
    store_.reset();
    log_.reset();
    ring_.close(log_sink_);
    start_server();
}

void World::deliver(std::string_view user, std::string_view file_name, std::string_view octets) {
    const Folder folder = file_name.contains(':') ? Folder::current : Folder::fresh;
    for (const char* part : {"/new", "/cur", "/tmp"}) files().make_directory(maildrop(user) + part);
    files().write_file(maildrop(user) + "/" + path_in_maildrop(folder, file_name),
                       SimContent(std::string(octets)));
}

std::vector<std::string> World::messages(std::string_view user) {
    std::vector<std::string> names;
    for (const char* part : {"/new", "/cur"}) {
        const std::string folder = maildrop(user) + part;
        if (!files().exists(folder)) continue;
        for (const std::string& name : files().list(folder)) names.emplace_back(base_name(name));
    }
    std::ranges::sort(names);
    return names;
}

Client World::connect(std::string_view peer) { return ring_.connect(listener_, peer); }

void World::settle() {
    ring_.settle();
    reactor_->after_turn();
    ring_.settle();
}

void World::wait(Duration duration) {
    settle();
    ring_.run_for(duration);
    settle();
}

void World::run_until_replied(Client& client, std::string_view end) {
    ring_.run_until(
        [&client, end] { return client.received().ends_with(end) || client.has_server_closed(); });
    reactor_->after_turn();
}

}  // namespace restante::sim
