#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the kernel lets wait (net.core.somaxconn): who finds no room tries a second later. */
enum { BACKLOG = 65535, FILE_MODE = 0660 };

static bool parse_file(struct span path, struct address *ret_address, char ret_error[160]);
static bool parse_port(struct span text, in_port_t *ret_port);
static bool bind_file(int fd, const struct address *address);
static bool file_is_stale(const struct address *address);
static bool set_options(int fd, const struct address *address);
static const char *advice(int error);

bool address_parse(const char *text, struct address *ret_address, char ret_error[160])
{
    struct span whole = span_of(text), host = whole, port = SPAN_NONE;
    char name[64];

    *ret_address = (struct address){0};
    if (span_starts(whole, SPAN("unix:")))
        return parse_file(span_from(whole, 5), ret_address, ret_error);
    for (size_t i = whole.size; i-- > 0 && !port.at;) {
        if (whole.at[i] == ':') {
            host = span_first(whole, i);
            port = span_from(whole, i + 1);
        }
    }
    if (span_equal(host, SPAN("localhost")))
        host = SPAN("127.0.0.1");
    if (host.size > 2 && host.at[0] == '[' && host.at[host.size - 1] == ']') {
        ret_address->socket.ip6.sin6_family = AF_INET6;
        ret_address->size = sizeof(ret_address->socket.ip6);
        if (span_text((struct span){host.at + 1, host.size - 2}, name, sizeof(name)) &&
            inet_pton(AF_INET6, name, &ret_address->socket.ip6.sin6_addr) == 1 &&
            parse_port(port, &ret_address->socket.ip6.sin6_port))
            return true;
    } else {
        ret_address->socket.ip4.sin_family = AF_INET;
        ret_address->size = sizeof(ret_address->socket.ip4);
        if (span_text(host, name, sizeof(name)) &&
            inet_pton(AF_INET, name, &ret_address->socket.ip4.sin_addr) == 1 &&
            parse_port(port, &ret_address->socket.ip4.sin_port))
            return true;
    }
    snprintf(
        ret_error, 160,
        "'%.60s' is no address; write 127.0.0.1:8080, [::1]:8080, localhost:8080 or unix:/path",
        text);
    return false;
}

void address_text(const struct address *address, char ret_text[128])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address_is_file(address)) {
        snprintf(ret_text, 128, "unix:%s", address->socket.file.sun_path);
    } else if (address->socket.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->socket.ip6.sin6_addr, host, sizeof(host));
        snprintf(ret_text, 128, "[%s]:%u", host, ntohs(address->socket.ip6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->socket.ip4.sin_addr, host, sizeof(host));
        snprintf(ret_text, 128, "%s:%u", host, ntohs(address->socket.ip4.sin_port));
    }
}

bool address_is_file(const struct address *address)
{
    return address->socket.any.sa_family == AF_UNIX;
}

bool address_is_loopback(const struct address *address)
{
    const struct in6_addr *ip6 = &address->socket.ip6.sin6_addr;

    if (address->socket.any.sa_family == AF_INET)
        return ntohl(address->socket.ip4.sin_addr.s_addr) >> 24 == 127;
    if (address->socket.any.sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(ip6) || (IN6_IS_ADDR_V4MAPPED(ip6) && ip6->s6_addr[12] == 127);
}

int address_listen(const struct address *address, char ret_error[160])
{
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound;
    char text[128];

    if (fd >= 0) {
        bound = set_options(fd, address) &&
                (address_is_file(address) ? bind_file(fd, address)
                                          : !bind(fd, &address->socket.any, address->size));
        if (bound && !listen(fd, BACKLOG))
            return fd;
    }
    address_text(address, text);
    snprintf(ret_error, 160, "cannot listen on %.70s: %s; %s", text, strerror(errno),
             advice(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool parse_file(struct span path, struct address *ret_address, char ret_error[160])
{
    ret_address->socket.file.sun_family = AF_UNIX;
    ret_address->size = sizeof(ret_address->socket.file);
    if (path.size && path.at[0] == '/' &&
        span_text(path, ret_address->socket.file.sun_path,
                  sizeof(ret_address->socket.file.sun_path)))
        return true;
    snprintf(ret_error, 160,
             "'unix:%.60s' is no address; write unix: and an absolute path of at most %zu bytes",
             path.at, sizeof(ret_address->socket.file.sun_path) - 1);
    return false;
}

static bool parse_port(struct span text, in_port_t *ret_port)
{
    uint64_t port;

    if (!span_u64(text, &port) || port > 65535)
        return false;
    *ret_port = htons((uint16_t)port);
    return true;
}

static bool set_options(int fd, const struct address *address)
{
    const int on = 1;

    if (address_is_file(address))
        return !fchmod(fd, FILE_MODE); /* the file is born with it, so nobody can be quicker */
    return !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
           !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

static bool bind_file(int fd, const struct address *address)
{
    bool bound = !bind(fd, &address->socket.any, address->size);

    if (!bound && errno == EADDRINUSE && file_is_stale(address) &&
        !unlink(address->socket.file.sun_path))
        bound = !bind(fd, &address->socket.any, address->size);
    return bound && !chmod(address->socket.file.sun_path,
                           FILE_MODE); /* the umask may have taken some away */
}

/* A socket that refuses: whoever made it is gone. errno stays as it was. */
static bool file_is_stale(const struct address *address)
{
    int fd, error = errno;
    bool stale = false;
    struct stat file;

    if (lstat(address->socket.file.sun_path, &file) || !S_ISSOCK(file.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        stale = connect(fd, &address->socket.any, address->size) && errno == ECONNREFUSED;
        close(fd);
    }
    errno = error;
    return stale;
}

static const char *advice(int error)
{
    if (error == EADDRINUSE)
        return "another program has it: stop that one or choose another address";
    if (error == EACCES || error == EPERM)
        return "choose a port above 1023 or a directory this user may write";
    if (error == EADDRNOTAVAIL)
        return "this machine does not have that address";
    return "choose another address";
}
