/* vocabulary.h: the words scenes are told in. They do what they can: after a break there may be nobody left to drain.
 */
#ifndef KEYTURN_TESTS_SCENE_VOCABULARY_H
#define KEYTURN_TESTS_SCENE_VOCABULARY_H

#include "scene/pump.h"

/* Plain expectations hold in the plain run alone. */
#define PLAINLY(w) if ((w)->breaking.kind == BREAK_NONE)

/* ... and in those where only the order is drawn. */
#define UNBROKEN(w) if ((w)->breaking.kind == BREAK_NONE || (w)->breaking.kind == BREAK_SHUFFLE)

struct key_story {
    int64_t expires_in_ms;        /* what the record and OpenRouter say; 0: never */
    int64_t record_expires_in_ms; /* what the record says, if it is another */
    bool unproven;
};

struct person *a_user(struct world *w, const char *id); /* known, with a token, without a key */
struct fake_key *a_key(struct world *w, struct person *person, struct key_story state);
/* Before the story: OpenRouter billed it to the key, the user's first, and it is settled. */
void was_used(struct world *w, const struct person *person, struct fake_key *key, int64_t nano_usd);
struct person *a_user_of(struct world *w, const char *id, const char *tier);
void tier_becomes(struct world *w, const struct person *person, const char *tier);
struct person *a_service(struct world *w, const char *id);
struct person *a_user_of_a_service(struct world *w, const char *id); /* no token of its own */

struct asker *client_sends(struct world *w, struct asking asking);
void client_leaves(struct world *w, struct asker *asker);
/* The next inference calls are answered so; later ones as usual: 200 for live keys, 401 otherwise. */
void upstream_answers(struct world *w, int status, const char *body);
void upstream_answers_after(struct world *w, int status, const char *body, const char *retry_after);
void upstream_holds_after(struct world *w, size_t pieces); /* SIZE_MAX: no more */

/* The next delivery of such a label goes wrong. */
void goes_wrong(struct world *w, const char *label, enum break_kind kind);
void retry_after_is(struct world *w, int64_t seconds); /* of OpenRouter's 429 to management calls */
void redis_is_there(struct world *w, bool there);
void instance_sees_redis(struct world *w, unsigned index, bool sees); /* one of several */
void instance_dies(struct world *w, unsigned index);
void instance_drains(struct world *w, unsigned index);
void instance_cuts(struct world *w, unsigned index);

/* What it is told when everything comes; false: not one of the usual answers. */
bool whole_answer(const struct world *w, const struct asker *asker, char ret_text[4096]);
/* What it was told, less the comment on its quota: that is ret_comment, from its colon to the line's end; "" for none. */
struct span told_without_comment(const struct asker *asker, char ret_text[4096],
                                 char ret_comment[256]);
/* Of its last call that OpenRouter worked on; NULL: there is none. */
const struct fake_bill *bill_of(const struct world *w, const struct asker *asker);
void was_refused(struct world *w, const struct asker *asker, int status, const char *code);
int status_of(const struct asker *asker);
bool reply_has(const struct asker *asker, const char *part); /* in the body */
bool reply_was(const struct asker *asker, const char *header, const char *value);
/* Of the user's record in Redis; "" where there is none. */
const char *record_field(struct world *w, const struct person *person, const char *field,
                         char ret_text[1024]);
/* A command of the scene's own: the first text of its answer. */
const char *look(struct world *w, char ret_text[1024], const char *const *words, size_t count);
#define LOOK(w, ret_text, ...) \
    look(w, ret_text, (const char *const[]){__VA_ARGS__}, \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
int64_t measured(const struct world *w, enum measure measure, unsigned label0, unsigned label1);

#endif
