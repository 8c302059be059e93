#include "script.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "session.h"

using namespace pop3load;

namespace {

/// The commands of a profile, each answered before the next, of a maildrop of `messages`.
std::string played(const std::string& profile, const Options& options, std::uint32_t messages) {
    Script script(*find_profile(profile), options, Random(1));
    Knowledge knowledge;
    const std::uint32_t new_messages[] = {messages};
    std::string commands;
    Command command;
    for (;;) {
        knowledge.is_settled = true;
        const Script::Next next = script.next(knowledge, command);
        if (next == Script::Next::hold) {
            commands += "(hold)\r\n";
            script.leave();
            continue;
        }
        if (next != Script::Next::command) return commands;
        commands += wire_command(command, "u", "p", "<1@h>", 5);
        if (command.verb == Verb::stat || command.verb == Verb::list) knowledge.messages = messages;
        if (command.verb == Verb::uidl) knowledge.new_messages = new_messages;
    }
}

}  // namespace

TEST_CASE("each profile says what its name means") {
    Options options;
    options.commands_per_session = 3;
    const std::string login = "USER u\r\nPASS p\r\n";
    CHECK(played("poll", options, 2) == login + "STAT\r\nQUIT\r\n");
    CHECK(played("sync", options, 2) == "CAPA\r\n" + login + "STAT\r\nLIST\r\nUIDL\r\nQUIT\r\n");
    CHECK(played("drain", options, 2) ==
          login + "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n");
    CHECK(played("top", options, 2) == login + "STAT\r\nLIST\r\nTOP 1 5\r\nTOP 2 5\r\nQUIT\r\n");
    CHECK(played("keep", options, 2) == login + "LIST\r\nRETR 1\r\nRETR 2\r\nRETR 1\r\nQUIT\r\n");
    CHECK(played("noop", options, 2) == login + "NOOP\r\nNOOP\r\nNOOP\r\nQUIT\r\n");
    CHECK(played("idle", options, 2) == login + "(hold)\r\nQUIT\r\n");
    CHECK(played("idle-anonymous", options, 2) == "(hold)\r\nQUIT\r\n");
    CHECK(played("login-storm", options, 2) == login + "QUIT\r\n");
    CHECK(played("leave-on-server", options, 2) ==
          login + "STAT\r\nLIST\r\nUIDL\r\nRETR 2\r\nQUIT\r\n");
    CHECK(played("slow", options, 2) == login + "STAT\r\nLIST\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n");
    CHECK(played("specmail2001", options, 1) ==
          login + "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
    CHECK(played("specmail2001", options, 0) == login + "STAT\r\nQUIT\r\n");
}

TEST_CASE("what only some profiles are is theirs alone") {
    for (const Profile& profile : profiles()) {
        CAPTURE(profile.name);
        CHECK(profile.holds() == profile.name.starts_with("idle"));
        CHECK(profile.is_specmail == (profile.name == "specmail2001"));
        CHECK(profile.pauses_reading == (profile.name == "slow"));
    }
}

TEST_CASE("with --delete each message is deleted after it was fetched") {
    Options options;
    options.delete_share = 1;
    const std::string commands = played("drain", options, 2);
    CHECK(commands.find("RETR 1\r\nDELE 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n") != std::string::npos);
}

TEST_CASE(
    "with --delete-share some are deleted, others of another session, all that are were fetched") {
    Options options;
    options.delete_share = 0.5;
    std::size_t deleted = 0;
    std::set<std::string> chosen;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Script script(*find_profile("slow"), options, Random(seed));
        const Knowledge knowledge{.messages = 4, .is_settled = true, .new_messages = {}};
        std::string numbers;
        Command before;
        Command command;
        while (script.next(knowledge, command) == Script::Next::command) {
            if (command.verb == Verb::dele) {
                CHECK(before.verb == Verb::retr);
                CHECK(before.message == command.message);
                numbers += std::to_string(command.message);
                ++deleted;
            }
            before = command;
        }
        chosen.insert(numbers);
    }
    CHECK(deleted > 70);
    CHECK(deleted < 130);
    CHECK(chosen.size() > 8);
}

TEST_CASE("what depends on an answer waits for it") {
    const Options options;
    Script script(*find_profile("drain"), options, Random(1));
    Command command;
    for (int i = 0; i < 5; ++i) REQUIRE(script.next({}, command) == Script::Next::command);
    CHECK(script.next({}, command) == Script::Next::wait);
    CHECK(script.next({.messages = 1, .is_settled = true, .new_messages = {}}, command) ==
          Script::Next::command);
    CHECK(command.verb == Verb::retr);
}

TEST_CASE("the ways to log in") {
    const Command plain{Verb::auth_plain};
    CHECK(wire_command(plain, "u", "p", "", 0) == "AUTH PLAIN AHUAcA==\r\n");
    // RFC 1939 §7, APOP
    const std::string_view greeting = "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>";
    CHECK(apop_timestamp(greeting) == "<1896.697170952@dbc.mtview.ca.us>");
    CHECK(apop_timestamp("+OK ready").empty());
    CHECK(wire_command({Verb::apop}, "mrose", "tanstaaf", apop_timestamp(greeting), 0) ==
          "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
}
