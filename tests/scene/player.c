/* The scene program: plays each scene plainly, then once for each wait and each break that wait knows, then in drawn
 * orders. Every replay is a process of its own, so that an instance can die as by kill -9 and a stopped replay stops
 * nothing else; the leak checker looks at each that was not killed.
 *
 *     scene_test                      everything
 *     scene_test SCENE                one scene with all its replays
 *     scene_test SCENE BREAK WAIT     one replay, with its whole story on standard output
 */
#include "scene/books.h"
#include "scene/scene.h"
#include "scene/scenes.h"
#include "store/redis_server.h"

#include <errno.h>
#include <sys/mman.h>

enum {
    WORKERS = 2,
    REPLAY_S = 60,
    SHUFFLES = 8,
    SMALL_SCENE = 40,
    FIRST_OF_A_KIND = 2,
    SHOWN_FAILURES = 6,
    EXIT_LEAKED = 23
};

struct job {
    const struct scene *scene;
    struct break_point breaking;
};

struct worker {
    pid_t process; /* 0: idle */
    struct redis_server server;
    int output;
    struct job job;
};

struct player {
    struct worker workers[WORKERS];
    struct wait_note *notes; /* shared with the replays */
    size_t wait_count;
    unsigned replays, left_out, failures, shown;
    bool tells_all;
};

static void play_scene(struct player *player, const struct scene *scene);
static void plan(struct player *player, const struct scene *scene);
static bool is_chosen(const struct player *player, size_t at);
static void start(struct player *player, struct job job);
static void replay(const struct worker *worker, const struct player *player);
static void await_one(struct player *player);
static void await_all(struct player *player);
static void judge(struct player *player, struct worker *worker, int status);
static void show(const struct worker *worker, bool all);
static bool play_one(struct player *player, char **arguments);

int main(int argc, char **argv)
{
    struct player player = {.shown = 0};
    size_t size = WAITS_MAX * sizeof(struct wait_note);

    setvbuf(stdout, NULL, _IOLBF, 0);
    player.notes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        redis_server_start(&player.workers[i].server);
        player.workers[i].output = memfd_create("story", 0);
    }
    if (argc == 4 && !play_one(&player, argv + 1))
        printf("there is no such replay\n");
    for (unsigned i = 0; scenes[i].name && argc < 4; i++)
        if (argc < 2 || strcmp(argv[1], scenes[i].name) == 0)
            play_scene(&player, &scenes[i]);
    for (unsigned i = 0; i < WORKERS; i++) {
        redis_server_stop(&player.workers[i].server);
        close(player.workers[i].output);
    }
    munmap(player.notes, size);
    printf("scenes: %u replays, %u left out as alike, %u failed\n", player.replays, player.left_out,
           player.failures);
    return player.failures > 0 || player.replays == 0;
}

static void play_scene(struct player *player, const struct scene *scene)
{
    unsigned replays = player->replays, failures = player->failures;
    struct timespec began, ended;

    clock_gettime(CLOCK_MONOTONIC, &began);
    player->shown = 0;
    memset(player->notes, 0, WAITS_MAX * sizeof(*player->notes));
    start(player, (struct job){scene, {BREAK_NONE, 0}});
    await_all(player);
    for (player->wait_count = 0;
         player->wait_count < WAITS_MAX && player->notes[player->wait_count].kind;)
        player->wait_count++;
    if (player->failures == failures &&
        !scene->plainly) /* a story that does not hold unbroken has nothing to break */
        plan(player, scene);
    await_all(player);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%-34s %4zu waits %5u replays %4u failed %6.1f s\n", scene->name, player->wait_count,
           player->replays - replays, player->failures - failures,
           (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
}

static void plan(struct player *player, const struct scene *scene)
{
    for (size_t at = 0; at < player->wait_count; at++) {
        enum wait_kind wait = player->notes[at].kind;
        bool chosen = is_chosen(player, at);
        for (unsigned kind = BREAK_NONE + 1; kind < BREAK_SHUFFLE; kind++) {
            if (!break_fits((enum break_kind)kind, wait))
                continue;
            player->left_out += !chosen;
            if (chosen)
                start(player, (struct job){scene, {(enum break_kind)kind, at}});
        }
    }
    for (unsigned seed = 0; seed < SHUFFLES; seed++)
        start(player, (struct job){scene, {BREAK_SHUFFLE, seed}});
}

/* Of a crowd doing the same, the first few and the last. */
static bool is_chosen(const struct player *player, size_t at)
{
    unsigned before = 0;
    bool last = true;

    if (player->wait_count <= SMALL_SCENE)
        return true;
    for (size_t i = 0; i < player->wait_count; i++)
        if (i != at && strcmp(player->notes[i].label, player->notes[at].label) == 0) {
            before += i < at;
            last = last && i < at;
        }
    return before < FIRST_OF_A_KIND || last;
}

static void start(struct player *player, struct job job)
{
    struct worker *worker = NULL;

    while (!worker) {
        for (unsigned i = 0; i < WORKERS && !worker; i++)
            if (!player->workers[i].process)
                worker = &player->workers[i];
        if (!worker)
            await_one(player);
    }
    player->replays++;
    worker->job = job;
    if (ftruncate(worker->output, 0) != 0 || lseek(worker->output, 0, SEEK_SET) != 0)
        abort();
    worker->process = fork();
    if (worker->process == 0)
        replay(worker, player);
}

/* In a process of its own. What a killed instance held is lost with it, so nobody looks for leaks then. */
static void replay(const struct worker *worker, const struct player *player)
{
    struct world *w = calloc(1, sizeof(*w));
    bool someone_died = false, failed;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(worker->output, STDOUT_FILENO);
    dup2(worker->output, STDERR_FILENO);
    alarm(REPLAY_S);
    w->scene = worker->job.scene;
    w->breaking = worker->job.breaking;
    w->tells_all = player->tells_all;
    w->socket = worker->server.socket;
    w->notes = player->notes;
    w->shuffle = w->breaking.kind == BREAK_SHUFFLE ? w->breaking.at + 1 : 0;
    world_open(w);
    w->scene->play(w);
    books_balance(w);
    world_close(w);
    if (w->breaking.kind != BREAK_NONE && w->breaking.kind != BREAK_SHUFFLE && !w->broke)
        world_fails(w, __FILE__, __LINE__, "nothing broke: the story took another way");
    for (unsigned i = 0; i < w->instance_count; i++)
        someone_died = someone_died || !w->instances[i].alive;
    failed = w->failed;
    if (failed || someone_died)
        _exit(failed);
    free(w);
    exit(0);
}

static void await_one(struct player *player)
{
    int status;
    pid_t process = waitpid(-1, &status, 0);

    if (process < 0)
        abort();
    for (unsigned i = 0; i < WORKERS; i++)
        if (player->workers[i].process == process) {
            player->workers[i].process = 0;
            judge(player, &player->workers[i], status);
            return;
        }
    abort(); /* a redis-server has ended */
}

static void await_all(struct player *player)
{
    for (unsigned i = 0; i < WORKERS; i++)
        while (player->workers[i].process)
            await_one(player);
}

static void judge(struct player *player, struct worker *worker, int status)
{
    const struct break_point *breaking = &worker->job.breaking;

    if (player->tells_all)
        show(worker, true);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    player->failures++;
    printf("FAILED %s %s %zu", worker->job.scene->name, break_name(breaking->kind), breaking->at);
    if (breaking->kind != BREAK_NONE && breaking->kind != BREAK_SHUFFLE)
        printf(" (%s)", player->notes[breaking->at].label);
    if (WIFSIGNALED(status))
        printf(": %s", strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_LEAKED)
        printf(": leaked");
    printf("\n");
    if (player->shown++ < SHOWN_FAILURES && !player->tells_all)
        show(worker, false);
}

/* The whole story, or what went wrong in it. */
static void show(const struct worker *worker, bool all)
{
    FILE *story = fdopen(dup(worker->output), "r");
    char line[2048];

    rewind(story);
    while (fgets(line, sizeof(line), story))
        if (all || strncmp(line, "** ", 3) == 0 || strstr(line, "Assertion") ||
            strstr(line, "ERROR: ") || strstr(line, "runtime error"))
            printf("    %s", line);
    fclose(story);
}

static bool play_one(struct player *player, char **arguments)
{
    struct job job = {.breaking = {.at = strtoul(arguments[2], NULL, 10)}};

    for (unsigned i = 0; scenes[i].name; i++)
        if (strcmp(scenes[i].name, arguments[0]) == 0)
            job.scene = &scenes[i];
    if (!job.scene || !break_find(arguments[1], &job.breaking.kind))
        return false;
    player->tells_all = true;
    start(player, job);
    await_all(player);
    return true;
}
