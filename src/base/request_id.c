#include "base/request_id.h"

#define PREFIX "req_"

enum { PROCESS_DIGITS = 16, COUNTER_DIGITS = 8 };

/* clang-format off */
static const bool is_fine[256] = {
    [0x20] = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, /* - . */
    /*0x30*/ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, /* 0 ... 9 */
    /*0x40*/ 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* A ... O */
    /*0x50*/ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, /* P ... Z _ */
    /*0x60*/ 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* a ... o */
    /*0x70*/ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, /* p ... z */
};
/* clang-format on */

static char *put_hex(char *to, uint64_t number, int digits);

struct span request_id_next(struct request_ids *ids, char ret_id[REQUEST_ID_MAX + 1])
{
    int digits = COUNTER_DIGITS;
    char *to = ret_id;

    ids->counter++;
    while (digits < PROCESS_DIGITS && ids->counter >> 4 * digits)
        digits++;
    memcpy(to, PREFIX, sizeof(PREFIX) - 1);
    to = put_hex(to + sizeof(PREFIX) - 1, ids->process, PROCESS_DIGITS);
    to = put_hex(to, ids->counter, digits);
    *to = '\0';
    return (struct span){ret_id, (size_t)(to - ret_id)};
}

bool request_id_is_fine(struct span id)
{
    if (id.size < 1 || id.size > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (!is_fine[(unsigned char)id.at[i]])
            return false;
    return true;
}

static char *put_hex(char *to, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
    return to + digits;
}
