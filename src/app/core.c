#include "app/core.h"

#include "app/data_directory.h"
#include "base/alloc.h"
#include "crypto/random.h"
#include "io/address.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAULTS_MAX = 64 * 1024, REDIS_CALLS_MAX = 100000, PRIVATE_REDIS_MS = 3000 };

static const char *ask_environment(const char *name)
{
    return getenv(name);
}
static int log_descriptor(void);
static void override_text(char **field, const char *text);
static bool listens_on_loopback(const char *addresses);
static void log_mode(struct core *core);
static bool open_vault(struct core *core, char ret_error[160]);
static bool make_development_secret(struct core *core);
static bool open_redis(struct core *core, const struct core_options *options, char ret_error[160]);

bool core_open(struct core *core, const struct core_options *options)
{
    struct buffer faults;
    char error[160] = "";
    bool fine;

    *core = (struct core){0};
    buffer_init(&faults, FAULTS_MAX);
    fine = core_read_settings(core, options, &faults);
    fwrite(buffer_view(&faults).at, 1, buffer_size(&faults), stderr);
    buffer_done(&faults);
    if (!fine)
        return false;
    core->log = log_open(options->quiet ? STDERR_FILENO : log_descriptor(),
                         strcmp(core->config.log_format, "logfmt") == 0 ? LOG_LOGFMT : LOG_JSON,
                         options->quiet ? LOG_WARN : log_level_parse(core->config.log_level));
    snprintf(core->instance, sizeof(core->instance), "%016llx", (unsigned long long)random_u64());
    core->loop = loop_open(core->log);
    log_mode(core);
    fine = open_vault(core, error) && open_redis(core, options, error);
    if (!fine)
        fprintf(stderr, "keyturn: %s\n", error);
    return fine;
}

void core_close_redis(struct core *core)
{
    if (!core->redis)
        return;
    redis_close(core->redis);
    while (!redis_is_closed(core->redis))
        loop_turn(core->loop);
    redis_free(core->redis);
    core->redis = NULL;
}

void core_close(struct core *core)
{
    core_close_redis(core);
    if (core->private_redis)
        private_redis_stop(core->private_redis);
    while (core->private_redis && !private_redis_is_stopped(core->private_redis))
        loop_turn(core->loop);
    if (core->private_redis)
        private_redis_close(core->private_redis);
    redis_url_done(&core->redis_url);
    if (core->vault)
        vault_close(core->vault);
    if (core->loop)
        loop_close(core->loop);
    if (core->log)
        log_close(core->log);
    environment_done(&core->environment);
    config_done(&core->config);
}

bool core_read_settings(struct core *core, const struct core_options *options,
                        struct buffer *faults)
{
    const char *file = options->config_file;
    bool loopback, fine;

    environment_put_settings(ask_environment, ".env", setenv);
    if (!file)
        file = getenv("KEYTURN_CONFIG");
    if (!file && access("keyturn.yaml", R_OK) == 0)
        file = "keyturn.yaml";
    fine = config_load(&core->config, file, ask_environment, faults);
    override_text(&core->config.server_listen, options->listen);
    override_text(&core->config.server_admin_listen, options->admin_listen);
    loopback = listens_on_loopback(core->config.server_listen) &&
               listens_on_loopback(core->config.server_admin_listen);
    return environment_read(&core->environment, ask_environment, ".env", loopback, faults) && fine;
}

/* A reader of our log that stops reading must not stop the loop. A pipe is opened anew without blocking, which leaves
 * the ends that others hold as they are; a terminal or a file never waits for long. */
static int log_descriptor(void)
{
    struct stat kind;
    int fd = -1;

    if (fstat(STDOUT_FILENO, &kind) == 0 && S_ISFIFO(kind.st_mode))
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 ? fd : STDOUT_FILENO;
}

static void override_text(char **field, const char *text)
{
    if (!text)
        return;
    must_free(*field);
    *field = must_copy(text);
}

static bool listens_on_loopback(const char *addresses)
{
    struct span rest = span_of(addresses), one;
    struct address address;
    char text[160], error[160];
    bool all = true;

    while (span_split(&rest, ',', &one))
        all = all && span_text(span_trim(one), text, sizeof(text)) &&
              address_parse(text, &address, error) &&
              (address_is_loopback(&address) || address_is_file(&address));
    return all;
}

static void log_mode(struct core *core)
{
    if (core->environment.mode == MODE_PRODUCTION)
        log_info(core->log, "[PROD MODE] secrets from the environment only",
                 log_text("instance", core->instance));
    else
        log_info(core->log,
                 core->environment.used_dotenv ? "[DEV MODE] Using .env file"
                                               : "[DEV MODE] no .env file here",
                 log_text("instance", core->instance));
}

/* Development makes itself a root secret and keeps it beside the data; production must bring one. */
static bool open_vault(struct core *core, char ret_error[160])
{
    if (!secret_is_set(&core->environment.encryption_secret) && !make_development_secret(core)) {
        snprintf(ret_error, 160,
                 "no KEYTURN_ENCRYPTION_SECRET, and none could be kept in data.directory (%s)",
                 core->config.data_directory);
        return false;
    }
    core->vault = vault_open(secret_reveal(&core->environment.encryption_secret), ret_error);
    return core->vault != NULL;
}

static bool open_redis(struct core *core, const struct core_options *options, char ret_error[160])
{
    struct redis_settings settings = {
        .command_ms = (uint64_t)core->config.redis_command_timeout,
        .connect_ms = (uint64_t)core->config.redis_connect_timeout,
        .calls_max = REDIS_CALLS_MAX,
        .ca_file = core->config.redis_ca_file[0] ? core->config.redis_ca_file : NULL};
    size_t script_count;
    const struct redis_script *const *scripts = store_scripts(&script_count);
    bool given = secret_is_set(&core->environment.redis_url);

    if (given &&
        !redis_url_parse(&core->redis_url, secret_reveal(&core->environment.redis_url), ret_error))
        return false;
    if (!given && !private_redis_socket(core->config.data_directory, core->redis_url.path)) {
        snprintf(ret_error, 160,
                 "the path of data.directory is too long for a socket; choose a shorter one");
        return false;
    }
    if (!given && options->keeps_store) {
        core->private_redis =
            private_redis_open(core->loop, core->log, core->config.data_directory, ret_error);
        if (!core->private_redis)
            return false;
        private_redis_await(core->private_redis, PRIVATE_REDIS_MS); /* if not, the link says so */
    }
    redis_url_apply(&core->redis_url, &settings);
    core->redis = redis_open(core->loop, core->log, &settings, scripts, script_count);
    core->store = (struct store){.loop = core->loop, .redis = core->redis, .log = core->log};
    return true;
}

static bool make_development_secret(struct core *core)
{
    char path[256], text[64] = "";
    unsigned char bytes[32];
    FILE *file;
    bool kept;

    data_directory_make(core->config.data_directory);
    snprintf(path, sizeof(path), "%s/encryption-secret", core->config.data_directory);
    file = fopen(path, "r");
    if (!file) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        random_bytes(bytes, sizeof(bytes));
        memcpy(text, "dev:", 4);
        base64url_text(bytes, sizeof(bytes), text + 4);
        kept = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
        if (fd >= 0)
            close(fd);
    } else {
        kept = fgets(text, sizeof(text), file) != NULL;
        fclose(file);
    }
    if (kept)
        secret_set(&core->environment.encryption_secret, span_trim(span_of(text)));
    wipe(text, sizeof(text));
    wipe(bytes, sizeof(bytes));
    return kept;
}
