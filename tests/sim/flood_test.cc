// Clients that never let the server wait.
#include <doctest/doctest.h>

#include <string>

#include "sim/world.h"

namespace restante::sim {

TEST_CASE("a flood of commands behind a long AUTH line is answered whole, one reply each") {
    World world({.short_reads = false, .window_octets = 64 * 1024});
    Client client = world.connect();
    world.settle();
    client.send("AUTH FOO " + std::string(500, 'a'));
    world.settle();
    std::string flood = "\r\n";
    constexpr int commands = 3000;
    for (int i = 0; i < commands; ++i) flood += "CAPA\n";
    client.send(flood);
    world.settle();
    int replies = 0;
    for (std::size_t at = 0;
         (at = client.received().find("IMPLEMENTATION", at)) != std::string::npos; ++at) {
        ++replies;
    }
    CHECK(replies == commands);
    client.close();
    world.settle();
}

TEST_CASE("the time to log in is absolute, also while a failed login's reply is delayed") {
    World world({}, {{"limits.login_timeout", "\"6s\""}, {"limits.failed_delay", "\"10s\""}});
    Client client = world.connect();
    client.send("USER mrose\r\nPASS wrong\r\n");
    world.wait(std::chrono::seconds(5));
    CHECK_FALSE(client.has_server_closed());
    world.wait(std::chrono::seconds(2));
    CHECK(client.has_server_closed());
}

}  // namespace restante::sim
