#include "io/redis/tls.h"

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool make_context(struct redis_tls *tls, char ret_reason[REDIS_REASON_SIZE]);
static bool expect_host(SSL *ssl, const char *host);
static void tell_failure(const SSL *ssl, char ret_reason[REDIS_REASON_SIZE]);
static void tell_error(const char *what, char ret_reason[REDIS_REASON_SIZE]);

void redis_tls_done(struct redis_tls *tls)
{
    SSL_CTX_free(tls->context);
    tls->context = NULL;
}

bool redis_tls_start(struct redis_tls *tls, redisContext *context,
                     struct redis_tls_session *ret_session, char ret_reason[REDIS_REASON_SIZE])
{
    SSL *ssl;

    ERR_clear_error();
    if (!tls->context && !make_context(tls, ret_reason))
        return false;
    ssl = SSL_new(tls->context);
    if (ssl && expect_host(ssl, tls->host) && redisInitiateSSL(context, ssl) == REDIS_OK) {
        ret_session->ssl = ssl;
        return true;
    }
    tell_failure(ssl, ret_reason);
    SSL_free(ssl);
    return false;
}

void redis_tls_prepare(const struct redis_tls_session *session)
{
    if (session->ssl)
        ERR_clear_error();
}

bool redis_tls_wants_read(const struct redis_tls_session *session)
{
    return session->ssl && SSL_want_read(session->ssl);
}

bool redis_tls_has_failed(const struct redis_tls_session *session,
                          char ret_reason[REDIS_REASON_SIZE])
{
    if (!session->ssl || SSL_is_init_finished(session->ssl))
        return false;
    tell_failure(session->ssl, ret_reason);
    return true;
}

static bool make_context(struct redis_tls *tls, char ret_reason[REDIS_REASON_SIZE])
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
        (tls->ca_file ? SSL_CTX_load_verify_locations(context, tls->ca_file, NULL)
                      : SSL_CTX_set_default_verify_paths(context))) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        tls->context = context;
        return true;
    }
    tell_error(tls->ca_file ? "the CA file cannot be used"
                            : "the system's CA certificates cannot be used",
               ret_reason);
    SSL_CTX_free(context);
    return false;
}

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static void tell_failure(const SSL *ssl, char ret_reason[REDIS_REASON_SIZE])
{
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

    if (verified != X509_V_OK)
        snprintf(ret_reason, REDIS_REASON_SIZE, "certificate: %s",
                 X509_verify_cert_error_string(verified));
    else
        tell_error("TLS handshake", ret_reason);
}

static void tell_error(const char *what, char ret_reason[REDIS_REASON_SIZE])
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(ret_reason, REDIS_REASON_SIZE, "%s: %s", what, why ? why : "the connection ended");
}
