#include "seed_accounts.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "auth/password_scheme.h"
#include "text_file.h"

namespace pop3load {
namespace {

/// The first line of what may be written over.
constexpr std::string_view mark = "# Made by pop3load seed.";

Done check_file(const std::string& path) {
    if (path.empty()) return {};
    std::ifstream file(path);
    if (!file && errno != ENOENT) return cannot("read", path);
    std::string first;
    if (!file || (std::getline(file, first) && first == mark)) return {};
    return std::unexpected(fmt::format(
        "{} is there and was not made by pop3load seed: remove it, or name another file", path));
}

Done write_file(const std::string& path, const std::string& text) {
    const std::expected<void, std::string> written = write_text_file(path, text);
    if (!written) return std::unexpected(fmt::format("cannot write {}: {}", path, written.error()));
    return {};
}

}  // namespace

Done check_account_files(const SeedOptions& options) {
    const Done passwd = check_file(options.passwd_file);
    if (!passwd) return passwd;
    if (!options.passwd_file.empty() && !restante::is_password_scheme(options.scheme)) {
        return std::unexpected(
            fmt::format("there is no password scheme \"{}\": PLAIN and SHA512-CRYPT are usual",
                        options.scheme));
    }
    return check_file(options.users_file);
}

Done write_account_files(const SeedOptions& options, const Users& users) {
    std::string passwd = fmt::format("{}\n", mark);
    std::string names = passwd;
    // One hash for all, whose password is the same: a hash each would take longer than the mail.
    const auto hash = options.passwd_file.empty()
                          ? std::string()
                          : restante::hash_password(options.password, options.scheme);
    if (!hash) {
        return std::unexpected(fmt::format("cannot hash the password with {}: {}", options.scheme,
                                           restante::describe(hash.error())));
    }
    for (std::size_t i = 0; i < users.count(); ++i) {
        if (!options.passwd_file.empty()) passwd += fmt::format("{}:{}\n", users.name(i), *hash);
        names += fmt::format("{} {}\n", users.name(i), users.password(i));
    }
    if (!options.passwd_file.empty()) {
        const Done written = write_file(options.passwd_file, passwd);
        if (!written) return written;
    }
    return options.users_file.empty() ? Done() : write_file(options.users_file, names);
}

}  // namespace pop3load
