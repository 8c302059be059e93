#include "worker.h"

#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pop3load {
namespace {

constexpr std::size_t receive_octets = 256 * 1024;
/// Connections begun at once, so that a listening queue holds them.
constexpr std::uint32_t begun_a_turn_max = 128;
/// How long sessions may take to end after the window.
constexpr std::chrono::seconds drain_max{10};
/// About the time in which a server on the same machine answers.
constexpr std::chrono::microseconds awake_max{30};
/// Sessions of a thread that may be due and not begun: the memory they take is bounded.
constexpr std::size_t waiting_max = 1'000'000;

Duration thread_cpu_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

std::uint32_t events_for(Session::Want want) {
    switch (want) {
        case Session::Want::readable:
        case Session::Want::time: return EPOLLIN;
        case Session::Want::writable: return EPOLLIN | EPOLLOUT;
        default: return 0;
    }
}

}  // namespace

Worker::Worker(const Setting& setting, Ledgers& ledgers, const Share& share)
    : options_(setting.options),
      share_(share),
      service_{.options = setting.options,
               .profile = setting.profile,
               .users = setting.users,
               .target = setting.target,
               .sources = setting.sources,
               .recorder = Recorder(share.window),
               .tls = {},
               .ledgers = ledgers,
               .buffer = std::vector<char>(receive_octets)},
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      next_second_(share.start),
      to_begin_(share.connections) {
    const std::uint64_t seed = setting.options.seed;
    const PoolCounts counts = pool_counts(setting.users.count(), setting.profile.is_specmail);
    const auto second = static_cast<std::uint32_t>(counts[0]);
    turns_ = {Turn(seed, 0, counts[0], share.part), Turn(seed, second, counts[1], share.part)};
    // In the closed model a session's number is its thread's.
    dice_ = Random(seed + (share.rate > 0 ? 0 : share.part.index)).next();
    if (share.rate == 0) return;
    schedule_.emplace(Schedule::Plan{.seed = seed,
                                     .rate = share.rate,
                                     .kind = setting.options.arrivals,
                                     .start = share.start,
                                     .users = counts,
                                     .is_specmail = setting.profile.is_specmail,
                                     .part = share.part});
}

void Worker::run() {
    for (Instant now = clock_now(); !is_over(now); now = clock_now()) {
        if (now >= next_second_) {
            if (schedule_) take_arrivals(next_second_);  // they are of the second that is over
            every_second(now);
        }
        if (schedule_) {
            take_arrivals(now);
            begin_due();
        } else {
            begin_more(now);
        }
        take_timers(now);
        take_events(now);
    }
    const Instant now = clock_now();
    give_up(now);
    service_.recorder.publish(now, in_flight_);
    if (!cpu_at_end_) cpu_at_end_ = thread_cpu_time();
    has_own_fault_ = service_.recorder.has_own_fault();
    has_ended_.store(true, std::memory_order_release);
}

std::size_t Worker::waiting() const {
    return queues_[0].arrivals.size() + queues_[1].arrivals.size();
}

bool Worker::is_over(Instant now) const {
    if (stop_asked_.load(std::memory_order_relaxed)) return true;
    if (service_.recorder.has_own_fault()) return true;
    if (now < share_.window.end) return false;
    // A thread that was held up takes the arrivals of the last moment all the same.
    const bool is_all_taken = !schedule_ || schedule_->next().intended >= share_.window.end;
    const bool is_idle = is_all_taken && in_flight_ == 0 && waiting() == 0;
    return is_idle || now >= share_.window.end + drain_max;
}

void Worker::take_arrivals(Instant now) {
    for (; schedule_->next().intended <= now; schedule_->advance()) {
        const Arrival& arrival = schedule_->next();
        if (arrival.intended >= share_.window.end) return;
        service_.recorder.arrival(arrival.intended);
        queues_[arrival.pool].arrivals.push_back(arrival);
        if (waiting() <= waiting_max) continue;
        service_.recorder.own_fault(
            "a million sessions of one thread are due and wait for others to end: --rate is far "
            "above what the server, --in-flight and --user-count allow");
        return;
    }
}

void Worker::begin_due() {
    for (std::size_t pool = 0; pool < pools; ++pool) begin_due(queues_[pool], turns_[pool]);
}

void Worker::begin_due(Queue& queue, Turn& turn) {
    while (!queue.arrivals.empty() && !service_.recorder.has_own_fault()) {
        const Arrival arrival = queue.arrivals.front();
        if (!turn.has_free()) queue.held_up = Recorder::Wait::user;
        if (in_flight_ >= options_.in_flight_max) queue.held_up = Recorder::Wait::connection;
        if (!turn.has_free() || in_flight_ >= options_.in_flight_max) return;
        queue.arrivals.pop_front();
        const Instant begun = clock_now();
        if (queue.held_up == Recorder::Wait::none) {
            service_.recorder.lag(arrival.intended, begun);
        } else {
            service_.recorder.waited(queue.held_up, arrival.intended);
        }
        begin_session(arrival, turn.take(arrival.place), begun);
    }
    queue.held_up = Recorder::Wait::none;
}

void Worker::begin_more(Instant now) {
    Turn& turn = turns_[0];
    for (std::uint32_t i = 0; i < begun_a_turn_max && to_begin_ > 0; ++i) {
        if (now >= share_.window.end || !turn.has_free()) return;
        --to_begin_;
        service_.recorder.arrival(now);
        begin_session({.intended = now, .number = begun_++}, turn.take_next(), now);
    }
}

void Worker::begin_session(const Arrival& arrival, const Turn::Taken& taken, Instant now) {
    if (idle_.empty()) {
        connected_.push_back(std::make_unique<Connected>(service_));
        idle_.push_back(connected_.back().get());
    }
    Connected& connected = *idle_.back();
    idle_.pop_back();
    ++connected.generation;
    connected.pool = arrival.pool;
    connected.place = taken.place;
    connected.is_live = true;
    connected.is_registered = false;
    ++in_flight_;
    if (service_.profile.is_specmail) note_begin(connected, now);
    const Session::Want want = connected.session.begin(
        {.user = taken.user, .intended = arrival.intended, .dice = dice_ + arrival.number}, now);
    settle(connected, want, now);
}

/// How soon a user's mailbox is looked at again.
void Worker::note_begin(const Connected& connected, Instant now) {
    std::vector<Instant>& begun_at = begun_at_[connected.pool];
    if (begun_at.size() <= connected.place) begun_at.resize(connected.place + 1);
    const Instant before = std::exchange(begun_at[connected.place], now);
    if (before != Instant{}) service_.recorder.looked_again(now - before);
}

/// Registers what the session waits for, or puts it away.
void Worker::settle(Connected& connected, Session::Want want, Instant now) {
    if (want == Session::Want::ended) return finish(connected, now);
    const bool is_timed = want == Session::Want::time || want == Session::Want::pause;
    if (is_timed) timers_.push({connected.session.due(), &connected, connected.generation});
    const std::uint32_t events = events_for(want);
    if (connected.is_registered && events == connected.events) return;
    epoll_event event{.events = events, .data = {.ptr = &connected}};
    const int change = connected.is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    ::epoll_ctl(epoll_.get(), change, connected.session.socket(), &event);
    connected.is_registered = true;
    connected.events = events;
}

void Worker::finish(Connected& connected, Instant now) {
    turns_[connected.pool].give_back(connected.place);
    connected.is_live = false;
    idle_.push_back(&connected);
    --in_flight_;
    if (share_.rate == 0 && now < share_.window.end && !service_.profile.holds()) ++to_begin_;
}

void Worker::take_timers(Instant now) {
    while (!timers_.empty() && timers_.top().when <= now) {
        const Timer timer = timers_.top();
        timers_.pop();
        Connected& connected = *timer.connected;
        if (!connected.is_live || connected.generation != timer.generation) continue;
        service_.recorder.lag(timer.when, now);
        settle(connected, connected.session.on_time(now), now);
    }
}

Duration Worker::time_to_wait(Instant now) const {
    Instant until = next_second_;
    if (schedule_ && schedule_->next().intended < share_.window.end)
        until = std::min(until, schedule_->next().intended);
    if (!timers_.empty()) until = std::min(until, timers_.top().when);
    if (!schedule_ && to_begin_ > 0 && turns_[0].has_free()) until = now;
    return std::max(until - now, Duration(0));
}

/// The sockets that are ready. A closed loop asks for a moment before it sleeps: with few
/// connections most answers come sooner than a thread wakes, which is not the server's time.
int Worker::wait_for_events(std::span<epoll_event> events, Instant now) {
    const Duration wait = time_to_wait(now);
    const auto ask = [&](Duration longest) {
        const timespec timeout{.tv_sec = longest / std::chrono::seconds(1),
                               .tv_nsec = (longest % std::chrono::seconds(1)).count()};
        return ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                              &timeout, nullptr);
    };
    if (share_.rate > 0) return ask(wait);
    int count = ask(Duration(0));
    if (count != 0) return count;
    const Instant since = clock_now();
    const Instant asked_until = now + std::min<Duration>(wait, awake_max);
    while (count == 0 && clock_now() < asked_until) count = ask(Duration(0));
    if (count == 0) count = ask(wait);
    note_idle(since);
    return count;
}

void Worker::note_idle(Instant since) {
    if (share_.window.contains(since)) idle_time_ += clock_now() - since;
}

void Worker::take_events(Instant now) {
    std::array<epoll_event, 256> events;
    const int count = wait_for_events(events, now);
    for (int i = 0; i < count; ++i) {
        auto& connected = *static_cast<Connected*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!connected.is_live) continue;
        const Instant ready = clock_now();
        settle(connected, connected.session.on_ready(ready), ready);
    }
}

void Worker::every_second(Instant now) {
    while (next_second_ <= now) next_second_ += std::chrono::seconds(1);
    service_.recorder.publish(now, in_flight_);
    if (!cpu_at_begin_ && now >= share_.window.begin) cpu_at_begin_ = thread_cpu_time();
    const Instant since = now - options_.timeout;
    for (const std::unique_ptr<Connected>& connected : connected_) {
        if (!connected->is_live) continue;
        if (connected->session.end_if_silent(since, now)) finish(*connected, now);
    }
    if (now >= share_.window.end) {
        if (!cpu_at_end_) cpu_at_end_ = thread_cpu_time();
        leave_all(now);
    }
    // The window's ends are looked at when they come, not up to a second later.
    for (const Instant edge : {share_.window.begin, share_.window.end})
        if (now < edge) next_second_ = std::min(next_second_, edge);
}

/// The run is over: held sessions go, those too that logged in only now.
void Worker::leave_all(Instant now) {
    for (const std::unique_ptr<Connected>& connected : connected_) {
        if (connected->is_live && connected->session.is_holding())
            settle(*connected, connected->session.leave(now), now);
    }
}

/// What did not begin or end in time is not left out of the account.
void Worker::give_up(Instant now) {
    if (stop_asked_.load(std::memory_order_relaxed) || service_.recorder.has_own_fault()) return;
    for (const std::unique_ptr<Connected>& connected : connected_)
        if (connected->is_live) connected->session.give_up(now);
    for (std::size_t i = 0; i < waiting(); ++i)
        service_.recorder.fault(Fault::timed_out, std::string(given_up), now);
}

}  // namespace pop3load
