#pragma once
/// Of one thread, with one epoll: the least that a POP3 server can do for a client.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "canned_mail.h"
#include "commands.h"

namespace pop3null {

class Server {
public:
    /// Listens; `port` 0 is any that is free. `address` is numeric, IPv4 or IPv6. Others that
    /// share the port as well get their part of its clients (SO_REUSEPORT). `mail` outlives it.
    static std::expected<Server, std::string> listen(const CannedMail& mail,
                                                     const std::string& address, std::uint16_t port,
                                                     bool shares_port);
    std::uint16_t port() const { return port_; }
    /// Until `ending` is readable. The error says what failed.
    std::expected<void, std::string> run(int ending);

private:
    /// Its descriptor is its place in connections_. What is buffered is there only between two
    /// calls of receive(): a part of a line, or what the client does not take.
    struct Connection {
        std::string input;   ///< received, not yet answered
        std::string output;  ///< answered, not yet taken
        off_t file_at = 0;   ///< of the message that follows the output
        std::size_t file_octets = 0;
        bool is_open = false;
        bool is_in_auth = false;
        bool is_closing = false;  ///< once all is sent
        bool is_blocked = false;  ///< waits until the client takes more
    };

    explicit Server(const CannedMail& mail) : mail_(&mail) {}
    void accept_one();
    void on_event(int socket, std::uint32_t events);
    void receive(int socket, bool until_end);
    std::size_t answer_lines(int socket, std::string_view received);
    void answer_line(Connection& connection, std::string_view line);
    void answer_kept(int socket);
    bool flush(int socket);
    bool send_output(int socket, Connection& connection);
    bool send_file(int socket, Connection& connection);
    void block(int socket, Connection& connection);
    void close(int socket);

    const CannedMail* mail_;
    std::uint16_t port_ = 0;
    restante::Fd listener_;
    restante::Fd epoll_;
    std::deque<Connection> connections_;  // by descriptor; stay where they are
};

}  // namespace pop3null
