#pragma once
/// A reactor on a thread of its own, with all that it alone works with.

#include <expected>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "auth/tally.h"
#include "base/fd.h"
#include "maildir/maildir_store.h"
#include "net/tls_certificates.h"
#include "net/tls_mode.h"
#include "ring/helper_pool.h"
#include "ring/ring_choice.h"
#include "server/config.h"
#include "server/login_stack.h"
#include "server/reactor.h"
#include "session/session.h"

namespace restante {

/// What all reactors share; outlives them.
struct Shared {
    const Config& config;
    SessionPolicy policy;
    StoreOptions store;
    bool storage_is_local;  ///< see UringOptions
    SharedLogins& logins;
    Tally& user_sessions;
    Tally& address_connections;
    const TlsCertificates* certificates;  ///< null: no listener has TLS
    std::size_t reactors;
    int log_file;
    HelperPool& helpers;
};

/// A listening socket of one reactor.
struct Port {
    Fd socket;
    TlsMode tls;
};

class ReactorThread {
public:
    /// How a thread says that it has ended: it counts in `event`, and stays until `all`, so that
    /// stop() may be called until then.
    struct End {
        Fd event;
        std::latch all{1};
    };
    /// Starts it. `ports` become the reactor's.
    ReactorThread(const Shared& shared, std::vector<Port> ports, LoginPlaces places, End& end);
    ReactorThread(const ReactorThread&) = delete;
    ReactorThread& operator=(const ReactorThread&) = delete;
    ~ReactorThread() { thread_.join(); }

    /// Once: waits until it serves, and says why without io_uring ("": with it, or as configured).
    /// The error is why it does not serve.
    std::expected<std::string, std::string> wait_until_ready() { return ready_.get_future().get(); }
    /// After a successful wait_until_ready(). See Reactor::stop().
    void stop() { reactor_->stop(); }

private:
    void run();
    void serve(ChosenRing chosen);

    const Shared& shared_;
    std::vector<Port> ports_;
    LoginPlaces places_;
    End& end_;
    std::promise<std::expected<std::string, std::string>> ready_;
    Reactor* reactor_ = nullptr;
    std::thread thread_;
};

}  // namespace restante
