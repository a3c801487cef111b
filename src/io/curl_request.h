/* curl_request.h: an easy handle that is locked down, and the one request that is put on it at a
 * time.
 *
 * One request leaves once. libcurl repeats a request by itself when a kept connection dies before
 * the first byte of the answer; two things stand against that: the body comes from a read callback
 * that cannot rewind, and the pre-request callback refuses to be called a second time, whatever the
 * method.
 *
 * Owns      the handle and a copy of the request's head, which is wiped in curl_request_done.
 * Runs on   the loop; outside the pump.
 * Fails     curl_request_set: false when a part cannot stand in a request (CR, LF, NUL ...);
 *           nothing may be sent then.
 * Source    reliability F2, D6, D10, D12; https://curl.se/libcurl/c/CURLOPT_PREREQFUNCTION.html
 */
#ifndef KEYTURN_IO_CURL_REQUEST_H
#define KEYTURN_IO_CURL_REQUEST_H

#include "io/curl_engine.h"
#include "io/origin.h"
#include "io/upstream.h"

struct curl_request {
    CURL *easy;  /* owned */
    char *block; /* the header list and its text in one piece of memory */
    size_t block_size, block_used;
    struct span body; /* borrowed until curl_request_done */
    size_t body_given;
    bool has_left; /* from here on something may have been sent */
    char error[CURL_ERROR_SIZE];
    char connect_to[80];
    struct curl_slist connect_to_list;
};

struct curl_lock {
    struct origin origin;
    const char *ca_file; /* borrowed; NULL: the system's */
    uint64_t connect_ms, idle_connection_ms;
};

void curl_request_open(struct curl_request *request, const struct curl_lock *lock);
void curl_request_close(struct curl_request *request);

bool curl_request_set(struct curl_request *request, const struct upstream_ask *ask);
void curl_request_connect_to(struct curl_request *request, const char *connect_to);
void curl_request_done(struct curl_request *request);

#endif
