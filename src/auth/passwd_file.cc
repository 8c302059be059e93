#include "auth/passwd_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "auth/password_scheme.h"
#include "auth/secret_memory.h"
#include "base/assert.h"
#include "base/fd.h"
#include "base/lower_case.h"
#include "base/system_time.h"
#include "ring/blocking_calls.h"

namespace restante {
namespace {

static_assert(sizeof(PasswdOrigin::index_key) == crypto_shorthash_KEYBYTES);

std::unexpected<std::string> cannot_read(const std::string& path, int system_errno) {
    std::string cause = strerrordesc_np(system_errno);
    if (system_errno == ELOOP) cause = "it is a symbolic link; name the file itself";
    if (system_errno == EINVAL) cause = "it is no regular file";
    if (system_errno == EFBIG) cause = "it is larger than 1 GiB";
    if (system_errno == EAGAIN) cause = "it changed while it was read";
    return std::unexpected("cannot read passwd-file " + path + ": " + cause);
}

}  // namespace

PasswdText::PasswdText(std::size_t octets) : size_(octets) {
    if (octets == 0) return;
    octets_ = static_cast<char*>(map_secret_pages(octets));
    ASSERT(octets_ != nullptr);  // out of memory
}

PasswdText::~PasswdText() { unmap_secret_pages(octets_, size_); }

PasswdTable::PasswdTable(PasswdText text, const PasswdOrigin& origin)
    : text_(std::move(text)),
      origin_(origin),
      family_users_(StoredPassword::families),
      family_example_(StoredPassword::families) {
    const std::string_view whole = text_.view();
    ASSERT(whole.size() <= passwd_file_octets_max);
    const auto lines = static_cast<std::uint64_t>(std::ranges::count(whole, '\n')) + 1;
    slots_.resize(std::bit_ceil(lines + lines / 2 + 1));
    PasswdLineReader reader(whole);
    while (const std::optional<PasswdLineReader::Line> line = reader.next()) {
        if (is_passwd_entry(line->text)) add(*line);
    }
}

void PasswdTable::add(const PasswdLineReader::Line& line) {
    const PasswdEntry entry = parse_passwd_line(line.text);
    if (entry.fault != nullptr) add_fault(line, entry.fault);
    if (entry.record.name.empty()) return;

    const std::uint64_t hash = hash_of(entry.record.name);
    const bool is_sound = entry.fault == nullptr && entry.record.may_log_in;
    const Slot slot{.offset = static_cast<std::uint32_t>(line.offset),
                    .is_sound = is_sound,
                    .tag = static_cast<std::uint32_t>(hash >> 32)};
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].offset != Slot::empty) {
        const std::string_view other = line_at(slots_[at].offset);
        if (slots_[at].tag == slot.tag && other.substr(0, other.find(':')) == entry.record.name) {
            add_fault(line, "user has an earlier line, which counts");
            return;
        }
        at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = slot;
    ++user_count_;
    if (entry.fault != nullptr) return;

    has_ids_ = has_ids_ || entry.record.has_ids;
    note_maildrop(entry.record);
    if (!is_sound) return;
    const std::size_t family = StoredPassword::parse(entry.record.password)->family();
    family_users_[family] += 1;
    family_example_[family] = slot.offset;
}

void PasswdTable::note_maildrop(const PasswdRecord& record) {
    if (record.maildrop.empty()) return;
    const bool is_in_home = record.maildrop.starts_with('~');
    const std::string_view path = is_in_home ? record.home : record.maildrop;
    if (own_maildrops_.empty()) own_maildrops_ = path.substr(0, path.rfind('/') + 1);
    const auto [ours, theirs] = std::ranges::mismatch(own_maildrops_, path);
    own_maildrops_.erase(ours, own_maildrops_.end());
    own_maildrops_.resize(own_maildrops_.rfind('/') + 1);
}

void PasswdTable::add_fault(const PasswdLineReader::Line& line, const char* reason) {
    ++fault_count_;
    if (faults_.size() == passwd_faults_kept_max) return;
    faults_.push_back(
        {static_cast<std::uint32_t>(line.number), static_cast<std::uint32_t>(line.offset), reason});
}

/// Of the name in lower case, so that either NameMatch finds it.
std::uint64_t PasswdTable::hash_of(std::string_view name) const {
    const std::string lowered = lower_case(name);
    std::array<unsigned char, crypto_shorthash_BYTES> octets;
    crypto_shorthash(octets.data(), reinterpret_cast<const unsigned char*>(lowered.data()),
                     lowered.size(),
                     reinterpret_cast<const unsigned char*>(origin_.index_key.data()));
    return std::bit_cast<std::uint64_t>(octets);
}

std::string_view PasswdTable::line_at(std::uint32_t offset) const {
    PasswdLineReader reader(text_.view().substr(offset));
    return reader.next()->text;
}

std::optional<PasswdTable::Found> PasswdTable::find(std::string_view name, NameMatch match) const {
    const std::uint64_t hash = hash_of(name);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = hash & (slots_.size() - 1); slots_[at].offset != Slot::empty;
         at = (at + 1) & (slots_.size() - 1)) {
        if (slots_[at].tag != tag) continue;
        const std::string_view line = line_at(slots_[at].offset);
        if (!same_user(line.substr(0, line.find(':')), name, match)) continue;
        if (slots_[at].is_sound) return Found{PasswdEntry{recall_passwd_line(line)}, 0};
        Found found{parse_passwd_line(line), 0};
        const auto fault =
            std::ranges::lower_bound(faults_, slots_[at].offset, {}, &PasswdLineFault::offset);
        if (fault != faults_.end() && fault->offset == slots_[at].offset) found.line = fault->line;
        return found;
    }
    return std::nullopt;
}

std::optional<PasswdRecord> PasswdTable::representative() const {
    const auto most = std::ranges::max_element(family_users_);
    if (*most == 0) return std::nullopt;
    const auto family = static_cast<std::size_t>(most - family_users_.begin());
    return recall_passwd_line(line_at(family_example_[family]));
}

bool PasswdTable::is_settled() const {
    const std::int64_t age = origin_.read_at.nanoseconds - origin_.status.changed.nanoseconds;
    // Further in the future is another machine's clock (NFS), which no waiting would settle.
    return age > file_time_granularity.count() || age < -file_time_granularity.count();
}

std::expected<std::shared_ptr<const PasswdTable>, std::string> load_passwd_table(
    const std::string& path) {
    const int opened =
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) return cannot_read(path, errno);
    const Fd file(opened);
    PasswdOrigin origin;
    origin.read_at = system_time();
    const std::int64_t seen = carry_out(Request::status(file.get(), origin.status));
    if (seen < 0) return cannot_read(path, static_cast<int>(-seen));
    if (origin.status.kind != FileKind::regular) return cannot_read(path, EINVAL);
    if (origin.status.octets > passwd_file_octets_max) return cannot_read(path, EFBIG);

    PasswdText text(origin.status.octets);
    const std::int64_t got = carry_out(Request::read(file.get(), text.space(), 0));
    if (got < 0) return cannot_read(path, static_cast<int>(-got));
    FileStatus after;
    const std::int64_t seen_again = carry_out(Request::status(file.get(), after));
    const bool is_whole = static_cast<std::size_t>(got) == text.view().size();
    if (seen_again < 0 || !is_whole || after != origin.status) return cannot_read(path, EAGAIN);
    if (::getrandom(origin.index_key.data(), origin.index_key.size(), 0) < 0) {
        return cannot_read(path, errno);
    }
    return std::make_shared<const PasswdTable>(std::move(text), origin);
}

void report_passwd_table(const PasswdTable& table, std::string_view path, Log& log) {
    const std::string file(path);
    for (const PasswdLineFault& fault :
         table.faults().first(std::min(table.faults().size(), passwd_faults_logged_max))) {
        log.write(LogLevel::error, file + ":" + std::to_string(fault.line) + ": " + fault.reason);
    }
    if (table.fault_count() > passwd_faults_logged_max) {
        const std::uint64_t more = table.fault_count() - passwd_faults_logged_max;
        log.write(LogLevel::error, file + ": " + std::to_string(more) + " more lines have faults");
    }
    if (table.has_ids()) {
        log.write(LogLevel::warn,
                  file + ": uid and gid are ignored: mail is read as [storage] user");
    }
}

}  // namespace restante
