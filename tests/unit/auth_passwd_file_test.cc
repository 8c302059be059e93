#include "auth/passwd_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace std::string_literals;

namespace restante {
namespace {

PasswdTable table_of(std::string_view content) {
    PasswdText text(content.size());
    std::ranges::copy(content, text.space().begin());
    return PasswdTable(std::move(text), PasswdOrigin{});
}

PasswdEntry entry_of(const PasswdTable& table, std::string_view user) {
    const auto found = table.find(user, NameMatch::exact);
    REQUIRE(found.has_value());
    return found->entry;
}

std::string password_of(const PasswdTable& table, std::string_view user) {
    return std::string(entry_of(table, user).record.password);
}

std::string fault_of_line(std::string_view line) {
    const char* fault = parse_passwd_line(line).fault;
    return fault != nullptr ? fault : "";
}

class MemoryLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return true; }
    void write(LogLevel, std::string_view message) override { lines.emplace_back(message); }
    std::vector<std::string> lines;
};

/// Made in a new folder of its own, removed at the end.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view content) {
        char folder[] = "/tmp/passwd-file-test-XXXXXX";
        REQUIRE(::mkdtemp(folder) != nullptr);
        folder_ = folder;
        path_ = folder_ + "/users";
        std::FILE* file = std::fopen(path_.c_str(), "w");
        REQUIRE(file != nullptr);
        std::fwrite(content.data(), 1, content.size(), file);
        std::fclose(file);
    }
    ~TemporaryFile() {
        ::unlink(path_.c_str());
        ::rmdir(folder_.c_str());
    }
    const std::string& path() const { return path_; }
    const std::string& folder() const { return folder_; }

private:
    std::string folder_;
    std::string path_;
};

}  // namespace

TEST_CASE("passwd-file: all fields of a line") {
    const PasswdTable table = table_of(
        "mrose:{PLAIN}tanstaaf:1000:100:Marshall Rose:/home/mrose:/bin/sh:"
        "userdb_quota=1G userdb_mail=maildir:/var/vmail/mrose:INDEX=/x nologin\n");
    const PasswdRecord record = entry_of(table, "mrose").record;
    CHECK(entry_of(table, "mrose").fault == nullptr);
    CHECK(record.name == "mrose");
    CHECK(record.password == "{PLAIN}tanstaaf");
    CHECK(record.home == "/home/mrose");
    CHECK(record.maildrop_path() == "/var/vmail/mrose");
    CHECK_FALSE(record.may_log_in);
    CHECK(table.has_ids());
}

TEST_CASE("passwd-file: fields after the password may be missing, and values may hold = and :") {
    CHECK(password_of(table_of("a:{PLAIN}x"), "a") == "{PLAIN}x");
    const PasswdTable table =
        table_of("a:{PLAIN}x=y::::/h::userdb_home=/other userdb_mail=maildir:~/Mail\n");
    CHECK(entry_of(table, "a").record.home == "/other");
    CHECK(entry_of(table, "a").record.maildrop_path() == "/other/Mail");
    CHECK(entry_of(table, "a").record.may_log_in);
    CHECK_FALSE(table.has_ids());
}

TEST_CASE(
    "passwd-file: comments, blank lines, CRLF, a byte order mark and a missing last line end") {
    const PasswdTable table =
        table_of("\xEF\xBB\xBF"s + "a:{PLAIN}1\r\n\r\n# b:{PLAIN}2\n \t\n\nc:{PLAIN}3");
    CHECK(table.user_count() == 2);
    CHECK(table.fault_count() == 0);
    CHECK(password_of(table, "a") == "{PLAIN}1");
    CHECK(password_of(table, "c") == "{PLAIN}3");
    CHECK_FALSE(table.find("b", NameMatch::exact).has_value());
    CHECK_FALSE(table.find("# b", NameMatch::exact).has_value());
}

TEST_CASE("passwd-file: an empty file, and one of comments, have no users") {
    for (const std::string_view content : {"", "\n", "# nobody\n"}) {
        const PasswdTable table = table_of(content);
        CHECK(table.user_count() == 0);
        CHECK_FALSE(table.find("a", NameMatch::exact).has_value());
        CHECK_FALSE(table.representative().has_value());
    }
}

TEST_CASE("passwd-file: a broken line is kept for its user, with its number and its reason") {
    const PasswdTable table =
        table_of("ok:{PLAIN}x\nbad:{WHAT}x\nnone:\nshort\n:{PLAIN}x\nsp ace:{PLAIN}x\n");
    const auto found = table.find("bad", NameMatch::exact);
    REQUIRE(found.has_value());
    CHECK(found->line == 2);
    CHECK(found->entry.fault == "unknown password scheme"s);
    CHECK(entry_of(table, "none").fault == "no password"s);
    CHECK(entry_of(table, "short").fault == "no password"s);
    CHECK(entry_of(table, "ok").fault == nullptr);
    CHECK(table.user_count() == 4);

    MemoryLog log;
    report_passwd_table(table, "/etc/users", log);
    CHECK(log.lines == std::vector<std::string>{
                           "/etc/users:2: unknown password scheme", "/etc/users:3: no password",
                           "/etc/users:4: no password", "/etc/users:5: no user name",
                           "/etc/users:6: not a possible user name"});
}

TEST_CASE("passwd-file: what makes a line broken") {
    CHECK(fault_of_line("a:{PLAIN}x") == "");
    CHECK(fault_of_line("a:secret") ==
          "password hash is malformed (a plain password is {PLAIN}...)");
    CHECK(fault_of_line("a:{PLAIN}") ==
          "password hash is malformed (a plain password is {PLAIN}...)");
    CHECK(fault_of_line("a:{ARGON2ID}$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHQ$AAAA") ==
          "password hash costs more than is allowed to verify");
    CHECK(fault_of_line("a:{PLAIN}x::::::userdb_mail=mbox:/x") ==
          "userdb_mail is not maildir:PATH");
    CHECK(fault_of_line("a:{PLAIN}x::::::userdb_mail=maildir:x") ==
          "userdb_mail is not an absolute path");
    CHECK(fault_of_line("a:{PLAIN}x::::::userdb_mail=maildir:/v/%u") ==
          "userdb_mail has a %-variable");
    CHECK(fault_of_line("a:{PLAIN}x::::::userdb_mail=maildir:~/x") ==
          "userdb_mail is relative to a home that is no absolute path");
    CHECK(fault_of_line("a:{PLAIN}x::::h::userdb_mail=maildir:~/x") ==
          "userdb_mail is relative to a home that is no absolute path");
    CHECK(fault_of_line("a:{PLAIN}x\0y"s) == "NUL in the line");
    const std::string longest = "a:{PLAIN}x:::" + std::string(passwd_line_octets_max - 13, 'g');
    CHECK(longest.size() == passwd_line_octets_max);
    CHECK(fault_of_line(longest) == "");
    CHECK(fault_of_line(longest + "g") == "line is too long");
}

TEST_CASE("passwd-file: of two lines of one user the first counts, and the second is reported") {
    const PasswdTable table = table_of("a:{PLAIN}1\nb:{PLAIN}2\na:{PLAIN}3\n");
    CHECK(password_of(table, "a") == "{PLAIN}1");
    CHECK(table.user_count() == 2);
    REQUIRE(table.faults().size() == 1);
    CHECK(table.faults()[0].line == 3);
    CHECK(table.faults()[0].reason == "user has an earlier line, which counts"s);
}

TEST_CASE("passwd-file: names differ by case only where they are to") {
    const PasswdTable table = table_of("MRose:{PLAIN}1\nmrose:{PLAIN}2\n");
    CHECK(password_of(table, "mrose") == "{PLAIN}2");
    CHECK(table.find("mrose", NameMatch::ignore_case)->entry.record.password == "{PLAIN}1");
    CHECK_FALSE(table.find("MROSE", NameMatch::exact).has_value());
}

TEST_CASE("passwd-file: every one of many users is found, and nobody else") {
    std::string content;
    constexpr int users = 20'000;
    for (int i = 0; i < users; ++i) {
        content += "user" + std::to_string(i) + ":{PLAIN}" + std::to_string(i) + "\n";
    }
    const PasswdTable table = table_of(content);
    CHECK(table.user_count() == users);
    for (int i = 0; i < users; ++i) {
        const auto found = table.find("user" + std::to_string(i), NameMatch::ignore_case);
        REQUIRE(found.has_value());
        REQUIRE(found->entry.record.password == "{PLAIN}" + std::to_string(i));
        REQUIRE_FALSE(table.find("nobody" + std::to_string(i), NameMatch::ignore_case).has_value());
    }
}

TEST_CASE("passwd-file: the representative is of the scheme that most users have, and may log in") {
    const std::string des = "abNANd1rDfiNc";
    const PasswdTable table = table_of("a:{PLAIN}x\nb:" + des + "\nc:" + des + "\nd:!\ne:!\nf:!\n");
    REQUIRE(table.representative().has_value());
    CHECK(table.representative()->password == des);
    CHECK_FALSE(entry_of(table, "d").record.may_log_in);
}

TEST_CASE("passwd-file: faults beyond those kept are counted, and a log names the first") {
    std::string content;
    for (std::size_t i = 0; i < passwd_faults_kept_max + 5; ++i) {
        content += "u" + std::to_string(i) + ":\n";
    }
    const PasswdTable table = table_of(content);
    CHECK(table.fault_count() == passwd_faults_kept_max + 5);
    CHECK(table.faults().size() == passwd_faults_kept_max);
    const auto last =
        table.find("u" + std::to_string(passwd_faults_kept_max + 4), NameMatch::exact);
    REQUIRE(last.has_value());
    CHECK(last->entry.fault == "no password"s);
    CHECK(last->line == 0);
    MemoryLog log;
    report_passwd_table(table, "users", log);
    REQUIRE(log.lines.size() == passwd_faults_logged_max + 1);
    CHECK(log.lines.back() == "users: 985 more lines have faults");
}

TEST_CASE("passwd-file: ids are ignored with one warning a load") {
    MemoryLog log;
    report_passwd_table(table_of("a:{PLAIN}x:1:1\nb:{PLAIN}x:2:\n"), "users", log);
    CHECK(log.lines == std::vector<std::string>{
                           "users: uid and gid are ignored: mail is read as [storage] user"});
}

TEST_CASE("passwd-file: loading names the file and the cause of a failure") {
    const TemporaryFile file("a:{PLAIN}x\n");
    const auto table = load_passwd_table(file.path());
    REQUIRE(table.has_value());
    CHECK((*table)->user_count() == 1);
    CHECK((*table)->status().octets == 11);
    CHECK(load_passwd_table(file.folder() + "/none").error() ==
          "cannot read passwd-file " + file.folder() + "/none: No such file or directory");
    CHECK(load_passwd_table(file.folder()).error() ==
          "cannot read passwd-file " + file.folder() + ": it is no regular file");
    const std::string link = file.folder() + "/link";
    REQUIRE(::symlink("users", link.c_str()) == 0);
    CHECK(load_passwd_table(link).error() ==
          "cannot read passwd-file " + link + ": it is a symbolic link; name the file itself");
    ::unlink(link.c_str());
    REQUIRE(::truncate(file.path().c_str(), static_cast<off_t>(passwd_file_octets_max) + 1) == 0);
    CHECK(load_passwd_table(file.path()).error() ==
          "cannot read passwd-file " + file.path() + ": it is larger than 1 GiB");
}

}  // namespace restante
