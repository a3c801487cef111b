/* world.h: what a scene plays in: instances of the flow on one private Redis, one OpenRouter in memory, clients, and one
 * clock moved by hand. Nothing happens by itself: each answer that somebody waits for is delivered by pump.c, one at a
 * time, and is a numbered wait.
 *
 * Owns      all of it. A world lives in a process of its own (player.h), so an instance can die as by kill -9.
 * Units     milliseconds of hand-moved time.
 * Fails     world_fails notes what is wrong and goes on; a broken contract between the parts stops the process.
 */
#ifndef KEYTURN_TESTS_SCENE_WORLD_H
#define KEYTURN_TESTS_SCENE_WORLD_H

#include "fake/fake_client.h"
#include "fake/fake_fetch.h"
#include "fake/fake_journal.h"
#include "fake/fake_loop.h"
#include "fake/fake_redis.h"
#include "fake/fake_upstream.h"
#include "flow/exchange.h"
#include "flow/flow.h"
#include "scene/breaks.h"
#include "scene/tariff.h"
#include "scene/tidings.h"

enum {
    INSTANCES_MAX = 4,
    PEOPLE_MAX = 16,
    CLIENTS_MAX = 160,
    NEXT_ANSWERS_MAX = 40,
    MISHAPS_MAX = 4,
    WAIT_LABEL_SIZE = 48,
    WAITS_MAX = 4096
};

struct scene;

/* One wait of the plain run. */
struct wait_note {
    enum wait_kind kind; /* 0: there was none */
    char label[WAIT_LABEL_SIZE];
};

struct instance {
    char name[2];
    bool alive, was_cut_off; /* cut off from Redis alone: others may have settled what it did */
    struct loop *loop;
    struct redis *redis;
    struct store store;
    struct upstream *upstream;
    struct fetcher *fetcher;
    struct metrics *metrics;
    struct log *log;
    struct request_ids request_ids;
    struct flow flow;
};

/* The next delivery of that label goes wrong as part of the story. */
struct mishap {
    const char *label; /* "fetch POST /keys"; NULL once it has happened */
    enum break_kind kind;
};

/* Who keyturn serves: a user with a token, or a service that speaks for users. */
struct person {
    char id[64], token[TOKEN_SIZE + 1], pseudonym[PSEUDONYM_SIZE + 1];
    int afterwards; /* the status of one more request at the end; 0: none is made */
};

struct asking {
    const char *token, *end_user; /* end_user: X-Keyturn-User */
    const char *body;             /* NULL: a plain one */
    const char *body_user;        /* in the plain body */
    const char *model;            /* there, too; NULL: gpt-4o-mini */
    unsigned max_tokens;          /* there, too; 0: none */
    bool stream;
    enum dialect dialect;
    unsigned instance; /* a living one takes its place when it is dead */
};

struct asker {
    struct client *client;
    const struct person *person; /* who asks; NULL: nobody known */
    struct asking asking;
    struct flow *flow; /* of the instance it speaks to */
    char body[512], request_id[REQUEST_ID_MAX + 1];
    size_t number; /* among all, and in its body */
    unsigned instance;
};

struct world {
    const struct scene *scene;
    struct break_point breaking; /* what goes wrong in this replay */
    bool failed, broke;          /* broke: it has happened */
    bool tells_all;              /* the whole story, not only what went wrong */
    const char *socket;
    int log_fd;

    struct instance instances[INSTANCES_MAX];
    unsigned instance_count;
    struct instance desk; /* loop, redis and store alone: arranges and looks; never breaks */
    struct tidings tidings;
    struct vault *vault;
    struct secret management_key, shared_key;
    struct tiers tiers;
    struct flow_settings settings;
    struct journal *journal; /* of the one instance that keeps one; NULL: none does */
    bool models_come_late;   /* the catalogue is read during the story */

    struct fake_keys keys;
    struct fake_asks asks;
    struct fake_answer next_answers[NEXT_ANSWERS_MAX]; /* taken before the usual ones */
    size_t next_answer_count, next_answer_at;
    bool storm; /* inference refuses healthy keys */
    struct mishap mishaps[MISHAPS_MAX];
    size_t mishap_count;
    bool
        stays_unfinished; /* the story's own trouble outlasts it: the sweeper's list need not be empty */
    bool management_stays_refused; /* for so long that costs are estimated */

    struct person people[PEOPLE_MAX];
    size_t person_count;
    struct asker askers[CLIENTS_MAX];
    size_t asker_count;

    uint64_t away_until_ms, blind_until_ms; /* Redis is away; nothing is told of changes */
    unsigned source_at;                     /* who was delivered last */
    uint64_t shuffle;                       /* 0: in turn */
    size_t wait_count;
    struct wait_note *notes; /* of the plain run, which writes them; NULL once the story is over */
};

void world_open(struct world *w);
/* Drains what lives; afterwards nothing is under way and nothing is allocated. */
void world_close(struct world *w);
struct instance *world_instance(struct world *w,
                                unsigned wished); /* a living one; a new one if none is */
void world_kill(struct world *w, unsigned index, bool carried_out);
void world_fails(struct world *w, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void world_says(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t world_now_ms(const struct world *w);
void world_pass(struct world *w,
                uint64_t ms); /* moves all clocks; nothing is delivered meanwhile */
uint64_t world_next_due(const struct world *w);
bool world_is_quiet(const struct world *w); /* nobody waits for anything */

#define EXPECT(w, condition) \
    do { \
        if (!(condition)) \
            world_fails(w, __FILE__, __LINE__, "%s", #condition); \
    } while (0)
#define EXPECT_NUMBER(w, number, expected) \
    do { \
        long long is_ = (long long)(number), should_ = (long long)(expected); \
        if (is_ != should_) \
            world_fails(w, __FILE__, __LINE__, "%s is %lld and not %lld", #number, is_, should_); \
    } while (0)

#endif
