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
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "auth/passwd_verifier.h"
#include "auth/verification_cache.h"
#include "base/descriptor_limit.h"
#include "base/fd.h"
#include "maildir/maildir_store.h"
#include "net/listener.h"
#include "ring/uring_ring.h"
#include "server/policies.h"
#include "server/privileges.h"
#include "server/reactor.h"
#include "server/signals.h"

namespace restante {
namespace {

/// Descriptors beside those of sessions: rings, listeners, logs, folders being listed.
constexpr std::uint64_t spare_descriptors = 256;
constexpr std::uint64_t descriptors_a_session = 2;  // socket and maildrop

/// What all reactors share; read-only once they run.
struct Shared {
    const Config& config;
    SessionPolicy policy;
    StoreOptions store;
    UserNameRules user_names;
    UringOptions uring;
    std::shared_ptr<const PasswdTable> users;
    VerificationCache* cache;  // null: off
    std::size_t reactors;
    int log_file;
    HelperPool& helpers;
};

/// A reactor on its thread. Members in the order in which they need one another.
class ReactorThread {
public:
    /// `listeners` become the reactor's. When it has ended it counts in `end.event`, and stays
    /// until `end.all`: stop() may be called until then.
    struct End {
        Fd event;
        std::latch all{1};
    };
    ReactorThread(const Shared& shared, std::vector<Fd> listeners, PasswdPlace users, End& end)
        : shared_(shared),
          listeners_(std::move(listeners)),
          users_(std::move(users)),
          end_(end),
          thread_([this] { run(); }) {}
    ~ReactorThread() { thread_.join(); }

    /// Once: waits until it serves; the error is why it does not.
    std::expected<void, std::string> wait_until_ready() { return ready_.get_future().get(); }
    /// After a successful wait_until_ready().
    void stop() { reactor_->stop(); }

private:
    void run();
    void serve(Ring& ring);

    const Shared& shared_;
    std::vector<Fd> listeners_;
    PasswdPlace users_;
    End& end_;
    std::promise<std::expected<void, std::string>> ready_;
    Reactor* reactor_ = nullptr;
    std::thread thread_;
};

void ReactorThread::run() {
    std::expected<std::unique_ptr<Ring>, std::string> ring =
        make_uring_ring(shared_.helpers, shared_.uring);
    if (!ring) {
        ready_.set_value(std::unexpected(ring.error()));
        return;
    }
    serve(**ring);
}

void ReactorThread::serve(Ring& ring) {
    const Config& config = shared_.config;
    ReactorLog log(ring, shared_.log_file, config.log.level, config.log.ident);
    BufferPool buffers;
    PasswdFileVerifier verifier(
        ring, log, {std::move(users_), shared_.user_names, shared_.users, shared_.cache});
    MaildirStore store(ring, log, buffers, shared_.store);
    const std::unique_ptr<Delivery> delivery = make_delivery(config.delivery, ring, buffers);
    std::vector<Handle> listeners;
    for (Fd& listener : listeners_) listeners.emplace_back(ring, listener.release());
    const auto share = static_cast<std::uint32_t>(shared_.reactors);
    const ReactorLimits limits{(config.limits.connections + share - 1) / share,
                               config.limits.drain_timeout};
    Reactor reactor({ring, verifier, store, *delivery, buffers, log, shared_.policy}, log,
                    std::move(listeners), limits);
    reactor_ = &reactor;
    ready_.set_value({});
    reactor.run();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = ::write(end_.event.get(), &one, sizeof one);
    end_.all.wait();
}

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
    const std::uint64_t wanted =
        config.limits.connections * descriptors_a_session + spare_descriptors;
    if (limit >= wanted) return {};
    return fmt::format(
        "the limit of open files, {}, is reached before [limits] connections = {}: about {} "
        "sessions fit (raise it with systemd's LimitNOFILE= or `ulimit -n`)",
        limit, config.limits.connections,
        (limit - std::min(limit, spare_descriptors)) / descriptors_a_session);
}

/// One set of listening sockets a reactor.
std::expected<std::vector<std::vector<Fd>>, std::string> open_listeners(const Config& config,
                                                                        std::size_t reactors) {
    std::vector<std::vector<Fd>> sets(reactors);
    for (const ListenerConfig& listener : config.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            std::expected<std::vector<Fd>, std::string> sockets = make_listeners(address, reactors);
            if (!sockets) return std::unexpected(sockets.error());
            for (std::size_t i = 0; i < reactors; ++i) sets[i].push_back(std::move((*sockets)[i]));
        }
    }
    return sets;
}

std::expected<Fd, std::string> open_log(const std::string& path) {
    const int opened = path.empty()
                           ? ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)
                           : ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (opened < 0) {
        return std::unexpected(fmt::format("[log] target {}: {}", path.empty() ? "stderr" : path,
                                           strerrordesc_np(errno)));
    }
    return Fd(opened);
}

/// Without a table everybody is refused with [SYS/TEMP] until the file can be read: better than no
/// server.
std::shared_ptr<const PasswdTable> load_users(const std::string& path, Log& log) {
    std::expected<std::shared_ptr<const PasswdTable>, std::string> table = load_passwd_table(path);
    if (!table) {
        log.write(LogLevel::error, table.error() + "; logins are refused until it can be read");
        return nullptr;
    }
    report_passwd_table(**table, path, log);
    return *table;
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

/// Returns when every reactor has ended. The first signal drains, the second ends at once.
void wait_for_the_end(const Signals& signals, int ended_event,
                      std::vector<std::unique_ptr<ReactorThread>>& threads, Log& log) {
    std::uint64_t ended = 0;
    while (ended < threads.size()) {
        pollfd waits[] = {{signals.descriptor(), POLLIN, 0}, {ended_event, POLLIN, 0}};
        if (::poll(waits, 2, -1) < 0) continue;
        std::uint64_t count = 0;
        if (waits[1].revents != 0 && ::read(ended_event, &count, sizeof count) > 0) ended += count;
        if (waits[0].revents == 0) continue;
        const Signals::Kind signal = signals.take();
        if (signal == Signals::Kind::reload) {
            log.write(
                LogLevel::info,
                "SIGHUP: the user database is read again by itself when it changes; a changed "
                "configuration needs a restart");
        } else if (signal == Signals::Kind::stop) {
            for (const std::unique_ptr<ReactorThread>& thread : threads) thread->stop();
            log.write(LogLevel::info, "stopping: sessions may end (a second signal ends them now)");
        }
    }
}

std::expected<void, std::string> serve(const Shared& shared, std::vector<std::vector<Fd>> listeners,
                                       const Signals& signals, Log& log,
                                       const std::function<void()>& on_ready) {
    std::vector<PasswdPlace> places;  // before any thread that would have to be stopped
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        std::expected<PasswdPlace, std::string> users =
            PasswdPlace::open(shared.config.auth.backend.path);
        if (!users) return std::unexpected(users.error());
        places.push_back(std::move(*users));
    }
    ReactorThread::End end{.event = Fd(::eventfd(0, EFD_CLOEXEC))};
    std::vector<std::unique_ptr<ReactorThread>> threads;
    for (std::size_t reactor = 0; reactor < listeners.size(); ++reactor) {
        threads.push_back(std::make_unique<ReactorThread>(shared, std::move(listeners[reactor]),
                                                          std::move(places[reactor]), end));
        if (std::expected<void, std::string> ready = threads.back()->wait_until_ready(); !ready) {
            for (std::size_t i = 0; i + 1 < threads.size(); ++i) threads[i]->stop();
            end.all.count_down();
            return std::unexpected(ready.error());
        }
    }
    log.write(LogLevel::info, fmt::format("serving POP3 on {} with {} reactors",
                                          listening_text(shared.config), threads.size()));
    on_ready();
    wait_for_the_end(signals, end.event.get(), threads, log);
    end.all.count_down();
    log.write(LogLevel::info, "stopped");
    return {};
}

}  // namespace

std::expected<void, std::string> run_server(const Config& config,
                                            const std::function<void()>& on_ready) {
    const Signals signals;  // before any thread: all inherit the mask
    const std::size_t reactors = config.runtime.reactors != 0
                                     ? config.runtime.reactors
                                     : std::max(1u, std::thread::hardware_concurrency());
    std::expected<std::vector<std::vector<Fd>>, std::string> listeners =
        open_listeners(config, reactors);
    if (!listeners) return std::unexpected(listeners.error());
    const std::expected<Fd, std::string> log_file = open_log(config.log.file);
    if (!log_file) return std::unexpected(log_file.error());
    DirectLog log(log_file->get(), config.log.level, config.log.ident);
    for (const std::string& warning : config.warnings) log.write(LogLevel::warn, warning);
    if (const std::string few = make_room_for_connections(config); !few.empty()) {
        log.write(LogLevel::warn, few);
    }
    const std::expected<std::unique_ptr<VerificationCache>, std::string> cache =
        make_cache(config.auth.cache_ttl, log);
    if (!cache) return std::unexpected(cache.error());
    if (std::expected<void, std::string> dropped = drop_privileges(config.storage.user); !dropped) {
        return std::unexpected(dropped.error());
    }
    std::expected<StoreOptions, std::string> store = store_options(with_real_root(config));
    if (!store) return std::unexpected(store.error());
    const bool local = is_local(store->path.root());
    HelperPool helpers(default_helper_sizes());
    const Shared shared{config,
                        session_policy(config),
                        std::move(*store),
                        user_name_rules(config),
                        {.storage_is_local = local},
                        load_users(config.auth.backend.path, log),
                        cache->get(),
                        reactors,
                        log_file->get(),
                        helpers};
    return serve(shared, std::move(*listeners), signals, log, on_ready);
}

}  // namespace restante
