/* config_table.h: every setting, once: section, field, type, default, limits, text. The struct, the reader, `keyturn
 * check`, --help and the README's table come from these rows. Each scalar can also be set by KEYTURN_<SECTION>_<FIELD>,
 * which wins over the file.
 *
 * Units     DURATION "250ms", "10s", "5m", "24h", "90d"; BYTES "64KiB", "20MiB"; USD decimal dollars, kept in nano-USD;
 *           COUNT plain numbers, or -1 where the limits say so; CHOICE one of the words in limits.
 */
#ifndef KEYTURN_APP_CONFIG_TABLE_H
#define KEYTURN_APP_CONFIG_TABLE_H

/* clang-format off */
/*      section   field             type      default            min      max        text */
#define CONFIG(ROW)                                                                                                   \
    ROW(server,   listen,           TEXT,     "127.0.0.1:8080",  "",      "",        "Where clients connect: address:port, [v6]:port or unix:/path; several separated by commas.") \
    ROW(server,   admin_listen,     TEXT,     "127.0.0.1:8081",  "",      "",        "Where operators connect; starts only with KEYTURN_ADMIN_KEY.") \
    ROW(server,   connections_max,  COUNT,    "0",               "0",     "1000000", "Client connections at once; 0: what the descriptor limit allows, shared with the upstream side.") \
    ROW(server,   head_max,         BYTES,    "32KiB",           "1KiB",  "64KiB",   "A request's whole head; 431 above.") \
    ROW(server,   line_max,         BYTES,    "8KiB",            "256",   "32KiB",   "The request line; 414 above.") \
    ROW(server,   fields_max,       COUNT,    "100",             "8",     "256",     "Header fields; 431 above.") \
    ROW(server,   body_max,         BYTES,    "20MiB",           "1KiB",  "1GiB",    "A request's body; 413 above.") \
    ROW(server,   backlog_max,      BYTES,    "256KiB",          "16KiB", "16MiB",   "Unsent reply bytes of one client at which its upstream pauses.") \
    ROW(server,   head_timeout,     DURATION, "10s",             "100ms", "10m",     "A whole head, from its first byte.") \
    ROW(server,   body_timeout,     DURATION, "10s",             "100ms", "10m",     "Each KiB of a body.") \
    ROW(server,   idle_timeout,     DURATION, "75s",             "1s",    "1h",      "Between requests on one connection; longer than the balancer's in front.") \
    ROW(server,   write_timeout,    DURATION, "30s",             "1s",    "10m",     "A client that takes nothing for so long is gone.") \
    ROW(server,   drain_timeout,    DURATION, "120s",            "0ms",   "1h",      "After SIGTERM: running streams may finish for so long; a second SIGTERM shortens it to 5s.") \
    ROW(server,   quota_comment,    CHOICE,   "false",           "false|true", "",   "Every stream tells in a comment before its [DONE] what is left; false: only those whose request says x-keyturn-quota-comment: true.") \
    ROW(upstream, connect_timeout,  DURATION, "5s",              "100ms", "1m",      "Connecting to OpenRouter, TLS included.") \
    ROW(upstream, head_timeout,     DURATION, "300s",            "1s",    "1h",      "Waiting for a plain answer's head.") \
    ROW(upstream, stream_timeout,   DURATION, "120s",            "1s",    "1h",      "Waiting for a stream's head.") \
    ROW(upstream, idle_timeout,     DURATION, "60s",             "1s",    "1h",      "Silence within an answer; comments count as bytes.") \
    ROW(upstream, calls_max,        COUNT,    "0",               "0",     "1000000", "Calls to OpenRouter at once, more wait; 0: what the descriptor limit allows.") \
    ROW(upstream, keep_timeout,     DURATION, "30s",             "1s",    "10m",     "A kept connection older than this is not used again.") \
    ROW(upstream, ca_file,          TEXT,     "",                "",      "",        "Certificates to trust instead of the system's.") \
    ROW(upstream, referer,          TEXT,     "",                "",      "",        "HTTP-Referer: the app's site, for OpenRouter's rankings.") \
    ROW(upstream, title,            TEXT,     "",                "",      "",        "X-OpenRouter-Title: the app's name.") \
    ROW(keys,     default_tier,     TEXT,     "Standard",        "",      "",        "Tier of users made on first sight, the first of the table where there is no Standard; empty: unknown users are refused.") \
    ROW(keys,     renew_ahead,      DURATION, "24h",             "0ms",   "365d",    "Renewed so long before it expires; at most a quarter of expires_after is used.") \
    ROW(keys,     cache_idle,       DURATION, "60s",             "1s",    "24h",     "An open key unused for so long is wiped from memory.") \
    ROW(keys,     cache_max,        COUNT,    "100000",          "100",   "10000000","Open keys, and cached tokens, at most.") \
    ROW(renewal,  wait,             DURATION, "10s",             "100ms", "1m",      "A request waits so long for its key, then 503 with retry-after.") \
    ROW(renewal,  pace,             DURATION, "60s",             "1s",    "1h",      "At most one renewal per user in this time.") \
    ROW(renewal,  lease,            DURATION, "15s",             "5s",    "5m",      "How long another instance waits for one that died while renewing.") \
    ROW(renewal,  call_timeout,     DURATION, "8s",              "100ms", "1m",      "One call to OpenRouter's management API; shorter than the lease.") \
    ROW(renewal,  sweep_every,      DURATION, "10s",             "100ms", "10m",     "How often unfinished renewals are looked for.") \
    ROW(renewal,  sweep_age,        DURATION, "20s",             "1s",    "10m",     "A renewal this old is looked after; not shorter than the lease.") \
    ROW(quota,    hold_lease,       DURATION, "30s",             "3s",    "10m",     "A hold nobody extends for so long counts as spent until its cost is looked up.") \
    ROW(quota,    holds_ahead,      COUNT,    "32",              "0",     "32",    "Holds taken ahead at most for a user who sends many requests a second, so that those need not wait for Redis; 0: none.") \
    ROW(free_models, requests_per_minute, COUNT, "20",           "-1",    "100000",  "Requests for free models that the whole OpenRouter account may make in a minute, over all users and instances; -1: no limit of ours.") \
    ROW(free_models, requests_per_day, COUNT, "1000",            "-1",    "10000000","The same in a UTC day; OpenRouter allows 50 where fewer than 10 credits were ever bought; -1: no limit of ours.") \
    ROW(models,   refresh,          DURATION, "10m",             "1s",    "24h",     "How often models and prices are read from OpenRouter.") \
    ROW(redis,    command_timeout,  DURATION, "250ms",           "10ms",  "10s",     "A command not answered by then is lost, and so is the link.") \
    ROW(redis,    connect_timeout,  DURATION, "2s",              "50ms",  "1m",      "Connecting to Redis.") \
    ROW(redis,    ca_file,          TEXT,     "",                "",      "",        "Certificates to trust for rediss:// instead of the system's.") \
    ROW(data,     directory,        TEXT,     ".keyturn",        "",      "",        "The private Redis' data and, in development, generated secrets.") \
    ROW(log,      format,           CHOICE,   "json",            "json|logfmt", "",  "One line per event on standard output.") \
    ROW(log,      level,            CHOICE,   "info",            "debug|info|warn|error", "", "The least level that is written.")
/* clang-format on */

#endif
