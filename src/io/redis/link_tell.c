/* What a link says in the log: one line when it comes up, one per kind of fault and outage. */
#include "io/redis/link.h"

#include <stdio.h>

static const char *const advices[] = {
#define ROW(kind, advice) [REDIS_FAULT_##kind] = advice,
    REDIS_FAULTS(ROW)
#undef ROW
};

static void server_name(const struct redis_link *link, char ret_name[160]);

void redis_link_tell_up(struct redis_link *link)
{
    char name[160];
    int64_t outage_ms = link->down_ms ? (int64_t)(link->up_ms - link->down_ms) : 0;

    server_name(link, name);
    log_info(link->log, link->owner->up_line, log_text("server", name),
             log_int("outage_ms", outage_ms));
    link->down_ms = 0;
    link->faults_told = 0;
}

void redis_link_tell_fault(struct redis_link *link, enum redis_fault fault, const char *reason)
{
    bool was_up = redis_link_is_up(link), told = link->faults_told & 1u << fault;
    char name[160];

    link->down_ms = link->down_ms ? link->down_ms : loop_now_ms(link->loop);
    if (!was_up && told)
        return;
    link->faults_told |= 1u << fault;
    server_name(link, name);
    log_warn(link->log, was_up ? link->owner->down_line : link->owner->failed_line,
             log_text("server", name), log_text("reason", reason),
             log_text("to_do", advices[fault]));
}

static void server_name(const struct redis_link *link, char ret_name[160])
{
    if (link->settings->path)
        snprintf(ret_name, 160, "unix:%s", link->settings->path);
    else
        snprintf(ret_name, 160, "%s:%d", link->settings->host, link->settings->port);
}
