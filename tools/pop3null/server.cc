#include "server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace pop3null {
namespace {

constexpr int backlog = 65'535;
constexpr std::size_t events_max = 256;
constexpr std::size_t receive_octets = 16 * 1024;
/// Longest line kept while its end is awaited.
constexpr std::size_t line_octets_max = 16 * 1024;
/// What is batched before it is sent.
constexpr std::size_t output_octets_max = 64 * 1024;
constexpr std::size_t send_file_octets_max = 1 << 20;

std::unexpected<std::string> cannot(std::string_view what) {
    return std::unexpected(fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

std::expected<restante::Fd, std::string> bind_listener(const std::string& address,
                                                       std::uint16_t port, bool shares_port) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.c_str(), fmt::format("{}", port).c_str(), &hints, &found) != 0) {
        return std::unexpected(fmt::format("\"{}\" is no numeric address", address));
    }
    const int socket =
        ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    const int on = 1;
    const int shared = shares_port ? 1 : 0;
    // Accepted sockets inherit TCP_NODELAY.
    const bool is_bound =
        socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof shared) == 0 &&
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        ::bind(socket, found->ai_addr, found->ai_addrlen) == 0 && ::listen(socket, backlog) == 0;
    const int error = errno;
    ::freeaddrinfo(found);
    restante::Fd listener = socket >= 0 ? restante::Fd(socket) : restante::Fd();
    errno = error;
    if (!is_bound) return cannot(fmt::format("listen on {}:{}", address, port));
    return listener;
}

std::uint16_t port_of(int socket) {
    sockaddr_storage address{};
    socklen_t octets = sizeof address;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &octets);
    return ntohs(address.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool add_to_epoll(int epoll, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

}  // namespace

std::expected<Server, std::string> Server::listen(const CannedMail& mail,
                                                  const std::string& address, std::uint16_t port,
                                                  bool shares_port) {
    auto listener = bind_listener(address, port, shares_port);
    if (!listener) return std::unexpected(listener.error());
    Server server(mail);
    server.listener_ = std::move(*listener);
    server.port_ = port_of(server.listener_.get());
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return cannot("make an epoll");
    server.epoll_ = restante::Fd(epoll);
    if (!add_to_epoll(epoll, server.listener_.get(), EPOLLIN)) {
        return cannot("watch the listening socket");
    }
    return server;
}

std::expected<void, std::string> Server::run(int ending) {
    if (!add_to_epoll(epoll_.get(), ending, EPOLLIN)) return cannot("watch for its end");
    std::array<epoll_event, events_max> events;
    while (true) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        if (count < 0 && errno != EINTR) return cannot("wait for clients");
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == ending) return {};
            if (descriptor == listener_.get()) {
                accept_one();
            } else {
                on_event(descriptor, events[static_cast<std::size_t>(i)].events);
            }
        }
    }
}

/// One a turn: the listening socket is told again while clients wait, and a second accept4(2) would
/// mostly find none.
void Server::accept_one() {
    const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;  // gone again, or none to be had: the next turn tries anew
    if (connections_.size() <= static_cast<std::size_t>(socket)) {
        connections_.resize(static_cast<std::size_t>(socket) + 1);
    }
    connections_[static_cast<std::size_t>(socket)].is_open = true;
    // Fits into any fresh socket's buffer.
    const ssize_t sent = ::send(socket, greeting.data(), greeting.size(), MSG_NOSIGNAL);
    if (sent < 0 || !add_to_epoll(epoll_.get(), socket, EPOLLIN | EPOLLRDHUP | EPOLLET)) {
        close(socket);
    }
}

void Server::on_event(int socket, std::uint32_t events) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    if (!connection.is_open) return;  // closed earlier in this turn
    if (connection.is_blocked) {
        if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close(socket);
        if ((events & EPOLLOUT) == 0 || !flush(socket)) return;
        connection.is_blocked = false;
        answer_kept(socket);
        if (!connection.is_open || connection.is_blocked) return;
        return receive(socket, true);
    }
    receive(socket, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
}

/// Fewer octets than there was room for: the socket is empty, and the next ones are told anew
/// (epoll(7)). Not so its end, which comes once.
void Server::receive(int socket, bool until_end) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    std::array<char, receive_octets> buffer;
    while (true) {
        const ssize_t received = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (received <= 0) return close(socket);
        const std::string_view octets(buffer.data(), static_cast<std::size_t>(received));
        if (connection.input.empty()) {
            const std::size_t taken = answer_lines(socket, octets);
            if (!connection.is_open) return;
            connection.input.assign(octets.substr(taken));
        } else {
            connection.input += octets;
            answer_kept(socket);
            if (!connection.is_open) return;
        }
        if (connection.is_blocked) return;
        if (connection.input.size() > line_octets_max) return close(socket);
        if (octets.size() < buffer.size() && !until_end) return;
    }
}

void Server::answer_kept(int socket) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    std::string kept = std::move(connection.input);
    connection.input.clear();
    const std::size_t taken = answer_lines(socket, kept);
    if (connection.is_open) connection.input = kept.substr(taken);
}

/// Answers the whole lines of `received` and sends the answers together; returns how much of it
/// was answered. May close the connection.
std::size_t Server::answer_lines(int socket, std::string_view received) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    std::size_t at = 0;
    while (!connection.is_closing) {
        const std::size_t end = received.find('\n', at);
        if (end == std::string_view::npos) break;
        std::string_view line = received.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        at = end + 1;
        answer_line(connection, line);
        const bool is_due =
            connection.file_octets > 0 || connection.output.size() >= output_octets_max;
        if (is_due && !flush(socket)) return at;
    }
    flush(socket);
    return at;
}

void Server::answer_line(Connection& connection, std::string_view line) {
    if (connection.is_in_auth) {
        connection.is_in_auth = false;
        connection.output += sasl_done;
        return;
    }
    const Answered answered = answer(*mail_, line, connection.output);
    connection.is_in_auth = answered.after == After::sasl_response;
    connection.is_closing = answered.after == After::close;
    if (answered.after == After::message) {
        connection.file_at = answered.message->wire_at;
        connection.file_octets = answered.message->wire_octets;
    }
}

/// Sends what there is; false where some is left, or the connection was closed.
bool Server::flush(int socket) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    if (!connection.output.empty() && !send_output(socket, connection)) return false;
    if (connection.file_octets > 0 && !send_file(socket, connection)) return false;
    if (!connection.is_closing) return true;
    close(socket);
    return false;
}

bool Server::send_output(int socket, Connection& connection) {
    std::string& output = connection.output;
    const int more = connection.file_octets > 0 ? MSG_MORE : 0;
    const ssize_t sent = ::send(socket, output.data(), output.size(), MSG_NOSIGNAL | more);
    if (sent == static_cast<ssize_t>(output.size())) {
        output.clear();
        return true;
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        close(socket);
        return false;
    }
    output.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    block(socket, connection);
    return false;
}

bool Server::send_file(int socket, Connection& connection) {
    while (connection.file_octets > 0) {
        const ssize_t sent = ::sendfile(socket, mail_->file(), &connection.file_at,
                                        std::min(connection.file_octets, send_file_octets_max));
        if (sent < 0 && errno == EAGAIN) {
            block(socket, connection);
            return false;
        }
        if (sent <= 0 && errno != EINTR) {
            close(socket);
            return false;
        }
        connection.file_octets -= static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    }
    return true;
}

/// From now on the connection hears when it may send; most never need to.
void Server::block(int socket, Connection& connection) {
    if (connection.is_blocked) return;
    connection.is_blocked = true;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = socket;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event);
}

void Server::close(int socket) {
    Connection& connection = connections_[static_cast<std::size_t>(socket)];
    connection.input.clear();
    connection.output.clear();
    connection.file_octets = 0;
    connection.is_open = false;
    connection.is_in_auth = false;
    connection.is_closing = false;
    connection.is_blocked = false;
    ::close(socket);
}

}  // namespace pop3null
