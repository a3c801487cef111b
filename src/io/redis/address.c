#include "io/redis/link.h"

#include <sys/un.h>

bool redis_address_of_path(const char *path, struct redis_address *ret_address)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!span_text(span_of(path), address.sun_path, sizeof(address.sun_path)))
        return false;
    *ret_address = (struct redis_address){.size = sizeof(address)};
    memcpy(&ret_address->storage, &address, sizeof(address));
    return true;
}

bool redis_address_of_literal(const char *host, int port, struct redis_address *ret_address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *ret_address = (struct redis_address){0};
    if (!uv_ip4_addr(host, port, &v4)) {
        memcpy(&ret_address->storage, &v4, sizeof(v4));
        ret_address->size = sizeof(v4);
    } else if (!uv_ip6_addr(host, port, &v6)) {
        memcpy(&ret_address->storage, &v6, sizeof(v6));
        ret_address->size = sizeof(v6);
    }
    return ret_address->size > 0;
}

unsigned redis_addresses_of(const struct addrinfo *list,
                            struct redis_address ret_addresses[REDIS_ADDRESSES_MAX])
{
    unsigned count = 0;

    for (; list && count < REDIS_ADDRESSES_MAX; list = list->ai_next) {
        if (list->ai_addrlen > sizeof(ret_addresses->storage))
            continue;
        ret_addresses[count] = (struct redis_address){.size = list->ai_addrlen};
        memcpy(&ret_addresses[count].storage, list->ai_addr, list->ai_addrlen);
        count++;
    }
    return count;
}
