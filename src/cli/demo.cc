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
#include "net/tls_self_signed.h"
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
    const std::expected<SelfSigned, std::string> pair = make_self_signed();
    if (!pair) throw std::runtime_error(pair.error());
    write_file(folder / "certificate.pem", pair->certificate);
    write_file(folder / "key.pem", pair->key);
}

struct DemoAddresses {
    SocketAddress pop3;   ///< with STLS
    SocketAddress pop3s;  ///< TLS from the first octet
};

std::expected<DemoAddresses, std::string> addresses_of(DemoPorts ports) {
    const auto on_loopback = [](std::uint16_t port) {
        return SocketAddress::parse(fmt::format("127.0.0.1:{}", port));
    };
    const std::expected<SocketAddress, std::string> pop3 = on_loopback(ports.pop3);
    if (!pop3) return std::unexpected(pop3.error());
    const std::expected<SocketAddress, std::string> pop3s = on_loopback(ports.pop3s);
    if (!pop3s) return std::unexpected(pop3s.error());
    return DemoAddresses{*pop3, *pop3s};
}

Config demo_config(const std::filesystem::path& folder, const DemoAddresses& addresses) {
    Config config;
    config.hostname = "localhost";
    config.listeners.push_back(
        {.name = "demo", .addresses = {addresses.pop3}, .tls = TlsMode::starttls});
    config.listeners.push_back(
        {.name = "demo-tls", .addresses = {addresses.pop3s}, .tls = TlsMode::required});
    config.tls.emplace();
    config.tls->settings.pairs.push_back(
        {.certificate = folder / "certificate.pem", .key = folder / "key.pem", .ocsp = {}});
    config.storage.maildir = folder / "mail" / "{user}";
    config.storage.user = "nobody";
    config.auth.allow_cleartext = true;  // on the loopback interface only
    config.auth.backend = {.name = "demo", .path = folder / "users"};
    config.limits.connections = 1000;
    config.runtime.confine = false;  // its folder in /tmp is removed at the end
    return config;
}

void print_welcome(const DemoAddresses& addresses, const std::filesystem::path& folder,
                   const std::string& password) {
    const std::string pop3 = fmt::format("pop3://{}/", addresses.pop3.text());
    const std::string pop3s = fmt::format("pop3s://{}/", addresses.pop3s.text());
    const std::string curl = fmt::format("curl --user demo:{}", password);
    std::printf(
        "restante demo: %zu real messages for user demo, password %s, on %s\n"
        "and, with TLS, on %s\n"
        "(mail, users and certificate in %s, removed at the end)\n\n"
        "Try:\n"
        "  %s %s      # list the messages\n"
        "  %s %s1     # fetch the first\n"
        "  %s --cacert %s/certificate.pem %s1\n\n"
        "Ctrl-C ends it.\n\n",
        sample_mail().size(), password.c_str(), addresses.pop3.text().c_str(),
        addresses.pop3s.text().c_str(), folder.c_str(), curl.c_str(), pop3.c_str(), curl.c_str(),
        pop3.c_str(), curl.c_str(), folder.c_str(), pop3s.c_str());
    std::fflush(stdout);
}

int serve_samples(DemoPorts ports) {
    const std::expected<DemoAddresses, std::string> addresses = addresses_of(ports);
    if (!addresses) {
        std::fprintf(stderr, "restante demo: %s\n", addresses.error().c_str());
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
        run_server(demo_config(folder.path(), *addresses),
                   [&] { print_welcome(*addresses, folder.path(), password); });
    if (!served) {
        std::fprintf(stderr, "restante demo: %s\n", served.error().c_str());
        return exit_failed;
    }
    return exit_ok;
}

}  // namespace

int demo(DemoPorts ports) {
    try {
        return serve_samples(ports);
    } catch (const std::exception& cause) {  // of the file system library
        std::fprintf(stderr, "restante demo: %s\n", cause.what());
        return exit_failed;
    }
}

}  // namespace restante
