#include "sim/former_server.h"

#include <fmt/format.h>

#include "pop3/limits.h"

namespace restante::sim {
namespace {

constexpr std::uint64_t kinds = 6;
constexpr double seen_probability = 0.85;

/// Courier writes what is not of its alphabet as hex.
std::string escaped(const std::string& base) {
    std::string text;
    for (const char octet : base) {
        const bool is_plain =
            octet > ' ' && octet <= '~' && octet != '\'' && octet != '"' && octet != '+';
        if (is_plain) {
            text += octet;
        } else {
            text += fmt::format("+{:02X}", static_cast<unsigned char>(octet));
        }
    }
    return text;
}

}  // namespace

FormerServer::FormerServer(SimRandom& random)
    : random_(random),
      kind_(static_cast<Kind>(random.below(kinds))),
      was_courier_before_(random.chance(0.3)),
      next_uid_(static_cast<std::uint32_t>(1 + random.below(1 << random.below(30)))),
      uidvalidity_(static_cast<std::uint32_t>(1 + random.below(2'000'000'000))) {}

std::optional<std::string> FormerServer::unique_id_of(const std::string& base) {
    if (!random_.chance(seen_probability)) return std::nullopt;
    if (base.find('\n') != std::string::npos) return std::nullopt;  // no line can have it
    next_uid_ += static_cast<std::uint32_t>(random_.below(3));
    if (is_dovecot()) return dovecot_id(base);
    if (kind_ == Kind::courier_0 && escaped(base).size() > pop3::unique_id_octets_max)
        return std::nullopt;
    return courier_id(base);
}

std::string FormerServer::dovecot_id(const std::string& base) {
    const std::uint32_t uid = next_uid_++;
    const std::string name = base + (random_.coin() ? ":2,S" : "");
    std::string id = fmt::format("{:08x}{:08x}", uid, uidvalidity_);
    if (kind_ == Kind::dovecot_1) {
        lines_ += fmt::format("{} {}\n", uid, name);
        return id;
    }
    lines_ += std::to_string(uid);
    if (random_.coin()) lines_ += " S1234 W1250";
    if (random_.chance(0.3)) lines_ += fmt::format(" O{}", random_.below(1000));
    if (random_.chance(0.3)) {  // of the server before it
        id = fmt::format("stored.{}.{}", uid, random_.below(1000));
        lines_ += " P" + id;
    }
    lines_ += " :" + name + "\n";
    return id;
}

std::string FormerServer::courier_id(const std::string& base) {
    const std::uint32_t uid = next_uid_++;
    lines_ += base + (random_.coin() ? ":2,RS" : "") + " 77";
    switch (kind_) {
        case Kind::courier_1: lines_ += fmt::format(" {}\n", uid); return fmt::format("UID{}", uid);
        case Kind::courier_2:
        case Kind::courier_3:
            lines_ +=
                fmt::format(" {}:{}{}\n", uid, uidvalidity_, kind_ == Kind::courier_3 ? ":1" : "");
            return fmt::format("UID{}-{}", uid, uidvalidity_);
        default: lines_ += '\n'; return escaped(base);
    }
}

std::string FormerServer::header() const {
    switch (kind_) {
        case Kind::dovecot_1: return fmt::format("1 {} {}\n", uidvalidity_, next_uid_);
        case Kind::dovecot_3:
            return fmt::format("3 V{} N{} G3085f01b7f11094c501100008c4a11c1\n", uidvalidity_,
                               next_uid_);
        case Kind::courier_0: return "";
        case Kind::courier_1: return fmt::format("/1 {}\n", next_uid_);
        case Kind::courier_2: return fmt::format("/2 {} {}\n", next_uid_, uidvalidity_);
        case Kind::courier_3: return fmt::format("/3 {} {}\n", next_uid_, uidvalidity_);
    }
    return "";
}

void FormerServer::leave_list(SimFileSystem& files, const std::string& maildrop) const {
    const std::string name = is_dovecot() ? "/dovecot-uidlist" : "/courierpop3dsizelist";
    files.write_file(maildrop + name, SimContent(header() + lines_));
    if (!is_dovecot() || !was_courier_before_) return;
    files.write_file(maildrop + "/courierpop3dsizelist", SimContent("/1 2\n1.of.yore 5 1\n"));
}

}  // namespace restante::sim
