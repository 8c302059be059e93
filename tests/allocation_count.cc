#include "allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::ptrdiff_t> blocks_held{0};
std::atomic<std::ptrdiff_t> octets_held{0};
std::atomic<std::ptrdiff_t> blocks_given{0};

/// In front of each block: how long it is.
constexpr std::size_t header_octets = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

void* operator new(std::size_t size) {
    void* block = std::malloc(header_octets + size);
    if (block == nullptr) std::abort();
    *static_cast<std::size_t*>(block) = size;
    ++blocks_held;
    ++blocks_given;
    octets_held += static_cast<std::ptrdiff_t>(size);
    return static_cast<char*>(block) + header_octets;
}

void operator delete(void* given) noexcept {
    if (given == nullptr) return;
    void* block = static_cast<char*>(given) - header_octets;
    --blocks_held;
    octets_held -= static_cast<std::ptrdiff_t>(*static_cast<std::size_t*>(block));
    std::free(block);
}

void operator delete(void* given, std::size_t) noexcept { operator delete(given); }

// Where there is a sanitizer, those it has do not call those above.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* given, const std::nothrow_t&) noexcept { operator delete(given); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* given) noexcept { operator delete(given); }
void operator delete[](void* given, std::size_t) noexcept { operator delete(given); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return operator new(size);
}
void operator delete[](void* given, const std::nothrow_t&) noexcept { operator delete(given); }

namespace restante {

std::ptrdiff_t AllocationCount::all_blocks() { return blocks_held; }
std::ptrdiff_t AllocationCount::all_octets() { return octets_held; }
std::ptrdiff_t AllocationCount::all_given() { return blocks_given; }

}  // namespace restante
