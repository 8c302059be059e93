#pragma once
/// What a client makes of the octets it receives, written apart from what the server makes of them.

#include <optional>
#include <string>
#include <string_view>

namespace restante::sim {

struct WireReply {
    std::string status;  ///< first line, without its CRLF
    std::string text;    ///< of a multi-line response, un-stuffed, without the termination
    bool is_ok() const { return status.starts_with("+OK"); }
};

/// Takes a whole reply off the front of `octets`; nothing where it is not whole yet. `multi_line`:
/// +OK begins a multi-line response (RFC 1939 §3).
std::optional<WireReply> take_reply(std::string& octets, bool multi_line);

/// What a client must hold of a file (RFC 1939 §11): bare LF as CRLF, a line end at the end.
std::string wire_form(std::string_view file);

}  // namespace restante::sim
