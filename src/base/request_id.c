#include "base/request_id.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct span request_id_next(struct request_ids *ids, char ret_id[REQUEST_ID_MAX + 1])
{
    ids->counter++;
    int size = snprintf(ret_id, REQUEST_ID_MAX + 1, "req_%016" PRIx64 "%08" PRIx64, ids->process,
                        ids->counter);
    assert(size > 0 && size <= REQUEST_ID_MAX);
    return (struct span){ret_id, (size_t)size};
}

bool request_id_is_fine(struct span id)
{
    if (id.size < 1 || id.size > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}
