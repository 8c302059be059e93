"""The machine a comparison was made on: processor, memory, kernel, what its io_uring can do."""
import ctypes
import os
import platform
import resource
import struct

# Of the kernel's headers (include/uapi/linux/io_uring.h, asm-generic/unistd.h).
SYSCALL_IO_URING_SETUP = 425
SYSCALL_IO_URING_REGISTER = 427
IORING_REGISTER_PROBE = 8
IO_URING_OP_SUPPORTED = 1
PROBE_OPERATIONS = 256
PARAMS_OCTETS = 120
PARAMS_FEATURES_OFFSET = 20
FEATURES = ("SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS", "CUR_PERSONALITY", "FAST_POLL",
            "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG", "NATIVE_WORKERS", "RSRC_TAGS", "CQE_SKIP",
            "LINKED_FILE", "REG_REG_RING", "RECVSEND_BUNDLE", "MIN_TIMEOUT", "RW_ATTR", "NO_IOWAIT")
OPERATIONS = {13: "ACCEPT", 22: "READ", 26: "SEND", 27: "RECV", 30: "SPLICE", 34: "SHUTDOWN", 36: "UNLINKAT",
              47: "SEND_ZC", 49: "READ_MULTISHOT", 56: "BIND", 57: "LISTEN", 58: "RECV_ZC"}
SETUP_FLAGS = {"SINGLE_ISSUER": 1 << 12, "DEFER_TASKRUN": 1 << 12 | 1 << 13}


def allow_descriptors():
    """As many as there may be, for this process and those it starts: connections are held here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def describe():
    """All of it, as it goes into the JSON."""
    return {"processor": processor(), "logical_processors": os.cpu_count(), "memory_octets": memory(),
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            "virtual_machine": is_virtual(), "io_uring": io_uring()}


def processor():
    return first_of("/proc/cpuinfo", "model name") or "unknown"


def memory():
    return int((first_of("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) * 1024


def is_virtual():
    return "hypervisor" in (first_of("/proc/cpuinfo", "flags") or "").split()


def first_of(path, key):
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return None


def io_uring():
    """What a ring says of itself; `available` is False, with the errno, where none can be made."""
    libc = ctypes.CDLL(None, use_errno=True)
    params = ctypes.create_string_buffer(PARAMS_OCTETS)
    ring = libc.syscall(SYSCALL_IO_URING_SETUP, 4, params)
    if ring < 0:
        return {"available": False, "error": os.strerror(ctypes.get_errno())}
    try:
        bits, = struct.unpack_from("I", params, PARAMS_FEATURES_OFFSET)
        known = [name for bit, name in enumerate(FEATURES) if bits >> bit & 1]
        return {"available": True, "features": known, "feature_bits": bits,
                "operations": probed_operations(libc, ring), "setup_flags": accepted_flags(libc)}
    finally:
        os.close(ring)


def probed_operations(libc, ring):
    """Of OPERATIONS, those this kernel supports; and the number of the last one it knows."""
    probe = ctypes.create_string_buffer(16 + 8 * PROBE_OPERATIONS)
    if libc.syscall(SYSCALL_IO_URING_REGISTER, ring, IORING_REGISTER_PROBE, probe, PROBE_OPERATIONS) < 0:
        return {"last": None, "supported": []}
    last, count = struct.unpack_from("BB", probe, 0)
    supported = []
    for place in range(count):
        number, _, flags = struct.unpack_from("BBH", probe, 16 + 8 * place)
        if flags & IO_URING_OP_SUPPORTED and number in OPERATIONS:
            supported.append(OPERATIONS[number])
    return {"last": last, "supported": supported}


def accepted_flags(libc):
    accepted = []
    for name, flags in SETUP_FLAGS.items():
        params = ctypes.create_string_buffer(PARAMS_OCTETS)
        struct.pack_into("I", params, 8, flags)
        ring = libc.syscall(SYSCALL_IO_URING_SETUP, 4, params)
        if ring >= 0:
            os.close(ring)
            accepted.append(name)
    return accepted
