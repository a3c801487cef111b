#include "app/serve.h"

#include "app/command.h"
#include "app/limits.h"
#include "app/stray_variables.h"
#include "base/alloc.h"
#include "domain/key_api.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    GATE_PATIENCE_MS = 15000,
    SELF_CHECK_MS = 5000,
    SECOND_SIGNAL_MS = 5000,
    CUT_MS = 5000,
    WATCH_MS = 50
};

static bool read_arguments(struct core_options *options, int argc, char **argv);
static void log_stray(void *context, const struct stray_variable *stray);
static void on_turn(struct turn *turn);
static void on_stop_signal(struct turn *turn);
static void on_hangup(struct turn *turn);
static void gate_answered(struct serve *s);
static void self_checked(struct serve *s);
static void drain(struct serve *s);
static void cut(struct serve *s);
static void watch_drain(struct serve *s, enum serve_at next_at);
static void stop(struct serve *s, int exit_code);

int command_serve(int argc, char **argv)
{
    static struct serve serve; /* large, one per process */
    struct serve *s = &serve;
    struct core_options options = {.keeps_store = true};

    if (!read_arguments(&options, argc, argv)) {
        fprintf(stderr,
                "usage: keyturn serve [--config FILE] [--listen ADDR] [--admin-listen ADDR]\n");
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    limits_protect_memory();
    alloc_keep_freed();
    s->exit_code = EXIT_FAILED;
    if (core_open(&s->core, &options)) {
        stray_variables_visit(environ, log_stray, s->core.log);
        turn_init(&s->turn, on_turn);
        turn_init(&s->signal, on_stop_signal);
        turn_init(&s->hangup, on_hangup);
        loop_on_signal(s->core.loop, SIGTERM, &s->signal);
        loop_on_signal(s->core.loop, SIGINT, &s->signal);
        loop_on_signal(s->core.loop, SIGHUP, &s->hangup);
        deadline_class_open(&s->waits, s->core.loop, 0);
        deadline_init(&s->wait, &s->turn);
        serve_open_parts(s);
        gate_open(&s->gate, &s->core, false, GATE_PATIENCE_MS, &s->turn);
        s->gate_opened = true;
        loop_run(s->core.loop);
        serve_close_parts(s);
        deadline_class_close(&s->waits);
    }
    core_close(&s->core);
    return s->exit_code;
}

static bool read_arguments(struct core_options *options, int argc, char **argv)
{
    const struct {
        const char *name, **value;
    } known[] = {{"--config", &options->config_file},
                 {"--listen", &options->listen},
                 {"--admin-listen", &options->admin_listen}};

    for (int i = 1; i < argc; i++) {
        bool taken = false;
        for (size_t k = 0; k < sizeof(known) / sizeof(*known) && !taken; k++) {
            const char *value = option_value(argc, argv, &i, known[k].name);
            if (value && *value)
                *known[k].value = value;
            taken = value && *value;
        }
        if (!taken)
            return false;
    }
    return true;
}

static void log_stray(void *context, const struct stray_variable *stray)
{
    char name[128];

    span_text(span_first(stray->name, sizeof(name) - 1), name, sizeof(name));
    log_warn(context, "nothing reads this variable: what it should set stays as it is",
             log_text("variable", name),
             log_text("did_you_mean", stray->near ? stray->near : "nothing keyturn knows"));
}

static void on_turn(struct turn *turn)
{
    struct serve *s = container_of(turn, struct serve, turn);

    switch (s->at) {
    case SERVE_GATE:
        gate_answered(s);
        return;
    case SERVE_SELF_CHECK:
        self_checked(s);
        return;
    case SERVE_DRAINING:
        watch_drain(s, SERVE_CUTTING);
        return;
    case SERVE_CUTTING:
        watch_drain(s, SERVE_STOPPED);
        return;
    case SERVE_RUNNING:
    case SERVE_STOPPED:
        return;
    }
}

/* First signal: drain within the grace; second: five seconds are left; third: now. */
static void on_stop_signal(struct turn *turn)
{
    struct serve *s = container_of(turn, struct serve, signal);
    uint64_t soon_ms = loop_now_ms(s->core.loop) + SECOND_SIGNAL_MS;

    s->signals++;
    if (s->at == SERVE_GATE || s->at == SERVE_SELF_CHECK)
        stop(s, EXIT_DONE);
    else if (s->at == SERVE_RUNNING)
        drain(s);
    else if (s->at == SERVE_DRAINING && s->signals == 2 && s->drain_until_ms > soon_ms)
        s->drain_until_ms = soon_ms;
    else if (s->at == SERVE_DRAINING && s->signals == 2)
        return;
    else
        stop(s, EXIT_FAILED);
}

static void on_hangup(struct turn *turn)
{
    struct serve *s = container_of(turn, struct serve, hangup);

    log_info(s->core.log, "SIGHUP: nothing to reopen, the log goes to standard output",
             log_int("signal", SIGHUP));
}

static void gate_answered(struct serve *s)
{
    if (s->gate.state == GATE_WAITING)
        return;
    if (s->gate.state == GATE_REFUSED) {
        log_error(s->core.log, "the store is refused", log_text("reason", s->gate.error));
        fprintf(stderr, "keyturn: %s\n", s->gate.error);
        stop(s, EXIT_FAILED);
        return;
    }
    serve_open_flow(s);
    s->at = SERVE_SELF_CHECK;
    if (!s->flow.management_key) {
        log_warn(s->core.log,
                 "no OPENROUTER_PROVISIONING_KEY: existing keys work, none can be made or renewed",
                 log_text("effect", "auto_renewal_failed"));
        self_checked(s);
        return;
    }
    snprintf(s->self_check_path, sizeof(s->self_check_path), "%.*s/key",
             SPAN_PRINT(s->settings.base_path));
    fetch_start(s->fetcher, &s->self_check, "GET", span_of(s->self_check_path),
                s->flow.management_key, SPAN_NONE, SELF_CHECK_MS, &s->turn);
}

/* A wrong management key is told, not fatal: keys that exist keep working. */
static void self_checked(struct serve *s)
{
    bool is_management = false;
    int status = s->self_check.end == FETCH_ANSWERED ? s->self_check.status : 0;

    if (s->flow.management_key && status == 0)
        log_warn(s->core.log, "OpenRouter cannot be reached yet",
                 log_text("url", s->core.environment.base_url));
    else if (s->flow.management_key &&
             (!key_api_done(status) ||
              !key_api_read_is_management(buffer_view(&s->self_check.body), &is_management) ||
              !is_management)) {
        metric_set(s->metrics, MEASURE_MANAGEMENT_REFUSED,
                   key_api_refused(status) || key_api_done(status));
        log_error(s->core.log,
                  "OPENROUTER_PROVISIONING_KEY is not accepted as a management key: no key can be "
                  "made or renewed. Make "
                  "one at OpenRouter under Settings, Management Keys",
                  log_int("status", status));
    }
    fetch_done(&s->self_check);
    if (!serve_listen(s)) {
        stop(s, EXIT_FAILED);
        return;
    }
    s->at = SERVE_RUNNING;
    s->api.readiness = API_READY;
}

static void drain(struct serve *s)
{
    log_info(s->core.log, "draining: no new connections; running streams may finish",
             log_int("exchanges", (int64_t)s->flow.exchange_count),
             log_int("grace_ms", s->core.config.server_drain_timeout));
    s->at = SERVE_DRAINING;
    s->api.readiness = API_DRAINING;
    s->drain_until_ms = loop_now_ms(s->core.loop) + (uint64_t)s->core.config.server_drain_timeout;
    flow_drain(&s->flow);
    server_drain(s->data);
    watch_drain(s, SERVE_CUTTING);
}

/* Streams that outlived the grace get an error event; whatever is left after that is closed. */
static void cut(struct serve *s)
{
    log_warn(s->core.log, "the grace is over: what still runs is told and closed",
             log_int("exchanges", (int64_t)s->flow.exchange_count));
    s->at = SERVE_CUTTING;
    s->drain_until_ms = loop_now_ms(s->core.loop) + CUT_MS;
    flow_cut(&s->flow);
    watch_drain(s, SERVE_STOPPED);
}

static void watch_drain(struct serve *s, enum serve_at next_at)
{
    bool idle = flow_is_idle(&s->flow) && server_stats(s->data).connections == 0;

    if (idle)
        stop(s, EXIT_DONE);
    else if (loop_now_ms(s->core.loop) < s->drain_until_ms)
        deadline_join_in(&s->waits, &s->wait, WATCH_MS);
    else if (next_at == SERVE_CUTTING)
        cut(s);
    else {
        flow_give_up(&s->flow);
        stop(s, flow_is_idle(&s->flow) ? EXIT_DONE : EXIT_FAILED);
    }
}

static void stop(struct serve *s, int exit_code)
{
    s->at = SERVE_STOPPED;
    s->exit_code = exit_code;
    loop_stop(s->core.loop);
}
