#include "seed.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "auth/password_scheme.h"
#include "seed_plan.h"
#include "seed_pool.h"
#include "seed_text.h"
#include "users.h"

using namespace pop3load;
namespace fs = std::filesystem;

namespace {

/// A folder that ends with the test, and options that seed into it.
struct SeedWorld {
    SeedWorld() {
        char name[] = "/tmp/pop3load-seed-XXXXXX";
        root = ::mkdtemp(name);
        options.folder = mail() + "/{user}";
        options.user_count = 3;
        options.counts = Distribution::constant(4);
        options.sizes = Distribution::constant(1'000);
        options.quiet = true;
    }
    SeedWorld(const SeedWorld&) = delete;
    SeedWorld& operator=(const SeedWorld&) = delete;
    ~SeedWorld() { fs::remove_all(root); }

    std::string mail() const { return root + "/mail"; }
    std::string failure() const {
        const auto made = try_seed(options);
        return made ? "" : made.error().sentence;
    }
    std::string root;
    SeedOptions options;
};

std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return std::move(text).str();
}

/// Every file below, by its path from `folder`; hidden folders are left out.
std::map<std::string, std::string> files_of(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (auto at = fs::recursive_directory_iterator(folder);
         at != fs::recursive_directory_iterator(); ++at) {
        if (at->path().filename().string().starts_with('.')) at.disable_recursion_pending();
        if (at->is_regular_file()) {
            files[at->path().lexically_relative(folder).string()] = read(at->path());
        }
    }
    return files;
}

std::string crlf_form(const std::string& text) {
    std::string made;
    for (const char octet : text)
        made += octet == '\n' ? std::string("\r\n") : std::string(1, octet);
    return made;
}

/// Whether the message says of itself what is true, whose it is too unless it is shared; its octets
/// on the wire. `path`: below the mail folder.
std::uint64_t check_message(const std::string& crlf, const std::string& path,
                            bool is_shared = false) {
    const std::string user = path.substr(0, path.find('/'));
    const std::size_t at = crlf.find(self_description_keyword);
    const auto says =
        parse_self_description(std::string_view(crlf).substr(at, crlf.find("\r\n", at) - at));
    REQUIRE(says);
    CHECK(says->octets == crlf.size());
    CHECK(says->user.has_value() == !is_shared);
    CHECK(judge_by_mark(crlf, user).wrong == "");
    return crlf.size();
}

nlink_t links_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_nlink;
}

}  // namespace

TEST_CASE("every user gets a maildir with the messages asked for, in new, with LF") {
    SeedWorld world;
    const auto made = try_seed(world.options);
    REQUIRE(made);
    CHECK(made->starts_with("12 messages (11.7 KiB) for 3 users in " + world.options.folder));
    const auto files = files_of(world.mail());
    CHECK(files.size() == 12);
    std::set<std::string> distinct;
    for (const auto& [path, text] : files) {
        CHECK(path.find("/new/") != std::string::npos);
        CHECK(text.find('\r') == std::string::npos);
        CHECK(check_message(crlf_form(text), path) == 1'000);
        distinct.insert(text);
    }
    CHECK(distinct.size() == 12);
    for (const char* part : {"user0/cur", "user2/tmp"}) {
        CHECK(fs::is_directory(world.mail() + "/" + part));
    }
}

TEST_CASE("the same seed gives the same mail however many threads there are; another seed other") {
    SeedWorld world, same, other;
    for (SeedWorld* each : {&world, &same, &other}) {
        each->options.counts = Distribution::specmail_counts();
        each->options.sizes = *Distribution::parse("300 1\n2000 1\n15000 1\n");
        each->options.user_count = 20;
    }
    same.options.threads = 5;
    other.options.seed = 2;
    REQUIRE(try_seed(world.options));
    REQUIRE(try_seed(same.options));
    REQUIRE(try_seed(other.options));
    CHECK(files_of(world.mail()) == files_of(same.mail()));
    CHECK(files_of(world.mail()) != files_of(other.mail()));
}

TEST_CASE("S= is the file's size and W= the wire's, in cur with a flag") {
    SeedWorld world;
    world.options.has_stored_size = true;
    world.options.has_wire_size = true;
    world.options.is_seen = true;
    REQUIRE(try_seed(world.options));
    for (const auto& [path, text] : files_of(world.mail())) {
        CAPTURE(path);
        CHECK(path.find("/cur/") != std::string::npos);
        CHECK(path.ends_with(",S=" + std::to_string(text.size()) + ",W=1000:2,S"));
        CHECK(text.size() < 1'000);
    }
}

TEST_CASE(
    "names are as a mail server's: no two are alike, and seconds and microseconds do not "
    "count alike") {
    SeedWorld world;
    world.options.user_count = 1;
    world.options.counts = Distribution::constant(1'000);
    world.options.sizes = Distribution::constant(seed_octets_min);
    REQUIRE(try_seed(world.options));
    std::set<std::uint64_t> differences;
    const auto files = files_of(world.mail());
    CHECK(files.size() == 1'000);
    for (const auto& [path, text] : files) {
        const std::string name = fs::path(path).filename();
        CHECK(name.size() == std::string("1672531200.M000000R1.pop3load").size());
        differences.insert(std::stoull(name) - std::stoull(name.substr(name.find('M') + 1)));
    }
    CHECK(differences.size() == 1'000);
}

TEST_CASE("wire-ready files have CRLF and no line that begins with a dot") {
    SeedWorld world;
    world.options.sizes = Distribution::constant(5'000);
    world.options.line_ends = LineEnds::wire_ready;
    REQUIRE(try_seed(world.options));
    for (const auto& [path, text] : files_of(world.mail())) {
        CHECK(check_message(text, path) == 5'000);
        CHECK(text.find("\n.") == std::string::npos);
    }
}

TEST_CASE("with a pool, messages are links to its files, and no maildrop has one file twice") {
    SeedWorld world;
    world.options.pool_messages = 2;  // fewer than a maildrop has: 4 are made
    const auto made = try_seed(world.options);
    REQUIRE(made);
    CHECK(made->ends_with(
        "; they are links to 4 files, as many as the fullest maildrop has messages"));
    const auto files = files_of(world.mail());
    CHECK(files.size() == 12);
    std::map<std::string, std::set<std::string>> of_user;
    for (const auto& [path, text] : files) {
        CHECK(check_message(crlf_form(text), path, true) == 1'000);
        CHECK(links_of(fs::path(world.mail()) / path) == 4);  // 3 users and the pool
        CHECK(of_user[path.substr(0, 5)].insert(text).second);
    }
}

TEST_CASE("a file of the pool that has all its links is followed by another of the same octets") {
    SeedWorld world;
    fs::create_directory(world.mail());
    const auto folder = open_folder(world.mail());
    REQUIRE(folder);
    auto pool =
        MessagePool::make(world.mail() + "/pool", {{7, 500}}, LineEnds::crlf, std::nullopt, 10);
    REQUIRE(pool);
    REQUIRE((*pool)->fill(0));
    for (int i = 0; i < 25; ++i) {
        REQUIRE((*pool)->link(0, folder->get(), world.mail(), ("m" + std::to_string(i)).c_str()));
    }
    CHECK(links_of(world.mail() + "/m0") == 11);
    CHECK(links_of(world.mail() + "/m19") == 11);
    CHECK(links_of(world.mail() + "/m24") == 6);
    CHECK(read(world.mail() + "/m24") == read(world.mail() + "/m0"));
    const Done again = (*pool)->link(0, folder->get(), world.mail(), "m0");
    REQUIRE_FALSE(again);
    CHECK(again.error() == name_is_taken(world.mail()));
}

TEST_CASE("a folder that is not empty is refused unless it may be added to, with another seed") {
    SeedWorld world;
    REQUIRE(try_seed(world.options));
    CHECK(world.failure() ==
          world.mail() + " is not empty: name a folder that is, or add to it with --add");
    world.options.may_add = true;
    CHECK(world.failure().find("has mail of this seed already: give another --seed") !=
          std::string::npos);
    CHECK(files_of(world.mail()).size() == 12);
    world.options.seed = 2;
    REQUIRE(try_seed(world.options));
    CHECK(files_of(world.mail()).size() == 24);
}

TEST_CASE("the passwd-file lets the users in, and is written over only where it was made here") {
    SeedWorld world;
    world.options.passwd_file = world.root + "/passwd";
    world.options.users_file = world.root + "/users";
    world.options.scheme = "SHA512-CRYPT";
    REQUIRE(try_seed(world.options));
    std::istringstream lines(read(world.options.passwd_file));
    std::string line;
    std::getline(lines, line);
    CHECK(line.starts_with('#'));
    for (const std::string name : {"user0:", "user1:", "user2:"}) {
        REQUIRE(std::getline(lines, line));
        CHECK(line.starts_with(name + "{SHA512-CRYPT}$6$"));
        CHECK(restante::verify_password("secret", line.substr(name.size())).value());
    }
    CHECK_FALSE(std::getline(lines, line));
    const auto users = Users::parse(read(world.options.users_file));
    REQUIRE(users);
    CHECK(users->count() == 3);
    CHECK(users->name(2) == "user2");
    CHECK(users->password(2) == "secret");

    fs::remove_all(world.mail());
    CHECK(world.failure().empty());
    fs::remove_all(world.mail());
    std::ofstream(world.options.passwd_file, std::ios::trunc) << "root:x\n";
    CHECK(world.failure() == world.options.passwd_file +
                                 " is there and was not made by pop3load "
                                 "seed: remove it, or name another file");
    CHECK_FALSE(fs::exists(world.mail()));
    CHECK(read(world.options.passwd_file) == "root:x\n");
}

TEST_CASE("options that cannot be are refused in words, before anything is made") {
    const auto refusal = [](auto change) {
        SeedWorld world;
        change(world.options);
        const auto made = try_seed(world.options);
        REQUIRE_FALSE(made);
        CHECK(made.error().exit_code == 2);
        CHECK_FALSE(fs::exists(world.mail()));
        return made.error().sentence;
    };
    const auto mentions = [](const std::string& sentence, const char* part) {
        CAPTURE(sentence);
        CHECK(sentence.find(part) != std::string::npos);
    };
    mentions(refusal([](auto& o) { o.folder = "mail/{user}"; }), "must be an absolute path");
    mentions(refusal([](auto& o) { o.folder = "/tmp/x/{name}"; }), "only {user}, {local}");
    mentions(refusal([](auto& o) { o.folder = "{home}/Maildir"; }), "cannot have {home}");
    mentions(refusal([](auto& o) { o.folder = "/tmp/x/mail"; }), "put {user} or {local}");
    mentions(refusal([](auto& o) { o.folder = "/tmp/x/{domain}/{local}"; }), "user0");
    mentions(refusal([](auto& o) { o.user_format = "../{}"; }), "\"../0\"");
    mentions(refusal([](auto& o) { o.user_format = "all"; }), "names one user only");
    mentions(refusal([](auto& o) { o.user_count = 0; }), "there is no user");
    mentions(refusal([](auto& o) { o.owner = "no-such-user-here"; }), "\"no-such-user-here\"");
    mentions(refusal([](auto& o) { o.owner = "0:no-such-group-here"; }), "no group");
    mentions(refusal([](auto& o) { o.threads = 65; }), "65 threads are too many: at most 64");
    mentions(refusal([](auto& o) { o.sizes = Distribution::constant(1ULL << 31); }),
             "a message of 2,147,483,648 octets is too large");
    mentions(refusal([](auto& o) { o.counts = Distribution::constant(10'000'001); }), "too many");
    mentions(refusal([](auto& o) {
                 o.passwd_file = "/tmp/pop3load-no-such-file";
                 o.scheme = "ROT13";
             }),
             "no password scheme \"ROT13\"");
}

TEST_CASE("more than the file system has room for is refused before anything is made") {
    SeedWorld world;
    world.options.user_count = 100'000;
    world.options.counts = Distribution::constant(1);
    world.options.sizes = Distribution::constant(1 << 30);
    CHECK(world.failure().find("free and this takes about") != std::string::npos);
    CHECK_FALSE(fs::exists(world.mail()));
}

TEST_CASE("a signal ends it with a sentence, and whole messages only") {
    SeedWorld world;
    world.options.user_count = 1'000;
    world.options.counts = Distribution::constant(1'000);
    world.options.pool_messages = 1;
    sigset_t held, before;
    ::sigemptyset(&held);
    ::sigaddset(&held, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &held, &before);
    ::kill(::getpid(), SIGINT);
    const std::string sentence = world.failure();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CAPTURE(sentence);
    CHECK(sentence.starts_with("interrupted: "));
    CHECK(sentence.find(" of 1,000,000 messages were made in ") != std::string::npos);
    if (!fs::exists(world.mail())) return;
    for (const auto& [path, text] : files_of(world.mail()))
        CHECK(check_message(crlf_form(text), path) == 1'000);
}

TEST_CASE("the profiles of --mail are those that are named") {
    for (const std::string_view name : mail_profile_names()) CHECK(find_mail_profile(name));
    CHECK_FALSE(find_mail_profile("poll"));
    CHECK(find_mail_profile("poll1000")->counts.mean() == 1'000);
    CHECK(find_mail_profile("specmail2001")->sizes.mean() == doctest::Approx(24'532.5));
}

TEST_CASE("specmail2001's maildrops are empty where its users look in vain") {
    SeedOptions options;
    options.counts = Distribution::constant(3);
    options.user_count = 1'000;
    options.has_retry_pool = find_mail_profile("specmail2001")->has_retry_pool;
    CHECK(MaildropPlan(options, 0).count() == 3);
    CHECK(MaildropPlan(options, 924).count() == 3);
    CHECK(MaildropPlan(options, 925).count() == 0);
    CHECK(MaildropPlan(options, 999).count() == 0);
    CHECK(plan_totals(options).messages == 3 * 925);
}

TEST_CASE("the messages in specmail2001's maildrops fit the table, one stream a maildrop") {
    SeedOptions options;
    options.counts = Distribution::specmail_counts();
    options.user_count = 100'000;
    std::map<std::uint64_t, double> seen;
    for (std::uint32_t i = 0; i < options.user_count; ++i) ++seen[MaildropPlan(options, i).count()];
    double total = 0;
    for (const Distribution::Row& row : options.counts.rows()) total += row.weight;
    double statistic = 0;
    for (const Distribution::Row& row : options.counts.rows()) {
        const double expected = options.user_count * row.weight / total;
        statistic += (seen[row.value] - expected) * (seen[row.value] - expected) / expected;
    }
    CHECK(statistic < 58.3);  // 29 degrees of freedom, one run in 1,000 is above
}

TEST_CASE("the totals that room is checked for are what is made") {
    SeedWorld world;
    world.options.counts = Distribution::specmail_counts();
    world.options.user_count = 50;
    const SeedTotals totals = plan_totals(world.options);
    REQUIRE(try_seed(world.options));
    const auto files = files_of(world.mail());
    CHECK(totals.messages == files.size());
    CHECK(totals.octets == 1'000 * files.size());
    CHECK(totals.files == files.size() + 4 * 50);
}
