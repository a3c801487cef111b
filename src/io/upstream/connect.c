#include "io/upstream/connect.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>

enum {
    HANGS_AFTER_PART = 4, /* a quarter of the time it has */
    BURST = 64,
    BURST_OVER_PART = 8 /* an eighth of it is left */
};

struct upstream_attempt {
    struct curl_transfer transfer;
    struct upstream_connector *connector; /* borrowed */
    void *context;
    void (*on_end)(void *context, const struct upstream_connected *connected);
    uint64_t begun_ms;
    SSL *session; /* libcurl's until it is taken */
    bool is_taken;
    char error[CURL_ERROR_SIZE];
    char connect_to[80];
    struct curl_slist connect_to_list;
};

static bool is_address_to_blame(CURLcode code);
static void lock_protocol(CURL *easy, const struct upstream_connector *connector);
static void lock_tls(CURL *easy, const struct upstream_connector *connector);
static void set_if_known(CURLcode code);
static CURLcode on_tls_context(CURL *easy, void *tls_context, void *unused);
static int on_verified(void *context, char *remote, char *local, int remote_port, int local_port);
static void on_connected(struct curl_transfer *transfer, int fd);
static void on_transfer_end(struct curl_transfer *transfer, CURLcode code, int fd);
static void attempt_free(struct upstream_attempt *attempt);
static void give_back_after_burst(struct upstream_connector *connector);

void upstream_connector_open(struct upstream_connector *connector, struct loop *loop)
{
    connector->loop = loop;
    connector->engine = curl_engine_open(loop);
}

void upstream_connector_close(struct upstream_connector *connector)
{
    curl_engine_close(connector->engine);
}

bool upstream_connector_is_closed(const struct upstream_connector *connector)
{
    return curl_engine_is_closed(connector->engine);
}

void upstream_connector_free(struct upstream_connector *connector)
{
    curl_engine_free(connector->engine);
}

size_t upstream_connector_sockets(const struct upstream_connector *connector)
{
    return curl_engine_sockets(connector->engine);
}

struct upstream_attempt *upstream_connect(
    struct upstream_connector *connector, const char *connect_to, void *context,
    void (*on_end)(void *context, const struct upstream_connected *connected))
{
    struct upstream_attempt *attempt = must_alloc(sizeof(*attempt));
    CURL *easy = curl_easy_init();
    int size = snprintf(attempt->connect_to, sizeof(attempt->connect_to), "%s", connect_to);

    assert(easy && size > 0 && (size_t)size < sizeof(attempt->connect_to));
    attempt->connector = connector;
    attempt->begun_ms = loop_now_ms(connector->loop);
    attempt->context = context;
    attempt->on_end = on_end;
    attempt->transfer.easy = easy;
    attempt->transfer.on_connected = on_connected;
    attempt->transfer.on_end = on_transfer_end;
    attempt->connect_to_list.data = attempt->connect_to;
    lock_protocol(easy, connector);
    if (connector->origin->tls)
        lock_tls(easy, connector);
    CURL_SET(easy, CURLOPT_CONNECT_TO, &attempt->connect_to_list);
    CURL_SET(easy, CURLOPT_ERRORBUFFER, attempt->error);
    CURL_SET(easy, CURLOPT_PREREQFUNCTION, on_verified);
    CURL_SET(easy, CURLOPT_PREREQDATA, (void *)attempt);
    curl_engine_add(connector->engine, &attempt->transfer);
    if (++connector->under_way > connector->most)
        connector->most = connector->under_way;
    return attempt;
}

void upstream_connect_cancel(struct upstream_attempt *attempt)
{
    curl_engine_remove(&attempt->transfer);
    attempt_free(attempt);
}

const char *upstream_connect_hangs_at(const struct upstream_attempt *attempt)
{
    const struct upstream_connector *connector = attempt->connector;
    uint64_t lasted_ms = loop_now_ms(connector->loop) - attempt->begun_ms;

    return lasted_ms >= connector->connect_ms / HANGS_AFTER_PART ? attempt->connect_to : NULL;
}

static void lock_protocol(CURL *easy, const struct upstream_connector *connector)
{
    CURL_SET(easy, CURLOPT_URL, connector->origin->url);
    CURL_SET(easy, CURLOPT_PROTOCOLS_STR, connector->origin->tls ? "https" : "http");
    CURL_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* what TLS negotiates */
    set_if_known(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    set_if_known(curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    CURL_SET(easy, CURLOPT_NOSIGNAL, 1L);
    CURL_SET(easy, CURLOPT_QUICK_EXIT, 1L);
    CURL_SET(easy, CURLOPT_TCP_NODELAY, 1L);
    CURL_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connector->connect_ms);
}

static void lock_tls(CURL *easy, const struct upstream_connector *connector)
{
    CURL_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    CURL_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    CURL_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    CURL_SET(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    if (connector->ca_file) {
        CURL_SET(easy, CURLOPT_CAINFO, connector->ca_file);
        CURL_SET(easy, CURLOPT_CAPATH,
                 NULL); /* the given file alone, not the system's folder beside it */
    }
}

/* A build without the feature does not know its switch either. */
static void set_if_known(CURLcode code)
{
    assert(code == CURLE_OK || code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN);
}

/* An idle stream then holds no TLS buffers: half of its memory. The mode of writing is asked for by upstream_wire_write;
 * nobody may make us write in the middle of a read. */
static CURLcode on_tls_context(CURL *easy, void *tls_context, void *unused)
{
    (void)easy;
    (void)unused;
    SSL_CTX_set_mode(tls_context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(tls_context, SSL_OP_NO_RENEGOTIATION);
    return CURLE_OK;
}

/* libcurl's "about to send": the peer is verified, and this is the last time that libcurl tells its session. */
static int on_verified(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct upstream_attempt *attempt = context;
    struct curl_tlssessioninfo *info = NULL;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (!attempt->connector->origin->tls)
        return CURL_PREREQFUNC_OK;
    curl_must(curl_easy_getinfo(attempt->transfer.easy, CURLINFO_TLS_SSL_PTR, &info));
    if (!info || info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
        return CURL_PREREQFUNC_ABORT;
    attempt->session = info->internals;
    return CURL_PREREQFUNC_OK;
}

/* The session gets a reference of ours and the socket itself in the place of libcurl's filters; libcurl's mark in it goes,
 * so that its callback for new tickets does nothing. */
static void on_connected(struct curl_transfer *transfer, int fd)
{
    struct upstream_attempt *attempt = container_of(transfer, struct upstream_attempt, transfer);

    if (!attempt->connector->origin->tls)
        return;
    assert(attempt->session);
    attempt->is_taken = SSL_up_ref(attempt->session) && SSL_set_fd(attempt->session, fd);
    assert(attempt->is_taken);
    SSL_set_app_data(attempt->session, NULL);
    SSL_set_read_ahead(attempt->session, 1); /* a record with one read, not two */
}

static void on_transfer_end(struct curl_transfer *transfer, CURLcode code, int fd)
{
    struct upstream_attempt *attempt = container_of(transfer, struct upstream_attempt, transfer);
    struct upstream_connector *connector = attempt->connector;
    struct upstream_connected connected = {.fd = fd};
    char reason[CURL_ERROR_SIZE], connect_to[sizeof(attempt->connect_to)];
    void *context = attempt->context;
    void (*on_end)(void *, const struct upstream_connected *) = attempt->on_end;

    snprintf(reason, sizeof(reason), "%s",
             attempt->error[0] ? attempt->error : curl_easy_strerror(code));
    memcpy(connect_to, attempt->connect_to, sizeof(connect_to));
    connected.reason = reason;
    connected.connect_to = connect_to;
    connected.is_unreachable = is_address_to_blame(code);
    if (fd >= 0) {
        connector->made++;
        connected.session = attempt->session;
        attempt->is_taken = false;
    }
    attempt_free(attempt);
    on_end(context, &connected);
}

static void attempt_free(struct upstream_attempt *attempt)
{
    if (attempt->is_taken)
        SSL_free(attempt->session);
    curl_easy_cleanup(attempt->transfer.easy);
    give_back_after_burst(attempt->connector);
    must_free(attempt);
}

/* An attempt needs more memory than the connection it makes: what many at once needed lies between what they left, in
 * holes that would stay as long as these connections do. */
static void give_back_after_burst(struct upstream_connector *connector)
{
    connector->under_way--;
    if (connector->most < BURST || connector->under_way > connector->most / BURST_OVER_PART)
        return;
    connector->most = connector->under_way;
    alloc_give_back();
}

/* Nobody there, or somebody who is not the origin: another address of it may do. */
static bool is_address_to_blame(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}
