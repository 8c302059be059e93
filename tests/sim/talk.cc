#include "sim/talk.h"

namespace restante::sim {
namespace {

bool is_multi_line(std::string_view command) {
    return command == "LIST" || command == "UIDL" || command == "CAPA" ||
           command.starts_with("RETR ") || command.starts_with("TOP ");
}

}  // namespace

Talk::Talk(World& world) : world_(world), client_(world.connect()) {
    if (std::optional<WireReply> welcome = reply(false)) greeting_ = welcome->status;
}

Talk::Talk(World& world, std::string_view user) : Talk(world) {
    ask("USER " + std::string(user));
    greeting_ = ask("PASS " + std::string(talk_password));
}

Talk::~Talk() {
    client_.close();
    world_.settle();
}

std::optional<WireReply> Talk::reply(bool multi_line) {
    std::optional<WireReply> whole;
    world_.ring().run_until([&] {
        received_ += client_.take_received();
        if (received_.ends_with("\r\n")) whole = take_reply(received_, multi_line);
        return whole.has_value() || client_.has_server_closed();
    });
    world_.settle();
    return whole;
}

std::string Talk::ask(std::string_view command) {
    client_.send(std::string(command) + "\r\n");
    const std::optional<WireReply> whole = reply(is_multi_line(command));
    return whole ? whole->status : "";
}

std::optional<std::string> Talk::text(std::string_view command) {
    client_.send(std::string(command) + "\r\n");
    const std::optional<WireReply> whole = reply(true);
    if (!whole || !whole->is_ok()) return std::nullopt;
    return whole->text;
}

std::string Talk::listings() {
    const std::string list = text("LIST").value_or("no LIST\n");
    return list + text("UIDL").value_or("no UIDL\n");
}

void Talk::drop() {
    client_.reset();
    world_.settle();
}

const std::string& log_of(World& world) {
    world.wait(std::chrono::seconds(1));
    return world.log();
}

}  // namespace restante::sim
