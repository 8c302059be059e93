/// `restante passwd`: the users of a passwd-file.

#include <cstdio>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "auth/passwd_file.h"
#include "auth/passwd_line.h"
#include "auth/password_scheme.h"
#include "auth/user_name.h"
#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/passwd_edit.h"
#include "cli/password_input.h"
#include "server/config.h"

namespace restante {
namespace {

/// The file a command works on, and how its names are written.
struct Target {
    std::string path;
    UserNameRules rules;
};

void complain(const std::string& sentence) {
    std::fprintf(stderr, "restante passwd: %s\n", sentence.c_str());
}

int fail(const std::string& sentence) {
    complain(sentence);
    return exit_failed;
}

/// The only place that asks for the configuration. Empty: it has been complained about.
std::optional<Target> find_target(const PasswdOptions& options) {
    if (!options.file.empty()) {
        return Target{options.file, {.default_domain = "", .match = NameMatch::exact}};
    }
    const std::expected<Config, ConfigErrors> config = load_config(options.config);
    if (!config) {
        for (const std::string& error : config.error()) complain(error);
        complain("or name the passwd-file with --file");
        return std::nullopt;
    }
    const bool is_lower = config->auth.username_case == UsernameCase::lower;
    return Target{
        config->auth.backend.path,
        {config->auth.default_domain, is_lower ? NameMatch::ignore_case : NameMatch::exact}};
}

std::expected<std::string, std::string> ask_for_hash(const PasswdOptions& options,
                                                     const std::string& user) {
    const std::expected<Secret, std::string> password =
        read_password("New password of " + user, true);
    if (!password) return std::unexpected(password.error());
    std::expected<std::string, PasswordFault> made =
        hash_password(password->text(), options.scheme);
    if (!made) return std::unexpected(options.scheme + ": " + describe(made.error()));
    return std::move(*made);
}

/// The file is locked only once the password is known: nobody waits for somebody typing.
int change_user(const Target& target, const std::string& user, PasswdAction change,
                const std::string& hash) {
    std::expected<PasswdEdit, std::string> edit =
        PasswdEdit::open(target.path, change == PasswdAction::add);
    if (!edit) return fail(edit.error());
    const PasswdChange wanted{user, target.rules.match, hash};
    std::optional<std::string> changed =
        change == PasswdAction::add   ? with_user(edit->text(), wanted)
        : change == PasswdAction::set ? with_password(edit->text(), wanted)
                                      : without_user(edit->text(), wanted);
    if (!changed && change == PasswdAction::add) {
        return fail(user + " is in " + target.path + " already (passwd set)");
    }
    if (!changed) return fail(user + " is not in " + target.path);
    const bool is_new = !edit->exists();
    const std::expected<void, std::string> replaced = edit->replace(*changed);
    wipe(*changed);
    if (!replaced) return fail(replaced.error());
    if (is_new) {
        std::fprintf(stderr,
                     "%s: made, with mode 0600: the server's user ([storage] user) must be able to "
                     "read it\n",
                     target.path.c_str());
    }
    return exit_ok;
}

int verify_user(const Target& target, const std::string& user) {
    const auto table = load_passwd_table(target.path);
    if (!table) return fail(table.error());
    const std::optional<PasswdTable::Found> found = (*table)->find(user, target.rules.match);
    if (!found) return fail(user + " is not in " + target.path);
    if (found->entry.fault != nullptr) {
        return fail(target.path + ":" + std::to_string(found->line) + ": " + found->entry.fault);
    }
    const std::expected<Secret, std::string> password = read_password("Password of " + user, false);
    if (!password) return fail(password.error());
    const auto matches = verify_password(password->text(), found->entry.record.password);
    if (!matches) return fail(describe(matches.error()));
    if (!*matches) return fail("wrong password");
    if (!found->entry.record.may_log_in) {
        return fail("the password is right, but the user may not log in (nologin)");
    }
    std::puts("the password is right");
    return exit_ok;
}

std::string_view scheme_of(const PasswdEntry& entry) {
    const std::expected<StoredPassword, PasswordFault> stored =
        StoredPassword::parse(entry.record.password);
    return stored ? stored->scheme_name() : "?";
}

std::string json_entry(const PasswdEntry& entry, std::uint64_t line) {
    const PasswdRecord& record = entry.record;
    std::string text =
        "{\"user\":" + json_string(record.name) + ",\"line\":" + std::to_string(line);
    if (entry.fault != nullptr) return text + ",\"fault\":" + json_string(entry.fault) + "}";
    text += ",\"scheme\":" + json_string(scheme_of(entry)) +
            ",\"home\":" + json_string(record.home) +
            ",\"maildrop\":" + json_string(record.maildrop_path()) +
            ",\"may_log_in\":" + (record.may_log_in ? "true" : "false") + "}";
    return text;
}

std::string plain_entry(const PasswdEntry& entry, std::uint64_t line) {
    const std::string name = entry.record.name.empty() ? "?" : std::string(entry.record.name);
    if (entry.fault != nullptr) {
        return name + "\t?\tline " + std::to_string(line) + ": " + entry.fault;
    }
    return name + "\t" + std::string(scheme_of(entry)) +
           (entry.record.may_log_in ? "" : "\tnologin");
}

/// In the order of the file, lines with faults included.
int list_users(const Target& target, bool json) {
    const std::expected<PasswdEdit, std::string> file = PasswdEdit::open(target.path, false);
    if (!file) return fail(file.error());
    PasswdLineReader reader(file->text());
    const char* separator = "[\n";
    while (const std::optional<PasswdLineReader::Line> line = reader.next()) {
        if (!is_passwd_entry(line->text)) continue;
        const PasswdEntry entry = parse_passwd_line(line->text);
        const std::string text = json ? separator + json_entry(entry, line->number)
                                      : plain_entry(entry, line->number) + "\n";
        std::fwrite(text.data(), 1, text.size(), stdout);
        separator = ",\n";
    }
    if (json) std::fputs(*separator == '[' ? "[]\n" : "\n]\n", stdout);
    return std::fflush(stdout) == 0 ? exit_ok : exit_failed;
}

}  // namespace

int edit_passwd(const PasswdOptions& options, PasswdAction action) {
    if (!is_password_scheme(options.scheme)) {
        complain("--scheme " + options.scheme + ": " + describe(PasswordFault::unknown_scheme) +
                 " (restante hash --list)");
        return exit_usage;
    }
    const std::optional<Target> target = find_target(options);
    if (!target) return exit_usage;
    const std::optional<std::string> user = canonical_user_name(options.user, target->rules);
    if (!user) {
        complain(
            "a user name has 1 to 255 octets of printable ASCII without / and :, and starts with "
            "neither . nor #");
        return exit_usage;
    }
    if (action == PasswdAction::verify) return verify_user(*target, *user);
    if (action == PasswdAction::remove) return change_user(*target, *user, action, "");
    const std::expected<std::string, std::string> hash = ask_for_hash(options, *user);
    if (!hash) return fail(hash.error());
    return change_user(*target, *user, action, *hash);
}

int list_passwd(const PasswdOptions& options) {
    const std::optional<Target> target = find_target(options);
    return target ? list_users(*target, options.json) : exit_usage;
}

}  // namespace restante
