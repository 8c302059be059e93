#pragma once
/// Who waits for which descriptor, and what epoll(7) was asked to tell of it.

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.h"
#include "ring/operation.h"

namespace restante {

/// Of one ring. Descriptors are watched from their first wait to their close, edge-triggered: a
/// system call a connection, not one a wait. A listener is watched level-triggered while somebody
/// waits for it.
///
/// So who finds nothing to be done (-EAGAIN) waits; signs that came while nobody waited are kept.
class EpollWatches {
public:
    enum class What : std::uint8_t { connections, input, output };

    explicit EpollWatches(Fd epoll) : epoll_(std::move(epoll)) {}

    /// Of a descriptor that is no operation's: events with its number, as long as it is readable.
    /// 0 or -errno, as of wait().
    int watch(int fd);
    /// Until take() gives it back or stop(); one a descriptor for input, and one for output.
    int wait(Operation& operation, What what);
    /// False: it does not wait.
    bool stop(const Operation& operation);

    /// There was a sign of input, or of the stream's end, after which not all has been received.
    bool has_input(int fd) const {
        const Watch* watched = find(fd);
        return watched != nullptr && (watched->may_have_input || watched->has_ended);
    }
    /// All was received that there was: the next sign tells of more.
    void note_drained(int fd);
    /// Nothing was there, not even an end.
    void note_nothing(int fd);
    /// There was a sign of room while nobody waited for it; forgets it.
    bool take_room(int fd);

    /// Waits, at most for `milliseconds` (-1: for ever). How many of `events` there are.
    std::size_t poll(std::span<epoll_event> events, int milliseconds) const;
    /// Puts those that wait for what `event` tells of into `found`; none waits any more.
    void take(const epoll_event& event, std::vector<Operation*>& found);
    /// It will be closed; nobody waits.
    void forget(int fd);

private:
    struct Watch {
        Operation* reader = nullptr;  ///< for input or connections
        Operation* writer = nullptr;
        std::uint32_t events = 0;  ///< that epoll was asked for
        bool is_known = false;     ///< to epoll
        bool may_have_input = false;
        bool has_ended = false;  ///< told once only: the stream's end, or an error
        bool may_have_room = false;
    };

    const Watch* find(int fd) const {
        const auto at = static_cast<std::size_t>(fd);
        return at < watches_.size() ? &watches_[at] : nullptr;
    }
    Watch& at(int fd);
    int ask(int fd, Watch& watched, std::uint32_t events) const;

    Fd epoll_;
    std::vector<Watch> watches_;  // by descriptor
};

}  // namespace restante
