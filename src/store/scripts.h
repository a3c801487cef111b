/* scripts.h: the Lua scripts of this layer, by name. For the files of this layer.
 *
 * Source    lua/<name>.lua, whose first line names the function that calls it
 */
#ifndef KEYTURN_STORE_SCRIPTS_H
#define KEYTURN_STORE_SCRIPTS_H

#include "io/redis.h"

#define STORE_SCRIPTS(ROW) \
    ROW(admit) \
    ROW(give_back) \
    ROW(extend) \
    ROW(settle) \
    ROW(expire) \
    ROW(billed) \
    ROW(holders_add) \
    ROW(holders_due) \
    ROW(holders_remove) \
    ROW(book) \
    ROW(free_take) \
    ROW(free_close) \
    ROW(user_ensure) \
    ROW(user_set) \
    ROW(token_save) \
    ROW(key_claim) \
    ROW(key_commit) \
    ROW(key_release) \
    ROW(key_proven) \
    ROW(key_buried) \
    ROW(key_raised) \
    ROW(renewal_add) \
    ROW(renewal_old) \
    ROW(sweeper_claim) \
    ROW(meta_claim)

enum store_script {
#define ROW(name) SCRIPT_##name,
    STORE_SCRIPTS(ROW)
#undef ROW
        STORE_SCRIPT_COUNT
};

const struct redis_script *store_script(enum store_script script);

#endif
