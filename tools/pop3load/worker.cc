#include "worker.h"

#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <array>

namespace pop3load {
namespace {

constexpr std::size_t receive_octets = 256 * 1024;
/// Connections begun at once, so that a listening queue holds them.
constexpr std::uint32_t begun_a_turn_max = 128;
/// How long sessions may take to end after the window.
constexpr std::chrono::seconds drain_max{10};
/// About the time in which a server on the same machine answers.
constexpr std::chrono::microseconds awake_max{30};
/// specmail2001: of the checks, how many are first ones; the others find the mailbox empty.
constexpr double first_check_share = 0.25;
/// specmail2001: of the users, how many are in the pool that gets mail.
constexpr double mail_pool_share = 0.925;

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

Worker::Worker(const Setting& setting, const Share& share)
    : options_(setting.options),
      share_(share),
      service_{.options = setting.options,
               .profile = setting.profile,
               .users = setting.users,
               .target = setting.target,
               .sources = setting.sources,
               .recorder = Recorder(share.window),
               .random = Random(setting.options.seed * 1000 + share.index),
               .tls = {},
               .ledgers = {},
               .buffer = std::vector<char>(receive_octets)},
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      next_arrival_(share.start),
      next_second_(share.start),
      to_begin_(share.connections) {
    const std::size_t users = setting.users.count();
    const auto mail_pool = static_cast<std::size_t>(mail_pool_share * static_cast<double>(users));
    for (std::size_t user = share.index; user < users; user += share.threads) {
        const bool is_second = setting.profile.is_specmail && user >= mail_pool;
        free_users_[is_second ? 1 : 0].push_back(static_cast<std::uint32_t>(user));
    }
    for (std::deque<std::uint32_t>& pool : free_users_) {
        for (std::size_t i = pool.size(); i > 1; --i)
            std::swap(pool[i - 1], pool[service_.random.below(i)]);
    }
}

void Worker::run() {
    for (Instant now = clock_now(); !is_over(now); now = clock_now()) {
        if (now >= next_second_) every_second(now);
        if (share_.rate > 0) take_arrivals(now);
        begin_sessions(now);
        take_timers(now);
        take_events(now);
    }
    const Instant now = clock_now();
    give_up(now);
    service_.recorder.publish(now, in_flight_);
    if (!cpu_at_end_) cpu_at_end_ = thread_cpu_time();
}

bool Worker::is_over(Instant now) const {
    if (stop_asked_.load(std::memory_order_relaxed)) return true;
    if (now < share_.window.end) return false;
    return (in_flight_ == 0 && waiting_.empty()) || now >= share_.window.end + drain_max;
}

Duration Worker::next_gap() {
    const double mean = 1e9 / share_.rate;
    const bool is_fixed = options_.arrivals == Arrivals::fixed;
    return Duration(static_cast<std::int64_t>(is_fixed ? mean : service_.random.exponential(mean)));
}

void Worker::take_arrivals(Instant now) {
    for (; next_arrival_ <= now && next_arrival_ < share_.window.end; next_arrival_ += next_gap()) {
        const bool is_second =
            service_.profile.is_specmail && service_.random.unit() >= first_check_share;
        service_.recorder.arrival(next_arrival_);
        waiting_.push_back({next_arrival_, is_second ? 1U : 0U});
    }
}

void Worker::begin_sessions(Instant now) {
    if (share_.rate == 0) {
        for (std::uint32_t i = 0; i < begun_a_turn_max && to_begin_ > 0; ++i) {
            if (now >= share_.window.end || free_users_[0].empty()) return;
            --to_begin_;
            service_.recorder.arrival(now);
            begin_session({now, 0}, now);
        }
        return;
    }
    while (!waiting_.empty()) {
        const Arrival arrival = waiting_.front();
        if (in_flight_ >= options_.in_flight_max || free_users_[arrival.pool].empty()) {
            is_delayed_ = true;
            return;
        }
        waiting_.pop_front();
        const Instant begun = clock_now();
        if (!is_delayed_) service_.recorder.lag(arrival.intended, begun);
        begin_session(arrival, begun);
    }
    is_delayed_ = false;
}

void Worker::begin_session(const Arrival& arrival, Instant now) {
    if (idle_.empty()) {
        connected_.push_back(std::make_unique<Connected>(service_));
        idle_.push_back(connected_.back().get());
    }
    Connected& connected = *idle_.back();
    idle_.pop_back();
    ++connected.generation;
    connected.pool = arrival.pool;
    connected.is_live = true;
    connected.is_registered = false;
    ++in_flight_;
    const std::uint32_t user = free_users_[arrival.pool].front();
    free_users_[arrival.pool].pop_front();
    const Session::Want want =
        connected.session.begin({user, arrival.intended, arrival.pool == 1}, now);
    settle(connected, want, now);
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
    free_users_[connected.pool].push_back(connected.session.user());
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
    if (share_.rate > 0 && next_arrival_ < share_.window.end)
        until = std::min(until, next_arrival_);
    if (!timers_.empty()) until = std::min(until, timers_.top().when);
    if (share_.rate == 0 && to_begin_ > 0 && !free_users_[0].empty()) until = now;
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
    const Instant asked_until = now + std::min(wait, share_.rate == 0 ? awake_max : Duration(0));
    while (clock_now() < asked_until) {
        if (const int count = ask(Duration(0)); count != 0) return count;
    }
    return ask(wait);
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
    if (stop_asked_.load(std::memory_order_relaxed)) return;
    for (std::size_t i = 0; i < waiting_.size() + in_flight_; ++i)
        service_.recorder.fault(Fault::timed_out, "not over 10 s after the end of the run", now);
}

}  // namespace pop3load
