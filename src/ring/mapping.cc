#include "ring/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/assert.h"

namespace restante {

bool mend_mapping_at(const void* address);

namespace {

std::size_t page_size() {
    static const auto octets = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return octets;
}

/// What the signal handler has to go by: the mappings of the thread that it interrupts.
thread_local Mapping* mappings_of_thread = nullptr;

// Only what may be called in a handler of a synchronous signal: mmap(2) is a bare system call.
void mend_or_die(int signal, siginfo_t* info, void*) {
    const int error = errno;
    if (!mend_mapping_at(info->si_addr)) ::signal(signal, SIG_DFL);  // ends at the next attempt
    errno = error;
}

}  // namespace

int Mapping::map(int file, std::uint64_t offset, std::size_t octets) {
    ASSERT(octets > 0);
    reset();
    const std::size_t before = offset % page_size();
    void* mapped = ::mmap(nullptr, before + octets, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file,
                          static_cast<off_t>(offset - before));
    if (mapped == MAP_FAILED) return -errno;
    pages_ = static_cast<char*>(mapped);
    page_octets_ = (before + octets + page_size() - 1) / page_size() * page_size();
    first_ = pages_ + before;
    octets_ = octets;
    next_ = std::exchange(mappings_of_thread, this);
    return 0;
}

void Mapping::hold(std::vector<char> octets) {
    reset();
    held_ = std::move(octets);
    first_ = held_.data();
    octets_ = held_.size();
}

void Mapping::reset() {
    if (pages_ != nullptr) {
        Mapping** link = &mappings_of_thread;
        while (*link != this) link = &(*link)->next_;
        *link = next_;
        ::munmap(pages_, page_octets_);
        pages_ = nullptr;
    }
    held_.clear();
    first_ = nullptr;
    octets_ = 0;
    is_intact_ = true;
}

/// False: the address is in no mapping of this thread.
bool mend_mapping_at(const void* address) {
    const auto* octet = static_cast<const char*>(address);
    for (Mapping* mapping = mappings_of_thread; mapping != nullptr; mapping = mapping->next_) {
        if (!mapping->contains(octet)) continue;
        const auto into_page = static_cast<std::size_t>(octet - mapping->pages_) % page_size();
        char* page = const_cast<char*>(octet) - into_page;
        const void* zeros =
            ::mmap(page, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        mapping->is_intact_ = false;
        return zeros != MAP_FAILED;
    }
    return false;
}

void guard_mappings() {
    struct sigaction action {};
    action.sa_sigaction = mend_or_die;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    ASSERT(::sigaction(SIGBUS, &action, nullptr) == 0);
}

}  // namespace restante
