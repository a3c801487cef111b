#include "scene/books.h"

#include "scene/money.h"
#include "scene/vocabulary.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWERED_WITHIN_MS = 400000, SWEPT_WITHIN_MS = 60000, REAPED_WITHIN_MS = 180000 };

static void nobody_is_left_waiting(struct world *w);
static void replies_are_whole(struct world *w);
static void check_refusal(struct world *w, const struct asker *asker);
static void keys_are_in_order(struct world *w, bool used);
static void bodies_were_the_same(struct world *w);
static void everybody_asks_once_more(struct world *w);
static void nothing_is_left_to_sweep(struct world *w);
static void no_secret_was_told(struct world *w);
static bool file_has(const char *text, size_t size, const char *part);

void books_balance(struct world *w)
{
    upstream_holds_after(w, SIZE_MAX);
    for (size_t i = 0; i < w->asker_count; i++)
        fake_client_takes(w->askers[i].client);
    everybody_is_answered(w, ANSWERED_WITHIN_MS);
    nobody_is_left_waiting(w);
    w->notes = NULL;
    world_says(w, "the story is over; the sweeper has 60 s");
    everything_runs(w, SWEPT_WITHIN_MS);
    keys_are_in_order(w, false);
    w->next_answer_count = w->next_answer_at = w->mishap_count = 0;
    everybody_asks_once_more(w);
    everything_runs(w, SWEPT_WITHIN_MS);
    keys_are_in_order(w, true);
    everything_runs(w, SWEPT_WITHIN_MS);
    if (!w->stays_unfinished)
        nothing_is_left_to_sweep(w);
    everything_runs(w, REAPED_WITHIN_MS);
    money_adds_up(w);
    replies_are_whole(w);
    bodies_were_the_same(w);
    no_secret_was_told(w);
    if (w->keys.wrong[0])
        world_fails(w, __FILE__, __LINE__, "OpenRouter saw %s", w->keys.wrong);
}

static void nobody_is_left_waiting(struct world *w)
{
    for (size_t i = 0; i < w->asker_count; i++)
        if (fake_client_is_open(w->askers[i].client))
            world_fails(w, __FILE__, __LINE__, "client %zu never got its end", i);
    for (unsigned i = 0; i < w->instance_count; i++)
        if (w->instances[i].alive)
            EXPECT_NUMBER(w, w->instances[i].flow.exchange_count, 0);
}

/* A clean end is whole, or says that something went wrong; nobody with a good token is told 401. */
static void replies_are_whole(struct world *w)
{
    for (size_t i = 0; i < w->asker_count; i++) {
        const struct asker *asker = &w->askers[i];
        char whole[4096], text[4096], comment[256];
        struct span body = told_without_comment(asker, text, comment);
        if (!fake_client_has_ended(asker->client))
            continue;
        if (status_of(asker) != 200)
            check_refusal(w, asker);
        else if (whole_answer(w, asker, whole) && !span_equal(body, span_of(whole)) &&
                 !span_contains(body, SPAN("\"error\"")))
            world_fails(w, __FILE__, __LINE__, "client %zu got a 200 with half a body: %.*s", i,
                        SPAN_PRINT(body));
    }
}

static void check_refusal(struct world *w, const struct asker *asker)
{
    EXPECT(w, status_of(asker) >= 400);
    EXPECT(w, reply_has(asker, "{\"error\":{\"message\":\""));
    EXPECT(w, reply_has(asker, "\"code\":\""));
    EXPECT(w, reply_has(asker, "\"request_id\":\"req_"));
    EXPECT(w, fake_client_header(asker->client, SPAN("x-request-id")).size > 0);
    EXPECT(w, status_of(asker) != 503 ||
                  fake_client_header(asker->client, SPAN("retry-after")).size > 0);
}

/* One live key a user at most, and it is the one the record names; the record names no key that we deleted. */
static void keys_are_in_order(struct world *w, bool used)
{
    for (size_t i = 0; i < w->person_count; i++) {
        const struct person *person = &w->people[i];
        const struct fake_key *live = NULL, *named;
        char hash[1024];
        size_t count = fake_keys_live_of(&w->keys, span_of(person->pseudonym), &live);

        record_field(w, person, "hash", hash);
        named = fake_keys_by_hash(&w->keys, span_of(hash));
        if (count > 1)
            world_fails(w, __FILE__, __LINE__, "%s has %zu live keys", person->id, count);
        if (live && strcmp(live->hash, hash) != 0)
            world_fails(w, __FILE__, __LINE__, "%s has a live key no record names: %s", person->id,
                        live->name);
        if (hash[0] && (!named || named->deleted_by_api))
            world_fails(w, __FILE__, __LINE__, "the record of %s names a key we deleted",
                        person->id);
        if (used && person->afterwards == 200 && count == 0)
            world_fails(w, __FILE__, __LINE__, "%s was answered and has no live key", person->id);
    }
}

/* Of one request all tries were byte-identical: each body has the number of its client inside. */
static void bodies_were_the_same(struct world *w)
{
    for (size_t i = 0; i < w->asks.count; i++)
        for (size_t k = 0; k < i; k++) {
            struct span one = buffer_view(&w->asks.rows[i].body);
            struct span other = buffer_view(&w->asks.rows[k].body);
            const char *n = memmem(one.at, one.size, "\"n\":", 4);
            const char *m = memmem(other.at, other.size, "\"n\":", 4);
            if (n && m && atoi(n + 4) == atoi(m + 4) && !span_equal(one, other))
                world_fails(w, __FILE__, __LINE__, "client %d's request was sent in two ways",
                            atoi(n + 4));
        }
}

static void everybody_asks_once_more(struct world *w)
{
    struct asker *askers[PEOPLE_MAX] = {NULL};

    for (size_t i = 0; i < w->person_count; i++)
        if (w->people[i].afterwards)
            askers[i] = client_sends(w, (struct asking){.token = w->people[i].token});
    everybody_is_answered(w, ANSWERED_WITHIN_MS);
    nobody_is_left_waiting(w);
    for (size_t i = 0; i < w->person_count; i++)
        if (askers[i] && status_of(askers[i]) != w->people[i].afterwards)
            world_fails(w, __FILE__, __LINE__, "a minute later %s is answered %d: %.*s",
                        w->people[i].id, status_of(askers[i]),
                        SPAN_PRINT(fake_client_body(askers[i]->client)));
}

static void nothing_is_left_to_sweep(struct world *w)
{
    char text[1024];

    LOOK(w, text, "ZCARD", "kt:renewals");
    if (strcmp(text, "0") != 0) {
        world_fails(w, __FILE__, __LINE__, "%s members are left in the sweeper's list", text);
        LOOK(w, text, "ZRANGE", "kt:renewals", "0", "-1");
        world_says(w, "one of them: %s", text);
    }
}

/* Neither in a log line nor in a reply; requests to OpenRouter never carry a client's token. */
static void no_secret_was_told(struct world *w)
{
    struct stat file;
    char *log;

    for (unsigned i = 0; i < w->instance_count; i++)
        log_flush(w->instances[i].log);
    fflush(stderr);
    if (fstat(STDERR_FILENO, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size == 0)
        return;
    log = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, STDERR_FILENO, 0);
    EXPECT(w, log != MAP_FAILED);
    for (size_t i = 0; i < w->keys.count; i++)
        EXPECT(w, !file_has(log, (size_t)file.st_size, w->keys.keys[i].secret));
    for (size_t i = 0; i < w->person_count; i++)
        EXPECT(w, !w->people[i].token[0] ||
                      !file_has(log, (size_t)file.st_size, w->people[i].token + 16));
    EXPECT(w, !file_has(log, (size_t)file.st_size, w->keys.management_key));
    munmap(log, (size_t)file.st_size);
    for (size_t i = 0; i < w->asker_count; i++)
        EXPECT(w, !reply_has(&w->askers[i], "sk-or-v1-"));
}

static bool file_has(const char *text, size_t size, const char *part)
{
    return memmem(text, size, part, strlen(part)) != NULL;
}
