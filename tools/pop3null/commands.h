#pragma once
/// What a command line is answered with. There are no states: whoever asks is answered.

#include <cstdint>
#include <string>
#include <string_view>

#include "canned_mail.h"

namespace pop3null {

/// What is to be done after an answer's octets were put into the output.
enum class After : std::uint8_t {
    nothing,
    message,        ///< the message follows, from the file
    sasl_response,  ///< the next line is a response of AUTH
    close,          ///< once all is sent
};
struct Answered {
    After after;
    const WireMessage* message = nullptr;  ///< of After::message
};

/// The greeting; the timestamp lets clients try APOP.
inline constexpr std::string_view greeting = "+OK POP3 ready <1.1@pop3null>\r\n";

/// Appends the answer to `line` (without its line end) to `output`.
Answered answer(const CannedMail& mail, std::string_view line, std::string& output);
/// The answer to any response of AUTH.
inline constexpr std::string_view sasl_done = "+OK\r\n";

}  // namespace pop3null
