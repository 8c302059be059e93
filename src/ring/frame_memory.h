#pragma once
/// Memory of coroutine frames. A command takes several and gives them back at once, so a thread
/// keeps a few of each size instead of asking the allocator each time.

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace restante {

/// A thread's own: what it allocates is freed by it, too. What it has kept is forgotten when it
/// ends (reactors end with the process), unless it was given back.
class FrameMemory {
public:
    /// Frames kept of each size: what a crowd had goes back to the allocator. Sanitizers are to see
    /// the end of each.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    static constexpr std::size_t kept_max = 0;
#else
    static constexpr std::size_t kept_max = 16;
#endif

    static void* allocate(std::size_t octets) {
        const std::size_t size = size_of(octets);
        if (size >= kept_.size()) return ::operator new(octets);
        Shelf& shelf = kept_[size];
        const std::size_t rounded = size * step;
        if (shelf.count == 0) return ::operator new(rounded);
        --shelf.count;
        return std::exchange(shelf.first, shelf.first->next);
    }
    static void free(void* frame, std::size_t octets) {
        const std::size_t size = size_of(octets);
        if (size >= kept_.size() || kept_[size].count == kept_max) return ::operator delete(frame);
        Shelf& shelf = kept_[size];
        ++shelf.count;
        shelf.first = ::new (frame) Block{shelf.first};
    }

    /// All that is kept, to the allocator.
    static void give_back() {
        for (Shelf& shelf : kept_) {
            for (; shelf.count > 0; --shelf.count) {
                ::operator delete(std::exchange(shelf.first, shelf.first->next));
            }
        }
    }

private:
    struct Block {
        Block* next;
    };
    struct Shelf {
        Block* first;
        std::size_t count;
    };
    static constexpr std::size_t step = 16;   // octets
    static constexpr std::size_t sizes = 65;  // up to 1,024 octets

    /// In steps, at least 1.
    static std::size_t size_of(std::size_t octets) { return (octets + step - 1) / step; }

    static thread_local std::array<Shelf, sizes> kept_;
};

inline thread_local constinit std::array<FrameMemory::Shelf, FrameMemory::sizes>
    FrameMemory::kept_{};

}  // namespace restante
