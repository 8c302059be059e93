#include "net/stream.h"

namespace restante {

Task<void> Stream::close_lingering() {
    const std::int64_t ended = co_await perform(ring_, Request::shutdown(socket_.get()));
    const Instant deadline = ring_.now() + linger_max;
    std::size_t left = ended == 0 ? linger_octets_max : 0;
    char forgotten[512];
    while (left > 0) {
        const std::int64_t got = co_await receive(forgotten, deadline);
        if (got <= 0) break;
        left -= std::min(left, static_cast<std::size_t>(got));
    }
    close();
}

}  // namespace restante
