// Whom a login acts as, whose a token is, and from where an account may be used.
#include "auth/login_verifier.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unit/sasl_world.h"

namespace restante {
namespace {

/// Users with their passwords, and what it was asked.
class KnownUsers final : public Verifier {
public:
    void add(std::string name, std::string password, AccountPolicies policies = {}) {
        users_[std::move(name)] = {std::move(password), std::move(policies)};
    }
    Task<Result<Verdict>> verify(Proof proof, LoginOrigin) override {
        const std::string user(std::visit([](const auto& any) { return any.user; }, proof));
        asked.push_back(user);
        const auto found = users_.find(user);
        if (found == users_.end()) co_return Rejected{};
        if (const auto* password = std::get_if<PasswordProof>(&proof)) {
            CHECK((password->acts_as.empty() || password->acts_as != user));
            if (password->password != found->second.password) co_return Rejected{};
        }
        co_return account_of(*found);
    }
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin) override {
        asked.emplace_back(query.user);
        Credentials made;
        made.secret = Secret(std::string_view("false"));
        const auto found = users_.find(std::string(query.user));
        if (found != users_.end()) {
            made.secret = Secret(std::string_view(found->second.password));
            made.account = account_of(*found);
        }
        co_return made;
    }
    std::vector<std::string> asked;

private:
    struct User {
        std::string password;
        AccountPolicies policies;
    };
    static Account account_of(const std::pair<const std::string, User>& user) {
        Account account;
        account.name = user.first;
        account.policies = user.second.policies;
        return account;
    }
    std::map<std::string, User> users_;
};

class KnownTokens final : public TokenVerifier {
public:
    Task<Result<TokenUser>> user_of(TokenQuery query) override {
        const std::string_view token = query.token;
        if (token == "hangs") co_return std::unexpected(Error{ErrorKind::exhausted, 0, "ask"});
        if (token == "expired") co_return TokenUser(std::unexpect, "the token has expired");
        co_return TokenUser(std::string(token));  // it says whose it is
    }
};

AccountPolicies only_from(std::string_view networks) {
    AccountPolicies policies;
    policies.allowed_networks = *NetworkList::parse(networks);
    return policies;
}

LoginOrigin from(std::string_view address) {
    LoginOrigin origin;
    origin.peer = *SocketAddress::parse(address);
    return origin;
}

class World {
public:
    World() {
        users.add("mrose", "tanstaaf");
        users.add("bound", "x", only_from("192.0.2.0/24,2001:db8::/32"));
        AccountPolicies off;
        off.may_use_pop3 = false;
        users.add("off", "x", off);
        masters.add("admin", "root");
        masters.add("away", "root", only_from("198.51.100.7"));
    }
    /// The account's name; or "-" and the reason.
    std::string verify(const Proof& proof, std::string_view address = "192.0.2.1:5") {
        Task<Result<Verdict>> task = verifier.verify(proof, from(address));
        task.start(nullptr, nullptr);
        REQUIRE(task.is_done());
        const Result<Verdict> verdict = task.take();
        if (!verdict) return "error";
        if (const auto* account = std::get_if<Account>(&*verdict)) {
            return account->name + (account->master.empty() ? "" : " by " + account->master);
        }
        const char* reason = std::get<Rejected>(*verdict).reason;
        return std::string("-") + (reason == nullptr ? "" : reason);
    }
    Credentials credentials(std::string_view user, std::string_view acts_as = {},
                            std::string_view address = "192.0.2.1:5") {
        Task<Result<Credentials>> task =
            verifier.credentials({CredentialKind::secret, user, acts_as}, from(address));
        task.start(nullptr, nullptr);
        REQUIRE(task.is_done());
        Result<Credentials> found = task.take();
        REQUIRE(found.has_value());
        return std::move(*found);
    }

    KnownUsers users;
    KnownUsers masters;
    KnownTokens tokens;
    LoginVerifier verifier{
        LoginSources{users, {"", NameMatch::ignore_case}, &masters, '*', &tokens}};
};

}  // namespace

TEST_CASE("a user logs in as himself, said or not, in any case of letters") {
    World world;
    CHECK(world.verify(PasswordProof{"mrose", "tanstaaf"}) == "mrose");
    CHECK(world.verify(PasswordProof{"mrose", "tanstaaf", "mrose"}) == "mrose");
    CHECK(world.verify(PasswordProof{"mrose", "tanstaaf", "MROSE"}) == "mrose");
    CHECK(world.verify(PasswordProof{"mrose", "Tanstaaf"}) == "-");
    CHECK(world.verify(PasswordProof{"mrose", "tanstaaf", "bound"}) == "-");
}

TEST_CASE("a master opens anybody's maildrop with his own password, by name or by authzid") {
    World world;
    CHECK(world.verify(PasswordProof{"mrose*admin", "root"}) == "mrose by admin");
    CHECK(world.verify(PasswordProof{"admin", "root", "mrose"}) == "mrose by admin");
    CHECK(world.verify(PasswordProof{"mrose*admin", "tanstaaf"}) == "-");
    CHECK(world.verify(PasswordProof{"mrose*bound", "x"}) == "-");
    CHECK(world.verify(PasswordProof{"nobody*admin", "root"}) ==
          "-there is no such user for a master to act as");
    CHECK(world.verify(PasswordProof{"admin", "root"}) == "-");  // has no maildrop of his own
    for (const std::string_view name : {"*", "*admin", "mrose*", "mrose*admin*admin", "**"}) {
        CHECK(world.verify(PasswordProof{name, "root"}).starts_with('-'));
    }
}

TEST_CASE("without masters a separator is an octet of a name, and nobody acts as another") {
    KnownUsers users;
    users.add("mrose", "tanstaaf");
    users.add("a*b", "x");
    LoginVerifier verifier{LoginSources{users, {}}};
    const auto accepts = [&verifier](PasswordProof proof) {
        Task<Result<Verdict>> task = verifier.verify(proof, {});
        task.start(nullptr, nullptr);
        const Result<Verdict> verdict = task.take();
        return std::holds_alternative<Account>(*verdict);
    };
    CHECK(accepts({"a*b", "x"}));
    CHECK_FALSE(accepts({"mrose*mrose", "tanstaaf"}));
    CHECK_FALSE(accepts({"a*b", "x", "mrose"}));
    Task<Result<Credentials>> task =
        verifier.credentials({CredentialKind::secret, "a*b", "mrose"}, {});
    task.start(nullptr, nullptr);
    CHECK_FALSE(task.take()->account.has_value());
}

TEST_CASE("a certificate or a token for \"user*master\" makes nobody a master") {
    World world;
    CHECK(world.verify(ExternalProof{"mrose*admin"}) == "-");
    CHECK(world.verify(TokenProof{"", "mrose*admin"}).starts_with('-'));
    CHECK(world.verify(TokenProof{"mrose", "admin"}).starts_with('-'));
    for (const std::string& asked : world.masters.asked) CHECK(asked == "");
}

TEST_CASE("RFC 4422 A: EXTERNAL acts as the certificate's user, and as nobody else") {
    World world;
    CHECK(world.verify(ExternalProof{"mrose"}) == "mrose");
    CHECK(world.verify(ExternalProof{"mrose", "mrose"}) == "mrose");
    CHECK(world.verify(ExternalProof{"mrose", "bound"}) == "-a certificate makes nobody a master");
    CHECK(world.verify(ExternalProof{"admin", "mrose"}) == "-a certificate makes nobody a master");
    CHECK(world.verify(ExternalProof{"nobody"}) == "-");
}

TEST_CASE("a token opens the maildrop of the user it names, and no other") {
    World world;
    CHECK(world.verify(TokenProof{"", "mrose"}) == "mrose");
    CHECK(world.verify(TokenProof{"MRose", "mrose"}) == "mrose");
    CHECK(world.verify(TokenProof{"bound", "mrose"}) == "-the token is somebody else's");
    CHECK(world.verify(TokenProof{"", "expired"}) == "-the token has expired");
    CHECK(world.verify(TokenProof{"", "nobody"}) ==
          "-the token's user is not in the user database");
    CHECK(world.verify(TokenProof{"", "hangs"}) == "error");
    CHECK(world.verify(TokenProof{"", "bound"}, "203.0.113.1:5") ==
          "-this user's allow_nets does not have this address");
}

TEST_CASE("allow_nets and disablepop3 refuse whoever has the right password, and no sooner") {
    World world;
    CHECK(world.verify(PasswordProof{"bound", "x"}, "192.0.2.77:5") == "bound");
    CHECK(world.verify(PasswordProof{"bound", "x"}, "[::ffff:192.0.2.77]:5") == "bound");
    CHECK(world.verify(PasswordProof{"bound", "x"}, "[2001:db8::1]:5") == "bound");
    CHECK(world.verify(PasswordProof{"bound", "x"}, "192.0.3.1:5") ==
          "-this user's allow_nets does not have this address");
    CHECK(world.verify(PasswordProof{"bound", "y"}, "192.0.3.1:5") == "-");
    CHECK(world.verify(PasswordProof{"off", "x"}) == "-disablepop3 is set for this user");
    CHECK(world.verify(PasswordProof{"off", "y"}) == "-");
}

TEST_CASE("a master is bound to his own networks, not to the user's; what is off is off for him") {
    World world;
    CHECK(world.verify(PasswordProof{"bound*admin", "root"}, "203.0.113.1:5") == "bound by admin");
    CHECK(world.verify(PasswordProof{"off*admin", "root"}).starts_with('-'));
    CHECK(world.verify(PasswordProof{"mrose*away", "root"}).starts_with('-'));
    CHECK(world.verify(PasswordProof{"mrose*away", "root"}, "198.51.100.7:5") == "mrose by away");
}

TEST_CASE("an origin that is not known is in no network") {
    World world;
    Task<Result<Verdict>> task = world.verifier.verify(PasswordProof{"bound", "x"});
    task.start(nullptr, nullptr);
    const Result<Verdict> verdict = task.take();
    CHECK(std::holds_alternative<Rejected>(*verdict));
}

TEST_CASE("challenge mechanisms: the same rules, and the same secret for who is refused") {
    World world;
    CHECK(world.credentials("mrose").account->name == "mrose");
    CHECK(world.credentials("mrose", "mrose").account->name == "mrose");
    const Credentials master = world.credentials("admin", "mrose");
    CHECK(master.account->name == "mrose");
    CHECK(master.account->master == "admin");
    CHECK(master.secret.text() == "root");
    CHECK(world.credentials("mrose*admin").account->name == "mrose");
    CHECK_FALSE(world.credentials("nobody*admin").account.has_value());

    const Credentials barred = world.credentials("bound", {}, "203.0.113.1:5");
    CHECK_FALSE(barred.account.has_value());
    CHECK(barred.secret.text() == "x");
    CHECK(std::string(barred.refusal) == "this user's allow_nets does not have this address");
    CHECK_FALSE(world.credentials("off").account.has_value());
    CHECK_FALSE(world.credentials("mrose", "bound").account.has_value());
    CHECK(world.credentials("nobody").secret.text() == "false");
}

TEST_CASE("allow_nets: networks of either family, at any bit; what is none is refused") {
    const auto contains = [](std::string_view list, std::string_view address) {
        return NetworkList::parse(list)->contains(*SocketAddress::parse(address));
    };
    CHECK(contains("0.0.0.0/0", "203.0.113.9:1"));
    CHECK_FALSE(contains("0.0.0.0/0", "[2001:db8::1]:1"));
    CHECK(contains("::/0", "[2001:db8::1]:1"));
    CHECK(contains("10.0.0.0/7", "11.255.0.1:1"));
    CHECK_FALSE(contains("10.0.0.0/7", "12.0.0.1:1"));
    CHECK(contains("10.1.2.3/31", "10.1.2.2:1"));
    CHECK_FALSE(contains("10.1.2.3", "10.1.2.2:1"));
    CHECK(contains("2001:db8::/33", "[2001:db8:7fff::1]:1"));
    CHECK_FALSE(contains("2001:db8::/33", "[2001:db8:8000::1]:1"));
    CHECK(contains("local,127.0.0.1", "127.0.0.1:1"));
    CHECK_FALSE(contains("local", "127.0.0.1:1"));
    CHECK_FALSE(NetworkList::parse("0.0.0.0/0")->contains(SocketAddress()));
    std::string many = "10.0.0.1";
    for (int i = 1; i < 256; ++i) many += ",10.0.0.1";
    CHECK(NetworkList::parse(many).has_value());
    for (const std::string& wrong :
         {std::string(), std::string(","), std::string("10.0.0.1,"), std::string("10.0.0/8"),
          std::string("10.0.0.0/33"), std::string("::/129"), std::string("10.0.0.0/"),
          std::string("10.0.0.0/-1"), std::string("10.0.0.0/ 8"), std::string("example.org"),
          std::string("10.0.0.0/08x"), std::string("[::1]"), many + ",10.0.0.1"}) {
        CAPTURE(wrong.substr(0, 20));
        CHECK_FALSE(NetworkList::parse(wrong).has_value());
    }
}

}  // namespace restante
