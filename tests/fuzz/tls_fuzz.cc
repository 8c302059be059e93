// The server's TLS engine: buffers keep to their bounds, failures are one printable line, and no
// plaintext comes out that the client did not put in. Input: an octet; even: the rest comes from
// the client, in pieces; odd: OpenSSL's client speaks, and the rest says which octets of what it
// sends are changed on the way: groups of place (2 octets) and change (1). Keys and nonces are new
// in each run, so that one input need not do the same twice.
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/assert.h"
#include "base/system_time.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "net/tls_engine.h"
#include "net/tls_self_signed.h"
#include "sim/tls_client.h"

namespace restante::fuzz {
namespace {

constexpr std::string_view said = "CAPA\r\nUSER mrose\r\nQUIT\r\n";
constexpr int turns_max = 20;

std::shared_ptr<const TlsContext> make_context() {
    std::string folder = (std::filesystem::temp_directory_path() / "tls_fuzz.XXXXXX").string();
    ASSERT(::mkdtemp(folder.data()) != nullptr);
    const TlsPair pair{folder + "/certificate", folder + "/key", ""};
    const auto made = make_self_signed();
    ASSERT(made.has_value());
    std::ofstream(pair.certificate) << made->certificate;
    std::ofstream(pair.key) << made->key;
    TlsSettings settings;
    settings.pairs.push_back(pair);
    const WallTime now = system_time();
    const auto context = TlsContext::make(settings, std::make_shared<TlsTicketKeys>(now), now);
    ASSERT(context.has_value());
    std::filesystem::remove_all(folder);
    return context->context;
}

const std::shared_ptr<const TlsContext>& context() {
    static const std::shared_ptr<const TlsContext> only = make_context();
    return only;
}

/// Takes ciphertext as a session would, and keeps the plaintext.
class Server {
public:
    Server() : engine_(context()) {}

    void take(std::string_view ciphertext) {
        while (!ciphertext.empty()) {
            const std::size_t taken = engine_.feed(ciphertext);
            ASSERT(taken <= ciphertext.size());
            if (taken == 0) break;
            ciphertext.remove_prefix(taken);
            turn();
        }
        check();
    }
    void end() {
        engine_.feed_end();
        turn();
        check();
    }
    std::string take_outgoing() {
        const std::string octets(engine_.outgoing().begin(), engine_.outgoing().end());
        engine_.consumed(octets.size());
        return octets;
    }
    const std::string& plaintext() const { return plaintext_; }
    bool is_established() const { return engine_.is_established(); }

private:
    void turn() {
        if (!engine_.is_established()) engine_.handshake();
        std::array<char, 512> text;
        while (engine_.is_established()) {
            const TlsRead read = engine_.read(text);
            if (read.status != TlsStatus::ready) break;
            ASSERT(read.octets >= 1 && read.octets <= text.size());
            plaintext_.append(text.data(), read.octets);
        }
    }
    void check() const {
        ASSERT(engine_.outgoing().size() <= tls_outgoing_octets_max);
        ASSERT(engine_.room() <= tls_incoming_octets_max);
        for (const char octet : engine_.failure()) ASSERT(octet >= ' ' && octet <= '~');
    }

    TlsEngine engine_;
    std::string plaintext_;
};

/// Octets of the client's, changed where the input says so.
class Wire {
public:
    explicit Wire(std::string_view changes) : changes_(changes) {}

    std::string carried(std::string octets) {
        for (std::size_t at = 0; at + 3 <= changes_.size(); at += 3) {
            Input change(changes_.substr(at, 3));
            const std::size_t high = change.octet();
            const std::size_t place = high << 8U | change.octet();
            if (place < passed_ || place - passed_ >= octets.size()) continue;
            octets[place - passed_] = static_cast<char>(octets[place - passed_] ^ change.octet());
        }
        passed_ += octets.size();
        return octets;
    }

private:
    std::string_view changes_;
    std::size_t passed_ = 0;
};

void run_client(bool is_1_2, std::string_view changes) {
    Server server;
    const int version = is_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    sim::TlsClient client({.min_version = version, .max_version = version});
    Wire wire(changes);
    bool has_said = false;
    for (int turn = 0; turn < turns_max; ++turn) {
        if (client.handshake() && !has_said) {
            client.write(said);
            has_said = true;
        }
        const std::string octets = wire.carried(client.take_outgoing());
        server.take(octets);
        const std::string answer = server.take_outgoing();
        if (octets.empty() && answer.empty()) break;
        client.feed(answer);
    }
    server.end();
    ASSERT(said.starts_with(server.plaintext()));
    if (changes.size() < 3) ASSERT(server.plaintext() == said);
}

void run_octets(std::uint8_t split, std::string_view octets) {
    Server server;
    for (Pieces pieces(octets, split); !pieces.is_over();) {
        server.take(pieces.next());
        server.take_outgoing();
    }
    server.end();
    ASSERT(!server.is_established() && server.plaintext().empty());
}

}  // namespace

void fuzz_tls(std::string_view input) {
    Input parts(input);
    const std::uint8_t kind = parts.octet();
    if (kind % 2 == 1) return run_client((kind & 2U) != 0, parts.rest());
    const std::uint8_t split = parts.octet();
    run_octets(split, parts.rest());
}

}  // namespace restante::fuzz
