#include "sim/post_office.h"

#include <algorithm>
#include <utility>

#include "allocation_count.h"
#include "base/slab.h"
#include "sim/former_server.h"

namespace restante::sim {
namespace {

/// Most sessions are of these, so that they meet.
constexpr std::uint32_t busy_users = 4;
constexpr std::uint32_t audited = 8;
constexpr Duration audit_step = std::chrono::seconds(30);
constexpr std::size_t log_octets_shown = 3000;
/// Five failed logins on one connection are answered within it (30 seconds each), and replies that
/// are late are there.
constexpr Duration delays_max = std::chrono::seconds(400);
/// STLS, the flights of a handshake, what waited for its end; nothing completes later than that.
constexpr int handshake_rounds = 5;
constexpr Duration late_max = std::chrono::seconds(6);
constexpr std::uint64_t never_again = ~std::uint64_t{0};
constexpr std::uint64_t client_stream = 0xC11E2715;

Duration microseconds_below(SimRandom& random, std::uint64_t bits) {
    return std::chrono::microseconds(std::uint64_t{1} << random.below(bits));
}

std::unique_ptr<OfficeCertificates> make_certificates(const Scenario& scenario) {
    if (!scenario.has(Trouble::tls)) return nullptr;
    return std::make_unique<OfficeCertificates>(scenario.seed);
}

std::unique_ptr<World> make_world(const Scenario& scenario, const OfficeCertificates* certificates,
                                  Seams seams) {
    seams.reactors = scenario.reactors();
    if (certificates != nullptr) seams.certificates = &certificates->in_force();
    return std::make_unique<World>(scenario.options(), scenario.settings(), nullptr,
                                   std::move(seams));
}

}  // namespace

PostOffice::PostOffice(const Scenario& scenario, Seams seams)
    : scenario_(scenario),
      random_(scenario.seed),
      client_random_(scenario.seed ^ client_stream),
      certificates_(make_certificates(scenario)),
      world_(make_world(scenario, certificates_.get(), std::move(seams))),
      mail_(*world_, verdicts_),
      office_(office_of(scenario_)) {
    for (std::uint32_t number = 1; number <= scenario_.users; ++number) {
        users_.push_back("user" + std::to_string(number));
        world_->add_user(users_.back(), office_password);
        // A maildrop that does not exist yet cannot be locked, and has nothing to lose.
        const std::uint64_t least = number <= busy_users ? 1 : 0;
        found_maildrop(users_.back(), least + random_.below(4));
    }
    world_->wait(std::chrono::seconds(1));
}

/// A former server may have left its list of the messages that are there.
void PostOffice::found_maildrop(const std::string& user, std::uint64_t messages) {
    std::optional<FormerServer> former;
    if (messages > 0 && has(Trouble::lists) && random_.coin()) former.emplace(random_);
    for (; messages > 0; --messages) {
        MailModel::Delivery delivery = some_delivery();
        if (former) delivery.unique_id = former->unique_id_of(delivery.base);
        mail_.deliver(user, delivery);
    }
    if (former) former->leave_list(world_->files(), World::maildrop(user));
}

Office PostOffice::office_of(const Scenario& scenario) {
    return {*world_,  mail_,  verdicts_,           client_random_,
            scenario, deeds_, certificates_.get(), kept_};
}

/// After a failure nobody knows whether the server can be stopped: it is left as it is.
PostOffice::~PostOffice() {
    if (verdicts_.has_failed()) [[maybe_unused]]
        World* left = world_.release();
}

OfficeResult PostOffice::run() {
    for (; step_ < scenario_.steps && !verdicts_.has_failed(); ++step_) {
        take_step();
        look();
    }
    if (!verdicts_.has_failed()) come_to_an_end();
    if (!verdicts_.has_failed()) check_nothing_is_left();
    if (!verdicts_.has_failed()) audit();
    if (!verdicts_.has_failed()) check_nothing_is_left();
    return result();
}

OfficeResult PostOffice::result() {
    OfficeResult result{verdicts_.first(), step_, {}, deeds_, world_->ring().trace_hash()};
    if (!result.failure) return result;
    if (!world_->ring().has_crashed()) world_->ring().run_for(std::chrono::seconds(1), 10'000);
    const std::string& log = world_->log();
    result.log = log.substr(log.size() - std::min(log.size(), log_octets_shown));
    return result;
}

void PostOffice::take_step() {
    if (std::exchange(is_power_cut_due_, false)) return world_->ring().files().stop();
    const std::uint64_t dice = random_.below(100);
    if (dice < 55) {
        for (OfficeClient& client : clients_) {
            if (random_.chance(0.4)) client.act();
        }
    } else if (dice < 68) {
        play_other_program();
    } else if (dice < 82 && clients_.size() < scenario_.clients) {
        clients_.emplace_back(office_, some_user());
    } else if (dice < 95) {
        world_->ring().run_for(microseconds_below(random_, 24), 200);
        if (certificates_ != nullptr && random_.chance(0.2)) change_certificates();
    } else if (dice < 98) {
        strike();
    } else if (random_.chance(0.2)) {
        let_time_pass();
    }
    world_->ring().run_for(std::chrono::microseconds(60), random_.below(60));
}

void PostOffice::change_certificates() {
    const WallTime now = world_->ring().wall_time();
    switch (random_.below(3)) {
        case 0: return certificates_->replace(now);
        case 1: return certificates_->spoil(now);
        default: return certificates_->check(now);
    }
}

void PostOffice::let_time_pass() {
    for (OfficeClient& client : clients_) client.excuse();
    world_->wait(std::chrono::minutes(1 + random_.below(12)));
}

/// One of the rare and violent troubles, where the scenario has it.
void PostOffice::strike() {
    SimRing& ring = world_->ring();
    switch (random_.below(5)) {
        case 0: return has(Trouble::power) ? ring.crash_after(1 + random_.below(4)) : void();
        case 1: return has(Trouble::power) ? ring.files().stop() : void();
        case 2: was_killed_ = has(Trouble::kills); return was_killed_ ? ring.kill() : void();
        case 3: return has(Trouble::restarts) ? restart() : void();
        default: break;
    }
    if (!has(Trouble::clocks)) return;
    const auto by = std::chrono::milliseconds(std::uint64_t{1} << random_.below(38));
    if (random_.coin()) return ring.clock().step_wall_time(random_.coin() ? by : -Duration(by));
    for (OfficeClient& client : clients_) client.excuse();
    ring.clock().advance(microseconds_below(random_, 32));
}

void PostOffice::restart() {
    for (OfficeClient& client : clients_) client.excuse();
    look();
    if (verdicts_.has_failed()) return;
    world_->ring().crash_after(never_again);
    world_->restart();
    for (OfficeClient& client : clients_) client.read();
    for (OfficeClient& client : clients_) client.lose_server();
}

void PostOffice::play_other_program() {
    for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) {
        if (random_.chance(0.5)) read_marked_mail();
        const std::string& user = some_user();
        const std::vector<std::string> present = mail_.present(user);
        if (random_.chance(0.4) || present.empty()) {
            if (has(Trouble::deliveries)) deliver(user);
        } else {
            read_mail(user, present);
        }
    }
}

/// An IMAP server: flags of one message or of all of them, or one is expunged, or packed anew.
void PostOffice::read_mail(const std::string& user, const std::vector<std::string>& present) {
    const std::string& base = present[random_.below(present.size())];
    if (random_.chance(0.3)) return replace_or_remove(user, base);
    disturbed_.insert(user);
    if (!has(Trouble::renames)) return;
    static constexpr const char* flags[] = {"", "S", "RS", "FS"};
    const char* const given = flags[random_.below(std::size(flags))];
    if (random_.chance(0.7)) return mail_.rename(user, base, given);
    for (const std::string& each : present) mail_.rename(user, each, given);
}

/// Where somebody is about to remove a message, another program is there first.
void PostOffice::read_marked_mail() {
    for (const OfficeClient& client : clients_) {
        if (random_.coin()) continue;
        const std::vector<std::string> marked = client.marked();
        if (marked.empty()) continue;
        contended_.insert(client.user());
        return replace_or_remove(client.user(), marked[random_.below(marked.size())]);
    }
}

/// Those who expunge a message have seen it in cur/.
void PostOffice::replace_or_remove(const std::string& user, const std::string& base) {
    disturbed_.insert(user);
    if (random_.chance(0.3)) return has(Trouble::replacements) ? mail_.replace(user, base) : void();
    if (!has(Trouble::removals)) return;
    if (has(Trouble::renames) && random_.coin()) mail_.rename(user, base, "ST");
    mail_.remove(user, base);
}

const std::string& PostOffice::some_user() {
    const std::uint64_t among = random_.chance(0.8) ? busy_users : users_.size();
    return users_[random_.below(std::min<std::uint64_t>(among, users_.size()))];
}

void PostOffice::deliver(const std::string& user) {
    disturbed_.insert(user);
    mail_.deliver(user, some_delivery());
}

MailModel::Delivery PostOffice::some_delivery() {
    ++delivered_;
    MailModel::Delivery delivery;
    delivery.base = some_base();
    delivery.octets = some_octets();
    return delivery;
}

std::string PostOffice::some_base() {
    const std::string number = std::to_string(delivered_);
    std::string base =
        std::to_string(1'130'000'000 + random_.below(1000)) + ".M" + number + "P2.pop.example.org";
    switch (random_.below(8)) {
        case 0: return base + ",S=" + number + ",W=9";
        case 1: return base + " spaces in it\n\xFF";
        case 2: return base + std::string(255 - base.size() - 6, 'x');
        default: return base;
    }
}

/// Each message has octets of its own.
std::string PostOffice::some_octets() {
    if (random_.chance(0.03)) return {};
    static const std::string pieces[] = {
        "\n", "\r\n", ".", "\n.\n", "\r", "words in a line", "\n\n", std::string(1, '\0'), "\xFE"};
    std::string octets = "From: " + std::to_string(delivered_) + "\n";
    std::uint64_t count = random_.below(40);
    if (random_.chance(0.02)) count = 4000 + random_.below(8000);
    for (; count > 0; --count) octets += pieces[random_.below(std::size(pieces))];
    if (random_.coin()) return octets;
    return wire_form(octets);  // stored as it goes over the wire
}

void PostOffice::look() {
    if (world_->ring().has_crashed()) {
        survive_crash();
    } else {
        for (const OfficeClient& client : clients_) disturbed_.insert(client.user());
        mail_.observe(disturbed_);
        for (OfficeClient& client : clients_) read(client);
    }
    disturbed_.clear();
    clients_.remove_if([](const OfficeClient& client) { return client.is_over(); });
    for (std::uint32_t at = 0; at < std::min(busy_users, scenario_.users); ++at)
        check_one_session(users_[at]);
}

/// The worst moment for a power cut: what was acknowledged just now has to be on the disk, the more
/// so where it was another program that removed it.
void PostOffice::read(OfficeClient& client) {
    const std::uint64_t removed = deeds_.removed;
    client.read();
    if (!has(Trouble::power) || deeds_.removed == removed) return;
    const bool was_contended = contended_.erase(client.user()) > 0;
    is_power_cut_due_ = is_power_cut_due_ || random_.chance(was_contended ? 0.7 : 0.15);
}

void PostOffice::survive_crash() {
    ++deeds_.crashes;
    for (OfficeClient& client : clients_) {
        client.excuse();
        client.read();
        disturbed_.insert(client.user());
        client.lose_server();
    }
    if (verdicts_.has_failed()) return;
    world_->restart_after_power_cut();
    mail_.observe_after_crash(was_killed_ || !has(Trouble::undurable));
    was_killed_ = false;
}

void PostOffice::check_one_session(const std::string& user) {
    const auto holders = std::ranges::count_if(clients_, [&user](const OfficeClient& client) {
        return client.user() == user && client.holds_maildrop();
    });
    if (holders > 1)
        verdicts_.fail(Invariant::one_session_a_maildrop, user + " is open in two sessions");
}

/// Everybody sends and reads what is left, and is answered.
void PostOffice::come_to_an_end() {
    world_->ring().crash_after(never_again);
    world_->ring().calm();
    if (certificates_ != nullptr) let_everybody_speak();
    for (OfficeClient& client : clients_) client.behave();
    world_->wait(delays_max);
    look();
    for (OfficeClient& client : clients_) client.check_answered();
    for (OfficeClient& client : clients_) client.leave();
    clients_.clear();
    world_->wait(std::chrono::hours(1));
    mail_.observe_all();
}

/// As often as TLS needs it: what comes of a handshake is answered.
void PostOffice::let_everybody_speak() {
    for (int rounds = 0; rounds < handshake_rounds; ++rounds) {
        for (OfficeClient& client : clients_) client.behave();
        world_->wait(late_max);
        look();
    }
}

/// Nobody is there, and every deadline has passed.
void PostOffice::check_nothing_is_left() {
    world_->wait(std::chrono::seconds(1));  // the log gathers lines for a moment
    const SimRing& ring = world_->ring();
    if (ring.operations_in_flight() != world_->idle_operations()) {
        verdicts_.fail(Invariant::operations_complete, "in flight: " + ring.describe_in_flight());
    }
    if (ring.open_descriptor_count() != world_->idle_descriptors()) {
        verdicts_.fail(Invariant::descriptors_returned,
                       std::to_string(ring.open_descriptor_count()) + " descriptors are open");
    }
    if (world_->buffers_lent() != 0) {
        verdicts_.fail(Invariant::buffers_returned,
                       std::to_string(world_->buffers_lent()) + " buffers are lent");
    }
}

/// With nobody else about, what sessions say is exactly what the models say: of those who had the
/// most visitors, and of some others.
void PostOffice::audit() {
    for (std::uint32_t at = 0; at < audited && !verdicts_.has_failed(); ++at) {
        if (at < busy_users && at < scenario_.users) {
            audit(users_[at]);
        } else {
            audit(users_[random_.below(users_.size())]);
        }
    }
    world_->wait(std::chrono::hours(1));
}

void PostOffice::audit(const std::string& user) {
    Scenario peace = scenario_;
    peace.trouble = {};
    const Office quiet = office_of(peace);
    OfficeClient client(quiet, user);
    client.list_everything();
    for (int rounds = 0; client.is_shaking_hands() && rounds < handshake_rounds; ++rounds) {
        world_->settle();
        client.read();
        client.behave();
    }
    world_->wait(audit_step);
    client.read();
    client.fetch_everything();
    world_->wait(audit_step);
    client.read();
    client.check_answered();
    client.leave();
    world_->settle();
    mail_.observe({user});
}

OfficeResult run_post_office(const Scenario& scenario, const Seams& seams) {
    Slab::give_back();
    const AllocationCount count;
    OfficeResult result;
    {
        PostOffice office(scenario, seams);
        result = office.run();
    }
    Slab::give_back();
    if (result.has_failed() || count.held() == 0) return result;
    result.failure.emplace(Verdicts::Failure{
        Invariant::memory_returned, std::to_string(count.held()) + " blocks are still held"});
    return result;
}

}  // namespace restante::sim
