#include "ring/operation.h"

namespace restante {

Request Request::accept(int listener, SocketAddress& peer, SocketAddress& local) {
    return {.kind = Kind::accept, .fd = listener, .peer = &peer, .local = &local};
}

Request Request::receive(int socket, std::span<char> target) {
    return {.kind = Kind::receive, .fd = socket, .target = target};
}

Request Request::send(int socket, std::span<const char> source, bool more) {
    return {.kind = Kind::send, .more = more, .fd = socket, .source = source};
}

Request Request::send_zero_copy(int socket, std::span<const char> source) {
    return {.kind = Kind::send, .zero_copy = true, .fd = socket, .source = source};
}

Request Request::send_file(int socket, const FilePart& part, FileSending sending, bool more) {
    ASSERT(part.octets > 0);
    return {.kind = Kind::send_file,
            .sending = sending,
            .more = more,
            .fd = socket,
            .file = part.file,
            .offset = part.offset,
            .octets = part.octets};
}

Request Request::exchange(int socket, std::span<const char> source, std::span<char> target) {
    return {.kind = Kind::exchange, .fd = socket, .target = target, .source = source};
}

Request Request::shutdown(int socket) { return {.kind = Kind::shutdown, .fd = socket}; }

Request Request::sleep() { return {.kind = Kind::sleep}; }

Request Request::open(int directory, const char* name, Open what) {
    return {.kind = Kind::open, .open_what = what, .fd = directory, .name = name};
}

Request Request::open_file(int directory, const char* name, FileStatus& status) {
    Request request = open(directory, name, Open::file);
    request.file_status = &status;
    return request;
}

Request Request::open_place(int directory, const char* name, FileStatus& status) {
    Request request = open(directory, name, Open::place);
    request.file_status = &status;
    return request;
}

Request Request::status(int file, FileStatus& status) {
    return {.kind = Kind::status, .fd = file, .file_status = &status};
}

Request Request::status_at(int directory, const char* name, FileStatus& status) {
    return {.kind = Kind::status_at, .fd = directory, .name = name, .file_status = &status};
}

Request Request::read(int file, std::span<char> target, std::uint64_t offset) {
    return {.kind = Kind::read, .fd = file, .target = target, .offset = offset};
}

Request Request::map(const FilePart& part, Mapping& mapping) {
    ASSERT(part.octets > 0);
    return {.kind = Kind::map,
            .fd = part.file,
            .offset = part.offset,
            .octets = part.octets,
            .mapping = &mapping};
}

Request Request::write(int file, std::span<const char> source) {
    return {.kind = Kind::write, .fd = file, .source = source};
}

Request Request::lock(int directory) { return {.kind = Kind::lock, .fd = directory}; }

Request Request::list_directory(int directory, DirectoryListing& listing) {
    return {.kind = Kind::list_directory, .fd = directory, .listing = &listing};
}

Request Request::remove(std::span<Removal> removals) {
    return {.kind = Kind::remove, .removals = removals};
}

Request Request::sync(int file) { return {.kind = Kind::sync, .fd = file}; }

Request Request::replace_file(int directory, const char* name, std::span<const char> content) {
    return {.kind = Kind::replace_file, .fd = directory, .name = name, .source = content};
}

Request Request::offload(HelperKind helper, Work& work) {
    return {.kind = Kind::offload, .helper = helper, .work = &work};
}

Request Request::until(Instant when) const {
    Request limited = *this;
    limited.deadline = when;
    return limited;
}

}  // namespace restante
