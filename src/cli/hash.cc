/// `restante hash`: a password's stored form, to be put into a user database.

#include <cstdio>
#include <expected>
#include <string>
#include <string_view>

#include "auth/password_scheme.h"
#include "cli/commands.h"
#include "cli/password_input.h"

namespace restante {

int print_schemes() {
    for (const std::string_view name : password_scheme_names()) {
        const char* remark = name == default_password_scheme ? "  (default)" : "";
        std::printf("%.*s%s\n", static_cast<int>(name.size()), name.data(), remark);
    }
    return exit_ok;
}

int print_hash(const std::string& scheme) {
    if (!is_password_scheme(scheme)) {
        std::fprintf(stderr, "restante hash: --scheme %s: %s (restante hash --list)\n",
                     scheme.c_str(), describe(PasswordFault::unknown_scheme));
        return exit_usage;
    }
    const std::expected<Secret, std::string> password = read_password("Password", true);
    if (!password) {
        std::fprintf(stderr, "restante hash: %s\n", password.error().c_str());
        return exit_failed;
    }
    const std::expected<std::string, PasswordFault> made = hash_password(password->text(), scheme);
    if (!made) {
        std::fprintf(stderr, "restante hash: %s: %s\n", scheme.c_str(), describe(made.error()));
        return exit_failed;
    }
    std::printf("%s\n", made->c_str());
    return exit_ok;
}

}  // namespace restante
