/* curl_head.h: the head of an answer, line by line as libcurl reads it, strictly read once it is
 * whole.
 *
 * libcurl forgives more than a proxy may: what could be read in two ways (a length beside chunks,
 * two lengths, folded lines, odd encodings, a switch of protocols) is refused here, and the
 * connection is closed with it.
 *
 * Owns      the lines until the head is told.
 * Units     at most 64 KiB and 256 fields.
 * Runs on   libcurl's header callback.
 * Source    RFC 9112 sections 2.2, 5.2, 6.1, 6.3
 */
#ifndef KEYTURN_IO_CURL_HEAD_H
#define KEYTURN_IO_CURL_HEAD_H

#include "base/buffer.h"
#include "io/upstream.h"

enum { CURL_HEAD_MAX_BYTES = 64 * 1024, CURL_HEAD_FIELDS_MAX = 256 };

struct curl_head {
    struct buffer lines; /* each with its '\n' */
    bool is_told;        /* what comes afterwards are trailers */
};

enum curl_head_verdict { CURL_HEAD_MORE, CURL_HEAD_WHOLE, CURL_HEAD_BAD };

void curl_head_init(struct curl_head *head);
void curl_head_done(struct curl_head *head);
/* One line with its end. WHOLE: a final head is ready for curl_head_read; 1xx heads pass unseen. */
enum curl_head_verdict curl_head_line(struct curl_head *head, struct span line);
/* False: malformed. The rows point into head and are valid until curl_head_done; a head is told
 * once. */
bool curl_head_read(struct curl_head *head, bool asked_head,
                    struct header rows[CURL_HEAD_FIELDS_MAX], struct upstream_head *ret_head);

#endif
