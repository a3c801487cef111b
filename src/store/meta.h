/* meta.h: whose data this store holds. Written once by the first instance, checked by every other.
 *
 * Fails     found tells; comparing is the asker's business (flow/start).
 * Source    a store of another deployment, environment or upstream is refused, as is one whose check cannot be unsealed
 */
#ifndef KEYTURN_STORE_META_H
#define KEYTURN_STORE_META_H

#include "store/store.h"

struct meta_record {
    char deployment
        [33]; /* random, chosen by the first instance; part of every key's name upstream */
    int64_t schema;
    char environment[16]; /* development, production */
    char upstream[256];   /* the base URL the keys belong to */
    char check[512];      /* a known text, sealed: proves the roots can read this store */
};

struct meta_claim {
    struct store_call call;
    bool founded;             /* the store was empty and now holds the proposed record */
    bool foreign;             /* there is no meta but other keyturn keys are there */
    struct meta_record found; /* what it holds */
};
/* Writes the proposed record if there is none; answers what is there. */
void meta_claim(struct store *store, struct meta_claim *claim, const struct meta_record *proposed,
                struct turn *wake);

#endif
