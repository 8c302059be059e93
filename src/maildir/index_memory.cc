#include "maildir/index_memory.h"

namespace restante {

Task<Result<void>> await_share(Ring& ring, IndexMemory::Share& share, std::uint64_t octets) {
    const Instant last = ring.now() + index_memory_wait_max;
    while (!share.resize(octets)) {
        const Instant next = ring.now() + index_memory_look_interval;
        if (next > last || octets > share.memory().octets_max()) {
            co_return std::unexpected(
                Error{ErrorKind::exhausted, 0,
                      "no room in [limits] index_memory for the index of this maildrop"});
        }
        co_await perform(ring, Request::sleep().until(next));
    }
    co_return Result<void>();
}

}  // namespace restante
