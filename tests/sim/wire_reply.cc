#include "sim/wire_reply.h"

namespace restante::sim {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view termination = "\r\n.\r\n";

std::string unstuffed(std::string_view stuffed) {
    std::string text;
    text.reserve(stuffed.size());
    while (!stuffed.empty()) {
        const std::size_t end = stuffed.find(line_end) + line_end.size();
        text += stuffed.substr(stuffed.front() == '.' ? 1 : 0, end - (stuffed.front() == '.'));
        stuffed.remove_prefix(end);
    }
    return text;
}

}  // namespace

std::optional<WireReply> take_reply(std::string& octets, bool multi_line) {
    const std::size_t status_octets = octets.find(line_end);
    if (status_octets == std::string::npos) return std::nullopt;
    WireReply reply{octets.substr(0, status_octets), {}};
    std::size_t whole = status_octets + line_end.size();
    if (multi_line && reply.is_ok()) {
        const std::size_t end = octets.find(termination, status_octets);
        if (end == std::string::npos) return std::nullopt;
        const std::size_t text_octets = end + line_end.size() - whole;
        reply.text = unstuffed(std::string_view(octets).substr(whole, text_octets));
        whole = end + termination.size();
    }
    octets.erase(0, whole);
    return reply;
}

std::string wire_form(std::string_view file) {
    std::string form;
    form.reserve(file.size() + file.size() / 32 + line_end.size());
    char before = '\0';
    for (const char octet : file) {
        if (octet == '\n' && before != '\r') form += '\r';
        form += octet;
        before = octet;
    }
    if (!form.empty() && before != '\n') form += line_end;
    return form;
}

}  // namespace restante::sim
