#pragma once
/// What the server may still do to the machine once it serves (Landlock).

#include <cstdint>
#include <string>
#include <vector>

#include "server/config.h"

namespace restante {

struct Confinement {
    /// Folders, with all beneath, and files; absolute. What does not exist is left out.
    std::vector<std::string> read_only = {};
    /// There files, not folders, are also written, made and removed. Instead of a folder that does
    /// not exist the nearest one above it is opened up: a mail root may be made or mounted later.
    std::vector<std::string> read_write = {};
    std::vector<std::uint16_t> connect_ports = {};  ///< TCP, of any machine
};

/// What confine() did.
struct ConfinementReport {
    int landlock_abi = 0;                    ///< 0: nothing is in force
    std::vector<std::string> in_force = {};  ///< such as "signals: to none but itself"
    std::vector<std::string> missing = {};   ///< with the cure, such as "TCP (Linux 6.7 or newer)"

    /// One line for a log.
    std::string text() const;
};

/// What a server needs once its ports, its log and its user database are open. `own_maildrops` is
/// PasswdTable's: where those are not beneath the mail root, or the template begins with {home},
/// maildrops may lie anywhere, and files are written anywhere.
Confinement confinement_of(const Config& config, const std::string& own_maildrops);

/// Adds what it takes to read `file` again after it was replaced: its folder and, where it is a
/// symbolic link, the folder of what it leads to (certificates of certbot).
void allow_reading_again(const std::string& file, Confinement& confinement);

/// Adds connections to `port`, and what is read to find a host by name (getaddrinfo(3)) and to
/// check its certificate.
void allow_connecting(std::uint16_t port, Confinement& confinement);

/// For good: everything else fails with EACCES (files, TCP) or EPERM (signals, abstract sockets);
/// nothing is executed, no TCP port is bound. To be called after drop_privileges(), which sets
/// no_new_privs, and before any other thread exists: those that run already are not confined. What
/// the kernel does not have is left out and reported; nothing of it is an error.
ConfinementReport confine(const Confinement& confinement);

}  // namespace restante
