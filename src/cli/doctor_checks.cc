#include "cli/doctor_checks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/io_uring.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "auth/passwd_file.h"
#include "auth/verification_cache.h"
#include "base/descriptor_limit.h"
#include "base/fd.h"
#include "base/system_time.h"
#include "maildir/maildrop_path.h"
#include "net/listener.h"
#include "net/tls_certificates.h"
#include "net/tls_kernel.h"
#include "ring/file_types.h"
#include "ring/uring_refusal.h"
#include "ring/uring_restrictions.h"
#include "server/confinement.h"
#include "server/descriptor_need.h"
#include "server/privileges.h"

namespace restante {
namespace {

Finding ok(std::string what) { return {Verdict::ok, std::move(what)}; }
Finding warn(std::string what, std::string cure) {
    return {Verdict::warn, std::move(what), std::move(cure)};
}
Finding fail(std::string what, std::string cure) {
    return {Verdict::fail, std::move(what), std::move(cure)};
}

/// "what; cure" as two.
Finding split(Verdict verdict, const std::string& sentence) {
    const std::size_t end = sentence.find("; ");
    if (end == std::string::npos) return {verdict, sentence};
    return {verdict, sentence.substr(0, end), sentence.substr(end + 2)};
}

Finding check_configuration(Patient& patient) {
    const std::vector<std::string>& warnings = patient.config.warnings;
    if (warnings.empty()) return ok("no mistakes, no warnings");
    return {Verdict::warn, fmt::format("{}", fmt::join(warnings, "; "))};
}

/// A ring that nothing is asked of, or -errno.
int make_disabled_ring() {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_R_DISABLED;
    const long made = ::syscall(SYS_io_uring_setup, 8, &parameters);
    return made < 0 ? -errno : static_cast<int>(made);
}

constexpr std::string_view epoll_is_configured = "not used: [runtime] backend is \"epoll\"";

/// `sentence`: why there is no io_uring.
Finding without_uring(const Patient& patient, const std::string& sentence) {
    if (patient.config.runtime.backend == RingBackend::uring) return split(Verdict::fail, sentence);
    Finding finding = split(Verdict::warn, sentence);
    finding.what += "; epoll takes its place";
    return finding;
}

Finding check_uring(Patient& patient) {
    if (patient.config.runtime.backend == RingBackend::epoll)
        return ok(std::string(epoll_is_configured));
    const int made = make_disabled_ring();
    if (made < 0) return without_uring(patient, uring_refusal(-made));
    const Fd ring(made);
    return ok("available");
}

Finding check_ring_restrictions(Patient& patient) {
    if (patient.config.runtime.backend == RingBackend::epoll)
        return ok(std::string(epoll_is_configured));
    const int made = make_disabled_ring();
    if (made < 0) return warn("not tried: there is no io_uring", "see io_uring");
    const Fd ring(made);
    const int refused = enable_restricted_ring(made);
    if (refused == 0) return ok("a ring does what the server asks for and nothing else");
    return without_uring(patient, uring_refusal(-refused));
}

Finding check_ports(Patient& patient) {
    std::string texts;
    for (const ListenerConfig& listener : patient.config.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            const std::expected<void, std::string> is_free = check_free(address);
            if (!is_free && errno != EADDRINUSE) return split(Verdict::fail, is_free.error());
            if (!is_free) {
                return warn(address.text() + " is in use",
                            "as it should be where restante is running; else `ss -ltnp` names who "
                            "has it");
            }
            texts += (texts.empty() ? "" : ", ") + address.text();
        }
    }
    return ok(texts + (texts.contains(',') ? " are free" : " is free"));
}

Finding check_open_files(Patient& patient) {
    const std::uint64_t limit = raise_descriptor_limit();
    const std::uint32_t connections = patient.config.limits.connections;
    if (limit >= descriptors_for(connections)) {
        return ok(fmt::format("{} are enough for [limits] connections = {}", limit, connections));
    }
    return warn(
        fmt::format("{} are reached before [limits] connections = {}: about {} sessions fit", limit,
                    connections, sessions_within(limit)),
        fmt::format("LimitNOFILE={} in the systemd unit, which counts there instead of this "
                    "shell's limit; or `ulimit -n`",
                    descriptors_for(connections)));
}

Finding check_locked_memory(Patient& patient) {
    const Duration ttl = patient.config.auth.cache_ttl;
    if (ttl == Duration::zero()) return ok("not needed: [auth] cache_ttl is 0");
    const auto cache = VerificationCache::make(ttl);
    if (!cache) return split(Verdict::fail, cache.error());
    if ((*cache)->is_locked())
        return ok("the cache of verified logins (4 MiB) is never swapped out");
    return warn("the cache of verified logins (4 MiB) may be swapped out",
                "LimitMEMLOCK=64M in the systemd unit, `ulimit -l`, or [auth] cache_ttl = \"0s\"");
}

Finding check_kernel_tls(Patient& patient) {
    if (!patient.config.tls) return ok("not needed: no listener has TLS");
    if (!patient.config.tls->kernel) return ok("off: [tls] kernel = false");
    const std::string problem = kernel_tls_problem();
    if (problem.empty()) return ok("the kernel encrypts what is sent");
    return warn(problem, "mail is copied and encrypted by the server, which costs more");
}

/// Of the process, which is the service's user from now on.
std::string user_name() {
    const passwd* found = ::getpwuid(::geteuid());
    return found != nullptr ? found->pw_name : fmt::format("user {}", ::geteuid());
}

Finding check_user(Patient& patient) {
    const std::string& user = patient.config.storage.user;
    const bool was_root = ::geteuid() == 0;
    const std::expected<void, std::string> dropped = drop_privileges(user);
    if (!dropped) return split(Verdict::fail, dropped.error());
    if (::geteuid() == 0) {
        return warn("the server stays root", "name a user of its own as [storage] user");
    }
    if (was_root) return ok(user + ", with no way back to root and no capabilities");
    if (user_name() == user) return ok(user + ", with no capabilities");
    return warn(fmt::format("{}, with no capabilities; [storage] user = \"{}\" counts only where "
                            "the server is started as root",
                            user_name(), user),
                "run the doctor as the service's user, or as root");
}

Finding check_new_privileges(Patient&) {
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return ok("none by executing a file");
    return fail("no_new_privs cannot be set", "restante needs Linux 5.15 or newer");
}

Finding check_dumps(Patient&) {
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && limit.rlim_cur == 0) {
        return ok("no core files; only root may read the server's memory");
    }
    return warn("core files can be made, with passwords and keys in them",
                "LimitCORE=0 in the systemd unit");
}

/// Whether the service's user may do `how` (access(2)).
bool may(const std::string& path, int how) {
    return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0;
}

/// A folder in `root` that the service cannot write, "" where there is none; the first few are
/// looked at.
std::string unwritable_folder(const std::string& root) {
    constexpr int looked_at_max = 100;
    int looked_at = 0;
    std::error_code refused;
    for (const auto& entry : std::filesystem::directory_iterator(root, refused)) {
        if (++looked_at > looked_at_max) break;
        std::error_code ignored;
        const bool is_folder = entry.is_directory(ignored) && !entry.is_symlink(ignored);
        if (is_folder && !may(entry.path(), R_OK | W_OK | X_OK)) return entry.path();
    }
    return {};
}

Finding check_mail_root(Patient& patient) {
    const auto path = MaildropPath::parse(patient.config.storage.maildir);
    if (!path) return fail(path.error(), "");
    const std::string& root = path->root();
    if (root == "/") return ok("in users' homes, which are not looked at");
    struct statfs status;
    if (::statfs(root.c_str(), &status) < 0) {
        return fail(fmt::format("{}: {}: every login is refused", root, strerrordesc_np(errno)),
                    "make or mount it, or name another in [storage] maildir");
    }
    const std::string owner = user_name();
    const std::string cure = fmt::format("chown -R {} {}", owner, root);
    if (!may(root, R_OK | X_OK)) return fail(root + " cannot be opened by " + owner, cure);
    const std::string refused = unwritable_folder(root);
    if (!refused.empty()) {
        return warn(refused + " cannot be written by " + owner +
                        ": its mail is not removed and its index not kept",
                    cure);
    }
    if (!is_local_storage(status.f_type)) {
        return warn(root + " is not on local storage (NFS, FUSE or the like)",
                    "it works, but every access takes its turn in a helper thread");
    }
    return ok(root + ", local, and " + owner + " may write there");
}

Finding check_users(Patient& patient) {
    const std::string& path = patient.config.auth.backend.path;
    const std::string permissions =
        fmt::format("chown root:{} {} && chmod 640 {}", user_name(), path, path);
    const auto table = load_passwd_table(path);
    if (!table) return fail(table.error() + ": every login is refused", permissions);
    patient.own_maildrops = (*table)->own_maildrops();
    const std::uint64_t users = patient.users = (*table)->user_count();
    struct stat status;
    const bool is_open = ::stat(path.c_str(), &status) == 0 && (status.st_mode & 07) != 0;
    if (is_open) return warn(path + " may be read by every user of this machine", permissions);
    if ((*table)->fault_count() > 0) {
        return warn(fmt::format("{}: {} users, and {} lines that cannot be used", path, users,
                                (*table)->fault_count()),
                    "`restante passwd list` names them");
    }
    if (users == 0) return warn(path + " has no users", "restante passwd add NAME");
    return ok(fmt::format("{}: {} users", path, users));
}

constexpr double octets_a_gib = 1 << 30;

/// 0 where it cannot be said.
std::uint64_t file_octets(const std::string& path) {
    struct stat status;
    const bool is_known = !path.empty() && ::stat(path.c_str(), &status) == 0;
    return is_known ? static_cast<std::uint64_t>(status.st_size) : 0;
}

/// "at most 6.2 GiB: connections 0.4, lines 4.8 ...": those that make a difference.
std::string describe_memory(const std::vector<MemoryTerm>& terms) {
    std::string text = fmt::format("at most {:.1f} GiB", memory_bound(terms) / octets_a_gib);
    const char* before = ": ";
    for (const MemoryTerm& term : terms) {
        const double gib = term.total() / octets_a_gib;
        if (gib < 0.05) continue;
        text += fmt::format("{}{} {:.1f}", before, term.name, gib);
        before = ", ";
    }
    return text + "; the kernel's sockets come to it";
}

/// After the check of the users, whose number counts.
Finding check_memory(Patient& patient) {
    if (patient.users == 0) {
        return warn("not known: no user is", "see what is said of the users");
    }
    const AuthConfig& auth = patient.config.auth;
    const std::vector<MemoryTerm> terms = memory_terms(
        patient.config,
        {.descriptors = descriptor_limit(),
         .users = patient.users,
         .user_file_octets = file_octets(auth.backend.path) + file_octets(auth.master.path)});
    Finding finding = ok(describe_memory(terms));
    finding.terms = terms;
    const auto installed = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                           static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (memory_bound(terms) <= installed) return finding;
    finding.verdict = Verdict::warn;
    finding.what += fmt::format(", and this machine has {:.1f}", installed / octets_a_gib);
    finding.cure =
        "lower [limits] connections, index_memory and index_cache, or [auth] hash_memory, until "
        "it fits";
    return finding;
}

/// Before the server stops being root, which may read all.
Finding check_certificates(Patient& patient) {
    if (!patient.config.tls) return ok("not needed: no listener has TLS");
    const auto opened = TlsCertificates::open(patient.config.tls->settings, system_time());
    if (!opened) return split(Verdict::fail, opened.error());
    std::string notices;
    bool is_sound = true;
    for (const TlsNotice& notice : opened->notices) {
        notices += (notices.empty() ? "" : "; ") + notice.text;
        is_sound = is_sound && notice.level < LogLevel::warn;
    }
    if (is_sound) return ok(notices.empty() ? "the keys fit" : notices);
    return warn(notices, "");
}

Finding check_renewal(Patient& patient) {
    if (!patient.config.tls) return ok("not needed: no listener has TLS");
    const auto opened = TlsCertificates::open(patient.config.tls->settings, system_time());
    const std::string user = user_name();
    if (opened) return ok(user + " may read new certificates and keys");
    return warn(
        user + " cannot read them again when they are renewed: " + opened.error(),
        fmt::format("give the files and their folders to the group of {} (chgrp, chmod g+rX)",
                    user));
}

Finding check_clock(Patient&) {
    timex state{};  // modes 0: only asks
    if (::adjtimex(&state) != TIME_ERROR) return ok("synchronised");
    return warn(
        "not synchronised, as far as the kernel knows: certificates, tokens and the order "
        "of log lines depend on it",
        "run an NTP client (systemd-timesyncd, chrony)");
}

Finding check_confinement(Patient& patient) {
    const ConfinementReport report = confine(confinement_of(patient.config, patient.own_maildrops));
    if (report.missing.empty()) return ok(report.text());
    return warn(report.text(), "a newer kernel, with landlock in its lsm= list");
}

constexpr DoctorCheck checks[] = {
    {"configuration", check_configuration},
    {"io_uring", check_uring},
    {"ring restrictions", check_ring_restrictions},
    {"ports", check_ports},
    {"open files", check_open_files},
    {"locked memory", check_locked_memory},
    {"kernel TLS", check_kernel_tls},
    {"certificates", check_certificates},
    {"clock", check_clock},
    {"user", check_user},
    {"privileges", check_new_privileges},
    {"dumps", check_dumps},
    {"mail root", check_mail_root},
    {"users", check_users},
    {"memory", check_memory},
    {"renewal", check_renewal},
    {"confinement", check_confinement},
};

}  // namespace

std::span<const DoctorCheck> doctor_checks() { return checks; }

}  // namespace restante
