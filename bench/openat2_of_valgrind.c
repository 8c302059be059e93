// For bench/instructions: valgrind 3.19 (Debian 12) knows no openat2(2), so openat(2) is asked, without the guards
// against links. Preloaded into a server that only ever sees its own benchmark's mail.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static long system_call(long number, const long* arguments) {
    register long fourth __asm__("r10") = arguments[3];
    register long fifth __asm__("r8") = arguments[4];
    register long sixth __asm__("r9") = arguments[5];
    long result = number;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}

long syscall(long number, ...) {
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; ++i) arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2) {
        const struct open_how* how = (const struct open_how*)arguments[2];
        number = SYS_openat;
        arguments[2] = (long)how->flags;
        arguments[3] = (long)how->mode;
    }
    return system_call(number, arguments);
}
