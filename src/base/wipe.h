#pragma once
/// Passwords leave no copies behind.

#include <cstring>
#include <string>
#include <string_view>

namespace restante {

/// Overwrites `secret`, which is empty afterwards. Not removed by an optimiser.
inline void wipe(std::string& secret) {
    explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

/// A string that is overwritten at its end; move-only, and a move leaves nothing behind.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view text) : text_(text) {}
    explicit Secret(std::string&& text) : text_(text) { wipe(text); }
    Secret(Secret&& other) noexcept : text_(other.text_) { wipe(other.text_); }
    Secret& operator=(Secret&& other) noexcept {
        if (this == &other) return *this;
        wipe(text_);
        text_ = other.text_;
        wipe(other.text_);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(text_); }

    const std::string& text() const { return text_; }
    bool empty() const { return text_.empty(); }

private:
    std::string text_;
};

}  // namespace restante
