#pragma once
/// A client that says one command at a time and waits for its reply: whole sessions as plain code.

#include <optional>
#include <string>
#include <string_view>

#include "sim/wire_reply.h"
#include "sim/world.h"

namespace restante::sim {

inline constexpr std::string_view talk_password = "tanstaaf";

class Talk {
public:
    /// Connects and takes the greeting.
    explicit Talk(World& world);
    /// Logs in as well; the reply to PASS is greeting().
    Talk(World& world, std::string_view user);
    Talk(const Talk&) = delete;
    Talk& operator=(const Talk&) = delete;
    /// Closes, and lets the server notice.
    ~Talk();

    const std::string& greeting() const { return greeting_; }
    /// The status line; "" where the connection ended before it was whole. The rest of a multi-line
    /// response is thrown away.
    std::string ask(std::string_view command);
    /// The text of a multi-line response; nothing where it was refused or not ended.
    std::optional<std::string> text(std::string_view command);
    /// LIST and UIDL together.
    std::string listings();
    Client& client() { return client_; }
    /// The connection breaks.
    void drop();

private:
    std::optional<WireReply> reply(bool multi_line);

    World& world_;
    Client client_;
    std::string received_;
    std::string greeting_;
};

/// The server's log, once what is gathered is written: a second passes.
const std::string& log_of(World& world);

}  // namespace restante::sim
