#include "sim/scenario.h"

#include <cstdlib>

#include "base/assert.h"

namespace restante::sim {
namespace {

constexpr std::uint32_t steps_default = 500;
/// A stream of numbers of its own for each thing that is drawn, so that what a scenario leaves out
/// changes as little as possible of the rest.
constexpr std::uint64_t scenario_stream = 0x5CE7A210;
constexpr std::uint64_t settings_stream = 0x5E771765;
constexpr std::uint64_t reactor_stream = 0x2EAC7025;

Trouble trouble_at(std::size_t at) { return static_cast<Trouble>(at); }

/// How often a scenario has it.
double probability_of(Trouble trouble) {
    switch (trouble) {
        case Trouble::deliveries:
        case Trouble::renames:
        case Trouble::manners: return 0.8;
        case Trouble::removals: return 0.5;
        case Trouble::errnos:
        case Trouble::short_reads:
        case Trouble::queues: return 0.25;
        case Trouble::undurable: return 0.15;
        case Trouble::tls: return 0.05;       // such a post office takes four times as long
        case Trouble::attackers: return 0.7;  // where there is TLS
        default: return 0.35;
    }
}

}  // namespace

std::string_view name_of(Trouble trouble) {
    static constexpr std::string_view names[troubles] = {
        "errnos",   "resets",  "splits", "late",      "queues", "short_reads", "torn_reads",
        "listings", "power",   "kills",  "restarts",  "clocks", "deliveries",  "renames",
        "removals", "manners", "tls",    "attackers", "lists",  "undurable",   "replacements"};
    return names[static_cast<std::size_t>(trouble)];
}

std::string TroubleSet::text() const {
    std::string text;
    for (std::size_t at = 0; at < troubles; ++at) {
        if (!bits_[at]) continue;
        if (!text.empty()) text += ',';
        text += name_of(trouble_at(at));
    }
    return text.empty() ? "none" : text;
}

std::optional<TroubleSet> TroubleSet::parse(std::string_view text) {
    TroubleSet set;
    if (text == "none") return set;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view name = text.substr(0, comma);
        std::size_t at = 0;
        while (at < troubles && name_of(trouble_at(at)) != name) ++at;
        if (at == troubles) return std::nullopt;
        set.bits_.set(at);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return set;
}

Scenario Scenario::of_seed(std::uint64_t seed) {
    SimRandom random(seed ^ scenario_stream);
    Scenario scenario{.seed = seed};
    scenario.users = static_cast<std::uint32_t>(100 + random.below(300));
    scenario.clients = static_cast<std::uint32_t>(3 + random.below(10));
    scenario.steps = steps_default;
    for (std::size_t at = 0; at < troubles; ++at) {
        const Trouble trouble = trouble_at(at);
        scenario.trouble.set(trouble, random.chance(probability_of(trouble)));
    }
    // Where a list gives ids, a file put in another's place may get one of its content, of which
    // the model knows nothing.
    if (scenario.trouble.has(Trouble::lists)) scenario.trouble.set(Trouble::replacements, false);
    return scenario;
}

void Scenario::obey_environment() {
    users = static_cast<std::uint32_t>(environment_number("RESTANTE_SIM_USERS", users));
    clients = static_cast<std::uint32_t>(environment_number("RESTANTE_SIM_CLIENTS", clients));
    steps = static_cast<std::uint32_t>(environment_number("RESTANTE_SIM_STEPS", steps));
    const char* words = std::getenv("RESTANTE_SIM_TROUBLE");
    if (words == nullptr) return;
    const std::optional<TroubleSet> set = TroubleSet::parse(words);
    ASSERT(set.has_value());
    trouble = *set;
}

SimOptions Scenario::options() const {
    SimRandom random(seed ^ settings_stream);
    SimOptions options{.seed = seed};
    options.octet_by_octet = random.chance(0.03);
    options.window_octets = random.coin() ? 16 * 1024 : 1 + random.below(2000);
    options.lock_by_file = random.chance(0.2);
    options.reuse_inodes = random.coin();
    options.lazy_changes = random.chance(0.7);
    options.torn_reads = trouble.has(Trouble::torn_reads);
    options.listings_in_parts = trouble.has(Trouble::listings);
    if (trouble.has(Trouble::errnos)) options.any_errno_probability = 0.005;
    if (trouble.has(Trouble::resets)) options.reset_probability = 0.002;
    if (trouble.has(Trouble::late)) options.late_probability = 0.05;
    if (trouble.has(Trouble::queues)) options.queue_full_probability = 0.03;
    if (trouble.has(Trouble::short_reads)) options.short_file_probability = 0.03;
    return options;
}

WorldSettings Scenario::settings() const {
    SimRandom random(seed ^ ~settings_stream);
    WorldSettings settings =
        delivered_by(delivery_strategies[random.below(delivery_strategies.size())]);
    if (has(Trouble::undurable)) settings.emplace_back("pop3.durable", "false");
    return settings;
}

std::size_t Scenario::reactors() const {
    return static_cast<std::size_t>(1 + SimRandom(seed ^ reactor_stream).below(3));
}

bool Scenario::may_give_up() const {
    return trouble.has(Trouble::errnos) || trouble.has(Trouble::short_reads);
}

bool Scenario::may_refuse() const {
    return trouble.has(Trouble::errnos) || trouble.has(Trouble::queues) ||
           trouble.has(Trouble::short_reads);
}

std::uint64_t environment_number(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace restante::sim
