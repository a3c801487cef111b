/*
 * The routes: what is answered where, who may ask, and which total counts it.
 */
#ifndef SIM_ROUTES_H
#define SIM_ROUTES_H

#include "exchange.h"

struct dialect;

enum access { ACCESS_OPEN, ACCESS_OPTIONAL, ACCESS_ANY_KEY, ACCESS_NORMAL, ACCESS_MANAGEMENT };

struct route {
    const char *method;
    const char *path; /* a trailing {…} stands for one segment */
    int where;        /* 0: faults never meet it */
    enum access access;
    size_t total; /* offset of its counter in struct totals */
    void (*serve)(struct exchange *exchange);
    const struct dialect *dialect; /* of inference, else NULL */
};

const struct route *route_find(const char *method, const char *path, const char **ret_argument);

void serve_key_create(struct exchange *exchange);
void serve_key_list(struct exchange *exchange);
void serve_key_get(struct exchange *exchange);
void serve_key_patch(struct exchange *exchange);
void serve_key_delete(struct exchange *exchange);
void serve_current_key(struct exchange *exchange);
void serve_credits(struct exchange *exchange);
void serve_models(struct exchange *exchange);
void serve_generation(struct exchange *exchange);
void serve_inference(struct exchange *exchange);
void serve_control_index(struct exchange *exchange);
void serve_ledger(struct exchange *exchange);
void serve_reset(struct exchange *exchange);
void serve_settings_read(struct exchange *exchange);
void serve_settings_change(struct exchange *exchange);
void serve_fault_add(struct exchange *exchange);
void serve_fault_list(struct exchange *exchange);
void serve_fault_clear(struct exchange *exchange);
void serve_fault_remove(struct exchange *exchange);
void serve_texts(struct exchange *exchange);
void serve_kill_key(struct exchange *exchange);
void serve_expire_key(struct exchange *exchange);
void serve_disable_key(struct exchange *exchange);
void serve_enable_key(struct exchange *exchange);

#endif
