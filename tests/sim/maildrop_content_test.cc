// What is in a maildrop: which files are messages, in which order, under which unique-id, and their
// octets.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "maildir/maildir_name.h"
#include "sim/talk.h"

namespace restante::sim {
namespace {

using Kind = Request::Kind;

const std::string maildrop = World::maildrop("mrose");

struct OneUser {
    explicit OneUser(const SimOptions& options = {}, const WorldSettings& settings = {})
        : world(options, settings) {
        world.add_user("mrose", talk_password);
    }
    std::string uidl() { return Talk(world, "mrose").text("UIDL").value_or("refused"); }
    std::string greeting() { return Talk(world, "mrose").greeting(); }
    World world;
};

/// Sizes by LIST, RETR's status and RETR's octets agree, and the octets are exact, whatever the
/// splits.
void check_octets(const std::string& file) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        OneUser user({.seed = seed, .octet_by_octet = seed == 3 && file.size() < 10'000});
        user.world.deliver("mrose", "1130000000.M1P2.pop", file);
        Talk talk(user.world, "mrose");
        const std::string wire = wire_form(file);
        CHECK(talk.ask("LIST 1") == "+OK 1 " + std::to_string(wire.size()));
        CHECK(talk.ask("STAT") == "+OK 1 " + std::to_string(wire.size()));
        CHECK(talk.text("RETR 1") == wire);
        CHECK(talk.text("TOP 1 99999999999999999999") == wire);
        CHECK(talk.ask("RETR 1") == "+OK " + std::to_string(wire.size()) + " octets");
    }
}

}  // namespace

TEST_CASE("messages of every make are sent octet by octet (RFC 1939 §11)") {
    for (const std::string& file :
         {std::string(), std::string("\n"), std::string("\r\n"), std::string("."),
          std::string(".\n"), std::string(".\r\n.\r\n"), std::string("..\n."),
          std::string("From: a\n\nno final line end"),
          std::string("From: a\r\n\r\nmixed\nends\r\n"), std::string("lone\rcr\r"),
          std::string("ends in cr\n\r"), std::string("\r\r\n\n\r"), std::string("nul\0nul\n", 8),
          std::string("\x80\xFF\xFE 8-bit\n"), std::string(".first octet\n..second\n"),
          std::string("no headers, no blank line\n")}) {
        check_octets(file);
    }
    check_octets(std::string(32 * 1024, '.') + "\n");
    check_octets(std::string(64 * 1024, '\n'));
    std::string dots;
    for (int i = 0; i < 50'000; ++i) dots += ".\n";
    check_octets(dots);
}

TEST_CASE("lines of megabytes are sent whole") {
    check_octets("From: a\n\n" + std::string(3'000'000, 'x') + "\n.\n" + std::string(100'000, '.'));
    check_octets(std::string(2'000'000, '\r') + "\n");
}

TEST_CASE("a message of gigabytes takes no more memory than a small one") {
    static constexpr std::string_view line = "This line is 32 octets, LF too.\n";
    static_assert(line.size() == 32);
    static constexpr std::uint64_t lines = std::uint64_t{17} << 22;  // 2.2 GB, a little over 2^31
    OneUser user({.short_reads = false});
    user.world.deliver("mrose", "1130000000.M1P2.pop", "");
    const auto generate = [](std::uint64_t offset, std::span<char> target) {
        static constexpr std::size_t block = 32 * 2048;
        static const std::string text = [] {
            std::string repeated;
            while (repeated.size() < block) repeated += line;
            return repeated;
        }();
        for (std::size_t done = 0; done < target.size();) {
            const std::size_t from = (offset + done) % block;
            const std::size_t part = std::min(block - from, target.size() - done);
            std::memcpy(target.data() + done, text.data() + from, part);
            done += part;
        }
    };
    user.world.files().write_file(maildrop + "/new/1130000000.M1P2.pop",
                                  SimContent(lines * line.size(), generate));
    Talk talk(user.world, "mrose");
    const std::string octets = std::to_string(lines * (line.size() + 1));
    CHECK(talk.ask("LIST 1") == "+OK 1 " + octets);
    std::uint64_t received = 0;
    std::size_t lent_max = 0;
    std::string end;
    talk.client().set_sink([&](std::string_view piece) {
        received += piece.size();
        end = piece.substr(piece.size() - std::min<std::size_t>(piece.size(), 40));
        lent_max = std::max(lent_max, user.world.buffers_lent());
    });
    talk.client().send("RETR 1\r\n");
    user.world.settle();
    CHECK(received == lines * (line.size() + 1) + ("+OK " + octets + " octets\r\n.\r\n").size());
    CHECK(end.ends_with("LF too.\r\n.\r\n"));
    CHECK(lent_max <= 2);
}

TEST_CASE("regular files in new/ and cur/ are messages; nothing else is") {
    OneUser user;
    SimFileSystem& files = user.world.files();
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\n");
    user.world.deliver("mrose", ".hidden", "From: b\n\n");
    user.world.deliver("mrose", ".nfs0001:2,S", "From: b\n\n");
    files.write_file(maildrop + "/tmp/1130000001.M1P2.pop", "From: c\n\n");
    files.write_file(maildrop + "/1130000002.M1P2.pop", "From: d\n\n");
    files.make_link(maildrop + "/new/1130000003.M1P2.pop");
    files.make_fifo(maildrop + "/cur/1130000004.M1P2.pop");
    files.make_directory(maildrop + "/cur/1130000005.M1P2.pop");
    files.make_directory(maildrop + "/.Sent/cur");
    files.write_file(maildrop + "/.Sent/cur/1130000006.M1P2.pop", "From: e\n\n");
    CHECK(user.uidl() == "1 1130000000.M1P2.pop\r\n");
    files.unlink(maildrop + "/tmp");
    CHECK(user.uidl() == "1 1130000000.M1P2.pop\r\n");
    files.unlink(maildrop + "/cur");
    CHECK(user.uidl() == "1 1130000000.M1P2.pop\r\n");
}

TEST_CASE("a folder that is a link, or a file, is trouble and no empty maildrop") {
    OneUser user;
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\n");
    SimFileSystem& files = user.world.files();
    files.unlink(maildrop + "/new");
    SUBCASE("link") { files.make_link(maildrop + "/new"); }
    SUBCASE("file") { files.write_file(maildrop + "/new", ""); }
    CHECK(user.greeting().starts_with("-ERR [SYS/"));
    CHECK(log_of(user.world).contains("error: maildrop /var/vmail/mrose: open folder"));
}

TEST_CASE("odd names are listed, sent and removed") {
    OneUser user;
    const std::vector<std::string> names = {
        std::string(255, 'n'),
        "with spaces in it",
        "8-bit \xC3\xA9\xFF",
        "line\nend",
        "tab\tand\x01\x7F",
        "colon only:",
        "no-time",
        "-dash",
        "1130000000.M1P2.pop,S=3,W=4",
    };
    for (std::size_t at = 0; at < names.size(); ++at) {
        user.world.deliver("mrose", names[at], "From: " + std::to_string(at) + "\n\n");
    }
    user.world.files().write_file(maildrop + "/new/:2,", "From: x\n\n");
    Talk talk(user.world, "mrose");
    std::vector<std::string> bodies;
    for (std::size_t number = 1; number <= names.size() + 1; ++number) {
        bodies.push_back(talk.text("RETR " + std::to_string(number)).value_or("none"));
        CHECK(talk.ask("DELE " + std::to_string(number)).starts_with("+OK"));
    }
    std::ranges::sort(bodies);
    CHECK(bodies.front() == "From: 0\r\n\r\n");
    CHECK(std::ranges::adjacent_find(bodies) == bodies.end());
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK(user.world.messages("mrose").empty());
}

TEST_CASE("a name that no index can hold refuses the maildrop: no message looks gone") {
    OneUser user;
    user.world.deliver("mrose", std::string(file_name_octets_max, 'n'), "From: a\n\n");
    CHECK(user.uidl().starts_with("1 "));
    user.world.deliver("mrose", std::string(file_name_octets_max + 1, 'n'), "From: b\n\n");
    CHECK(user.greeting() == "-ERR [SYS/PERM] maildrop is not usable");
    CHECK(log_of(user.world)
              .contains("error: maildrop /var/vmail/mrose: list folder: File name too long"));
    user.world.files().unlink(maildrop + "/new/" + std::string(file_name_octets_max + 1, 'n'));
    CHECK(user.uidl().starts_with("1 "));
}

TEST_CASE("unique-ids are 1 to 70 octets of 0x21..0x7E, no two alike, and stay (RFC 1939 §7)") {
    OneUser user;
    for (const char* name : {"1.a b", "1.a\tb", "1.\xFF", "1.\n", "2.a,S=1", "2.a,S=2:2,S"}) {
        user.world.deliver("mrose", name, std::string("From: ") + name + "\n\n");
    }
    user.world.deliver("mrose", std::string(200, '3'), "From: three\n\n");
    const std::string listing = user.uidl();
    std::vector<std::string> ids;
    for (std::size_t at = 0; at < listing.size();) {
        const std::size_t space = listing.find(' ', at);
        const std::size_t end = listing.find("\r\n", at);
        ids.push_back(listing.substr(space + 1, end - space - 1));
        CHECK(pop3::is_unique_id(ids.back()));
        at = end + 2;
    }
    CHECK(ids.size() == 7);
    std::ranges::sort(ids);
    CHECK(std::ranges::adjacent_find(ids) == ids.end());
    user.world.files().unlink(maildrop + "/restante.index");
    user.world.restart();
    CHECK(user.uidl() == listing);
}

TEST_CASE(
    "two files of one name: one message where they are one file, else two with ids that stay") {
    OneUser user;
    SimFileSystem& files = user.world.files();
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\none\n");
    files.add_name(maildrop + "/new/1130000000.M1P2.pop",
                   maildrop + "/cur/1130000000.M1P2.pop:2,S");
    CHECK(user.uidl() == "1 1130000000.M1P2.pop\r\n");
    user.world.deliver("mrose", "1130000000.M1P2.pop:2,F", "From: b\n\nanother\n");
    user.world.wait(std::chrono::seconds(1));
    const std::string both = user.uidl();
    CHECK(both.starts_with("1 1130000000.M1P2.pop\r\n2 c"));
    user.world.restart();
    CHECK(user.uidl() == both);
    {
        Talk talk(user.world, "mrose");
        CHECK(talk.text("RETR 1") == "From: a\r\n\r\none\r\n");
        CHECK(talk.text("RETR 2") == "From: b\r\n\r\nanother\r\n");
        talk.ask("DELE 1");
        CHECK(talk.ask("QUIT") == "+OK bye");
    }
    user.world.wait(std::chrono::seconds(1));
    CHECK(user.uidl() == "1" + both.substr(both.find(" c")));  // keeps its own
}

TEST_CASE("the ids and the order of a dovecot-uidlist are kept") {
    OneUser user;
    user.world.deliver("mrose", "1130000002.M1P2.pop", "From: a\n\n");
    user.world.deliver("mrose", "1130000001.M1P2.pop:2,S", "From: b\n\n");
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: c\n\n");
    user.world.deliver("mrose", "1129999999.M1P2.pop", "From: new\n\n");
    const std::string list =
        "3 V1130000000 N29 G0123456789abcdef0123456789abcdef\n"
        "26 :1130000002.M1P2.pop\n"
        "27 Psaved :1130000001.M1P2.pop:2,\n"
        "28 O1 :1130000000.M1P2.pop\n";
    user.world.files().write_file(maildrop + "/dovecot-uidlist", list);
    const std::string expected =
        "1 0000001c435a6e80\r\n2 0000001a435a6e80\r\n3 saved\r\n4 1129999999.M1P2.pop\r\n";
    CHECK(user.uidl() == expected);
    user.world.wait(std::chrono::seconds(1));
    user.world.restart();
    CHECK(user.uidl() == expected);

    // It names the new one too now, which keeps what it was given.
    user.world.files().write_file(maildrop + "/dovecot-uidlist",
                                  list + "29 :1129999999.M1P2.pop\n");
    user.world.wait(std::chrono::seconds(1));
    CHECK(user.uidl().ends_with(" 1129999999.M1P2.pop\r\n"));
    // It cannot be read for a while: other ids would be given in its place.
    user.world.files().set_open_error(maildrop + "/dovecot-uidlist", -EACCES);
    user.world.files().unlink(maildrop + "/restante.index");
    user.world.restart();
    CHECK(user.greeting().starts_with("-ERR [SYS/"));
}

TEST_CASE("the ids and the order of a courierpop3dsizelist are kept") {
    OneUser user;
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\n");
    user.world.deliver("mrose", "1130000000.M0P9.pop:2,S", "From: b\n\n");
    user.world.deliver("mrose", "1130000005.M1P2.pop", "From: new\n\n");
    user.world.files().write_file(maildrop + "/courierpop3dsizelist",
                                  "/2 8 1130000000\n"
                                  "1130000000.M1P2.pop 11 6:1130000000\n"
                                  "1130000000.M0P9.pop:2,S 11 7:0\n");
    const std::string expected = "1 UID7\r\n2 UID6-1130000000\r\n3 1130000005.M1P2.pop\r\n";
    CHECK(user.uidl() == expected);
    user.world.restart();
    CHECK(user.uidl() == expected);
}

TEST_CASE("a missing or other mail root is [SYS/TEMP], never an empty maildrop") {
    OneUser user;
    SimFileSystem& files = user.world.files();
    user.world.deliver("mrose", "1130000000.M1P2.pop", "From: a\n\n");
    CHECK(user.greeting() == "+OK logged in");
    SUBCASE("missing") { files.rename("/var/vmail", "/var/elsewhere"); }
    SUBCASE("another folder") {
        files.rename("/var/vmail", "/var/elsewhere");
        files.make_directory("/var/vmail");
    }
    SUBCASE("another device") { files.set_device(7); }
    SUBCASE("a file") {
        files.rename("/var/vmail", "/var/elsewhere");
        files.write_file("/var/vmail", "");
    }
    CHECK(user.greeting().starts_with("-ERR [SYS/TEMP]"));
    CHECK(log_of(user.world).contains("error: maildrop /var/vmail/mrose: mail root /var/vmail"));
}

TEST_CASE("a user without a maildrop has an empty one, and nothing is created") {
    OneUser user;
    Talk talk(user.world, "mrose");
    CHECK(talk.ask("STAT") == "+OK 0 0");
    CHECK(talk.text("LIST") == "");
    CHECK(talk.text("UIDL") == "");
    CHECK(talk.ask("RETR 1").starts_with("-ERR"));
    CHECK(talk.ask("QUIT") == "+OK bye");
    CHECK_FALSE(user.world.files().exists(maildrop));
}

TEST_CASE("a missing folder above the maildrop is [SYS/TEMP]") {
    OneUser user({}, {{"storage.maildir", "\"/var/vmail/{domain}/{local}\""},
                      {"auth.username_case", "\"lower\""}});
    user.world.add_user("mrose@example.org", talk_password);
    CHECK(Talk(user.world, "mrose@example.org").greeting().starts_with("-ERR [SYS/TEMP]"));
    user.world.files().make_directory("/var/vmail/example.org");
    CHECK(Talk(user.world, "mrose@example.org").ask("STAT") == "+OK 0 0");
    CHECK(user.world.files().list("/var/vmail/example.org").empty());
}

}  // namespace restante::sim
