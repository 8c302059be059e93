/// `restante hash`: a password's stored form, to be put into a user database.

#include <cstdio>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "auth/password_scheme.h"
#include "cli/commands.h"
#include "cli/password_input.h"

namespace restante {
namespace {

constexpr const char* hash_description =
    "Print {SCHEME}hash of a password, for a passwd-file or another user database\n\n"
    "Examples:\n"
    "  restante hash                           ask for a password\n"
    "  restante hash --scheme ARGON2ID         with another scheme\n"
    "  printf '%s' \"$SECRET\" | restante hash   from standard input\n"
    "  restante hash --list                    every scheme\n";

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

}  // namespace

void add_hash_command(CLI::App& app, int& exit_code) {
    struct Options {
        std::string scheme{default_password_scheme};
        bool list = false;
    };
    const auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("hash", hash_description);
    command->add_option("--scheme", options->scheme, "how to store it")->capture_default_str();
    command->add_flag("--list", options->list, "print the names of the schemes");
    command->callback([options, &exit_code] {
        exit_code = options->list ? print_schemes() : print_hash(options->scheme);
    });
}

}  // namespace restante
