/*
 * A request as it was read: method, path, query, headers, body.
 *
 * Owns   its texts; request_clear keeps their memory for the next request of the connection.
 */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include <stdbool.h>

#include "llhttp.h"
#include "text.h"

struct request {
    const char *method;  /* constant */
    struct text target;  /* path\0query\0 once it is complete */
    struct text headers; /* name\0value\0 … */
    struct text body;
    bool keep_alive;
};

/* The callbacks that fill a request; parser->data points to it. */
void request_callbacks(llhttp_settings_t *settings);

/* Splits the target; trailing slashes of the path go. */
void request_complete(struct request *request, const llhttp_t *parser);
const char *request_path(const struct request *request);
const char *request_header(const struct request *request, const char *name); /* NULL: none */

/* Copies the value of a query parameter; false: it is not there. */
bool request_query(const struct request *request, const char *name, struct text *ret_value);

void request_clear(struct request *request);
void request_done(struct request *request);

#endif
