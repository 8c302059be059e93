#include "server/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "maildir/maildrop_path.h"
#include "server/landlock.h"

namespace restante {
namespace {

using namespace landlock;

constexpr std::uint64_t to_read = fs_read_file | fs_read_dir;
constexpr std::uint64_t to_write =
    to_read | fs_write_file | fs_truncate | fs_make_reg | fs_remove_file;
/// Of the above, what a rule for a file, not a folder, may allow.
constexpr std::uint64_t of_files = fs_read_file | fs_write_file | fs_truncate;

/// What the kernel learnt when, and what an operator calls it.
struct Stage {
    int abi;
    RulesetAttributes handled;
    std::string_view name;
    std::string_view since;
};
constexpr Stage stages[] = {
    {1, {.handled_fs = fs_refer - 1}, "files", "5.13"},  // all 13 of the first version
    {2, {.handled_fs = fs_refer}, "", "5.19"},           // refused by older ones, always
    {3, {.handled_fs = fs_truncate}, "cutting files off", "6.2"},
    {4, {.handled_net = net_bind_tcp | net_connect_tcp}, "TCP", "6.7"},
    {5, {.handled_fs = fs_ioctl_dev}, "ioctl of devices", "6.10"},
    {6, {.scoped = scope_abstract_unix_socket | scope_signal}, "signals", "6.12"},
};

RulesetAttributes handled_by(int abi) {
    RulesetAttributes handled;
    for (const Stage& stage : stages) {
        if (stage.abi > abi) continue;
        handled.handled_fs |= stage.handled.handled_fs;
        handled.handled_net |= stage.handled.handled_net;
        handled.scoped |= stage.handled.scoped;
    }
    return handled;
}

std::string why_not_there(int error) {
    const std::string cause = fmt::format("everything: Landlock: {}", strerrordesc_np(error));
    if (error == EOPNOTSUPP) return cause + " (turned off at boot: name it in the kernel's lsm=)";
    if (error != ENOSYS) return cause;
    return cause +
           " (it takes Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and in a "
           "container a seccomp profile that allows landlock_create_ruleset)";
}

/// Opens `path` to `allowed`. False: it is not there, or cannot be reached.
bool allow_path(int ruleset, const std::string& path, std::uint64_t allowed) {
    const int opened = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (opened < 0) return false;
    const Fd place(opened);
    struct stat status;
    if (::fstat(place.get(), &status) < 0) return false;
    if (!S_ISDIR(status.st_mode)) allowed &= of_files;
    const PathBeneath rule{allowed, place.get()};
    return add_rule(ruleset, RuleType::path_beneath, &rule) == 0;
}

/// The same of the nearest folder above where `path` is not there; which one it was, "" for none.
std::string allow_nearest(int ruleset, const std::string& path, std::uint64_t allowed) {
    std::filesystem::path nearest = path;
    while (!allow_path(ruleset, nearest, allowed)) {
        if (nearest == nearest.parent_path()) return {};
        nearest = nearest.parent_path();
    }
    return nearest;
}

std::string list_of(std::span<const std::string> names) {
    return fmt::format("{}", fmt::join(names, ", "));
}

/// Adds the rules for files; says what they are.
std::string allow_files(int ruleset, const Confinement& confinement, std::uint64_t handled) {
    std::vector<std::string> read;
    for (const std::string& path : confinement.read_only) {
        if (allow_path(ruleset, path, to_read & handled)) read.push_back(path);
    }
    std::vector<std::string> written;
    for (const std::string& path : confinement.read_write) {
        written.push_back(allow_nearest(ruleset, path, to_write & handled));
        if (written.back() != path) written.back() += fmt::format(" (there is no {})", path);
        if (path == "/") written.back() += " (maildrops may lie anywhere)";
    }
    return fmt::format("files: written beneath {}; read in {}; none executed",
                       written.empty() ? "no folder" : list_of(written),
                       read.empty() ? "no other" : list_of(read));
}

std::string allow_ports(int ruleset, std::span<const std::uint16_t> ports) {
    for (const std::uint16_t port : ports) {
        const NetPort rule{net_connect_tcp, port};
        add_rule(ruleset, RuleType::net_port, &rule);  // ENOMEM: the connection will be refused
    }
    if (ports.empty()) return "TCP: no new listeners, no connections";
    return fmt::format("TCP: no new listeners, connections to port {} only",
                       fmt::join(ports, ", "));
}

/// "" where the link or what it leads to cannot be followed.
std::string real_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           &std::free);
    return real == nullptr ? std::string() : std::string(real.get());
}

void add_once(const std::string& path, std::vector<std::string>& paths) {
    if (!path.empty() && std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
}

std::string folder_of(const std::string& file) {
    return std::filesystem::path(file).parent_path().string();
}

/// What is read again when it changes.
std::vector<std::string> files_of(const TlsSettings& settings) {
    std::vector<std::string> files = {settings.ticket_keys, settings.client_ca};
    const auto add = [&files](const std::vector<TlsPair>& pairs) {
        for (const TlsPair& pair : pairs) {
            files.insert(files.end(), {pair.certificate, pair.key, pair.ocsp});
        }
    };
    add(settings.pairs);
    for (const TlsName& name : settings.names) add(name.pairs);
    std::erase(files, "");
    return files;
}

}  // namespace

std::string ConfinementReport::text() const {
    std::string text = landlock_abi == 0 ? "not confined"
                                         : fmt::format("confined (Landlock ABI {}): {}",
                                                       landlock_abi, fmt::join(in_force, "; "));
    if (!missing.empty()) text += fmt::format("; not in force: {}", fmt::join(missing, "; "));
    return text;
}

Confinement confinement_of(const Config& config, const std::string& own_maildrops) {
    Confinement confinement;
    // What the C++ library (the number of processors) and, to report a fault, sanitizers read.
    confinement.read_only = {"/sys/devices/system/cpu", "/proc/self", real_path("/proc/self/exe")};
    allow_reading_again(config.auth.backend.path, confinement);
    if (config.tls) {
        for (const std::string& file : files_of(config.tls->settings)) {
            allow_reading_again(file, confinement);
        }
    }
    const std::expected<MaildropPath, std::string> mail =
        MaildropPath::parse(config.storage.maildir);
    const std::string root = mail ? mail->root() : "/";
    const bool are_beneath = own_maildrops.empty() || own_maildrops.starts_with(root + '/');
    confinement.read_write = {are_beneath ? root : "/"};
    return confinement;
}

void allow_reading_again(const std::string& file, Confinement& confinement) {
    add_once(folder_of(file), confinement.read_only);
    add_once(folder_of(real_path(file)), confinement.read_only);
}

void allow_connecting(std::uint16_t port, Confinement& confinement) {
    constexpr std::uint16_t dns = 53;  // over TCP, for long answers
    for (const std::uint16_t wanted : {port, dns}) {
        std::vector<std::uint16_t>& ports = confinement.connect_ports;
        if (std::ranges::find(ports, wanted) == ports.end()) ports.push_back(wanted);
    }
    // For names: resolv.conf is often a link to the resolver's folder; modules of nsswitch.conf are
    // loaded when the first name is looked up. For HTTPS: the machine's certificate authorities.
    for (const char* path :
         {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf",
          "/etc/services", "/etc/ld.so.cache", "/lib", "/usr/lib", "/run/systemd/resolve",
          "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates", "/etc/pki"}) {
        add_once(path, confinement.read_only);
    }
}

ConfinementReport confine(const Confinement& confinement) {
    const int abi = landlock::abi();
    if (abi < 1) return {.missing = {why_not_there(errno)}};
    const RulesetAttributes handled = handled_by(abi);
    const int created = create_ruleset(handled);
    if (created < 0) return {.missing = {why_not_there(errno)}};
    const Fd ruleset(created);
    ConfinementReport report{.landlock_abi = abi};
    report.in_force.push_back(allow_files(ruleset.get(), confinement, handled.handled_fs));
    if (handled.handled_net != 0) {
        report.in_force.push_back(allow_ports(ruleset.get(), confinement.connect_ports));
    }
    if (handled.scoped != 0) {
        report.in_force.push_back("signals and abstract sockets: to no other process");
    }
    for (const Stage& stage : stages) {
        if (stage.abi <= abi || stage.name.empty()) continue;
        report.missing.push_back(fmt::format("{} (Linux {} or newer)", stage.name, stage.since));
    }
    if (restrict_self(ruleset.get()) == 0) return report;
    return {.missing = {why_not_there(errno)}};
}

}  // namespace restante
