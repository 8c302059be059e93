#include "ring/helper_pool.h"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "ring/blocking_calls.h"

namespace restante {
namespace {

/// 15 octets at most.
constexpr std::array<const char*, helper_kinds> thread_names = {"files", "hashing", "far files",
                                                                "tokens"};

}  // namespace

void OperationQueue::push(Operation& operation) {
    operation.queue_next = nullptr;
    if (last_ != nullptr) {
        last_->queue_next = &operation;
    } else {
        first_ = &operation;
    }
    last_ = &operation;
    ++size_;
}

Operation* OperationQueue::pop() {
    Operation* operation = first_;
    if (operation == nullptr) return nullptr;
    first_ = operation->queue_next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return operation;
}

void HelperReturn::push(Operation& operation) {
    // Locked until the end: once the reactor has the operation it may end, and this with it.
    const std::lock_guard lock(mutex_);
    const bool was_empty = finished_.size() == 0;
    finished_.push(operation);
    const std::uint64_t one = 1;
    // Cannot fail: an eventfd that is not read overflows after 2^64 - 2 writes.
    if (was_empty) [[maybe_unused]]
        const ssize_t written = ::write(event_fd_, &one, sizeof one);
}

OperationQueue HelperReturn::take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(finished_, OperationQueue());
}

HelperPool::HelperPool(std::array<Size, helper_kinds> sizes) {
    for (std::size_t i = 0; i < helper_kinds; ++i) {
        kinds_[i].thread_name = thread_names[i];
        kinds_[i].queue_max = sizes[i].queue_max;
        kinds_[i].threads_max = sizes[i].threads_max;
        for (std::size_t n = 0; n < sizes[i].threads; ++n) ASSERT(add_thread(kinds_[i]));
    }
}

bool HelperPool::add_thread(Kind& kind) {
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, work, &kind) != 0) return false;
    kind.threads.push_back(thread);
    return true;
}

void* HelperPool::work(void* context) {
    Kind& kind = *static_cast<Kind*>(context);
    ::pthread_setname_np(::pthread_self(), kind.thread_name);
    work(kind);
    return nullptr;
}

HelperPool::~HelperPool() {
    for (Kind& kind : kinds_) {
        const std::lock_guard lock(kind.mutex);
        ASSERT(kind.waiting.size() == 0);
        kind.stopping = true;
        kind.not_empty.notify_all();
    }
    for (Kind& kind : kinds_) {
        for (const pthread_t thread : kind.threads) ::pthread_join(thread, nullptr);
    }
}

bool HelperPool::submit(Operation& operation, HelperReturn& to) {
    const bool offloaded = operation.request.kind == Request::Kind::offload;
    const HelperKind of_files = operation.is_far ? HelperKind::far_files : HelperKind::files;
    const HelperKind helper = offloaded ? operation.request.helper : of_files;
    Kind& kind = kinds_[static_cast<std::size_t>(helper)];
    operation.return_to = &to;
    const std::lock_guard lock(kind.mutex);
    if (kind.waiting.size() >= kind.queue_max) return false;
    kind.waiting.push(operation);
    const bool has_free = kind.idle >= kind.waiting.size();
    // Where there can be no more threads it waits for one of those there are.
    if (!has_free && kind.threads.size() < kind.threads_max) add_thread(kind);
    kind.not_empty.notify_one();
    return true;
}

void HelperPool::work(Kind& kind) {
    std::unique_lock lock(kind.mutex);
    for (;;) {
        ++kind.idle;
        kind.not_empty.wait(lock, [&kind] { return kind.stopping || kind.waiting.size() > 0; });
        --kind.idle;
        Operation* operation = kind.waiting.pop();
        if (operation == nullptr) return;  // stopping
        lock.unlock();
        operation->result = carry_out(operation->request, operation->progress);
        if (operation->finds_place && operation->result >= 0)
            operation->is_far = lies_far(static_cast<int>(operation->result));
        operation->return_to->push(*operation);
        lock.lock();
    }
}

std::array<HelperPool::Size, helper_kinds> default_helper_sizes() {
    constexpr std::size_t file_threads = 8;  // they wait for disks, not for cores
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    constexpr std::size_t file_threads_max = 64;  // one disk may be slow, and the others not
    constexpr std::size_t far_threads_max = 256;
    constexpr std::size_t token_threads_max = 64;
    return {{{file_threads, file_threads_max, 64 * 1024},
             {cores, cores, 1024},
             {1, far_threads_max, 64 * 1024},
             {1, token_threads_max, 1024}}};
}

}  // namespace restante
