/* TLS: who is trusted, and that a record's surplus is nobody's answer. The peer speaks OpenSSL
 * itself. */
#include "test_upstream_peer.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

/* A key and a certificate for one address, which is its own authority. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char file[64];
};

static struct identity identity_make(const char *name)
{
    struct identity id = {
        .key = EVP_EC_gen("P-256"), .certificate = X509_new(), .file = "/tmp/keyturn-test-XXXXXX"};
    X509_NAME *subject = X509_get_subject_name(id.certificate);
    X509_EXTENSION *extension;
    char alternative[64];
    int fd = mkstemp(id.file);
    FILE *file = fdopen(fd, "w");

    X509_set_version(id.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(id.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id.certificate), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
                               0);
    X509_set_issuer_name(id.certificate, subject);
    snprintf(alternative, sizeof(alternative), "%s", name);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative);
    X509_add_ext(id.certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_set_pubkey(id.certificate, id.key);
    assert_true(X509_sign(id.certificate, id.key, EVP_sha256()) > 0);
    assert_non_null(file);
    PEM_write_X509(file, id.certificate);
    fclose(file);
    return id;
}

static void identity_drop(struct identity *id)
{
    unlink(id->file);
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
}

static struct identity serving; /* what the peer shows; set before it is opened */

static SSL *tls_accept(int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl;

    SSL_CTX_use_certificate(context, serving.certificate);
    SSL_CTX_use_PrivateKey(context, serving.key);
    ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool tls_take(struct peer *peer, SSL *ssl)
{
    char text[4096] = "";
    int size = 0, got;

    while (!strstr(text, "\r\n\r\n") &&
           (got = SSL_read(ssl, text + size, (int)sizeof(text) - 1 - size)) > 0)
        size += got;
    if (!strstr(text, "\r\n\r\n"))
        return false;
    atomic_fetch_add(&peer->requests, 1);
    return true;
}

static void tls_say(SSL *ssl, const char *text)
{
    SSL_write(ssl, text, (int)strlen(text));
}

static void serve_plainly(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);

    (void)number;
    while (ssl && tls_take(peer, ssl))
        tls_say(ssl, OK_5);
    SSL_free(ssl);
}

/* The end of the answer and a second answer leave in one record. */
static void serve_poisoned_record(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);

    (void)number;
    while (ssl && tls_take(peer, ssl)) {
        tls_say(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
        sleep_ms(30);
        tls_say(ssl, "llo" POISON);
    }
    SSL_free(ssl);
}

static void serve_poison_later(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);

    (void)number;
    while (ssl && tls_take(peer, ssl)) {
        tls_say(ssl, OK_5);
        sleep_ms(peer->number);
        tls_say(ssl, POISON);
    }
    SSL_free(ssl);
}

/* Chunked, its end and the surplus beyond what is read at once. */
static void serve_poisoned_chunks(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);
    char text[16384 - 128 + 1];
    int size;

    (void)number;
    while (ssl && tls_take(peer, ssl)) {
        tls_say(ssl, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        size = snprintf(text, sizeof(text), "5\r\nhello\r\n0\r\n\r\n");
        while (size + 45 < (int)sizeof(text))
            size += snprintf(text + size, sizeof(text) - (size_t)size, "%s", POISON);
        tls_say(ssl, text);
        tls_say(ssl, text);
    }
    SSL_free(ssl);
}

/* 20 KB in a record of 16 KiB and one with the rest: what is left over when the last buffer was
 * filled exactly. */
static void serve_streams(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);
    char piece[1001];

    (void)number;
    memset(piece, 'x', 1000);
    piece[1000] = '\0';
    while (ssl && tls_take(peer, ssl)) {
        tls_say(ssl, "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
        for (int i = 0; i < 2000; i++)
            tls_say(ssl, piece);
    }
    SSL_free(ssl);
}

#define LARGE 3000000

/* Takes a large request slowly, record by record, and looks at every byte. */
static void serve_large(struct peer *peer, int fd, int number)
{
    SSL *ssl = tls_accept(fd);
    static char text[LARGE + 4096];
    int size = 0, got;
    char *body = NULL;

    (void)number;
    sleep_ms(50); /* until nothing more can be written */
    while (ssl && (!body || text + size < body + LARGE) &&
           (got = SSL_read(ssl, text + size, (int)sizeof(text) - 1 - size)) > 0) {
        size += got;
        body = body ? body : strstr(text, "\r\n\r\n");
        body = body && body[0] == '\r' ? body + 4 : body;
    }
    for (int i = 0; body && i < LARGE; i++)
        if (body[i] != (char)('a' + i % 23))
            body = NULL;
    if (body && text + size == body + LARGE)
        tls_say(ssl, OK_5);
    atomic_fetch_add(&peer->requests, 1);
    SSL_free(ssl);
}

struct tls_stage {
    struct peer *peer;
    struct bench bench;
    char origin[128];
};

static void tls_stage_open(struct tls_stage *stage, void (*serve)(struct peer *, int, int),
                           const char *ca_file, const char *host)
{
    struct upstream_settings settings;

    stage->peer = peer_open(serve);
    snprintf(stage->origin, sizeof(stage->origin), "https://%s:%d", host, stage->peer->port);
    settings = usual_settings(stage->origin);
    settings.ca_file = ca_file;
    bench_open(&stage->bench, &settings);
}

static void tls_stage_close(struct tls_stage *stage)
{
    bench_close(&stage->bench);
    peer_close(stage->peer);
}

static enum upstream_end stage_call(struct tls_stage *stage, const char *body)
{
    struct probe probe;
    enum upstream_end end;

    probe_start(&stage->bench, &probe, "POST", "/", "{}");
    assert_true(bench_run(&stage->bench, 5000));
    end = probe.end;
    if (end == UPSTREAM_DONE)
        probe_expect(&probe, UPSTREAM_DONE, 200, body);
    buffer_done(&probe.body);
    return end;
}

static void the_right_one_is_trusted(void **state)
{
    struct tls_stage stage;

    (void)state;
    serving = identity_make("IP:127.0.0.1,DNS:localhost");
    tls_stage_open(&stage, serve_plainly, serving.file, "127.0.0.1");
    for (int i = 0; i < 5; i++)
        assert_int_equal(stage_call(&stage, "hello"), UPSTREAM_DONE);
    assert_int_equal(stage.peer->connections, 1);
    tls_stage_close(&stage);
    tls_stage_open(&stage, serve_plainly, serving.file,
                   "localhost"); /* resolved; SNI and name check are the origin's */
    for (int i = 0; i < 5; i++)
        assert_int_equal(stage_call(&stage, "hello"), UPSTREAM_DONE);
    assert_int_equal(stage.peer->connections, 1);
    tls_stage_close(&stage);
    identity_drop(&serving);
}

static void strangers_get_nothing(void **state)
{
    struct identity other = identity_make("IP:127.0.0.1");
    struct tls_stage stage;

    (void)state;
    serving = identity_make("IP:127.0.0.1");
    tls_stage_open(&stage, serve_plainly, other.file, "127.0.0.1"); /* signed by nobody we know */
    assert_int_equal(stage_call(&stage, ""), UPSTREAM_UNREACHED);
    assert_int_equal(stage.peer->requests, 0);
    tls_stage_close(&stage);
    tls_stage_open(&stage, serve_plainly, NULL,
                   "127.0.0.1"); /* the system does not know it either */
    assert_int_equal(stage_call(&stage, ""), UPSTREAM_UNREACHED);
    tls_stage_close(&stage);
    identity_drop(&serving);
    serving = identity_make("IP:127.0.0.2,DNS:example.org"); /* another name */
    tls_stage_open(&stage, serve_plainly, serving.file, "127.0.0.1");
    assert_int_equal(stage_call(&stage, ""), UPSTREAM_UNREACHED);
    assert_int_equal(stage.peer->requests, 0);
    tls_stage_close(&stage);
    identity_drop(&serving);
    identity_drop(&other);
}

/* A connection found dirty may fail a call, before anything of it was sent; never may it answer
 * one. */
static void poisoned(void (*serve)(struct peer *, int, int), int ms)
{
    struct tls_stage stage;
    int done = 0, calls = 20;

    serving = identity_make("IP:127.0.0.1");
    tls_stage_open(&stage, serve, serving.file, "127.0.0.1");
    stage.peer->number = ms;
    for (int i = 0; i < calls; i++) {
        enum upstream_end end = stage_call(&stage, "hello");
        assert_true(end == UPSTREAM_DONE || end == UPSTREAM_UNREACHED);
        done += end == UPSTREAM_DONE;
        if (i % 2)
            bench_rest(&stage.bench, (uint64_t)ms + 10);
    }
    assert_int_equal(stage.peer->requests, done);
    assert_true(done >= calls / 2);
    tls_stage_close(&stage);
    identity_drop(&serving);
}

static void a_records_surplus_is_nobodys_answer(void **state)
{
    (void)state;
    poisoned(serve_poisoned_record, 0);
    poisoned(serve_poisoned_chunks, 0);
}

static void late_records_are_nobodys_answer(void **state)
{
    struct tls_stage stage;

    (void)state;
    serving = identity_make("IP:127.0.0.1");
    tls_stage_open(&stage, serve_poison_later, serving.file, "127.0.0.1");
    stage.peer->number = 20;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(stage_call(&stage, "hello"), UPSTREAM_DONE);
        bench_rest(&stage.bench, 50);
    }
    assert_int_equal(stage.peer->connections, 5);
    tls_stage_close(&stage);
    identity_drop(&serving);
}

/* What is held back inside TLS must not keep the loop awake (as in curl #21671). */
static void a_paused_transfer_costs_nothing(void **state)
{
    struct tls_stage stage;
    struct probe probe;

    (void)state;
    serving = identity_make("IP:127.0.0.1");
    tls_stage_open(&stage, serve_streams, serving.file, "127.0.0.1");
    probe_start(&stage.bench, &probe, "GET", "/", NULL);
    probe.pause_each = true;
    assert_false(bench_run(&stage.bench, 100));
    loop_take_lag(stage.bench.loop);
    assert_false(bench_run(&stage.bench, 300));
    assert_true(loop_take_lag(stage.bench.loop).ticks < 20);
    while (!probe.ends) {
        probe.full = false;
        upstream_resume(&probe.call);
        bench_run(&stage.bench, 1);
    }
    assert_int_equal(probe.end, UPSTREAM_DONE);
    assert_int_equal(probe.pieces_while_full, 0);
    assert_int_equal(buffer_size(&probe.body), 2000000);
    buffer_done(&probe.body);
    tls_stage_close(&stage);
    identity_drop(&serving);
}

static void a_large_request_arrives_whole(void **state)
{
    struct tls_stage stage;
    char *body = malloc(LARGE + 1);
    struct probe probe;

    (void)state;
    for (int i = 0; i < LARGE; i++)
        body[i] = (char)('a' + i % 23);
    body[LARGE] = '\0';
    serving = identity_make("IP:127.0.0.1");
    tls_stage_open(&stage, serve_large, serving.file, "127.0.0.1");
    probe_start(&stage.bench, &probe, "POST", "/", body);
    assert_true(bench_run(&stage.bench, 10000));
    probe_expect(&probe, UPSTREAM_DONE, 200, "hello");
    tls_stage_close(&stage);
    identity_drop(&serving);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_one_is_trusted),
        cmocka_unit_test(strangers_get_nothing),
        cmocka_unit_test(a_records_surplus_is_nobodys_answer),
        cmocka_unit_test(late_records_are_nobodys_answer),
        cmocka_unit_test(a_paused_transfer_costs_nothing),
        cmocka_unit_test(a_large_request_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
