#pragma once
/// Small blocks that come and go with every command: frames of coroutines, received lines, open
/// messages. A thread keeps a few of each size instead of asking the allocator each time.

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "base/assert.h"

namespace restante {

/// A thread's own: what it allocates is freed by it, too. What it has kept is forgotten when it
/// ends (reactors end with the process), unless it was given back.
class Slab {
public:
    /// Blocks kept of each size: what a crowd had goes back to the allocator. Sanitizers are to see
    /// the end of each.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    static constexpr std::size_t kept_max = 0;
#elif defined(__clang__)
    static constexpr bool is_sanitized =
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
    static constexpr std::size_t kept_max = is_sanitized ? 0 : 16;
#else
    static constexpr std::size_t kept_max = 16;
#endif

    /// At least 1.
    static void* allocate(std::size_t octets) {
        ASSERT(octets > 0);
        const std::size_t size = size_of(octets);
        if (size >= kept_.size()) return ::operator new(octets);
        Shelf& shelf = kept_[size];
        const std::size_t rounded = size * step;
        if (shelf.count == 0) return ::operator new(rounded);
        --shelf.count;
        return std::exchange(shelf.first, shelf.first->next);
    }
    /// `octets` as they were asked for.
    static void free(void* block, std::size_t octets) {
        const std::size_t size = size_of(octets);
        if (size >= kept_.size() || kept_[size].count == kept_max) return ::operator delete(block);
        Shelf& shelf = kept_[size];
        ++shelf.count;
        shelf.first = ::new (block) Block{shelf.first};
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

    /// In steps.
    static std::size_t size_of(std::size_t octets) { return (octets + step - 1) / step; }

    static thread_local std::array<Shelf, sizes> kept_;
};

inline thread_local constinit std::array<Slab::Shelf, Slab::sizes> Slab::kept_{};

/// A base of what `new` makes of a thread's blocks.
struct FromSlab {
    static void* operator new(std::size_t octets) { return Slab::allocate(octets); }
    static void operator delete(void* block, std::size_t octets) { Slab::free(block, octets); }
};

/// Octets of a thread's blocks, or none. No larger than a pointer: idle sessions have one, too.
class SlabOctets {
public:
    static constexpr std::size_t header_octets = sizeof(std::size_t);

    SlabOctets() = default;
    explicit SlabOctets(std::size_t count)
        : count_(static_cast<std::size_t*>(Slab::allocate(header_octets + count))) {
        *count_ = count;
    }
    bool is_held() const { return count_ != nullptr; }
    std::span<char> octets() const { return {reinterpret_cast<char*>(count_.get() + 1), *count_}; }
    void reset() { count_.reset(); }

private:
    struct Free {
        void operator()(std::size_t* count) const { Slab::free(count, header_octets + *count); }
    };
    std::unique_ptr<std::size_t, Free> count_;  // the octets follow
};

template <class T>
struct SlabAllocator {
    using value_type = T;

    T* allocate(std::size_t count) { return static_cast<T*>(Slab::allocate(count * sizeof(T))); }
    void deallocate(T* block, std::size_t count) { Slab::free(block, count * sizeof(T)); }
    friend bool operator==(const SlabAllocator&, const SlabAllocator&) { return true; }
};

/// Of one command: soon gone, longer than a std::string keeps in place.
using BriefString = std::basic_string<char, std::char_traits<char>, SlabAllocator<char>>;

}  // namespace restante
