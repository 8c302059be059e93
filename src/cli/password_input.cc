#include "cli/password_input.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "auth/digest.h"
#include "auth/password_fault.h"

namespace restante {
namespace {

constexpr char interrupt_octet = 0x03;  // ^C

/// No echo while it lives. ^C ends the line instead of the program, so that echo always comes back.
class SilentTerminal {
public:
    explicit SilentTerminal(int terminal) : terminal_(terminal) {
        is_changed_ = ::tcgetattr(terminal_, &before_) == 0;
        if (!is_changed_) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        silent.c_cc[VEOL] = interrupt_octet;
        is_changed_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
    }
    ~SilentTerminal() {
        if (is_changed_) ::tcsetattr(terminal_, TCSAFLUSH, &before_);
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;

private:
    int terminal_;
    termios before_{};
    bool is_changed_ = false;
};

void say(std::string_view text) {
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0) {
        return;  // a prompt: nothing depends on it
    }
}

const char* fault_of_password(std::string_view password) {
    if (password.empty()) return "the password is empty";
    if (password.size() > password_octets_max) return "the password is longer than 511 octets";
    const bool has_control = std::ranges::any_of(password, [](char octet) {
        return static_cast<unsigned char>(octet) < ' ' || octet == '\x7F';
    });
    return has_control ? "the password has a control octet, which POP3 cannot carry" : nullptr;
}

/// One line, unbuffered: what follows it stays in the input.
std::expected<Secret, std::string> read_line(int input) {
    char line[password_octets_max + 2];  // one octet too many, and CR
    std::size_t held = 0;
    while (held < sizeof(line)) {
        char octet = 0;
        const ssize_t got = ::read(input, &octet, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return std::unexpected("cannot read the password: " +
                                   std::string(strerrordesc_np(errno)));
        if (got == 0 || octet == '\n') break;
        if (octet == interrupt_octet) {
            explicit_bzero(line, sizeof(line));
            return std::unexpected(std::string("interrupted"));
        }
        line[held++] = octet;
    }
    if (held > 0 && line[held - 1] == '\r') --held;
    Secret secret(std::string_view(line, held));
    explicit_bzero(line, sizeof(line));
    if (const char* fault = fault_of_password(secret.text())) {
        return std::unexpected(std::string(fault));
    }
    return secret;
}

}  // namespace

std::expected<Secret, std::string> read_password(const std::string& prompt, bool twice) {
    if (::isatty(STDIN_FILENO) == 0) return read_line(STDIN_FILENO);
    const SilentTerminal silent(STDIN_FILENO);
    say(prompt + ": ");
    std::expected<Secret, std::string> first = read_line(STDIN_FILENO);
    say("\n");
    if (!first || !twice) return first;
    say(prompt + " again: ");
    const std::expected<Secret, std::string> second = read_line(STDIN_FILENO);
    say("\n");
    if (!second) return std::unexpected(second.error());
    if (!equal_in_constant_time(first->text(), second->text())) {
        return std::unexpected(std::string("the passwords differ"));
    }
    return first;
}

}  // namespace restante
