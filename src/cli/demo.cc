/// `restante demo`: a server with sample mail and no configuration.

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "auth/password_scheme.h"
#include "cli/commands.h"
#include "cli/sample_mail.h"
#include "server/config.h"
#include "server/privileges.h"
#include "server/server.h"

namespace restante {
namespace {

constexpr std::size_t password_characters = 16;

/// A folder that is removed with everything in it at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string path =
            (std::filesystem::temp_directory_path() / "restante-demo.XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr)
            throw std::filesystem::filesystem_error(
                "cannot make a temporary folder", path,
                std::error_code(errno, std::generic_category()));
        path_ = path;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;  // the folder is in /tmp: the machine clears it
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Letters and digits that nobody confuses; 32 of them, so that every random octet gives one
/// fairly.
std::string random_password() {
    constexpr std::string_view alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
    std::array<unsigned char, password_characters> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        std::abort();
    std::string password;
    for (const unsigned char octet : random) password += alphabet[octet % alphabet.size()];
    return password;
}

void write_file(const std::filesystem::path& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file << content;
    file.flush();
}

void fill(const std::filesystem::path& folder, const std::string& password) {
    const std::filesystem::path maildrop = folder / "mail" / "demo";
    for (const char* part : {"new", "cur", "tmp"})
        std::filesystem::create_directories(maildrop / part);
    int number = 0;
    for (const SampleMail& mail : sample_mail()) {
        const std::string name = fmt::format("{}.M{}P1.demo", 1130000000 + 60 * number, number);
        write_file(maildrop / "new" / name, mail.content);
        ++number;
    }
    const std::expected<std::string, PasswordFault> hash =
        hash_password(password, default_password_scheme);
    if (!hash) throw std::runtime_error(describe(hash.error()));
    write_file(folder / "users", "demo:" + *hash + "\n");
}

Config demo_config(const std::filesystem::path& folder, const SocketAddress& address) {
    Config config;
    config.hostname = "localhost";
    config.listeners.push_back({.name = "demo", .addresses = {address}});
    config.storage.maildir = folder / "mail" / "{user}";
    config.storage.user = "nobody";
    config.auth.allow_cleartext = true;  // on the loopback interface only
    config.auth.backend = {.name = "demo", .path = folder / "users"};
    config.limits.connections = 1000;
    return config;
}

void print_welcome(const SocketAddress& address, const std::filesystem::path& folder,
                   const std::string& password) {
    const std::string url = fmt::format("pop3://{}/", address.text());
    std::printf(
        "restante demo: %zu real messages for user demo, password %s, on %s\n"
        "(mail and users in %s, removed at the end)\n\n"
        "Try:\n"
        "  curl --user demo:%s %s      # list the messages\n"
        "  curl --user demo:%s %s1     # fetch the first\n\n"
        "Ctrl-C ends it.\n\n",
        sample_mail().size(), password.c_str(), address.text().c_str(), folder.c_str(),
        password.c_str(), url.c_str(), password.c_str(), url.c_str());
    std::fflush(stdout);
}

int serve_samples(std::uint16_t port) {
    const std::expected<SocketAddress, std::string> address =
        SocketAddress::parse(fmt::format("127.0.0.1:{}", port));
    if (!address) {
        std::fprintf(stderr, "restante demo: %s\n", address.error().c_str());
        return exit_usage;
    }
    // First, so that everything it makes belongs to whom it serves as.
    if (const std::expected<void, std::string> dropped = drop_privileges("nobody"); !dropped) {
        std::fprintf(stderr, "restante demo: %s\n", dropped.error().c_str());
        return exit_failed;
    }
    const TemporaryFolder folder;
    const std::string password = random_password();
    fill(folder.path(), password);
    const std::expected<void, std::string> served =
        run_server(demo_config(folder.path(), *address),
                   [&] { print_welcome(*address, folder.path(), password); });
    if (!served) {
        std::fprintf(stderr, "restante demo: %s\n", served.error().c_str());
        return exit_failed;
    }
    return exit_ok;
}

}  // namespace

int demo(std::uint16_t port) {
    try {
        return serve_samples(port);
    } catch (const std::exception& cause) {  // of the file system library
        std::fprintf(stderr, "restante demo: %s\n", cause.what());
        return exit_failed;
    }
}

}  // namespace restante
