#include "io/curl_request.h"

#include "base/alloc.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>

#ifndef KEYTURN_VERSION
#error "KEYTURN_VERSION is set by the build."
#endif

/* Kept connections are renewed now and then, so that load follows the origin's addresses. */
enum { BUFFER_BYTES = 16 * 1024, CONNECTION_LIFE_S = 300, OWN_HEADERS = 4, METHOD_MAX = 16 };

/* Where the next header line goes while the list is built. */
struct head_writer {
    struct curl_slist *nodes;
    size_t count;
    char *at;
};

static void lock_protocol(CURL *easy, const struct curl_lock *lock);
static void lock_tls(CURL *easy, const struct curl_lock *lock);
static void set_if_known(CURLcode code);
static CURLcode on_tls_context(CURL *easy, void *tls_context, void *unused);
static int on_before_request(void *context, char *remote, char *local, int remote_port,
                             int local_port);
static bool has_leftovers(CURL *easy);
static size_t on_read(char *to, size_t one, size_t size, void *context);
static bool ask_is_sendable(const struct upstream_ask *ask);
static bool is_plain(struct span text, bool spaces_too);
static void set_method(struct curl_request *request, const struct upstream_ask *ask);
static void set_headers(struct curl_request *request, const struct upstream_ask *ask);
static size_t lines_size(const struct upstream_ask *ask);
static void add_line(struct head_writer *writer, struct span name, struct span separator,
                     struct span value);
static char *put(char *to, struct span bytes);

void curl_request_open(struct curl_request *request, const struct curl_lock *lock)
{
    CURL *easy = curl_easy_init();

    assert(easy);
    *request = (struct curl_request){.easy = easy};
    request->connect_to_list.data = request->connect_to;
    lock_protocol(easy, lock);
    lock_tls(easy, lock);
    CURL_SET(easy, CURLOPT_ERRORBUFFER, request->error);
    CURL_SET(easy, CURLOPT_PREREQFUNCTION, on_before_request);
    CURL_SET(easy, CURLOPT_PREREQDATA, (void *)request);
    CURL_SET(easy, CURLOPT_READFUNCTION, on_read);
    CURL_SET(easy, CURLOPT_READDATA, (void *)request);
}

void curl_request_close(struct curl_request *request)
{
    curl_request_done(request);
    curl_easy_cleanup(request->easy);
    must_free(request->block);
    *request = (struct curl_request){0};
}

bool curl_request_set(struct curl_request *request, const struct upstream_ask *ask)
{
    if (!ask_is_sendable(ask))
        return false;
    request->body = ask->body;
    request->body_given = 0;
    request->has_left = false;
    request->error[0] = '\0';
    set_method(request, ask);
    set_headers(request, ask);
    return true;
}

void curl_request_connect_to(struct curl_request *request, const char *connect_to)
{
    int size = snprintf(request->connect_to, sizeof(request->connect_to), "%s", connect_to);

    assert(size > 0 && (size_t)size < sizeof(request->connect_to));
    CURL_SET(request->easy, CURLOPT_CONNECT_TO, &request->connect_to_list);
}

void curl_request_done(struct curl_request *request)
{
    if (request->block_used) {
        CURL_SET(request->easy, CURLOPT_HTTPHEADER, NULL);
        wipe(request->block, request->block_used);
    }
    request->block_used = 0;
    request->body = SPAN_NONE;
}

/* The URL never holds anything of a request: the target is set beside it, so no request can choose
 * a host. */
static void lock_protocol(CURL *easy, const struct curl_lock *lock)
{
    uint64_t idle_s = lock->idle_connection_ms / 1000;

    CURL_SET(easy, CURLOPT_URL, lock->origin.url);
    CURL_SET(easy, CURLOPT_PROTOCOLS_STR, lock->origin.tls ? "https" : "http");
    CURL_SET(easy, CURLOPT_REDIR_PROTOCOLS_STR, lock->origin.tls ? "https" : "http");
    CURL_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    CURL_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_if_known(curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L));
    set_if_known(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    set_if_known(curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED));
    CURL_SET(easy, CURLOPT_USERAGENT, "keyturn/" KEYTURN_VERSION);
    CURL_SET(easy, CURLOPT_NOSIGNAL, 1L);
    CURL_SET(easy, CURLOPT_QUICK_EXIT, 1L);
    CURL_SET(easy, CURLOPT_TCP_NODELAY, 1L);
    CURL_SET(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    CURL_SET(easy, CURLOPT_UPLOAD_BUFFERSIZE,
             (long)BUFFER_BYTES); /* each handle has one of its own */
    CURL_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)lock->connect_ms);
    CURL_SET(easy, CURLOPT_MAXAGE_CONN, idle_s ? (long)idle_s : 1L);
    CURL_SET(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S);
}

static void lock_tls(CURL *easy, const struct curl_lock *lock)
{
    CURL_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    CURL_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    CURL_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    CURL_SET(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    if (lock->ca_file) {
        CURL_SET(easy, CURLOPT_CAINFO, lock->ca_file);
        CURL_SET(easy, CURLOPT_CAPATH,
                 NULL); /* the given file alone, not the system's folder beside it */
    }
}

/* A build without the feature does not know its switch either. */
static void set_if_known(CURLcode code)
{
    assert(code == CURLE_OK || code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN);
}

/* An idle stream then holds no TLS buffers: half of its memory. */
static CURLcode on_tls_context(CURL *easy, void *tls_context, void *unused)
{
    (void)easy;
    (void)unused;
    SSL_CTX_set_mode(tls_context, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

/* Called with the connection made and nothing sent yet. A second time means that libcurl is about
 * to repeat. Refusing closes the connection. */
static int on_before_request(void *context, char *remote, char *local, int remote_port,
                             int local_port)
{
    struct curl_request *request = context;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (request->has_left || has_leftovers(request->easy))
        return CURL_PREREQFUNC_ABORT;
    request->has_left = true;
    return CURL_PREREQFUNC_OK;
}

/* A kept TLS connection may hold bytes it has already taken from the socket: what followed the last
 * answer within one record. libcurl looks at the socket alone before it uses a connection again
 * (8.14.1, cf_ssl_is_alive) and would read them as the answer to this request. */
static bool has_leftovers(CURL *easy)
{
    struct curl_tlssessioninfo *session = NULL;
    long connects = 0;

    curl_must(curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects));
    if (connects > 0) /* a new connection: tickets may be pending */
        return false;
    curl_must(curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session));
    return session && session->backend == CURLSSLBACKEND_OPENSSL && session->internals &&
           SSL_has_pending(session->internals);
}

static size_t on_read(char *to, size_t one, size_t size, void *context)
{
    struct curl_request *request = context;
    struct span piece = span_first(span_from(request->body, request->body_given), one * size);

    if (piece.size)
        memcpy(to, piece.at, piece.size);
    request->body_given += piece.size;
    return piece.size;
}

static bool ask_is_sendable(const struct upstream_ask *ask)
{
    if (ask->method.size == 0 || ask->method.size > METHOD_MAX || !is_plain(ask->method, false))
        return false;
    if (ask->path.size == 0 || ask->path.at[0] != '/' || !is_plain(ask->path, false))
        return false;
    if (ask->bearer && !is_plain(secret_reveal(ask->bearer), false))
        return false;
    for (size_t i = 0; i < ask->headers.count; i++) {
        const struct header *header = &ask->headers.rows[i];
        if (header->name.size == 0 || !is_plain(header->name, false) ||
            !is_plain(header->value, true) || memchr(header->name.at, ':', header->name.size) ||
            memchr(header->name.at, ';', header->name.size))
            return false;
    }
    return true;
}

static bool is_plain(struct span text, bool spaces_too)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == 127 || (c < 33 && !(spaces_too && (c == ' ' || c == '\t'))) ||
            (c > 127 && !spaces_too))
            return false;
    }
    return true;
}

static void set_method(struct curl_request *request, const struct upstream_ask *ask)
{
    bool is_get = span_equal(ask->method, SPAN("GET")),
         is_head = span_equal(ask->method, SPAN("HEAD"));
    bool is_post = span_equal(ask->method, SPAN("POST"));
    char method[METHOD_MAX + 1];

    if (ask->body.size || is_post)
        CURL_SET(request->easy, CURLOPT_POST, 1L);
    else
        CURL_SET(request->easy, CURLOPT_HTTPGET, 1L); /* also ends NOBODY */
    if (is_head)
        CURL_SET(request->easy, CURLOPT_NOBODY, 1L);
    CURL_SET(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.size);
    span_text(ask->method, method, sizeof(method));
    CURL_SET(request->easy, CURLOPT_CUSTOMREQUEST,
             is_head || (is_get && !ask->body.size) || is_post ? NULL : method);
}

static void set_headers(struct curl_request *request, const struct upstream_ask *ask)
{
    size_t nodes = ask->headers.count + OWN_HEADERS;
    size_t size = nodes * sizeof(struct curl_slist) + lines_size(ask);
    struct head_writer writer = {0};
    char *target;

    if (size > request->block_size) {
        must_free(request->block); /* wiped when its request was done */
        request->block = must_alloc(size);
        request->block_size = size;
    }
    request->block_used = size;
    writer.nodes = (struct curl_slist *)(void *)request->block;
    writer.at = request->block + nodes * sizeof(struct curl_slist);
    target = writer.at;
    writer.at = put(put(writer.at, ask->path), SPAN("\0"));
    CURL_SET(request->easy, CURLOPT_REQUEST_TARGET, target);
    for (size_t i = 0; i < ask->headers.count; i++) {
        struct span value =
            ask->headers.rows[i]
                .value; /* libcurl drops "Name:" and sends "Name;" as an empty one */
        add_line(&writer, ask->headers.rows[i].name, value.size ? SPAN(": ") : SPAN(";"), value);
    }
    if (ask->bearer)
        add_line(&writer, SPAN("Authorization"), SPAN(": Bearer "), secret_reveal(ask->bearer));
    add_line(&writer, SPAN("Expect"), SPAN(":"),
             SPAN_NONE); /* libcurl's own headers that nobody asked for */
    if (!header_find(ask->headers, SPAN("Accept")).at)
        add_line(&writer, SPAN("Accept"), SPAN(":"), SPAN_NONE);
    if (!header_find(ask->headers, SPAN("Content-Type")).at)
        add_line(&writer, SPAN("Content-Type"), SPAN(":"), SPAN_NONE);
    assert(writer.count <= nodes && writer.at <= request->block + size);
    writer.nodes[writer.count - 1].next = NULL;
    CURL_SET(request->easy, CURLOPT_HTTPHEADER, writer.nodes);
}

static size_t lines_size(const struct upstream_ask *ask)
{
    size_t size = sizeof("Authorization: Bearer ") + (ask->bearer ? ask->bearer->size : 0) +
                  sizeof("Expect:") + sizeof("Accept:") + sizeof("Content-Type:") + ask->path.size +
                  1;

    for (size_t i = 0; i < ask->headers.count; i++)
        size += ask->headers.rows[i].name.size + ask->headers.rows[i].value.size + sizeof(": ");
    return size;
}

static void add_line(struct head_writer *writer, struct span name, struct span separator,
                     struct span value)
{
    struct curl_slist *node = &writer->nodes[writer->count++];

    node->data = writer->at;
    node->next = node + 1;
    writer->at = put(put(put(put(writer->at, name), separator), value), SPAN("\0"));
}

static char *put(char *to, struct span bytes)
{
    if (bytes.size)
        memcpy(to, bytes.at, bytes.size);
    return to + bytes.size;
}
