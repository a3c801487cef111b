/*
 * Faults on order: which requests they meet, how often, and what was asked of them. What each kind
 * does is in fault_kinds.c.
 *
 * Owns  struct faults owns its list; a struct fault_hit owns its copy of the body.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "sha256.h"

enum where {
    WHERE_CREATE = 1,
    WHERE_LIST = 2,
    WHERE_GET = 4,
    WHERE_PATCH = 8,
    WHERE_DELETE = 16,
    WHERE_INFERENCE = 32,
    WHERE_GENERATION = 64,
    WHERE_KEY = 128,
    WHERE_CREDITS = 256,
    WHERE_MODELS = 512,
    WHERE_KEYS = WHERE_CREATE | WHERE_LIST | WHERE_GET | WHERE_PATCH | WHERE_DELETE,
    WHERE_ANY = 1023,
};

struct canned;
struct fault_kind;

/* What a fault asks of the one request it met. */
struct fault_hit {
    const struct fault_kind *kind; /* NULL: no fault */
    uint64_t id;
    const struct canned *text;
    char *body;
    int64_t status;
    int64_t arg;
    int64_t delay_ms;
};

struct fault {
    struct fault *next;
    struct fault_hit what;
    const char *where_name;
    int where;
    int64_t times; /* 0: until it is deleted */
    int64_t after;
    int64_t met;
    int64_t hits;
    char key_hash[SHA256_HEX];
};

struct faults {
    struct fault *first; /* in the order they were made */
    uint64_t last_id;
};

/* NULL and a fault text when the order makes no sense. */
struct fault *faults_add(struct faults *faults, yyjson_val *order, const char **ret_fault);
bool faults_remove(struct faults *faults, uint64_t id);
void faults_clear(struct faults *faults);
bool faults_waiting(const struct faults *faults); /* any that could still hit */

/* The first fault that meets this request, counted; kind NULL when none does. */
struct fault_hit faults_take(struct faults *faults, int where, const char *key_hash);
void fault_hit_done(struct fault_hit *hit);
void faults_write(const struct faults *faults, struct json json);

#endif
