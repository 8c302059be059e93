#pragma once
/// A part of a file in memory, read-only, safe to read although other programs may truncate the
/// file.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace restante {

/// Has an address: the signal handler knows it. Belongs to the thread that filled it.
///
/// Reading a page of a mapping that its file does not reach any more raises SIGBUS. The guard
/// (guard_mappings()) puts zeros in the page's place and notes it: who has read asks is_intact()
/// afterwards.
class Mapping {
public:
    Mapping() = default;  ///< empty
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    std::span<const char> octets() const { return {first_, octets_}; }
    /// Everything that was read so far was the file's.
    bool is_intact() const { return is_intact_; }
    void reset();

    /// `octets` (at least 1) of `file` from `offset`, which the file must reach; the page tables
    /// are filled in at once. 0, or -errno and it is empty.
    int map(int file, std::uint64_t offset, std::size_t octets);
    /// A copy instead of a file's part: what a simulator maps.
    void hold(std::vector<char> octets);

private:
    friend bool mend_mapping_at(const void* address);
    bool contains(const char* address) const {
        return address >= pages_ && address < pages_ + page_octets_;
    }

    const char* first_ = nullptr;
    std::size_t octets_ = 0;
    char* pages_ = nullptr;  // where first_ lies, page-aligned; nullptr: held, or empty
    std::size_t page_octets_ = 0;
    std::vector<char> held_;
    volatile bool is_intact_ = true;  // written by the signal handler
    Mapping* next_ = nullptr;         // of this thread's
};

/// Installs the handler of SIGBUS, for the whole process; may be called again.
void guard_mappings();

}  // namespace restante
