#include "ring/ring_choice.h"

#include <utility>

#include "ring/epoll_ring.h"
#include "ring/uring_ring.h"

namespace restante {

std::expected<ChosenRing, std::string> make_ring(RingBackend backend, HelperPool& helpers,
                                                 bool storage_is_local) {
    std::string uring_refusal;
    if (backend != RingBackend::epoll) {
        std::expected<std::unique_ptr<Ring>, std::string> uring =
            make_uring_ring(helpers, {.storage_is_local = storage_is_local});
        if (uring) return ChosenRing{std::move(*uring), {}};
        if (backend == RingBackend::uring) {
            return std::unexpected(uring.error() +
                                   "; or set [runtime] backend to \"auto\", and epoll takes its "
                                   "place");
        }
        uring_refusal = std::move(uring.error());
    }
    std::expected<std::unique_ptr<Ring>, std::string> epoll =
        make_epoll_ring(helpers, storage_is_local);
    if (!epoll) return std::unexpected(std::move(epoll.error()));
    return ChosenRing{std::move(*epoll), std::move(uring_refusal)};
}

}  // namespace restante
