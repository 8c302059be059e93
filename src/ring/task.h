#pragma once
/// Coroutines: Task<T>, and how to await a Request. The only file that includes <coroutine>.
///
/// House rule (g++ 12 mistreats temporaries elsewhere): `co_await` is the whole right-hand side of
/// a named variable, or a whole statement; never inside an argument, `?:`, a structured binding or
/// a lambda.
///
///     const std::int64_t got = co_await perform(ring, Request::receive(socket, space));
///     Result<Handle> file = co_await open_message(number);

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <list>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "ring/operation.h"
#include "ring/ring.h"

namespace restante {

template <class T>
class Task;

namespace task_internal {

/// What promises of every T share: who waits, and how it is told.
class PromiseBase {
public:
    /// Runs when the body has ended. A waiter that is suspended is resumed; one that is still
    /// inside await_suspend() (the body never waited) goes on by itself, so a loop of such awaits
    /// needs no stack.
    struct FinalAwaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            PromiseBase& promise = ended.promise();
            promise.done_ = true;
            // Either call may destroy the frame that this runs in: nothing of it is touched
            // afterwards.
            if (promise.waiter_suspended_) {
                promise.waiter_.resume();
            } else if (promise.on_done_ != nullptr) {
                promise.on_done_(promise.on_done_context_);
            }
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
    std::coroutine_handle<> waiter_;
    void (*on_done_)(void*) = nullptr;
    void* on_done_context_ = nullptr;
    bool waiter_suspended_ = false;
    bool done_ = false;
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
        promise_type& promise = frame_.promise();
        promise.waiter_ = waiter;
        frame_.resume();
        if (promise.done_) return false;
        promise.waiter_suspended_ = true;
        return true;
    }
    T await_resume() { return frame_.promise().take(); }

    /// For a root, which nobody awaits: runs it to its first wait. `on_done(context)` is called
    /// when it has ended, possibly before this returns, and may destroy the Task.
    void start(void (*on_done)(void*), void* context) {
        frame_.promise().on_done_ = on_done;
        frame_.promise().on_done_context_ = context;
        frame_.resume();
    }
    bool is_done() const { return frame_.promise().done_; }
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
        : ring_(ring), operation_(request), in_flight_(in_flight), refused_(refused) {
        operation_.result = -ECANCELED;
    }
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    bool await_ready() { return refused_ || ring_.attempt(operation_); }
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

private:
    Ring& ring_;
    Operation operation_;
    Operation** in_flight_;
    const bool refused_;
};

/// `const std::int64_t result = co_await perform(ring, request);`
inline Completion perform(Ring& ring, const Request& request) {
    return Completion(ring, request, nullptr);
}

/// Lets the others of the reactor go on: resumed in its next turn.
inline Completion yield(Ring& ring) { return perform(ring, Request::sleep().until(ring.now())); }

/// The same; while it waits, `in_flight` points to the operation, so that another may
/// Ring::cancel() it.
inline Completion perform(Ring& ring, const Request& request, Operation*& in_flight) {
    return Completion(ring, request, &in_flight);
}

}  // namespace restante
