// What the server's half of a TLS 1.3 handshake costs OpenSSL alone: CPU time over memory, no
// socket, no event loop; configured as restante configures it (net/tls_context.cc). As many threads
// as there are cores, so that they are as busy as under load. Prints microseconds a handshake.
//
//     handshake_cost CERTIFICATE KEY full|resumed MILLISECONDS

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "base/free_with.h"

namespace {

using restante::FreeWith;
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using Ticket = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

// What pop3load is made to ask for (bench/versus/tls.py).
constexpr const char* ciphers = "TLS_AES_128_GCM_SHA256";
constexpr const char* groups = "X25519:P-256";

void need(bool is_done, const char* what) {
    if (is_done) return;
    std::fprintf(stderr, "handshake_cost: %s failed\n", what);
    std::exit(1);
}

Context make_context(const SSL_METHOD* method) {
    Context context(SSL_CTX_new(method));
    need(context != nullptr, "SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    need(SSL_CTX_set_ciphersuites(context.get(), ciphers) == 1, "the cipher");
    need(SSL_CTX_set1_groups_list(context.get(), groups) == 1, "the group");
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    return context;
}

Context make_server(const char* certificate, const char* key) {
    Context server = make_context(TLS_server_method());
    need(SSL_CTX_use_certificate_chain_file(server.get(), certificate) == 1, "the certificate");
    need(SSL_CTX_use_PrivateKey_file(server.get(), key, SSL_FILETYPE_PEM) == 1, "the key");
    SSL_CTX_set_session_cache_mode(server.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(server.get(), 1);
    return server;
}

/// Adds up this thread's CPU time while it lives.
class Meter {
public:
    explicit Meter(std::uint64_t& sum) : sum_(sum), begun_(now()) {}
    Meter(const Meter&) = delete;
    Meter& operator=(const Meter&) = delete;
    ~Meter() { sum_ += now() - begun_; }

private:
    static std::uint64_t now() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
               static_cast<std::uint64_t>(time.tv_nsec);
    }
    std::uint64_t& sum_;
    std::uint64_t begun_;
};

/// The server's half is within a Meter, the client's is not. `ticket` is taken, and replaced.
void shake_hands(SSL_CTX* server, SSL_CTX* client, bool resumes, Ticket& ticket,
                 std::uint64_t& nanoseconds) {
    BIO* near = nullptr;
    BIO* far = nullptr;
    need(BIO_new_bio_pair(&near, 0, &far, 0) == 1, "BIO_new_bio_pair");
    const Connection asking(SSL_new(client));
    SSL_set_bio(asking.get(), far, far);
    SSL_set_connect_state(asking.get());
    if (resumes && ticket != nullptr) SSL_set_session(asking.get(), ticket.get());
    SSL_do_handshake(asking.get());
    Connection answering;
    {
        const Meter meter(nanoseconds);
        answering.reset(SSL_new(server));
        SSL_set_bio(answering.get(), near, near);
        SSL_set_accept_state(answering.get());
        SSL_do_handshake(answering.get());
    }
    need(SSL_do_handshake(asking.get()) == 1, "the client's handshake");
    {
        const Meter meter(nanoseconds);
        need(SSL_do_handshake(answering.get()) == 1, "the server's handshake");
    }
    char octet = 0;
    SSL_read(asking.get(), &octet, 1);  // the ticket
    need(!resumes || ticket == nullptr || SSL_session_reused(answering.get()) == 1, "resuming");
    ticket.reset(SSL_get1_session(asking.get()));
    SSL_set_shutdown(asking.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    const Meter meter(nanoseconds);
    answering.reset();
}

struct Sum {
    std::atomic<std::uint64_t> nanoseconds = 0;
    std::atomic<std::uint64_t> handshakes = 0;
};

void run(SSL_CTX* server, bool resumes, std::chrono::milliseconds duration, Sum& sum) {
    const Context client = make_context(TLS_client_method());
    Ticket ticket;
    std::uint64_t ignored = 0;
    shake_hands(server, client.get(), resumes, ticket, ignored);
    std::uint64_t nanoseconds = 0;
    std::uint64_t handshakes = 0;
    const auto end = std::chrono::steady_clock::now() + duration;
    do {
        shake_hands(server, client.get(), resumes, ticket, nanoseconds);
        ++handshakes;
    } while (std::chrono::steady_clock::now() < end);
    sum.nanoseconds += nanoseconds;
    sum.handshakes += handshakes;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "handshake_cost CERTIFICATE KEY full|resumed MILLISECONDS\n");
        return 2;
    }
    const Context server = make_server(arguments[1], arguments[2]);
    const bool resumes = std::string_view(arguments[3]) == "resumed";
    const std::chrono::milliseconds duration(std::atoi(arguments[4]));
    Sum sum;
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
            threads.emplace_back([&] { run(server.get(), resumes, duration, sum); });
    }
    std::printf("%.2f\n", static_cast<double>(sum.nanoseconds) / 1000.0 /
                              static_cast<double>(sum.handshakes));
    return 0;
}
