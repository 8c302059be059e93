#include "cli/passwd_edit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "auth/passwd_file.h"
#include "auth/passwd_line.h"
#include "base/path_parts.h"
#include "base/wipe.h"

namespace restante {
namespace {

constexpr int lock_attempts_max = 50;
constexpr std::chrono::milliseconds lock_pause{100};
constexpr mode_t new_file_mode = 0600;

std::string_view name_of(std::string_view line) { return line.substr(0, line.find(':')); }

bool is_line_of(const PasswdLineReader::Line& line, const PasswdChange& change) {
    return is_passwd_entry(line.text) && same_user(name_of(line.text), change.user, change.match);
}

/// The line with its second field replaced.
std::string line_with_password(const PasswdLineReader::Line& line, std::string_view password) {
    const std::size_t name_end = name_of(line.text).size();
    const std::size_t password_end = line.text.find(':', name_end + 1);
    std::string changed(line.text.substr(0, name_end));
    changed += ':';
    changed += password;
    if (name_end < line.text.size() && password_end != std::string_view::npos) {
        changed += line.text.substr(password_end);
    }
    changed += line.stored.substr(line.text.size());  // its end
    return changed;
}

std::string failure(const std::string& path, const char* what, int system_errno) {
    return path + ": " + what + ": " + strerrordesc_np(system_errno);
}

/// 0 or an errno value.
int write_all(int file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = ::write(file, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return 0;
}

bool lock_folder(int folder) {
    for (int attempt = 0; attempt < lock_attempts_max; ++attempt) {
        if (::flock(folder, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        std::this_thread::sleep_for(lock_pause);
    }
    return false;
}

}  // namespace

std::optional<std::string> with_user(std::string_view text, const PasswdChange& change) {
    std::string_view line_end = "\n";
    PasswdLineReader reader(text);
    while (const std::optional<PasswdLineReader::Line> line = reader.next()) {
        if (is_line_of(*line, change)) return std::nullopt;
        if (line->stored.ends_with('\n')) line_end = line->stored.ends_with("\r\n") ? "\r\n" : "\n";
    }
    std::string changed(text);
    if (!changed.empty() && !changed.ends_with('\n')) changed += line_end;
    changed += change.user;
    changed += ':';
    changed += change.password;
    changed += "::::::";
    changed += line_end;
    return changed;
}

std::optional<std::string> with_password(std::string_view text, const PasswdChange& change) {
    PasswdLineReader reader(text);
    while (const std::optional<PasswdLineReader::Line> line = reader.next()) {
        if (!is_line_of(*line, change)) continue;
        std::string changed(text.substr(0, line->offset));
        changed += line_with_password(*line, change.password);
        changed += text.substr(line->offset + line->stored.size());
        return changed;
    }
    return std::nullopt;
}

std::optional<std::string> without_user(std::string_view text, const PasswdChange& change) {
    std::string changed;
    std::size_t kept_from = 0;
    bool is_found = false;
    PasswdLineReader reader(text);
    while (const std::optional<PasswdLineReader::Line> line = reader.next()) {
        if (!is_line_of(*line, change)) continue;
        changed += text.substr(kept_from, line->offset - kept_from);
        kept_from = line->offset + line->stored.size();
        is_found = true;
    }
    if (!is_found) return std::nullopt;
    changed += text.substr(kept_from);
    return changed;
}

std::expected<PasswdEdit, std::string> PasswdEdit::open(const std::string& path, bool may_create) {
    const auto [folder, name] = split_path(path);
    const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) return std::unexpected(failure(path, "cannot open its folder", errno));
    PasswdEdit edit(path, Fd(opened));
    edit.name_ = name;
    if (!lock_folder(edit.folder_.get())) {
        return std::unexpected(path + ": another edit holds the lock on its folder");
    }
    const std::expected<void, std::string> read = edit.read();
    if (read) return edit;
    if (may_create && errno == ENOENT) return edit;
    return std::unexpected(read.error());
}

PasswdEdit::~PasswdEdit() { wipe(text_); }

/// Leaves errno as the failing call had it.
std::expected<void, std::string> PasswdEdit::read() {
    const int opened =
        ::openat(folder_.get(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (opened < 0 && errno == ELOOP) {
        return std::unexpected(path_ + ": is a symbolic link; name the file itself");
    }
    if (opened < 0) {
        const int cause = errno;
        std::string text = failure(path_, "cannot open", cause);
        errno = cause;
        return std::unexpected(std::move(text));
    }
    const Fd file(opened);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) {
        return std::unexpected(failure(path_, "cannot examine", errno));
    }
    if (!S_ISREG(status.st_mode)) return std::unexpected(path_ + ": is no regular file");
    if (static_cast<std::uint64_t>(status.st_size) > passwd_file_octets_max) {
        return std::unexpected(path_ + ": is larger than 1 GiB");
    }
    text_.resize(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    while (done < text_.size()) {
        const ssize_t got = ::read(file.get(), text_.data() + done, text_.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(failure(path_, "cannot read", errno));
        if (got == 0) return std::unexpected(path_ + ": changed while it was read; try again");
        done += static_cast<std::size_t>(got);
    }
    before_ = status;
    return {};
}

std::expected<void, std::string> PasswdEdit::replace(std::string_view text) {
    const std::string temporary = "." + name_ + ".restante." + std::to_string(::getpid());
    const int failed = write_temporary(temporary, text);
    if (failed == 0 &&
        ::renameat(folder_.get(), temporary.c_str(), folder_.get(), name_.c_str()) == 0) {
        if (::fsync(folder_.get()) == 0) return {};
        return std::unexpected(failure(path_, "changed, but perhaps not on disk", errno));
    }
    const int cause = failed != 0 ? failed : errno;
    ::unlinkat(folder_.get(), temporary.c_str(), 0);
    return std::unexpected(failure(path_, "cannot replace; left as it was", cause));
}

/// 0 or an errno value. The owner first: a change of owner may clear bits of the mode.
int PasswdEdit::write_temporary(const std::string& name, std::string_view text) const {
    const int opened =
        ::openat(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                 new_file_mode);
    if (opened < 0) return errno;
    const Fd file(opened);
    if (before_) {
        if (::fchown(file.get(), before_->st_uid, before_->st_gid) != 0) return errno;
        if (::fchmod(file.get(), before_->st_mode & 07777) != 0) return errno;
    }
    if (const int failed = write_all(file.get(), text)) return failed;
    return ::fsync(file.get()) == 0 ? 0 : errno;
}

}  // namespace restante
