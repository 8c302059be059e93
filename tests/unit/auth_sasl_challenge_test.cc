// SCRAM, CRAM-MD5 and DIGEST-MD5, against GNU SASL's client and against what no client should send.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <set>
#include <string>
#include <string_view>

#include "auth/digest.h"
#include "unit/sasl_world.h"

namespace restante {
namespace {

const SaslPolicy default_policy;
const SaslChannel no_channel;

using Kind = SaslStep::Kind;
using enum SaslMechanism;

constexpr SaslMechanism challenge_mechanisms[] = {scram_sha_256, scram_sha_1, cram_md5, digest_md5};
constexpr SaslMechanism scram_mechanisms[] = {scram_sha_256, scram_sha_1};
constexpr SaslMechanism plus_mechanisms[] = {scram_sha_256_plus, scram_sha_1_plus};

const std::string exporter(32, '\xE7');
const std::string unique_octets(12, '\x1F');

Ending play_once(SaslMechanism mechanism, const ClientSide& client, const ServerSide& server) {
    GsaslClient gsasl(name_of(mechanism), client);
    return play(mechanism, gsasl, server);
}

ServerSide with_channel() {
    ServerSide server;
    server.channel = {.is_encrypted = true, .tls_exporter = exporter};
    return server;
}

/// A SCRAM exchange by hand, up to the server's first message.
class ByHand {
public:
    ByHand(SaslMechanism mechanism, const ServerSide& server)
        : server_(server),
          exchange_(start_sasl_exchange(mechanism, server_.policy, server_.channel)) {}
    SaslStep say(std::string_view response) {
        return serve(*exchange_, exchange_->step(response), server_);
    }
    SaslExchange& exchange() { return *exchange_; }

private:
    ServerSide server_;
    std::unique_ptr<SaslExchange> exchange_;
};

std::string keyed(std::string_view key, std::string_view text, DigestAlgorithm algorithm) {
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const EVP_MD* method = algorithm == DigestAlgorithm::md5    ? EVP_md5()
                           : algorithm == DigestAlgorithm::sha1 ? EVP_sha1()
                                                                : EVP_sha256();
    HMAC(method, key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), made, &size);
    return {reinterpret_cast<const char*>(made), size};
}

std::string xored(std::string left, std::string_view right) {
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = static_cast<char>(left[i] ^ right[i]);
    return left;
}

/// A client-final-message for what the server said, with the password's keys.
std::string scram_final(std::string_view first_bare, std::string_view server_first,
                        std::string_view binding) {
    const std::string nonce(server_first.substr(2, server_first.find(',') - 2));
    const std::string without_proof = "c=" + base64_encode(binding) + ",r=" + nonce;
    const std::string message =
        std::string(first_bare) + ',' + std::string(server_first) + ',' + without_proof;
    std::string salted(32, '\0');
    PKCS5_PBKDF2_HMAC("tanstaaf", 8, reinterpret_cast<const unsigned char*>("0123456789abcdef"), 16,
                      4096, EVP_sha256(), 32, reinterpret_cast<unsigned char*>(salted.data()));
    const std::string client_key = keyed(salted, "Client Key", DigestAlgorithm::sha256);
    const std::string stored_key(digest_of(DigestAlgorithm::sha256, client_key, "")->view());
    const std::string signature = keyed(stored_key, message, DigestAlgorithm::sha256);
    return without_proof + ",p=" + base64_encode(xored(client_key, signature));
}

std::string md5_hex_of(std::string_view text) {
    return hex_encode(digest_of(DigestAlgorithm::md5, text, "")->view());
}

struct DigestFields {
    std::string user = "mrose";
    std::string realm = "pop.example.org";
    std::string password = "tanstaaf";
    std::string nonce{};
    std::string cnonce = "OA6MG9tEQGm2hh";
    std::string uri = "pop/pop.example.org";
    std::string nonce_count = "00000001";
};

/// RFC 2831 §2.1.2.1.
std::string digest_md5_answer(const DigestFields& fields) {
    const Digest a0 = *digest_of(DigestAlgorithm::md5,
                                 fields.user + ':' + fields.realm + ':' + fields.password, "");
    const std::string a1 = std::string(a0.view()) + ':' + fields.nonce + ':' + fields.cnonce;
    const std::string a2 = "AUTHENTICATE:" + fields.uri;
    return md5_hex_of(md5_hex_of(a1) + ':' + fields.nonce + ':' + fields.nonce_count + ':' +
                      fields.cnonce + ":auth:" + md5_hex_of(a2));
}

std::string digest_md5_response(const DigestFields& fields, std::string_view more = "") {
    return "charset=utf-8,username=\"" + fields.user + "\",realm=\"" + fields.realm +
           "\",nonce=\"" + fields.nonce + "\",nc=" + fields.nonce_count + ",cnonce=\"" +
           fields.cnonce + "\",digest-uri=\"" + fields.uri +
           "\",response=" + digest_md5_answer(fields) + ",qop=auth" + std::string(more);
}

std::string nonce_in(std::string_view challenge) {
    const std::size_t begin = challenge.find("nonce=\"") + 7;
    return std::string(challenge.substr(begin, challenge.find('"', begin) - begin));
}

}  // namespace

TEST_CASE("each challenge mechanism lets GNU SASL's client in with the right password") {
    for (const SaslMechanism mechanism : challenge_mechanisms) {
        CAPTURE(name_of(mechanism));
        const Ending ending = play_once(mechanism, {}, {});
        CHECK(ending.kind == Kind::authenticated);
        CHECK(ending.account == "mrose");
        CHECK(ending.is_client_content);
    }
}

TEST_CASE("a wrong password, an unknown user and a refused one get the same from each mechanism") {
    for (const SaslMechanism mechanism : challenge_mechanisms) {
        CAPTURE(name_of(mechanism));
        const ClientSide wrong{.password = "Tanstaaf"};
        ServerSide unknown;
        unknown.knows_user = false;
        unknown.password = "what nobody has";
        ServerSide barred;
        barred.refusal = "not from there";
        const Ending ends[] = {play_once(mechanism, wrong, {}), play_once(mechanism, {}, unknown),
                               play_once(mechanism, {}, barred)};
        for (const Ending& ending : ends) {
            CHECK(ending.kind == Kind::failed);
            CHECK(ending.last_challenge == ends[0].last_challenge);
            CHECK(ending.challenges.size() == ends[0].challenges.size());
            CHECK(ending.account.empty());
        }
        CHECK(ends[0].reason.empty());
        CHECK(ends[2].reason == "not from there");
    }
}

TEST_CASE("who is refused and has a wrong password besides is not told apart in the log either") {
    for (const SaslMechanism mechanism : challenge_mechanisms) {
        ServerSide barred;
        barred.refusal = "not from there";
        CHECK(play_once(mechanism, {.password = "Tanstaaf"}, barred).reason.empty());
    }
}

TEST_CASE("RFC 5802 §3: the server proves itself last; POP3's client answers that with nothing") {
    for (const SaslMechanism mechanism : scram_mechanisms) {
        const Ending ending = play_once(mechanism, {}, {});
        REQUIRE(ending.challenges.size() == 3);
        CHECK(ending.challenges[0].empty());
        CHECK(ending.challenges[2].starts_with("v="));
        CHECK(ending.responses[2].empty());
    }
    ByHand exchange(scram_sha_256, {});
    const std::string first(exchange.say("n,,n=mrose,r=abc").challenge);
    CHECK(exchange.say(scram_final("n=mrose,r=abc", first, "n,,")).kind == Kind::challenge);
    CHECK(exchange.say("something").kind == Kind::malformed);
}

TEST_CASE("RFC 5802 §6: -PLUS binds to the channel, by tls-exporter or by tls-unique") {
    for (const SaslMechanism mechanism : plus_mechanisms) {
        CAPTURE(name_of(mechanism));
        const Ending ending = play_once(mechanism, {.tls_exporter = exporter}, with_channel());
        CHECK(ending.kind == Kind::authenticated);
        CHECK(ending.responses[0].starts_with("p=tls-exporter,"));

        ServerSide older;
        older.channel = {.is_encrypted = true, .tls_unique = unique_octets};
        const Ending old = play_once(mechanism, {.tls_unique = unique_octets}, older);
        CHECK(old.kind == Kind::authenticated);
        CHECK(old.responses[0].starts_with("p=tls-unique,"));
    }
}

TEST_CASE("RFC 5802 §6: another channel's binding fails, however right the password") {
    for (const SaslMechanism mechanism : plus_mechanisms) {
        const ClientSide elsewhere{.tls_exporter = std::string(32, 'x')};
        const Ending ending = play_once(mechanism, elsewhere, with_channel());
        CHECK(ending.kind == Kind::failed);
        CHECK(ending.last_challenge == "e=channel-bindings-dont-match");
    }
}

TEST_CASE("RFC 5802 §6: \"y\" where -PLUS is offered is somebody in between") {
    CHECK(ByHand(scram_sha_256, with_channel()).say("y,,n=mrose,r=abc").kind == Kind::malformed);
    CHECK(ByHand(scram_sha_256, with_channel()).say("n,,n=mrose,r=abc").kind == Kind::challenge);
    CHECK(ByHand(scram_sha_256, {}).say("y,,n=mrose,r=abc").kind == Kind::challenge);
}

TEST_CASE("RFC 5802 §6: \"y\" that was \"n\" on the way does not match the proof") {
    ByHand exchange(scram_sha_256, {});
    const std::string first(exchange.say("n,,n=mrose,r=abc").challenge);
    const SaslStep ended = exchange.say(scram_final("n=mrose,r=abc", first, "y,,"));
    CHECK(ended.kind == Kind::failed);
    CHECK(ended.challenge == "e=channel-bindings-dont-match");
}

TEST_CASE("RFC 5802 §6: a binding without -PLUS, -PLUS without one, and unknown ones fail") {
    const ServerSide server = with_channel();
    CHECK(ByHand(scram_sha_256, server).say("p=tls-exporter,,n=mrose,r=abc").kind ==
          Kind::malformed);
    for (const std::string_view header : {"n,,", "y,,", "p=,,", "p,,", "p=tls-unique,,",
                                          "p=tls-server-end-point,,", "p=tls-exporterr,,"}) {
        CAPTURE(header);
        CHECK(ByHand(scram_sha_256_plus, server).say(std::string(header) + "n=mrose,r=abc").kind ==
              Kind::malformed);
    }
    CHECK(ByHand(scram_sha_256_plus, server).say("p=tls-exporter,,n=mrose,r=abc").kind ==
          Kind::challenge);
}

TEST_CASE("a client-final-message by hand is right, so that the wrong ones below are wrong") {
    ByHand exchange(scram_sha_256, {});
    const std::string first(exchange.say("n,,n=mrose,r=abc").challenge);
    CHECK(exchange.say(scram_final("n=mrose,r=abc", first, "n,,")).kind == Kind::challenge);
    CHECK(exchange.say("").kind == Kind::authenticated);
}

TEST_CASE("RFC 5802 §5.1: proofs and nonces of another exchange are worth nothing") {
    ByHand recorded(scram_sha_256, {});
    const std::string first(recorded.say("n,,n=mrose,r=abc").challenge);
    const std::string final = scram_final("n=mrose,r=abc", first, "n,,");
    CHECK(recorded.say(final).kind == Kind::challenge);

    ByHand replayed(scram_sha_256, {});
    const std::string other(replayed.say("n,,n=mrose,r=abc").challenge);
    CHECK(other != first);
    CHECK(replayed.say(final).kind == Kind::failed);

    ByHand spliced(scram_sha_256, {});
    const std::string now(spliced.say("n,,n=mrose,r=abc").challenge);
    std::string mixed = "c=biws,r=" + now.substr(2, now.find(',') - 2);
    mixed += final.substr(final.find(",p="));
    CHECK(spliced.say(mixed).kind == Kind::failed);
}

TEST_CASE("RFC 4422 §3: CRAM-MD5 and DIGEST-MD5 take no initial response") {
    const auto cram = start_sasl_exchange(cram_md5, default_policy, no_channel);
    CHECK(cram->step("mrose " + std::string(32, 'a')).kind == Kind::malformed);
    const auto digest = start_sasl_exchange(digest_md5, default_policy, no_channel);
    CHECK(digest->step(digest_md5_response({.realm = "", .nonce = "abc"})).kind == Kind::malformed);
}

TEST_CASE("SCRAM: each exchange has a nonce of its own, the client's first") {
    std::set<std::string> seen;
    for (int i = 0; i < 50; ++i) {
        ByHand exchange(scram_sha_256, {});
        const std::string first(exchange.say("n,,n=mrose,r=abc").challenge);
        CHECK(first.starts_with("r=abc"));
        CHECK(seen.insert(first).second);
    }
}

TEST_CASE(
    "RFC 5802 §5.1: an authorization identity is asked for with the user, and is part of it") {
    const auto exchange = start_sasl_exchange(scram_sha_256, default_policy, no_channel);
    CHECK(exchange->start().kind == Kind::challenge);
    const SaslStep asked = exchange->step("n,a=other,n=mrose,r=abc");
    CHECK(asked.kind == Kind::credentials);
    CHECK(asked.query.user == "mrose");
    CHECK(asked.query.acts_as == "other");
    CHECK(asked.query.kind == CredentialKind::scram_sha_256);
    CHECK(exchange->user() == "mrose");
}

TEST_CASE("SCRAM: what is no client-first-message is malformed, a challenge always fits its line") {
    for (const std::string& text :
         {std::string(), std::string("n"), std::string("n,,"), std::string("n,,n=mrose"),
          std::string("n,,n=,r=abc"), std::string("n,,r=abc,n=mrose"), std::string("z,,n=u,r=a"),
          std::string("n,,m=x,n=u,r=a"), std::string("n,b,n=u,r=a"), std::string("n,,n=u=2,r=a"),
          std::string("n,,n=u,r="), std::string("n,,n=u\0x,r=a", 11), std::string("nn,,n=u,r=a"),
          std::string("n,,n=m\xC2\xADx,r=abc"), "n,,n=mrose,r=" + std::string(400, 'x'),
          "n,,n=" + std::string(300, 'u') + ",r=abc", std::string(64 * 1024, 'n')}) {
        CAPTURE(text.size());
        CAPTURE(text.substr(0, 30));
        const SaslStep step = ByHand(scram_sha_256, {}).say(text);
        CHECK((step.kind == Kind::malformed || step.kind == Kind::failed));
    }
    const SaslStep longest = ByHand(scram_sha_256, {}).say("n,,n=u,r=" + std::string(300, 'x'));
    CHECK(longest.kind == Kind::challenge);
    CHECK(longest.challenge.size() <= sasl_challenge_octets_max);
}

TEST_CASE("SCRAM: what is no client-final-message is refused") {
    for (const std::string& text :
         {std::string(), std::string("c="), std::string("c=biws"), std::string("c=biws,r=abc"),
          std::string("r=abc,p="), std::string("c=*,r=abc,p=AAAA"), std::string("c=biws,r=,p=AAAA"),
          std::string("c=biws,r=abc,p=AAAA"), std::string(64 * 1024, 'c')}) {
        CAPTURE(text.substr(0, 30));
        ByHand exchange(scram_sha_256, {});
        CHECK(exchange.say("n,,n=mrose,r=abc").kind == Kind::challenge);
        const SaslStep step = exchange.say(text);
        CHECK((step.kind == Kind::malformed || step.kind == Kind::failed));
    }
}

TEST_CASE("RFC 2195 §2: the digest is keyed with the password over the challenge") {
    // The RFC's own example.
    CHECK(hex_encode(keyed("tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>",
                           DigestAlgorithm::md5)) == "b913a602c7eda7a495b4e6e7334d3890");
    ByHand exchange(cram_md5, {});
    const std::string challenge(exchange.exchange().start().challenge);
    CHECK(challenge.starts_with('<'));
    CHECK(challenge.ends_with('>'));
    const std::string digest = hex_encode(keyed("tanstaaf", challenge, DigestAlgorithm::md5));
    CHECK(exchange.say("mrose " + digest).kind == Kind::authenticated);
}

TEST_CASE("RFC 2195 §2: a recorded response is worth nothing, and what is none is malformed") {
    ByHand recorded(cram_md5, {});
    const std::string challenge(recorded.exchange().start().challenge);
    const std::string digest = hex_encode(keyed("tanstaaf", challenge, DigestAlgorithm::md5));
    ByHand replayed(cram_md5, {});
    CHECK(replayed.exchange().start().challenge != challenge);
    CHECK(replayed.say("mrose " + digest).kind == Kind::failed);

    for (const std::string& text :
         {std::string(), std::string("mrose"), "mrose" + digest, ' ' + digest,
          "mrose " + digest + 'a', "mrose " + digest.substr(1), "mrose\0 " + digest,
          std::string(64 * 1024, 'm')}) {
        ByHand exchange(cram_md5, {});
        exchange.exchange().start();
        CHECK(exchange.say(text).kind == Kind::malformed);
    }
}

TEST_CASE("RFC 2831 §4: the example's response is what this test computes") {
    const DigestFields example{.user = "chris",
                               .realm = "elwood.innosoft.com",
                               .password = "secret",
                               .nonce = "OA6MG9tEQGm2hh",
                               .cnonce = "OA6MHXh6VqTrRk",
                               .uri = "imap/elwood.innosoft.com"};
    CHECK(digest_md5_answer(example) == "d388dad90d4bbd760a152321f2143af7");
}

TEST_CASE("RFC 2831 §2.1: DIGEST-MD5 offers no security layer, and proves the server") {
    ByHand exchange(digest_md5, {});
    const std::string challenge(exchange.exchange().start().challenge);
    CHECK(challenge.find("auth-int") == std::string::npos);
    CHECK(challenge.find("realm=\"pop.example.org\"") != std::string::npos);
    CHECK(challenge.size() <= sasl_challenge_octets_max);
    const SaslStep proven = exchange.say(digest_md5_response({.nonce = nonce_in(challenge)}));
    CHECK(proven.kind == Kind::challenge);
    CHECK(proven.challenge.starts_with("rspauth="));
    CHECK(exchange.say("").kind == Kind::authenticated);
}

TEST_CASE("RFC 2831 §2.1.2: other nonces, services, realms and layers are refused") {
    const auto ending_of = [](DigestFields fields, std::string_view more) {
        ByHand exchange(digest_md5, {});
        const std::string nonce = nonce_in(exchange.exchange().start().challenge);
        if (fields.nonce.empty()) fields.nonce = nonce;
        return exchange.say(digest_md5_response(fields, more)).kind;
    };
    CHECK(ending_of({}, "") == Kind::challenge);
    for (const DigestFields& fields :
         {DigestFields{.nonce = "OA6MG9tEQGm2hh"}, DigestFields{.uri = "imap/pop.example.org"},
          DigestFields{.realm = "elsewhere"}, DigestFields{.password = "Tanstaaf"},
          DigestFields{.nonce_count = "00000002"}, DigestFields{.user = ""},
          DigestFields{.user = "m rose"}}) {
        CAPTURE(fields.realm);
        const Kind kind = ending_of(fields, "");
        CHECK((kind == Kind::malformed || kind == Kind::failed));
    }
    for (const std::string_view more :
         {",qop=auth-int", ",username=\"other\"", ",x", ",=", ",a=\""}) {
        CAPTURE(more);
        const Kind kind = ending_of({}, more);
        CHECK((kind == Kind::malformed || kind == Kind::failed));
    }
}

}  // namespace restante
