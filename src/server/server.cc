#include "server/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/descriptor_limit.h"
#include "base/system_time.h"
#include "net/listener.h"
#include "net/tls_kernel.h"
#include "server/confinement.h"
#include "server/descriptor_need.h"
#include "server/policies.h"
#include "server/privileges.h"
#include "server/reactor_thread.h"
#include "server/service_manager.h"
#include "server/signals.h"

namespace restante {
namespace {

/// How often files of certificates are looked at.
constexpr int certificate_interval_ms = 60'000;
/// Debian's; libcurl reads it for each connection.
constexpr const char* system_ca_file = "/etc/ssl/certs/ca-certificates.crt";

/// The mail root itself may be a symbolic link; nothing beneath it may.
Config with_real_root(const Config& config) {
    Config real = config;
    const std::expected<MaildropPath, std::string> path =
        MaildropPath::parse(config.storage.maildir);
    if (!path || path->root() == "/") return real;
    const std::unique_ptr<char, decltype(&std::free)> root(
        ::realpath(path->root().c_str(), nullptr), &std::free);
    if (root == nullptr) return real;  // missing: each login says so
    real.storage.maildir = root.get() + config.storage.maildir.substr(path->root().size());
    return real;
}

bool is_local(const std::string& folder) {
    struct statfs status;
    if (::statfs(folder.c_str(), &status) < 0) return false;
    return is_local_storage(status.f_type);
}

/// As many descriptors as may be had; the sentence says where they will not do.
std::string make_room_for_connections(const Config& config) {
    const std::uint64_t limit = raise_descriptor_limit();
    if (limit >= descriptors_for(config.limits.connections)) return {};
    return fmt::format(
        "the limit of open files, {}, is reached before [limits] connections = {}: about {} "
        "sessions fit (raise it with systemd's LimitNOFILE= or `ulimit -n`)",
        limit, config.limits.connections, sessions_within(limit));
}

/// One set of listening sockets a reactor.
std::expected<std::vector<std::vector<Port>>, std::string> open_listeners(const Config& config,
                                                                          std::size_t reactors) {
    std::vector<std::vector<Port>> sets(reactors);
    for (const ListenerConfig& listener : config.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            std::expected<std::vector<Fd>, std::string> sockets = make_listeners(address, reactors);
            if (!sockets) return std::unexpected(sockets.error());
            for (std::size_t i = 0; i < reactors; ++i) {
                sets[i].push_back({std::move((*sockets)[i]), listener.tls});
            }
        }
    }
    return sets;
}

std::expected<Fd, std::string> open_log(const std::string& path) {
    // As root no link is followed: the folder may be the service user's.
    const int links = ::geteuid() == 0 ? O_NOFOLLOW : 0;
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | links;
    const int opened = path.empty() ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : ::open(path.c_str(), flags, 0640);
    if (opened < 0) {
        return std::unexpected(fmt::format("[log] target {}: {}", path.empty() ? "stderr" : path,
                                           strerrordesc_np(errno)));
    }
    // io_uring writes to where the file ended when it was asked, and another reactor may have been
    // asked since. Of what a shell has opened this holds for the shell, too.
    ::fcntl(opened, F_SETFL, ::fcntl(opened, F_GETFL) | O_APPEND);
    return Fd(opened);
}

/// Made while the process may still be root, who may lock what he likes. Null: it is off.
std::expected<std::unique_ptr<VerificationCache>, std::string> make_cache(Duration ttl, Log& log) {
    if (ttl == Duration::zero()) return nullptr;
    std::expected<std::unique_ptr<VerificationCache>, std::string> cache =
        VerificationCache::make(ttl);
    if (cache && !(*cache)->is_locked()) {
        log.write(LogLevel::warn,
                  "the cache of verified logins (4 MiB) cannot be locked in memory and may be "
                  "swapped out: allow it with systemd's LimitMEMLOCK= or `ulimit -l`, or turn it "
                  "off with [auth] cache_ttl = \"0s\"");
    }
    return cache;
}

std::string listening_text(const Config& config) {
    std::string text;
    for (const ListenerConfig& listener : config.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            text += (text.empty() ? "" : ", ") + address.text();
        }
    }
    return text;
}

void write_notices(const std::vector<TlsNotice>& notices, Log& log) {
    for (const TlsNotice& notice : notices) log.write(notice.level, notice.text);
}

/// Null where no listener has TLS. As the service user, so that what could not be read again later
/// is told at the start.
std::expected<std::unique_ptr<TlsCertificates>, std::string> open_certificates(const Config& config,
                                                                               Log& log) {
    const auto has_tls = [](const ListenerConfig& l) { return l.tls != TlsMode::none; };
    if (std::ranges::none_of(config.listeners, has_tls)) return nullptr;
    std::expected<TlsCertificates::Opened, std::string> opened =
        TlsCertificates::open(config.tls->settings, system_time());
    if (!opened) return std::unexpected("[tls] " + opened.error());
    write_notices(opened->notices, log);
    return std::move(opened->certificates);
}

/// What runs on the main thread while the reactors serve.
class Overseer {
public:
    Overseer(const Config& config, const Signals& signals, const ServiceManager& service_manager,
             TlsCertificates* certificates, Log& log)
        : config_(config),
          signals_(signals),
          service_manager_(service_manager),
          certificates_(certificates),
          log_(log) {}

    /// Returns when every reactor has ended. The first signal drains, the second ends at once.
    void run(int ended_event, std::vector<std::unique_ptr<ReactorThread>>& threads);

private:
    void obey_signal(std::vector<std::unique_ptr<ReactorThread>>& threads);
    void reload();

    const Config& config_;
    const Signals& signals_;
    const ServiceManager& service_manager_;
    TlsCertificates* certificates_;  // null: no TLS
    Log& log_;
};

void Overseer::run(int ended_event, std::vector<std::unique_ptr<ReactorThread>>& threads) {
    const int interval = certificates_ != nullptr ? certificate_interval_ms : -1;
    std::uint64_t ended = 0;
    service_manager_.ready();
    while (ended < threads.size()) {
        pollfd waits[] = {{signals_.descriptor(), POLLIN, 0}, {ended_event, POLLIN, 0}};
        const int ready = ::poll(waits, 2, interval);
        if (ready < 0) continue;
        if (ready == 0) write_notices(certificates_->check(system_time()), log_);
        std::uint64_t count = 0;
        if (waits[1].revents != 0 && ::read(ended_event, &count, sizeof count) > 0) ended += count;
        if (waits[0].revents != 0) obey_signal(threads);
    }
}

void Overseer::obey_signal(std::vector<std::unique_ptr<ReactorThread>>& threads) {
    const Signals::Kind signal = signals_.take();
    if (signal == Signals::Kind::reload) reload();
    if (signal != Signals::Kind::stop) return;
    service_manager_.stopping();
    for (const std::unique_ptr<ReactorThread>& thread : threads) thread->stop();
    log_.write(LogLevel::info, "stopping: sessions may end (a second signal ends them now)");
}

void Overseer::reload() {
    service_manager_.reloading();
    log_.write(LogLevel::info,
               "SIGHUP: certificates are read again, and the user database by itself when it "
               "changes; a changed configuration needs a restart");
    if (certificates_ != nullptr) {
        write_notices(certificates_->reload(config_.tls->settings, system_time()), log_);
    }
    service_manager_.ready();
}

std::expected<void, std::string> serve(const Shared& shared, std::vector<std::vector<Port>> ports,
                                       std::vector<LoginPlaces> places, Overseer& overseer,
                                       Log& log, const std::function<void()>& on_ready) {
    ReactorThread::End end{.event = Fd(::eventfd(0, EFD_CLOEXEC))};
    std::vector<std::unique_ptr<ReactorThread>> threads;
    std::string refusal;
    for (std::size_t reactor = 0; reactor < ports.size(); ++reactor) {
        threads.push_back(std::make_unique<ReactorThread>(shared, std::move(ports[reactor]),
                                                          std::move(places[reactor]), end));
        std::expected<std::string, std::string> ready = threads.back()->wait_until_ready();
        if (!ready) {
            for (std::size_t i = 0; i + 1 < threads.size(); ++i) threads[i]->stop();
            end.all.count_down();
            return std::unexpected(ready.error());
        }
        if (refusal.empty()) refusal = std::move(*ready);
    }
    if (!refusal.empty()) log.write(LogLevel::warn, "epoll takes io_uring's place: " + refusal);
    log.write(LogLevel::info, fmt::format("serving POP3 on {} with {} reactors",
                                          listening_text(shared.config), threads.size()));
    on_ready();
    overseer.run(end.event.get(), threads);
    end.all.count_down();
    log.write(LogLevel::info, "stopped");
    return {};
}

/// What no thread may do any more.
void confine_to(const Config& config, const SharedLogins& logins, Log& log) {
    if (!config.runtime.confine) return;
    const std::string own_maildrops = logins.users != nullptr ? logins.users->own_maildrops() : "";
    Confinement confinement = confinement_of(config, own_maildrops);
    if (!config.auth.master.path.empty()) {
        allow_reading_again(config.auth.master.path, confinement);
    }
    if (logins.introspection != nullptr) {
        allow_connecting(introspection_port(*logins.introspection), confinement);
        const std::string& own = config.auth.token.ca_file;
        allow_reading_again(own.empty() ? system_ca_file : own, confinement);
    }
    log.write(LogLevel::info, confine(confinement).text());
}

/// One a reactor.
std::expected<std::vector<LoginPlaces>, std::string> open_places(const Config& config,
                                                                 std::size_t reactors) {
    std::vector<LoginPlaces> places;
    for (std::size_t i = 0; i < reactors; ++i) {
        std::expected<LoginPlaces, std::string> opened = LoginPlaces::open(config.auth);
        if (!opened) return std::unexpected(opened.error());
        places.push_back(std::move(*opened));
    }
    return places;
}

/// What only root may do, or a process that is not confined yet: before any other thread.
struct Preparations {
    std::vector<std::vector<Port>> ports;
    std::unique_ptr<VerificationCache> cache;
    bool has_kernel_tls = false;
};

/// Whether to try it for each connection. Asked by root, the kernel loads its module for it.
bool find_kernel_tls(const Config& config, Log& log) {
    if (!config.tls || !config.tls->kernel) return false;
    const std::string problem = kernel_tls_problem();
    if (!problem.empty()) {
        log.write(LogLevel::info, problem + "; until a restart mail is copied and encrypted here");
    }
    return problem.empty();
}

std::expected<Preparations, std::string> prepare(const Config& config, std::size_t reactors,
                                                 Log& log) {
    for (const std::string& warning : config.warnings) log.write(LogLevel::warn, warning);
    if (const std::string few = make_room_for_connections(config); !few.empty()) {
        log.write(LogLevel::warn, few);
    }
    std::expected<std::vector<std::vector<Port>>, std::string> ports =
        open_listeners(config, reactors);
    if (!ports) return std::unexpected(ports.error());
    std::expected<std::unique_ptr<VerificationCache>, std::string> cache =
        make_cache(config.auth.cache_ttl, log);
    if (!cache) return std::unexpected(cache.error());
    const bool has_kernel_tls = find_kernel_tls(config, log);
    if (std::expected<void, std::string> dropped = drop_privileges(config.storage.user); !dropped) {
        return std::unexpected(dropped.error());
    }
    return Preparations{std::move(*ports), std::move(*cache), has_kernel_tls};
}

}  // namespace

std::expected<void, std::string> run_server(const Config& config,
                                            const std::function<void()>& on_ready) {
    forbid_dumps();
    const Signals signals;  // before any thread: all inherit the mask
    const ServiceManager service_manager;
    const std::expected<Fd, std::string> log_file = open_log(config.log.file);
    if (!log_file) return std::unexpected(log_file.error());
    DirectLog log(log_file->get(), config.log.level, config.log.ident);
    const std::size_t reactors = reactors_of(config);
    std::expected<Preparations, std::string> prepared = prepare(config, reactors, log);
    if (!prepared) return std::unexpected(prepared.error());
    const std::expected<std::unique_ptr<TlsCertificates>, std::string> certificates =
        open_certificates(config, log);
    if (!certificates) return std::unexpected(certificates.error());
    const Config real = with_real_root(config);
    std::expected<StoreOptions, std::string> store = store_options(real);
    if (!store) return std::unexpected(store.error());
    const bool local = is_local(store->path.root());
    const std::expected<std::unique_ptr<SharedLogins>, std::string> logins =
        SharedLogins::make(config, prepared->cache.get(), log);
    if (!logins) return std::unexpected(logins.error());
    std::expected<std::vector<LoginPlaces>, std::string> places = open_places(config, reactors);
    if (!places) return std::unexpected(places.error());
    confine_to(real, **logins, log);
    HelperPool helpers(default_helper_sizes());
    Tally user_sessions;
    Tally address_connections;
    const SessionPolicy policy = session_policy(config, prepared->has_kernel_tls);
    const Shared shared{.config = config,
                        .policy = policy,
                        .store = std::move(*store),
                        .storage_is_local = local,
                        .logins = **logins,
                        .user_sessions = user_sessions,
                        .address_connections = address_connections,
                        .certificates = certificates->get(),
                        .reactors = reactors,
                        .log_file = log_file->get(),
                        .helpers = helpers};
    Overseer overseer(config, signals, service_manager, certificates->get(), log);
    return serve(shared, std::move(prepared->ports), std::move(*places), overseer, log, on_ready);
}

}  // namespace restante
