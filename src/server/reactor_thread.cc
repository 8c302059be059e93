#include "server/reactor_thread.h"

#include <pthread.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "base/descriptor_limit.h"
#include "maildir/delivery.h"
#include "server/descriptor_need.h"
#include "server/reactor_log.h"

namespace restante {

ReactorThread::ReactorThread(const Shared& shared, std::vector<Port> ports, LoginPlaces places,
                             End& end)
    : shared_(shared),
      ports_(std::move(ports)),
      places_(std::move(places)),
      end_(end),
      thread_([this] { run(); }) {}

void ReactorThread::run() {
    ::pthread_setname_np(::pthread_self(), "reactor");
    std::expected<ChosenRing, std::string> chosen =
        make_ring(shared_.config.runtime.backend, shared_.helpers, shared_.storage_is_local);
    if (!chosen) {
        ready_.set_value(std::unexpected(chosen.error()));
        return;
    }
    serve(std::move(*chosen));
}

void ReactorThread::serve(ChosenRing chosen) {
    Ring& ring = *chosen.ring;
    const Config& config = shared_.config;
    ReactorLog log(ring, shared_.log_file, config.log.level, config.log.ident,
                   ReactorLog::write_octets_of(shared_.log_file));
    BufferPool buffers;
    LoginStack logins(ring, log, config, shared_.logins, std::move(places_), shared_.reactors);
    MaildirStore store(ring, log, buffers, shared_.store);
    const std::unique_ptr<Delivery> delivery = make_delivery(config.delivery, ring, buffers);
    std::vector<ListeningSocket> listeners;
    for (Port& port : ports_) {
        const SocketAddress bound = local_address(port.socket.get());
        std::optional<SocketAddress> local;
        if (!bound.is_wildcard()) local = bound;
        listeners.push_back({Handle(ring, port.socket.release()), port.tls, local});
    }
    const auto share = static_cast<std::uint32_t>(shared_.reactors);
    const ReactorLimits limits{(config.limits.connections + share - 1) / share,
                               config.limits.connections_per_ip, config.limits.drain_timeout,
                               first_spare_descriptor(descriptor_limit())};
    const SessionService service{ring,
                                 logins.verifier(),
                                 store,
                                 *delivery,
                                 buffers,
                                 log,
                                 shared_.policy,
                                 shared_.certificates,
                                 shared_.logins.throttle,
                                 shared_.user_sessions};
    Reactor reactor(service, log, shared_.address_connections, std::move(listeners), limits);
    reactor_ = &reactor;
    ready_.set_value(std::move(chosen.uring_refusal));
    reactor.run();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t told = ::write(end_.event.get(), &one, sizeof one);
    end_.all.wait();
}

}  // namespace restante
