#include "ring/epoll_watches.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <utility>

namespace restante {
namespace {

constexpr std::uint32_t ended = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

std::uint32_t events_of(EpollWatches::What what) {
    switch (what) {
        case EpollWatches::What::connections: return EPOLLIN;
        case EpollWatches::What::input: return EPOLLIN | EPOLLRDHUP | EPOLLET;
        case EpollWatches::What::output: return EPOLLOUT | EPOLLET;
    }
    ASSERT(!"a What");
}

}  // namespace

int EpollWatches::watch(int fd) { return ask(fd, at(fd), EPOLLIN); }

int EpollWatches::wait(Operation& operation, What what) {
    const int fd = operation.request.fd;
    Watch& watched = at(fd);
    Operation*& place = what == What::output ? watched.writer : watched.reader;
    ASSERT(place == nullptr);
    if (what == What::connections && !watched.is_known) {
        int value = 1;  // who was to be accepted may have gone meanwhile
        ::ioctl(fd, FIONBIO, &value);
    }
    const std::uint32_t events = watched.events | events_of(what);
    const int refused = events == watched.events ? 0 : ask(fd, watched, events);
    if (refused == 0) place = &operation;
    return refused;
}

bool EpollWatches::stop(const Operation& operation) {
    Watch& watched = at(operation.request.fd);
    for (Operation** place : {&watched.reader, &watched.writer}) {
        if (*place != &operation) continue;
        *place = nullptr;
        return true;
    }
    return false;
}

void EpollWatches::note_drained(int fd) { at(fd).may_have_input = false; }

void EpollWatches::note_nothing(int fd) {
    at(fd).may_have_input = false;
    at(fd).has_ended = false;
}

bool EpollWatches::take_room(int fd) { return std::exchange(at(fd).may_have_room, false); }

std::size_t EpollWatches::poll(std::span<epoll_event> events, int milliseconds) const {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds);
    return count < 0 ? 0 : static_cast<std::size_t>(count);  // EINTR
}

// An event may be of a descriptor that was closed a moment ago, whose number another has now: that
// one finds nothing, and waits on.
void EpollWatches::take(const epoll_event& event, std::vector<Operation*>& found) {
    const int fd = event.data.fd;
    Watch& watched = at(fd);
    const bool has_ended = (event.events & ended) != 0;
    if (has_ended) watched.has_ended = true;
    if (has_ended || (event.events & EPOLLIN) != 0) {
        watched.may_have_input = true;
        if (watched.reader != nullptr) {
            found.push_back(std::exchange(watched.reader, nullptr));
        } else if (watched.events == events_of(What::connections)) {
            ask(fd, watched, 0);
        }
    }
    if (has_ended || (event.events & EPOLLOUT) != 0) {
        watched.may_have_room = watched.writer == nullptr;
        if (!watched.may_have_room) found.push_back(std::exchange(watched.writer, nullptr));
    }
}

void EpollWatches::forget(int fd) {
    if (find(fd) == nullptr) return;
    Watch& watched = at(fd);
    ASSERT(watched.reader == nullptr);
    ASSERT(watched.writer == nullptr);
    watched = Watch();
}

EpollWatches::Watch& EpollWatches::at(int fd) {
    ASSERT(fd >= 0);
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watches_.size()) watches_.resize(index + 1);
    return watches_[index];
}

int EpollWatches::ask(int fd, Watch& watched, std::uint32_t events) const {
    epoll_event asked{.events = events, .data = {.fd = fd}};
    const int change = watched.is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (::epoll_ctl(epoll_.get(), change, fd, &asked) < 0) return -errno;
    watched.is_known = true;
    watched.events = events;
    return 0;
}

}  // namespace restante
