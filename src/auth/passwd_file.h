#pragma once
/// A passwd-file in memory, made for millions of users: its text in one block, and a hash index of
/// 12 to 24 octets a user. Lines are parsed again when they are found.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/passwd_line.h"
#include "auth/user_name.h"
#include "base/clock.h"
#include "base/log.h"
#include "ring/file_types.h"

namespace restante {

/// Largest file that is read, octets; offsets are 32 bits.
inline constexpr std::uint64_t passwd_file_octets_max = std::uint64_t{1} << 30;
/// Faults that are remembered with their lines; the others are counted.
inline constexpr std::size_t passwd_faults_kept_max = 1000;
/// Faults that are logged when a file is read.
inline constexpr std::size_t passwd_faults_logged_max = 20;

/// A file's octets, which may be passwords: in pages of their own, left out of core dumps and wiped
/// at the end. Move-only.
class PasswdText {
public:
    PasswdText() = default;
    /// Filled with 0.
    explicit PasswdText(std::size_t octets);
    PasswdText(PasswdText&& other) noexcept
        : octets_(std::exchange(other.octets_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    PasswdText& operator=(PasswdText&&) = delete;
    ~PasswdText();

    std::span<char> space() { return {octets_, size_}; }
    std::string_view view() const { return {octets_, size_}; }

private:
    char* octets_ = nullptr;  // a mapping
    std::size_t size_ = 0;
};

/// Where a text came from, and a random key for the index: users may be called what strangers
/// chose.
struct PasswdOrigin {
    FileStatus status;
    WallTime read_at;
    std::array<std::byte, 16> index_key{};
};

/// A line that cannot be used.
struct PasswdLineFault {
    std::uint32_t line;
    std::uint32_t offset;
    const char* reason;  ///< a literal
};

/// Immutable: many threads may read it.
class PasswdTable {
public:
    /// Blocks for about a second per million lines. At most passwd_file_octets_max octets.
    PasswdTable(PasswdText text, const PasswdOrigin& origin);

    struct Found {
        PasswdEntry entry;       ///< views into the table
        std::uint64_t line = 0;  ///< of an entry with a fault; 0 = not remembered
    };
    /// The first line of that user. `name` is a canonical_user_name().
    std::optional<Found> find(std::string_view name, NameMatch match) const;
    /// A user whose password costs what most cost to verify; nullopt where there are no usable
    /// ones.
    std::optional<PasswdRecord> representative() const;

    std::uint64_t user_count() const { return user_count_; }
    std::span<const PasswdLineFault> faults() const { return faults_; }
    std::uint64_t fault_count() const { return fault_count_; }
    bool has_ids() const { return has_ids_; }
    /// The nearest folder above all maildrops that users have of their own (userdb_mail); "" where
    /// nobody has.
    const std::string& own_maildrops() const { return own_maildrops_; }
    const FileStatus& status() const { return origin_.status; }
    /// The file had been left alone for long enough that its status shows every later change.
    bool is_settled() const;

private:
    struct Slot {
        static constexpr std::uint32_t empty = UINT32_MAX >> 1;
        std::uint32_t offset : 31 = empty;  // of the line
        std::uint32_t is_sound : 1 = 0;     // no fault, and the user may log in
        std::uint32_t tag = 0;              // of the name's hash
    };
    static_assert(passwd_file_octets_max < Slot::empty);
    void add(const PasswdLineReader::Line& line);
    void note_maildrop(const PasswdRecord& record);
    void add_fault(const PasswdLineReader::Line& line, const char* reason);
    std::uint64_t hash_of(std::string_view name) const;
    std::string_view line_at(std::uint32_t offset) const;

    PasswdText text_;
    PasswdOrigin origin_;
    std::vector<Slot> slots_;  // a power of two, at most two thirds full
    std::vector<PasswdLineFault> faults_;
    std::vector<std::uint64_t> family_users_;    // by StoredPassword::family()
    std::vector<std::uint32_t> family_example_;  // offset of a line
    std::uint64_t user_count_ = 0;
    std::uint64_t fault_count_ = 0;
    bool has_ids_ = false;
    std::string own_maildrops_;
};

/// Reads `path`, a regular file, with plain system calls: for start-up and the command line, never
/// on a reactor. The error is a sentence for an operator that names the file.
std::expected<std::shared_ptr<const PasswdTable>, std::string> load_passwd_table(
    const std::string& path);

/// What an operator should know after a load: faults as "PATH:LINE: reason", ids that are ignored.
void report_passwd_table(const PasswdTable& table, std::string_view path, Log& log);

}  // namespace restante
