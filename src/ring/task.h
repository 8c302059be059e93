#pragma once
/// Coroutines: Task<T>, and how to await a Request. The only file that includes <coroutine>.
///
/// House rule (g++ 12 mistreats temporaries elsewhere): `co_await` is the whole right-hand side of
/// a named variable, or a whole statement; never inside an argument, `?:`, a structured binding or
/// a lambda.
///
///     const std::int64_t sent = co_await perform(ring, Request::send(socket, text, false));
///     Result<Handle> file = co_await open_message(number);

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/slab.h"
#include "ring/operation.h"
#include "ring/ring.h"

namespace restante {

template <class T>
class Task;

namespace task_internal {

/// What promises of every T share: who waits, and how it is told. Every frame has one, and idle
/// sessions have several frames.
class PromiseBase : public FromSlab {
public:
    /// Runs when the body has ended. A waiter that is suspended is resumed; one that is still
    /// inside await_suspend() (the body never waited) is not told yet: it goes on by itself, so a
    /// loop of such awaits needs no stack.
    struct FinalAwaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            PromiseBase& promise = ended.promise();
            // May destroy the frame that this runs in: nothing of it is touched afterwards.
            if (promise.on_done_ != nullptr) promise.on_done_(promise.context_);
        }
        void await_resume() const noexcept {}
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    FinalAwaiter final_suspend() const noexcept { return {}; }
    [[noreturn]] void unhandled_exception() const noexcept {
        assertion_failed("exception in a coroutine", __FILE__, __LINE__);
    }

private:
    template <class T>
    friend class restante::Task;
    void tell(void (*on_done)(void*), void* context) {
        on_done_ = on_done;
        context_ = context;
    }
    static void resume(void* waiter) { std::coroutine_handle<>::from_address(waiter).resume(); }

    void (*on_done_)(void*) = nullptr;
    void* context_ = nullptr;
};

template <class T>
class Promise : public PromiseBase {
public:
    Task<T> get_return_object();
    template <class U>
    void return_value(U&& value) {
        value_.emplace(std::forward<U>(value));
    }
    T take() { return std::move(*value_); }

private:
    std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
public:
    Task<void> get_return_object();
    void return_void() const {}
    void take() const {}
};

}  // namespace task_internal

/// A coroutine that starts when awaited (once) or start()ed, and owns its frame. Never destroyed
/// while something it awaits is in flight; Operation asserts it.
template <class T>
class [[nodiscard]] Task {
public:
    using promise_type = task_internal::Promise<T>;

    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    /// The frame that is given up must have ended, or not begun.
    Task& operator=(Task&& other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~Task() {
        if (frame_) frame_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiter) {
        frame_.resume();
        if (frame_.done()) return false;
        frame_.promise().tell(promise_type::resume, waiter.address());
        return true;
    }
    T await_resume() { return frame_.promise().take(); }

    /// For a root, which nobody awaits: runs it to its first wait. `on_done(context)` is called
    /// when it has ended, possibly before this returns, and may destroy the Task.
    void start(void (*on_done)(void*), void* context) {
        frame_.promise().tell(on_done, context);
        frame_.resume();
    }
    /// Not while it runs.
    bool is_done() const { return frame_.done(); }
    /// Of a root, once is_done().
    T take() { return frame_.promise().take(); }

private:
    friend promise_type;
    explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> task_internal::Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> task_internal::Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

/// Several tasks under way at once, on one thread:
///
///     TaskGroup readers;
///     for (int i = 0; i < 8; ++i) readers.start(read_some(work));
///     co_await readers;
///
/// Must not end before it was awaited.
class TaskGroup {
public:
    TaskGroup() = default;
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup() { ASSERT(running_ == 0); }

    /// Runs it to its first wait.
    void start(Task<void> task) {
        tasks_.push_back(std::move(task));
        ++running_;
        tasks_.back().start([](void* group) { static_cast<TaskGroup*>(group)->end_one(); }, this);
    }

    bool await_ready() const noexcept { return running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
    void await_resume() const noexcept {}

private:
    void end_one() {
        --running_;
        if (running_ == 0 && waiter_) waiter_.resume();
    }

    std::list<Task<void>> tasks_;  // in place: their frames know it
    std::size_t running_ = 0;
    std::coroutine_handle<> waiter_;
};

/// Awaited: an Operation and its result. Answered inline where the kernel's caches can.
class [[nodiscard]] Completion {
public:
    /// `refused`: it is not even begun, and its result is -ECANCELED.
    Completion(Ring& ring, const Request& request, Operation** in_flight, bool refused = false)
        : ring_(ring), operation_(request), in_flight_(in_flight) {
        operation_.result = -ECANCELED;
        operation_.cancelled = refused;
    }
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    bool await_ready() { return operation_.cancelled || ring_.attempt(operation_); }
    void await_suspend(std::coroutine_handle<> waiter) {
        operation_.context = waiter.address();
        operation_.on_complete = [](Operation& operation) {
            std::coroutine_handle<>::from_address(operation.context).resume();
        };
        if (in_flight_ != nullptr) *in_flight_ = &operation_;
        ring_.submit(operation_);
    }
    std::int64_t await_resume() {
        if (in_flight_ != nullptr) *in_flight_ = nullptr;
        return operation_.result;
    }

protected:
    const Operation& operation() const { return operation_; }

private:
    Ring& ring_;
    Operation operation_;
    Operation** in_flight_;
};

/// Of a receive or an exchange.
struct Received {
    std::int64_t result;  ///< as Request has it
    const char* first;
    /// What came. Valid until the coroutine that awaited it waits for anything, or returns.
    std::span<const char> octets() const {
        return {first, result > 0 ? static_cast<std::size_t>(result) : 0};
    }
};

/// Awaited: a receive or an exchange, and what came.
class [[nodiscard]] Reception : public Completion {
public:
    using Completion::Completion;
    Received await_resume() {
        const std::int64_t result = Completion::await_resume();
        return {result, operation().received_first};
    }
};

/// Awaited: one operation after the other, without a coroutine's frame: for what an idle session
/// holds, and a busy one does all the time. `Steps` has
///
///     std::optional<Request> next();  // nothing: that was all
///     void take(const Operation& ended);
///     R result();
///     Ring& ring();
///     Operation*& in_flight();  // the operation, while it waits
template <class Steps>
class [[nodiscard]] Sequence {
public:
    explicit Sequence(Steps steps) : steps_(std::move(steps)) {}
    Sequence(const Sequence&) = delete;
    Sequence& operator=(const Sequence&) = delete;
    ~Sequence() { ASSERT(steps_.in_flight() != &operation_); }

    bool await_ready() { return has_ended(); }
    void await_suspend(std::coroutine_handle<> waiter) {
        waiter_ = waiter;
        submit();
    }
    auto await_resume() { return steps_.result(); }

private:
    /// False: there is an operation to be submitted.
    bool has_ended() {
        for (;;) {
            const std::optional<Request> request = steps_.next();
            if (!request) return true;
            std::construct_at(&operation_, *request);
            if (!steps_.ring().attempt(operation_)) return false;
            take();
        }
    }
    void submit() {
        operation_.context = this;
        operation_.on_complete = [](Operation& operation) {
            static_cast<Sequence*>(operation.context)->complete();
        };
        steps_.in_flight() = &operation_;
        steps_.ring().submit(operation_);
    }
    void complete() {
        steps_.in_flight() = nullptr;
        take();
        if (!has_ended()) return submit();
        waiter_.resume();  // may destroy this
    }
    void take() {
        steps_.take(operation_);
        std::destroy_at(&operation_);
    }

    std::coroutine_handle<> waiter_;
    Steps steps_;
    union {
        Operation operation_;  // from has_ended() to take()
    };
};

/// `const std::int64_t result = co_await perform(ring, request);`
inline Completion perform(Ring& ring, const Request& request) {
    return Completion(ring, request, nullptr);
}

/// `const Received got = co_await perform_receive(ring, request);`
inline Reception perform_receive(Ring& ring, const Request& request) {
    return Reception(ring, request, nullptr);
}

/// Lets the others of the reactor go on: resumed in its next turn.
inline Completion yield(Ring& ring) { return perform(ring, Request::sleep().until(ring.now())); }

/// The same; while it waits, `in_flight` points to the operation, so that another may
/// Ring::cancel() it.
inline Completion perform(Ring& ring, const Request& request, Operation*& in_flight) {
    return Completion(ring, request, &in_flight);
}

}  // namespace restante
