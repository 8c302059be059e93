#include "setting.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/descriptor_limit.h"
#include "base/fd.h"
#include "base/nearest_name.h"

namespace pop3load {
namespace {

/// Descriptors a run needs beside its connections: reports, standard streams, a thread's epoll.
constexpr std::uint64_t other_descriptors = 64;
/// Without so many it cannot even begin.
constexpr std::uint64_t descriptors_min = 32;

std::string no_profile(const std::string& name) {
    std::vector<std::string_view> names;
    for (const Profile& profile : profiles()) names.push_back(profile.name);
    const std::string_view nearest = restante::nearest_name(name, names);
    if (nearest.empty()) return fmt::format("no profile {}: run --help has them all", name);
    return fmt::format("no profile {}: did you mean \"{}\"?", name, nearest);
}

/// Why nothing can be sent to `target` from the address `source`; empty: it can.
std::string source_fault(const Address& source, const Address& target) {
    if (source.storage.ss_family != target.storage.ss_family)
        return "of the two, the source and the target, one is IPv4 and the other IPv6";
    const int made = ::socket(source.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) return ::strerrordesc_np(errno);
    const restante::Fd socket(made);
    if (::bind(socket.get(), source.raw(), source.octets) == 0) return "";
    return errno == EADDRNOTAVAIL ? "no address of this machine" : ::strerrordesc_np(errno);
}

}  // namespace

std::expected<Setting, std::string> Setting::from(const Options& options) {
    const Profile* profile = find_profile(options.profile);
    if (profile == nullptr) return std::unexpected(no_profile(options.profile));
    std::expected<Users, std::string> users = Users::from(options);
    if (!users) return std::unexpected(users.error());
    if (profile->is_specmail && users->count() < 2)
        return std::unexpected("specmail2001 has two pools of users: --user-count 2 at least");
    const std::expected<Address, std::string> target = Address::resolve(options.host, options.port);
    if (!target) return std::unexpected(target.error());
    std::vector<Address> sources;
    for (const std::string& source : options.source_addresses) {
        const std::expected<Address, std::string> address = Address::resolve(source, 0);
        if (!address) return std::unexpected("--source " + address.error());
        const std::string fault = source_fault(*address, *target);
        if (!fault.empty()) return std::unexpected(fmt::format("--source {}: {}", source, fault));
        sources.push_back(*address);
    }
    return Setting{options, *profile, std::move(*users), *target, std::move(sources)};
}

// SPECmail2001: 4 checks a user a day, 15 % of them in the peak hour.
double Setting::natural_rate() const {
    constexpr double checks_a_day = 4;
    constexpr double peak_hour_share = 0.15;
    if (!profile.is_specmail) return 0;
    return static_cast<double>(users.count()) * checks_a_day * peak_hour_share / 3600;
}

std::string Setting::refusal(std::uint32_t connections) const {
    if (connections > users.count())
        return fmt::format(
            "{} connections need as many users, each has one session at a time, and there {} {}: "
            "raise --user-count, or lower --connections",
            connections, users.count() == 1 ? "is" : "are", users.count());
    const std::uint64_t limit = restante::descriptor_limit();
    if (limit < descriptors_min)
        return fmt::format("this process may have {} descriptors only: raise ulimit -n", limit);
    if (connections == 0 || connections + other_descriptors <= limit) return "";
    return fmt::format(
        "{} connections need more descriptors than this process may have, {}: raise "
        "ulimit -n, or lower --connections",
        connections, limit);
}

}  // namespace pop3load
