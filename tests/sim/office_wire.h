#pragma once
/// A client's end of its connection to a simulated post office: in plain text, or under TLS from
/// the first octet or from STLS on; and what somebody on the way does to it.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "sim/sim_network.h"
#include "sim/sim_random.h"

struct ssl_session_st;

namespace restante::sim {

class TlsClient;

/// A session that a client has kept, for another one to resume.
class KeptTlsSession {
public:
    KeptTlsSession() = default;
    KeptTlsSession(const KeptTlsSession&) = delete;
    KeptTlsSession& operator=(const KeptTlsSession&) = delete;
    ~KeptTlsSession() { keep(nullptr); }
    void keep(ssl_session_st* session);
    ssl_session_st* get() const { return session_; }

private:
    ssl_session_st* session_ = nullptr;
};

/// What somebody on the way does to a record.
enum class Tampering : std::uint8_t { flips_bit, drops, repeats };
inline constexpr std::size_t tamperings = 3;

class OfficeWire {
public:
    OfficeWire(Client client, SimRandom& random);
    OfficeWire(const OfficeWire&) = delete;
    OfficeWire& operator=(const OfficeWire&) = delete;
    ~OfficeWire();

    /// The connection itself.
    Client& client() { return client_; }
    const Client& client() const { return client_; }

    /// TLS from the next octet on; `came` has come already. Resumes what `kept` has, if anything.
    void secure(std::string_view came, const KeptTlsSession& kept);
    bool is_secure() const { return tls_ != nullptr; }
    /// Plaintext passes: there is no TLS, or its handshake is done.
    bool is_open() const { return tls_ == nullptr || (is_open_ && failure().empty()); }

    /// While is_open(). `hold`: the last octets stay here until the next send().
    void send(std::string_view text, bool hold);
    /// Of what was sent, the octets that have left whole and unharmed: those the server may act on.
    std::uint64_t sent_octets() const { return whole_octets_; }
    /// What has come, decrypted; goes on with the handshake.
    std::string take_received();
    /// Sends no more (FIN). Under TLS it may say so before, or seem to be cut off.
    void finish(bool politely);

    // Somebody on the way.
    /// What is sent next under TLS does not arrive as it left; nor counts what follows.
    void tamper(Tampering how);
    /// Octets that the client never sent.
    void inject(std::string_view octets);
    bool is_attacked() const { return is_attacked_; }

    // Of TLS.
    /// Why it failed; "" = it did not.
    const std::string& failure() const;
    /// The server said that it sends no more.
    bool was_closed() const;
    bool is_resumed() const;
    /// Of the server's certificate.
    std::string common_name() const;
    void keep_session(KeptTlsSession& kept) const;

private:
    struct Record {
        std::string octets;
        std::uint64_t end;  ///< of the plaintext in it, in octets of the connection
    };
    void seal(std::string_view text);
    void pass(Record record);
    void flush();

    Client client_;
    SimRandom& random_;
    std::unique_ptr<TlsClient> tls_;
    std::deque<Record> records_;  // sealed, not sent
    std::string held_;            // the end of one
    std::uint64_t held_end_ = 0;
    std::uint64_t said_octets_ = 0;
    std::uint64_t whole_octets_ = 0;
    int tampering_ = -1;  // of the next record, or none
    bool is_open_ = false;
    bool is_attacked_ = false;
    bool has_finished_ = false;
};

}  // namespace restante::sim
