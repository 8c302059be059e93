#include "auth/secret_memory.h"

#include <sodium.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace restante {
namespace {

void feed(crypto_generichash_state& state, std::string_view text) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(text.data()),
                              text.size());
}

}  // namespace

// Without huge pages a server of few users holds a few pages. Of all three, failing costs nothing
// but what it is for.
void* map_secret_pages(std::size_t octets) {
    constexpr int access = PROT_READ | PROT_WRITE;
    void* mapped = ::mmap(nullptr, octets, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    for (const int advice : {MADV_DONTDUMP, MADV_WIPEONFORK, MADV_NOHUGEPAGE}) {
        ::madvise(mapped, octets, advice);
    }
    return mapped;
}

void unmap_secret_pages(void* pages, std::size_t octets) {
    if (pages == nullptr) return;
    explicit_bzero(pages, octets);
    ::munmap(pages, octets);
}

// Waits for entropy at boot; so few octets are never cut short.
int TagKey::make() {
    const ssize_t got = ::getrandom(octets.data(), octets.size(), 0);
    if (got < 0) return errno;
    return got == static_cast<ssize_t>(octets.size()) ? 0 : EIO;
}

TagKey::Tag TagKey::tag_of(std::initializer_list<std::string_view> parts) const {
    static_assert(crypto_generichash_KEYBYTES == sizeof octets);
    static_assert(sizeof(Tag) == crypto_generichash_BYTES);
    crypto_generichash_state state;
    crypto_generichash_init(&state, octets.data(), octets.size(), sizeof(Tag));
    for (const std::string_view part : parts) {
        const std::uint64_t length = part.size();
        feed(state, {reinterpret_cast<const char*>(&length), sizeof length});
        feed(state, part);
    }
    Tag tag;
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(tag.data()), sizeof tag);
    explicit_bzero(&state, sizeof state);  // it holds the secret
    return tag;
}

}  // namespace restante
