/* The parts of the proxy: made from the configuration in the order they lean on each other, taken down in reverse. */
#include "app/serve.h"

#include "app/journal_place.h"
#include "app/limits.h"
#include "crypto/random.h"

#include <stdio.h>

enum { CONTROL_PARALLEL = 16, CONTROL_BODY_MAX = 4 << 20, LINGER_MS = 2000, BACKLOG_LOW_SHARE = 4 };

static void settle_settings(struct serve *s);
static struct span text_or_none(const char *text);
static void split_base_url(struct serve *s);
static struct server *open_server(struct serve *s, const struct client_calls *plane,
                                  size_t connections_max);
static bool listen_on(struct serve *s, struct server *server, const char *addresses,
                      const char *what);
static void wait_until(struct serve *s, bool (*is_done)(const struct serve *s));
static bool servers_are_closed(const struct serve *s);
static bool pools_are_closed(const struct serve *s);
static bool flow_is_over(const struct serve *s);

void serve_open_parts(struct serve *s)
{
    const struct config *config = &s->core.config;
    struct descriptor_shares shares = limits_share_descriptors();
    const char *ca_file = config->upstream_ca_file[0] ? config->upstream_ca_file : NULL;
    struct upstream_settings upstream = {
        .origin = s->origin,
        .ca_file = ca_file,
        .calls_max =
            config->upstream_calls_max ? (size_t)config->upstream_calls_max : shares.upstream_calls,
        .connect_ms = (uint64_t)config->upstream_connect_timeout,
        .idle_connection_ms = (uint64_t)config->upstream_keep_timeout,
    };
    struct fetch_settings fetch = {.origin = s->origin,
                                   .ca_file = ca_file,
                                   .parallel_max = CONTROL_PARALLEL,
                                   .body_max_bytes = CONTROL_BODY_MAX,
                                   .connect_ms = upstream.connect_ms};

    s->metrics = metrics_open(measures_table(), MEASURE_COUNT);
    s->request_ids.process = random_u64();
    split_base_url(s);
    settle_settings(s);
    s->upstream = upstream_open(s->core.loop, s->core.log, &upstream);
    s->fetcher = fetcher_open(s->core.loop, s->core.log, &fetch);
    s->data = open_server(s, api_data_plane(),
                          config->server_connections_max ? (size_t)config->server_connections_max
                                                         : shares.clients);
}

void serve_open_flow(struct serve *s)
{
    const struct secret *management_key = &s->core.environment.management_key;
    const struct secret *shared_key = &s->core.environment.shared_key;
    uint64_t map_seed[2] = {random_u64(), random_u64()};
    struct flow *flow = &s->flow;
    char error[160] = "";

    s->journal = journal_place_take(s->core.config.data_directory, error);
    if (!s->journal)
        log_warn(s->core.log, "no journal: settlements that Redis cannot take live in memory only",
                 log_text("reason", error), log_text("directory", s->core.config.data_directory));
    flow->loop = s->core.loop;
    flow->log = s->core.log;
    flow->metrics = s->metrics;
    flow->store = &s->core.store;
    flow->upstream = s->upstream;
    flow->fetcher = s->fetcher;
    flow->vault = s->core.vault;
    flow->management_key = secret_is_set(management_key) ? management_key : NULL;
    flow->shared_key = secret_is_set(shared_key) ? shared_key : NULL;
    flow->journal = s->journal;
    flow->settings = &s->settings;
    flow->random = random_u64;
    flow->request_ids = &s->request_ids;
    snprintf(flow->instance, sizeof(flow->instance), "%s", s->core.instance);
    snprintf(flow->deployment, sizeof(flow->deployment), "%s", s->gate.deployment);
    memcpy(flow->pseudonym_key, s->gate.pepper, sizeof(flow->pseudonym_key));
    flow_open(flow, map_seed);
    api_open(&s->api, flow, s->core.redis);
    s->api.data = s->data;
    s->api.admin_key = &s->core.environment.admin_key;
    vitals_open(&s->vitals, &s->api);
    s->flow_opened = true;
}

bool serve_listen(struct serve *s)
{
    if (!listen_on(s, s->data, s->core.config.server_listen, "clients"))
        return false;
    if (!secret_is_set(&s->core.environment.admin_key)) {
        log_info(s->core.log, "no KEYTURN_ADMIN_KEY: the admin listener does not start",
                 log_bool("metrics", false));
        return true;
    }
    s->admin = open_server(s, api_admin_plane(), 64);
    s->api.admin = s->admin;
    return listen_on(s, s->admin, s->core.config.server_admin_listen, "operators");
}

void serve_close_parts(struct serve *s)
{
    if (s->flow_opened) {
        flow_drain(&s->flow);
        flow_cut(&s->flow);
    }
    server_cut(s->data);
    if (s->admin)
        server_cut(s->admin);
    wait_until(s, flow_is_over);
    wait_until(s, servers_are_closed);
    server_close(s->data);
    if (s->admin)
        server_close(s->admin);
    if (s->flow_opened)
        vitals_close(&s->vitals);
    core_close_redis(&s->core); /* before the flow: its watch and the gate's turn lean on them */
    if (s->flow_opened)
        flow_close(&s->flow);
    if (s->journal)
        journal_close(s->journal);
    gate_close(&s->gate);
    fetch_cancel(&s->self_check);
    upstream_close(s->upstream);
    fetcher_close(s->fetcher);
    wait_until(s, pools_are_closed);
    upstream_free(s->upstream);
    fetcher_free(s->fetcher);
    metrics_close(s->metrics);
    log_info(s->core.log, "stopped", log_int("exit_code", s->exit_code));
}

static void settle_settings(struct serve *s)
{
    const struct config *config = &s->core.config;

    s->settings.referer = text_or_none(config->upstream_referer);
    s->settings.title = text_or_none(config->upstream_title);
    s->settings.tiers = &config->tiers;
    s->settings.default_tier = tiers_find(&config->tiers, span_of(config->keys_default_tier));
    s->settings.user_dev = s->core.environment.mode == MODE_DEVELOPMENT;
    s->settings.key_renew_ahead_ms = config->keys_renew_ahead;
    s->settings.key_idle_ms = (uint64_t)config->keys_cache_idle;
    s->settings.cache_max = (size_t)config->keys_cache_max;
    s->settings.renewal_wait_ms = (uint64_t)config->renewal_wait;
    s->settings.renewal_pace_ms = (uint64_t)config->renewal_pace;
    s->settings.renewal_lease_ms = (uint64_t)config->renewal_lease;
    s->settings.control_ms = (uint64_t)config->renewal_call_timeout;
    s->settings.hold_lease_ms = (uint64_t)config->quota_hold_lease;
    s->settings.holds_ahead = (size_t)config->quota_holds_ahead;
    s->settings.free_per_minute = config->free_models_requests_per_minute;
    s->settings.free_per_day = config->free_models_requests_per_day;
    s->settings.models_refresh_ms = (uint64_t)config->models_refresh;
    s->settings.sweep_every_ms = (uint64_t)config->renewal_sweep_every;
    s->settings.sweep_age_ms = (uint64_t)config->renewal_sweep_age;
    s->settings.head_stream_ms = (uint64_t)config->upstream_stream_timeout;
    s->settings.head_plain_ms = (uint64_t)config->upstream_head_timeout;
    s->settings.idle_ms = (uint64_t)config->upstream_idle_timeout;
    s->settings.body_max_bytes = (size_t)config->server_body_max;
    s->settings.quota_comment = strcmp(config->server_quota_comment, "true") == 0;
}

static struct span text_or_none(const char *text)
{
    return text[0] ? span_of(text) : SPAN_NONE;
}

/* "https://host:port/api/v1": the origin to connect to, and the path before every route. */
static void split_base_url(struct serve *s)
{
    const char *url = s->core.environment.base_url;
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    size_t origin_size = path ? (size_t)(path - url) : strlen(url);

    span_text((struct span){url, origin_size}, s->origin, sizeof(s->origin));
    s->settings.base_path = path ? span_of(path) : SPAN("");
}

static struct server *open_server(struct serve *s, const struct client_calls *plane,
                                  size_t connections_max)
{
    const struct config *config = &s->core.config;
    struct server_settings settings = {
        .connections_max = connections_max,
        .head_max_bytes = (size_t)config->server_head_max,
        .line_max_bytes = (size_t)config->server_line_max,
        .fields_max = (size_t)config->server_fields_max,
        .body_max_bytes = (size_t)config->server_body_max,
        .backlog_high_bytes = (size_t)config->server_backlog_max,
        .backlog_low_bytes = (size_t)config->server_backlog_max / BACKLOG_LOW_SHARE,
        .head_ms = (uint64_t)config->server_head_timeout,
        .body_ms = (uint64_t)config->server_body_timeout,
        .idle_ms = (uint64_t)config->server_idle_timeout,
        .write_ms = (uint64_t)config->server_write_timeout,
        .linger_ms = LINGER_MS,
    };

    return server_open(s->core.loop, &settings, plane, &s->api, &s->request_ids);
}

static bool listen_on(struct serve *s, struct server *server, const char *addresses,
                      const char *what)
{
    struct span rest = span_of(addresses), one;
    char address[160], bound[128], error[160];

    while (span_split(&rest, ',', &one)) {
        if (!span_text(span_trim(one), address, sizeof(address)) ||
            !server_listen(server, address, bound, error)) {
            log_error(s->core.log, "cannot listen", log_span("address", span_trim(one)),
                      log_text("reason", error));
            fprintf(stderr, "keyturn: cannot listen on %.*s: %s\n", SPAN_PRINT(span_trim(one)),
                    error);
            return false;
        }
        log_info(s->core.log, "listening", log_text("for", what), log_text("address", bound));
    }
    return true;
}

static void wait_until(struct serve *s, bool (*is_done)(const struct serve *s))
{
    while (!is_done(s))
        loop_turn(s->core.loop);
}

static bool servers_are_closed(const struct serve *s)
{
    return server_is_closed(s->data) && (!s->admin || server_is_closed(s->admin));
}

static bool pools_are_closed(const struct serve *s)
{
    return upstream_is_closed(s->upstream) && fetcher_is_closed(s->fetcher);
}

/* Its questions all have deadlines, so this ends. */
static bool flow_is_over(const struct serve *s)
{
    return !s->flow_opened || flow_is_idle(&s->flow);
}
