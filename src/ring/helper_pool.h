#pragma once
/// Threads for what would block a reactor.

#include <pthread.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "ring/operation.h"

namespace restante {

/// Operations in the order in which they were put in. Owns none.
class OperationQueue {
public:
    void push(Operation& operation);
    Operation* pop();  ///< nullptr when empty
    std::size_t size() const { return size_; }

private:
    Operation* first_ = nullptr;
    Operation* last_ = nullptr;
    std::size_t size_ = 0;
};

/// Where finished operations wait for their reactor; one a ring. The eventfd becomes readable with
/// the first.
class HelperReturn {
public:
    explicit HelperReturn(int event_fd) : event_fd_(event_fd) {}
    void push(Operation& operation);  ///< any thread
    OperationQueue take_all();        ///< the reactor's thread

private:
    std::mutex mutex_;
    OperationQueue finished_;
    int event_fd_;
};

/// A bounded queue and some threads for each HelperKind, shared by all reactors. A kind gets one
/// more thread, up to its limit, when an operation finds none free; threads stay until the end.
/// Helpers never touch a reactor's ring.
class HelperPool {
public:
    struct Size {
        std::size_t threads;      ///< from the beginning
        std::size_t threads_max;  ///< at most, where all are busy
        std::size_t queue_max;    ///< operations waiting, beyond those being worked at
    };

    explicit HelperPool(std::array<Size, helper_kinds> sizes);
    /// Every operation that was submitted must have completed.
    ~HelperPool();

    /// False: the queue is full. Otherwise `operation` comes back through `to` with its result.
    bool submit(Operation& operation, HelperReturn& to);

private:
    struct Kind {
        const char* thread_name = nullptr;  // as top -H and perf show it
        std::vector<pthread_t> threads;
        std::size_t threads_max = 0;
        std::size_t idle = 0;
        std::mutex mutex;
        std::condition_variable not_empty;
        OperationQueue waiting;
        std::size_t queue_max = 0;
        bool stopping = false;
    };
    static bool add_thread(Kind& kind);
    static void* work(void* context);
    static void work(Kind& kind);

    std::array<Kind, helper_kinds> kinds_;
};

/// A few threads for files, one a core for hashing; for far files, which may all wait for one
/// machine that does not answer, many. Queues of 64 Ki operations, 1 Ki for hashing.
std::array<HelperPool::Size, helper_kinds> default_helper_sizes();

}  // namespace restante
