#include "ring/descriptor_places.h"

#include <fcntl.h>

#include <utility>

namespace restante {
namespace {

int file_of(const Request& request) {
    using Kind = Request::Kind;
    if (request.kind == Kind::send_file) return request.file;
    const bool is_removal = request.kind == Kind::remove && !request.removals.empty();
    return is_removal ? request.removals.front().directory : request.fd;
}

}  // namespace

bool DescriptorPlaces::is_far(const Request& request) const {
    const Place place = place_of(file_of(request));
    return place == Place::unknown ? !root_is_near_ : place != Place::near;
}

// An absolute path but the mail root's may lead through any mounts.
bool DescriptorPlaces::may_attempt(const Request& request) const {
    const bool leads_anywhere = request.kind == Request::Kind::open && request.fd == AT_FDCWD &&
                                request.open_what != Request::Open::place;
    return !leads_anywhere && !is_far(request);
}

// A helper's open may lead to another mount, unless it begins in a far folder. A folder waits for
// that among far files: whole maildrops are mounted, single messages are not.
void DescriptorPlaces::prepare(Operation& operation) const {
    const Request& request = operation.request;
    operation.is_far = is_far(request);
    const bool is_open = request.kind == Request::Kind::open;
    if (!is_open || request.open_what == Request::Open::place) return;
    if (request.fd != AT_FDCWD && operation.is_far) return;
    operation.finds_place = true;
    operation.is_far = request.open_what == Request::Open::directory;
}

void DescriptorPlaces::note(const Operation& operation) {
    using Kind = Request::Kind;
    const Request& request = operation.request;
    const bool is_opened = (request.kind == Kind::open && operation.result >= 0) ||
                           (request.kind == Kind::lock && operation.result > 0);
    if (!is_opened) return;
    const auto fd = static_cast<std::size_t>(operation.result);
    if (fd >= places_.size()) places_.resize(fd + 1, Place::unknown);
    const bool is_file = request.kind == Kind::lock || request.open_what == Request::Open::file;
    places_[fd] = is_file ? Place::far_file : Place::far_directory;
    if (!operation.is_far) places_[fd] = Place::near;
}

// Of a far file (FUSE: flush). A directory's close does not wait, and its lock ends at once.
bool DescriptorPlaces::forget(int fd) {
    if (place_of(fd) == Place::unknown) return false;
    return std::exchange(places_[static_cast<std::size_t>(fd)], Place::unknown) == Place::far_file;
}

}  // namespace restante
