#include "maildir/maildrop_path.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace restante {
namespace {

std::string expanded(std::string_view path_template, const MaildropOwner& owner) {
    const auto path = MaildropPath::parse(path_template);
    REQUIRE(path.has_value());
    const auto maildrop = path->expand(owner);
    return maildrop ? *maildrop : "error: " + maildrop.error();
}

MaildropOwner owner_of(std::string_view name, std::string_view home = "") {
    MaildropOwner owner{};
    owner.user = name;
    owner.home = home;
    return owner;
}

std::string refusal_of(std::string_view path_template) {
    const auto path = MaildropPath::parse(path_template);
    REQUIRE_FALSE(path.has_value());
    return path.error();
}

}  // namespace

TEST_CASE("a template becomes a path by user, local part, domain and home") {
    const MaildropOwner owner = owner_of("mrose@example.org", "/home/mrose");
    CHECK(expanded("/var/vmail/{user}", owner) == "/var/vmail/mrose@example.org");
    CHECK(expanded("/var/vmail/{domain}/{local}/M", owner) == "/var/vmail/example.org/mrose/M");
    CHECK(expanded("{home}/Maildir", owner) == "/home/mrose/Maildir");
    CHECK(MaildropPath::parse("/var/vmail/x{domain}/{local}")->root() == "/var/vmail");
    CHECK(MaildropPath::parse("{home}/Maildir")->root() == "/");
}

TEST_CASE("a template that names no path of its own is refused, with the reason") {
    CHECK(refusal_of("/var/{name}").contains("only {user}, {local}, {domain} and {home}"));
    CHECK(refusal_of("/var/{user").contains("only {user}, {local}, {domain} and {home}"));
    CHECK(refusal_of("/var/{home}/M").contains("only stand at the beginning"));
    CHECK_FALSE(refusal_of("var/{user}").empty());
}

TEST_CASE("no user name leads out of the mail root") {
    for (const char* name : {"", ".", "..", ".hidden", "a/b", "a\nb", "a\x7F", "a@../b"}) {
        CAPTURE(name);
        CHECK(expanded("/var/vmail/{user}", owner_of(name)).starts_with("error: "));
    }
    for (const char* name : {"a@", "a@..", "a@.b", "@b", "..@b", "a", "a@b/c"}) {
        CAPTURE(name);
        CHECK(expanded("/var/vmail/{domain}/{local}", owner_of(name)).starts_with("error: "));
    }
    CHECK(expanded("/var/vmail/{user}", owner_of(std::string(256, 'a'))).starts_with("error: "));
    CHECK(expanded("{home}", owner_of("mrose")).contains("no absolute path"));
    CHECK(expanded("{home}", owner_of("mrose", "home")).contains("no absolute path"));
    CHECK(expanded("/var/vmail/{domain}", owner_of("mrose")).contains("empty or unsafe"));
}

}  // namespace restante
