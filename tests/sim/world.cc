#include "sim/world.h"

#include <md5.h>

#include <algorithm>
#include <cerrno>

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

/// What hashing would be, for a helper.
class Comparison final : public Work {
public:
    Comparison(std::string_view given, std::string_view known) : given_(given), known_(known) {}
    void run() override { is_same_ = given_ == known_; }
    bool is_same() const { return is_same_; }

private:
    const std::string_view given_;
    const std::string_view known_;
    bool is_same_ = false;
};

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
        Comparison comparison(password->password, secret);
        const std::int64_t done =
            co_await perform(ring_, Request::offload(HelperKind::hashing, comparison));
        if (done < 0) co_return std::unexpected(error_of_errno(ENOBUFS, "compare passwords"));
        is_right = comparison.is_same();
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
             const VerifierMaker& make_verifier, Seams seams)
    : seams_(std::move(seams)),
      ring_(options),
      own_ring_(seams_.ring ? seams_.ring(ring_) : nullptr),
      server_ring_(own_ring_ ? own_ring_.get() : &ring_),
      config_(config_of(settings)),
      verifier_(*server_ring_),
      policy_(session_policy(config_)),
      throttle_(throttle_settings(config_)),
      own_verifier_(make_verifier ? make_verifier(ring_, throttle_) : nullptr),
      seam_verifier_(seams_.verifier ? seams_.verifier(*this, users()) : nullptr),
      login_(LoginSources{seam_verifier_ ? *seam_verifier_ : users(), user_name_rules(config_)}),
      store_options_(store_options(config_).value()) {
    files().make_directory(mail_root);
    start_server();
}

Verifier& World::users() { return own_verifier_ ? *own_verifier_ : verifier_; }

World::~World() {
    if (ring_.has_crashed()) restart_after_power_cut();
    stop_server();
    ASSERT(ring_.operations_in_flight() == 0);
    ASSERT(ring_.open_descriptor_count() == branches_.size());  // the logs'
    ASSERT(buffers_lent() == 0);
}

void World::start_server() {
    branches_.clear();
    for (std::size_t i = 0; i < seams_.reactors; ++i) branches_.push_back(make_branch());
    for (const auto& branch : branches_) branch->reactor->start();
}

std::unique_ptr<World::Branch> World::make_branch() {
    auto made = std::make_unique<Branch>();
    Branch& branch = *made;
    Ring& ring = *server_ring_;
    branch.log_sink = ring_.open_sink();
    branch.buffers = std::make_unique<BufferPool>();
    branch.log =
        std::make_unique<ReactorLog>(ring, branch.log_sink, config_.log.level, config_.log.ident);
    branch.store =
        std::make_unique<MaildirStore>(ring, *branch.log, *branch.buffers, store_options_);
    if (seams_.store) branch.store = seams_.store(*this, std::move(branch.store));
    branch.delivery = make_delivery(config_.delivery, ring, *branch.buffers);
    if (seams_.delivery) branch.delivery = seams_.delivery(*this, std::move(branch.delivery));
    const SessionService service{
        ring,        login_,  *branch.store,       *branch.delivery, *branch.buffers,
        *branch.log, policy_, seams_.certificates, throttle_,        user_sessions_};
    branch.reactor = std::make_unique<Reactor>(
        service, *branch.log, address_connections_, make_listeners(branch),
        ReactorLimits{config_.limits.connections, config_.limits.connections_per_ip,
                      config_.limits.drain_timeout});
    return made;
}

std::vector<ListeningSocket> World::make_listeners(Branch& branch) {
    const bool has_tls = seams_.certificates != nullptr;
    std::vector<ListeningSocket> listeners;
    branch.listener = ring_.listen("192.0.2.25:110");
    listeners.push_back(
        {Handle(*server_ring_, branch.listener), has_tls ? TlsMode::starttls : TlsMode::none});
    if (!has_tls) return listeners;
    branch.tls_listener = ring_.listen("192.0.2.25:995");
    listeners.push_back({Handle(*server_ring_, branch.tls_listener), TlsMode::required});
    return listeners;
}

bool World::is_finished() const {
    return std::ranges::all_of(branches_,
                               [](const auto& branch) { return branch->reactor->is_finished(); });
}

void World::after_turn() {
    for (const auto& branch : branches_) branch->reactor->after_turn();
}

std::size_t World::buffers_lent() const {
    std::size_t lent = 0;
    for (const auto& branch : branches_) lent += branch->buffers->lent();
    return lent;
}

const std::string& World::log() {
    if (branches_.size() == 1) return ring_.written(branches_.front()->log_sink);
    log_.clear();
    for (const auto& branch : branches_) log_ += ring_.written(branch->log_sink);
    return log_;
}

void World::stop_server() {
    for (const auto& branch : branches_) branch->reactor->stop();
    for (std::size_t i = 0; i < SimRing::turns_max && !is_finished(); ++i) {
        after_turn();
        ring_.turn();
    }
    ASSERT(is_finished());
    for (const auto& branch : branches_) branch->reactor.reset();
}

void World::restart_after_power_cut() {
    ASSERT(ring_.drain_after_crash());
    for (const auto& branch : branches_) branch->reactor.reset();
    for (const auto& branch : branches_) branch->store.reset();
    ring_.restart();
    start_server();
}

void World::restart() {
    stop_server();
    ASSERT(buffers_lent() == 0);
    for (const auto& branch : branches_) ring_.close(branch->log_sink);
    start_server();
}

void World::deliver(std::string_view user, std::string_view file_name, std::string_view octets) {
    const Folder folder = file_name.contains(':') ? Folder::current : Folder::fresh;
    for (const char* part : {"/new", "/cur", "/tmp"}) files().make_directory(maildrop(user) + part);
    files().write_file(maildrop(user) + "/" + std::string(path_in_maildrop(folder, file_name)),
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

Client World::connect(std::string_view peer) { return ring_.connect(next_branch().listener, peer); }

Client World::connect_to_tls(std::string_view peer) {
    return ring_.connect(next_branch().tls_listener, peer);
}

void World::settle() {
    ASSERT(ring_.settle() || ring_.has_crashed());
    after_turn();
    ASSERT(ring_.settle() || ring_.has_crashed());
}

void World::wait(Duration duration) {
    settle();
    ASSERT(ring_.run_for(duration) || ring_.has_crashed());
    settle();
}

void World::run_until_replied(Client& client, std::string_view end) {
    ring_.run_until(
        [&client, end] { return client.received().ends_with(end) || client.has_server_closed(); });
    after_turn();
}

}  // namespace restante::sim
