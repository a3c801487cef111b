#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "connection.h"
#include "fast.h"
#include "server.h"
#include "sim.h"

static struct sim *sim_new(const struct options *options);
static void sim_free(struct sim *sim);
static void allow_many_files(void);
static bool start(struct sim *sim);
static void on_signal(uv_signal_t *handle, int number);
static void on_walk(uv_handle_t *handle, void *context);

int main(int count, char **words)
{
    struct options options;
    if (!options_read(&options, count, words))
        return 2;
    if (options.help) {
        options_help();
        return 0;
    }
    allow_many_files();
    signal(SIGPIPE, SIG_IGN); /* a client that is gone is an error of the write */
    struct sim *sim = sim_new(&options);
    uv_signal_t signals[2];
    static const int numbers[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&sim->loop, &signals[i]);
        signals[i].data = sim;
        uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    bool started = start(sim);
    if (!started)
        on_signal(&signals[0], 0);
    uv_run(&sim->loop, UV_RUN_DEFAULT);
    sim_free(sim);
    return started ? 0 : 1;
}

static struct sim *sim_new(const struct options *options)
{
    struct sim *sim = must_alloc(sizeof *sim);
    uv_loop_init(&sim->loop);
    sim->options = options;
    sim->settings = settings_default();
    sim->settings.ledger_rows = !options->fast;
    uv_timer_init(&sim->loop, &sim->accept_again);
    sim->accept_again.data = sim;
    if (getrandom(&sim->nonce, sizeof sim->nonce, 0) != sizeof sim->nonce)
        abort();
    sim->fast = fast_new();
    sim_reset(sim);
    return sim;
}

static void sim_free(struct sim *sim)
{
    uv_loop_close(&sim->loop);
    faults_clear(&sim->faults);
    ledger_done(&sim->ledger);
    keys_done(&sim->keys);
    fast_free(sim->fast);
    free(sim);
}

static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool start(struct sim *sim)
{
    const struct options *options = sim->options;
    int error = uv_ip4_addr(options->host, options->port, (struct sockaddr_in *)&sim->address);
    if (!error)
        error = server_listen(sim);
    if (error) {
        fprintf(stderr, "openrouter-sim: cannot listen on %s:%d: %s\n", options->host,
                options->port, uv_strerror(error));
        return false;
    }
    printf("openrouter-sim listening on http://%s:%d/api/v1\n", options->host, server_port(sim));
    fflush(stdout);
    return true;
}

/* Closes all there is; the loop then ends by itself. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct sim *sim = handle->data;
    (void)number;
    while (sim->connections)
        connection_close(sim->connections, PLAY_CLOSE);
    server_close(sim);
    uv_walk(&sim->loop, on_walk, NULL);
}

static void on_walk(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}
