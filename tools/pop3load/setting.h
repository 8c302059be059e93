#pragma once
/// What the runs of one command share: who does what to which server.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "connection.h"
#include "options.h"
#include "script.h"
#include "users.h"

namespace pop3load {

struct Setting {
    /// `options` must outlive it. The error is a sentence of what they ask for and is not there.
    static std::expected<Setting, std::string> from(const Options& options);
    /// Sessions a second that the users have by themselves: specmail2001's peak hour. 0: none.
    double natural_rate() const;
    /// Why so many connections at once (closed model; 0: open) cannot be had; empty: they can.
    std::string refusal(std::uint32_t connections) const;

    const Options& options;
    const Profile& profile;
    Users users;
    Address target;
    std::vector<Address> sources;  ///< taken in turn; empty: the kernel chooses
};

}  // namespace pop3load
