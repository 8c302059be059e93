#include "setting.h"

namespace pop3load {

std::expected<Setting, std::string> Setting::from(const Options& options) {
    const Profile* profile = find_profile(options.profile);
    if (profile == nullptr)
        return std::unexpected("no profile " + options.profile + ": run --help has them all");
    std::expected<Users, std::string> users = Users::from(options);
    if (!users) return std::unexpected(users.error());
    const std::expected<Address, std::string> target = Address::resolve(options.host, options.port);
    if (!target) return std::unexpected(target.error());
    std::vector<Address> sources;
    for (const std::string& source : options.source_addresses) {
        const std::expected<Address, std::string> address = Address::resolve(source, 0);
        if (!address) return std::unexpected("--source " + address.error());
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

}  // namespace pop3load
