/* address.h: the addresses one can listen on, read and written.
 *
 * Fails     address_parse: false, address_listen: -1, and a sentence that says what to do.
 */
#ifndef KEYTURN_IO_ADDRESS_H
#define KEYTURN_IO_ADDRESS_H

#include "base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_un file;
    } socket;
    socklen_t size;
};

bool address_parse(const char *text, struct address *ret_address, char ret_error[160]);
void address_text(const struct address *address, char ret_text[128]);
bool address_is_file(const struct address *address);
bool address_is_loopback(const struct address *address);
/* A non-blocking listening socket, -1 on failure. Of a unix socket: mode 0660; a file that nobody
 * listens on is replaced. */
int address_listen(const struct address *address, char ret_error[160]);

#endif
