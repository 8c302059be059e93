#include "ring/operation.h"

namespace restante {

Request Request::accept(int listener, SocketAddress& peer, SocketAddress* local) {
    Request request(Kind::accept, listener);
    request.peer = &peer;
    request.local = local;
    return request;
}

Request Request::receive(int socket) { return Request(Kind::receive, socket); }

Request Request::send(int socket, std::span<const char> source, bool more) {
    Request request(Kind::send, socket);
    request.more = more;
    request.source = source;
    return request;
}

Request Request::send_zero_copy(int socket, std::span<const char> source) {
    Request request(Kind::send, socket);
    request.zero_copy = true;
    request.source = source;
    return request;
}

Request Request::send_file(int socket, const FilePart& part, FileSending sending, bool more) {
    ASSERT(part.octets > 0);
    Request request(Kind::send_file, socket);
    request.sending = sending;
    request.more = more;
    request.file = part.file;
    request.octets = part.octets;
    request.offset = part.offset;
    return request;
}

Request Request::exchange(int socket, std::span<const char> source) {
    Request request(Kind::exchange, socket);
    request.source = source;
    return request;
}

Request Request::shutdown(int socket) { return Request(Kind::shutdown, socket); }

Request Request::sleep() { return Request(Kind::sleep, -1); }

Request Request::open(int directory, const char* name, Open what) {
    Request request(Kind::open, directory);
    request.open_what = what;
    request.file_status = nullptr;
    request.name = name;
    return request;
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
    Request request(Kind::status, file);
    request.file_status = &status;
    return request;
}

Request Request::status_at(int directory, const char* name, FileStatus& status) {
    Request request(Kind::status_at, directory);
    request.name = name;
    request.second = nullptr;
    request.file_status = &status;
    return request;
}

Request Request::status_of_two(int directory, const char* name, const char* second,
                               std::span<FileStatus, 2> statuses) {
    Request request = status_at(directory, name, statuses.front());
    request.second = second;
    return request;
}

Request Request::read(int file, std::span<char> target, std::uint64_t offset) {
    Request request(Kind::read, file);
    request.target = target;
    request.offset = offset;
    return request;
}

Request Request::map(const FilePart& part, Mapping& mapping) {
    ASSERT(part.octets > 0);
    Request request(Kind::map, part.file);
    request.mapping = &mapping;
    request.octets = part.octets;
    request.offset = part.offset;
    return request;
}

Request Request::write(int file, std::span<const char> source) {
    Request request(Kind::write, file);
    request.source = source;
    return request;
}

Request Request::lock(int directory) { return Request(Kind::lock, directory); }

Request Request::list_directory(int directory, DirectoryListing& listing) {
    Request request(Kind::list_directory, directory);
    request.listing = &listing;
    return request;
}

Request Request::remove(std::span<Removal> removals) {
    Request request(Kind::remove, -1);
    request.removals = removals;
    return request;
}

Request Request::sync(int file) { return Request(Kind::sync, file); }

Request Request::replace_file(int directory, const char* name, std::span<const char> content,
                              bool durable) {
    Request request(Kind::replace_file, directory);
    request.durable = durable;
    request.name = name;
    request.source = content;
    return request;
}

Request Request::offload(HelperKind helper, Work& work) {
    Request request(Kind::offload, -1);
    request.helper = helper;
    request.work = &work;
    return request;
}

Request Request::until(Instant when) const {
    Request limited = *this;
    limited.deadline = when;
    return limited;
}

}  // namespace restante
