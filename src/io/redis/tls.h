/* redis/tls.h: TLS for the link to Redis.
 *
 * Owns      OpenSSL's context, made when first needed; a session belongs to hiredis' context.
 * Fails     false and a reason. The peer's certificate and its host name are always verified: hiredis 1.2 verifies
 *           the chain alone, hence a session made here.
 * Source    RFC 6066 (no SNI for addresses); hiredis ssl.c
 */
#ifndef KEYTURN_IO_REDIS_TLS_H
#define KEYTURN_IO_REDIS_TLS_H

#include "io/redis/socket.h"

struct ssl_ctx_st;
struct ssl_st;

struct redis_tls {
    const char *host, *ca_file; /* borrowed; ca_file NULL: the system's */
    struct ssl_ctx_st *context;
};

struct redis_tls_session {
    struct ssl_st *ssl; /* NULL: plain */
};

void redis_tls_done(struct redis_tls *tls);
bool redis_tls_start(struct redis_tls *tls, redisContext *context,
                     struct redis_tls_session *ret_session, char ret_reason[REDIS_REASON_SIZE]);
static inline bool redis_tls_is_on(const struct redis_tls_session *session)
{
    return session->ssl != NULL;
}
/* Before every read and write: errors of others in OpenSSL's queue would be taken for ours. */
void redis_tls_prepare(const struct redis_tls_session *session);
bool redis_tls_wants_read(const struct redis_tls_session *session);
/* After an error: was it the handshake's? */
bool redis_tls_has_failed(const struct redis_tls_session *session,
                          char ret_reason[REDIS_REASON_SIZE]);

#endif
