#include "server/confinement.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/fd.h"
#include "net/listener.h"
#include "server/landlock.h"

using namespace restante;

namespace {

constexpr int abi_of_ports = 4;
constexpr int abi_of_signals = 6;

bool has_landlock(int abi = 1) {
    if (landlock::abi() >= abi) return true;
    std::puts("skipped: confinement: this kernel's Landlock is too old or not there");
    return false;
}

/// A folder with "mail/one" and "users" in it.
struct Place {
    Place() {
        std::string name = (std::filesystem::temp_directory_path() / "restante-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root = name;
        std::filesystem::create_directory(root / "mail");
        std::ofstream(root / "mail" / "one") << "octets";
        std::ofstream(root / "users") << "mrose:x";
    }
    ~Place() { std::filesystem::remove_all(root); }
    std::string mail(const char* name) const { return root / "mail" / name; }

    std::filesystem::path root;
};

/// Whether `claim` holds in a process confined to `confinement`.
bool holds_confined(const Confinement& confinement, const std::function<bool()>& claim) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        const bool is_confined = confine(confinement).landlock_abi > 0;
        ::_exit(is_confined && claim() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status == 0;
}

/// 0 or errno of opening `path`.
int opening(const std::string& path, int flags) {
    const int opened = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (opened < 0) return errno;
    ::close(opened);
    return 0;
}

int listing(const std::string& folder) {
    DIR* listed = ::opendir(folder.c_str());
    if (listed == nullptr) return errno;
    ::closedir(listed);
    return 0;
}

int result_of(int result) { return result < 0 ? errno : 0; }

/// 0 or errno of connecting to `port` on this machine.
int connecting(std::uint16_t port) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return result_of(
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

int binding() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return result_of(
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

Fd listener() {
    auto made = make_listeners(*SocketAddress::parse("127.0.0.1:0"), 1);
    REQUIRE(made);
    return std::move(made->front());
}

bool contains(const std::vector<std::string>& paths, const std::string& path) {
    return std::ranges::find(paths, path) != paths.end();
}

}  // namespace

TEST_CASE("confined, files of the mail root are listed, read, made, renamed, cut off and removed") {
    if (!has_landlock()) return;
    const Place place;
    CHECK(holds_confined({.read_write = {place.root / "mail"}}, [&] {
        return listing(place.root / "mail") == 0 && opening(place.mail("one"), O_RDONLY) == 0 &&
               opening(place.mail("two"), O_WRONLY | O_CREAT | O_EXCL) == 0 &&
               opening(place.mail("one"), O_WRONLY | O_TRUNC) == 0 &&
               ::rename(place.mail("two").c_str(), place.mail("three").c_str()) == 0 &&
               ::unlink(place.mail("three").c_str()) == 0;
    }));
}

TEST_CASE("confined, everything beside the mail root is refused, and so is making folders in it") {
    if (!has_landlock()) return;
    const Place place;
    CHECK(holds_confined({.read_write = {place.root / "mail"}}, [&] {
        return opening(place.root / "users", O_RDONLY) == EACCES &&
               opening("/etc/passwd", O_RDONLY) == EACCES && listing(place.root) == EACCES &&
               opening(place.root / "new", O_WRONLY | O_CREAT) == EACCES &&
               opening(place.mail("../users"), O_RDONLY) == EACCES &&
               result_of(::mkdir(place.mail("folder").c_str(), 0700)) == EACCES &&
               result_of(::symlink("/etc", place.mail("link").c_str())) == EACCES &&
               result_of(::rename(place.mail("one").c_str(), (place.root / "one").c_str())) ==
                   EACCES;
    }));
}

TEST_CASE("confined, what is to be read only is neither written nor made nor removed") {
    if (!has_landlock()) return;
    const Place place;
    CHECK(holds_confined({.read_only = {place.root}}, [&] {
        return opening(place.root / "users", O_RDONLY) == 0 && listing(place.root) == 0 &&
               opening(place.root / "users", O_WRONLY) == EACCES &&
               opening(place.root / "new", O_WRONLY | O_CREAT) == EACCES &&
               result_of(::unlink((place.root / "users").c_str())) == EACCES;
    }));
}

TEST_CASE("a rule for a file opens that file and not its folder") {
    if (!has_landlock()) return;
    const Place place;
    CHECK(holds_confined({.read_only = {place.root / "users"}}, [&] {
        return opening(place.root / "users", O_RDONLY) == 0 && listing(place.root) == EACCES;
    }));
}

TEST_CASE("confined, no file is executed, wherever it lies") {
    if (!has_landlock()) return;
    const Place place;
    CHECK(holds_confined({.read_only = {"/"}, .read_write = {"/"}}, [&] {
        char name[] = "false";
        char* arguments[] = {name, nullptr};
        return result_of(::execv("/bin/false", arguments)) == EACCES &&
               opening("/etc/passwd", O_RDONLY) == 0;
    }));
}

TEST_CASE("a mail root that is not there yet may be made later") {
    if (!has_landlock()) return;
    const Place place;
    const std::string later = place.root / "not" / "yet";
    const auto report = holds_confined({.read_write = {later}}, [&] {
        return opening(place.root / "users", O_RDWR) == 0 &&
               opening("/etc/passwd", O_RDONLY) == EACCES;
    });
    CHECK(report);
}

TEST_CASE("confined, no port is bound; listeners that are open go on") {
    if (!has_landlock(abi_of_ports)) return;
    const Fd open = listener();
    const std::uint16_t port = local_address(open.get()).port();
    CHECK(holds_confined({.connect_ports = {port}}, [&] {
        if (binding() != EACCES || connecting(port) != 0) return false;
        const Fd accepted(::accept4(open.get(), nullptr, nullptr, SOCK_CLOEXEC));
        return accepted.is_open();
    }));
}

TEST_CASE("confined, connections go to the configured ports only") {
    if (!has_landlock(abi_of_ports)) return;
    const Fd allowed = listener();
    const Fd other = listener();
    const std::uint16_t port = local_address(allowed.get()).port();
    const std::uint16_t other_port = local_address(other.get()).port();
    CHECK(holds_confined({.connect_ports = {port}}, [&] {
        return connecting(port) == 0 && connecting(other_port) == EACCES;
    }));
    CHECK(holds_confined({}, [&] { return connecting(port) == EACCES; }));
}

TEST_CASE("confined, a host is found by its name where connections are configured") {
    if (!has_landlock()) return;
    Confinement confinement;
    allow_connecting(443, confinement);
    CHECK(confinement.connect_ports == std::vector<std::uint16_t>{443, 53});
    CHECK(holds_confined(confinement, [] {
        addrinfo* found = nullptr;
        const int status = ::getaddrinfo("localhost", "443", nullptr, &found);
        if (status == 0) ::freeaddrinfo(found);
        return status == 0;
    }));
}

TEST_CASE("confined, signals reach no other process; its own threads they do") {
    if (!has_landlock(abi_of_signals)) return;
    CHECK(holds_confined({}, [] {
        return result_of(::kill(::getppid(), 0)) == EPERM && ::kill(::getpid(), 0) == 0;
    }));
}

TEST_CASE("threads that start later are confined too") {
    if (!has_landlock()) return;
    CHECK(holds_confined({}, [] {
        int refused = 0;
        std::thread([&] { refused = opening("/etc/passwd", O_RDONLY); }).join();
        return refused == EACCES;
    }));
}

TEST_CASE("the report says what is in force, and what an older kernel leaves out") {
    const ConfinementReport whole{7, {"files: written beneath /var/vmail"}, {}};
    CHECK(whole.text() == "confined (Landlock ABI 7): files: written beneath /var/vmail");
    const ConfinementReport part{3, {"files"}, {"TCP (Linux 6.7 or newer)"}};
    CHECK(part.text() ==
          "confined (Landlock ABI 3): files; not in force: TCP (Linux 6.7 or newer)");
    const ConfinementReport none{0, {}, {"everything: Landlock: Function not implemented"}};
    CHECK(none.text() ==
          "not confined; not in force: everything: Landlock: Function not implemented");
}

TEST_CASE("a server writes beneath the mail root and reads beside the passwd-file") {
    Config config;
    config.storage.maildir = "/var/vmail/{domain}/{local}";
    config.auth.backend.path = "/etc/restante/users";
    const Confinement confinement = confinement_of(config, "");
    CHECK(confinement.read_write == std::vector<std::string>{"/var/vmail"});
    CHECK(contains(confinement.read_only, "/etc/restante"));
    CHECK(confinement.connect_ports.empty());
}

TEST_CASE("where users have maildrops elsewhere, files are written anywhere") {
    Config config;
    config.storage.maildir = "/var/vmail/{user}";
    const std::vector<std::string> anywhere = {"/"};
    const std::vector<std::string> beneath = {"/var/vmail"};
    CHECK(confinement_of(config, "/var/vmail/old/").read_write == beneath);
    CHECK(confinement_of(config, "/var/vmail2/").read_write == anywhere);
    CHECK(confinement_of(config, "/home/").read_write == anywhere);
    config.storage.maildir = "{home}/Maildir";
    CHECK(confinement_of(config, "").read_write == anywhere);
}

TEST_CASE("of a certificate that is a link, the folder of what it leads to may be read too") {
    const Place place;
    std::filesystem::create_symlink("../users", place.root / "mail" / "cert.pem");
    Confinement confinement;
    allow_reading_again(place.mail("cert.pem"), confinement);
    CHECK(confinement.read_only ==
          std::vector<std::string>{place.root / "mail", std::filesystem::canonical(place.root)});
}
