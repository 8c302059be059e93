#pragma once
/// Changes to a passwd-file: what is not changed stays byte for byte, and either all of it happens
/// or none.

#include <sys/stat.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "auth/user_name.h"
#include "base/fd.h"

namespace restante {

/// Who is changed, to what.
struct PasswdChange {
    std::string_view user;
    NameMatch match;
    std::string_view password;  ///< "{SCHEME}hash"; not read by without_user()
};

/// Each gives the changed text. Empty: the user is there already.
std::optional<std::string> with_user(std::string_view text, const PasswdChange& change);
/// The first line of the user, which is the one that counts. Empty: there is no such user.
std::optional<std::string> with_password(std::string_view text, const PasswdChange& change);
/// All lines of the user: without the first, the next one would count. Empty: there is no such
/// user.
std::optional<std::string> without_user(std::string_view text, const PasswdChange& change);

/// A passwd-file that nobody else is editing through restante meanwhile: its folder is locked
/// (flock) until the end, since the file itself is replaced.
class PasswdEdit {
public:
    /// Waits a few seconds for another edit. With `may_create`, a file that is not there is empty.
    /// Errors are sentences for the user that name the file.
    static std::expected<PasswdEdit, std::string> open(const std::string& path, bool may_create);
    PasswdEdit(PasswdEdit&&) = default;
    ~PasswdEdit();

    bool exists() const { return before_.has_value(); }
    const std::string& text() const { return text_; }
    /// The file has `text`, durably, with the mode and the owner it had; new ones have 0600. On an
    /// error it is as it was.
    std::expected<void, std::string> replace(std::string_view text);

private:
    PasswdEdit(std::string path, Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
    std::expected<void, std::string> read();
    int write_temporary(const std::string& name, std::string_view text) const;

    std::string path_;
    std::string name_;  // in folder_
    Fd folder_;
    std::optional<struct stat> before_;
    std::string text_;
};

}  // namespace restante
