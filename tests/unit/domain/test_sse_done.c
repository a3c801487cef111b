/* Streams cut everywhere: a comment goes before the mark, and taking it out again leaves the stream. */
#include "../base/unit.h"

#include "domain/sse_done.h"

enum { TEXT_MAX = 2048 };

#define COMMENT ": here\n\n"
#define CHUNK(content) \
    "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" content "\"}}]}"
#define USAGE "data: {\"id\":\"gen-1\",\"choices\":[],\"usage\":{\"cost\":0.00001}}"

/* HERE is where the comment belongs; `between`: at the end there was no mark and no open event. */
#define HERE "\1"
static const struct scene {
    const char *name, *text;
    bool between;
} scenes[] = {
    {"chat",
     ": OPENROUTER PROCESSING\n\n" CHUNK("one ") "\n\n" CHUNK("two") "\n\n" USAGE "\n\n" HERE
                                                                     "data: [DONE]\n\n",
     false},
    {"chat with CRLF",
     ": OPENROUTER PROCESSING\r\n\r\n" CHUNK("one") "\r\n\r\n" USAGE "\r\n\r\n" HERE
                                                    "data: [DONE]\r\n\r\n",
     false},
    {"chat with CR alone", CHUNK("one") "\r\r" USAGE "\r\r" HERE "data: [DONE]\r\r", false},
    {"no space behind the colon", CHUNK("one") "\n\n" HERE "data:[DONE]\n\n", false},
    {"no line end behind it", CHUNK("one") "\n\n" HERE "data: [DONE]", false},
    {"neither space nor line end", CHUNK("one") "\n\n" HERE "data:[DONE]", false},
    {"one line end behind it", CHUNK("one") "\n\n" HERE "data: [DONE]\n", false},
    {"nothing but the mark", HERE "data: [DONE]\n\n", false},
    {"comments before it",
     CHUNK("one") "\n\n: OPENROUTER PROCESSING\n\n: a\n:\n" HERE "data: [DONE]\n\n", false},
    {"only the first", HERE "data: [DONE]\n\ndata: [DONE]\n\n", false},
    {"the responses' way",
     "event: response.completed\ndata: {\"type\":\"response.completed\"}\n\n" HERE
     "data: [DONE]\n\n",
     false},
    {"in an event of theirs", "event: done\ndata: [DONE]\n\n", true},
    {"behind a line of its own event", "data: {}\ndata: [DONE]\n\n" HERE "data: [DONE]\n\n", false},
    {"behind an id", "id: 7\r\ndata: [DONE]\r\n\r\n", true},
    {"in a text", CHUNK("\\ndata: [DONE]\\n") "\n\n" HERE "data: [DONE]\n\n", false},
    {"the messages' way",
     "event: message_delta\ndata: {\"type\":\"message_delta\"}\n\n"
     "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     true},
    {"an error at the end", CHUNK("one") "\n\ndata: {\"error\":{\"code\":502}}\n\n", true},
    {"the last event is open", CHUNK("one") "\n", false},
    {"the last line is open", CHUNK("one") "\n\ndata: {", false},
    {"the last line is a piece of the mark", CHUNK("one") "\n\ndata: [DON", false},
    {"nothing", "", true},
    {"blank lines", "\n\r\n\r\r\n\n", true},
    {"nearly the mark, each of them another line",
     "data: [DONE] \n\ndata: [DONE]x\n\ndata:  [DONE]\n\ndata: [done]\n\n data: [DONE]\n\n"
     "data: [DONE\n\nData: [DONE]\n\ndata : [DONE]\n\nd\n\ndata\n\ndata:\n\ndata: \n\ndddata: "
     "[DONE]\n\n",
     true},
    {"pieces of it again and again", "d\n\ndat\n\ndata:[D\n\ndata: [DONE\n\n" HERE "data: [DONE]\n",
     false},
    {"a mark and then more", HERE "data: [DONE]\n\n" CHUNK("late") "\n\n: x\n\n", false},
};

/* What went on, and the most that was held meanwhile. */
struct told {
    char text[TEXT_MAX];
    size_t size, fed, held_most, comments;
};

static void tell(struct told *told, struct span run, bool at_done)
{
    assert_true(run.size > 0 && told->size + run.size + sizeof(COMMENT) < TEXT_MAX);
    if (at_done) {
        memcpy(told->text + told->size, COMMENT, strlen(COMMENT));
        told->size += strlen(COMMENT);
        told->comments++;
    }
    memcpy(told->text + told->size, run.at, run.size);
    told->size += run.size;
}

/* Each piece is a block of its own, so that reading past it is seen. */
static void feed(struct sse_done *done, struct span piece, struct told *told)
{
    char *copy = malloc(piece.size + 1);
    struct span bytes = {copy, piece.size}, run;
    bool at_done;

    memcpy(copy, piece.at, piece.size);
    while (sse_done_take(done, &bytes, &run, &at_done))
        tell(told, run, at_done);
    assert_int_equal(bytes.size, 0);
    told->fed += piece.size;
    size_t held = told->fed + told->comments * strlen(COMMENT) - told->size;
    told->held_most = held > told->held_most ? held : told->held_most;
    free(copy);
}

static void finish(struct sse_done *done, struct told *told)
{
    struct span run;
    bool at_done;

    if (sse_done_end(done, &run, &at_done))
        tell(told, run, at_done);
    else
        assert_false(at_done);
    assert_false(sse_done_end(done, &run, &at_done));
    told->text[told->size] = '\0';
}

static size_t without_mark(const char *text, char ret_text[TEXT_MAX])
{
    size_t size = 0;
    for (; *text; text++)
        if (*text != HERE[0])
            ret_text[size++] = *text;
    ret_text[size] = '\0';
    return size;
}

static void expected(const char *text, char ret_text[TEXT_MAX])
{
    const char *here = strchr(text, HERE[0]);
    size_t before = here ? (size_t)(here - text) : strlen(text);

    snprintf(ret_text, TEXT_MAX, "%.*s%s%s", (int)before, text, here ? COMMENT : "",
             here ? here + 1 : "");
}

static void check(const struct scene *scene, const struct sse_done *done, const struct told *told)
{
    char want[TEXT_MAX];

    expected(scene->text, want);
    if (strcmp(told->text, want) != 0)
        fail_msg("%s: told <%s>", scene->name, told->text);
    if (told->held_most > SSE_DONE_HELD_MAX)
        fail_msg("%s: %zu bytes were held", scene->name, told->held_most);
    if (sse_done_is_between_events(done) != scene->between)
        fail_msg("%s: between events is not %d", scene->name, scene->between);
}

static void play(const struct scene *scene, size_t first_cut, size_t second_cut)
{
    char text[TEXT_MAX];
    struct sse_done done = {0};
    struct told told = {.size = 0};
    const size_t size = without_mark(scene->text, text);

    feed(&done, (struct span){text, first_cut}, &told);
    feed(&done, (struct span){text + first_cut, second_cut - first_cut}, &told);
    feed(&done, (struct span){text + second_cut, size - second_cut}, &told);
    finish(&done, &told);
    check(scene, &done, &told);
}

static void test_every_two_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        char text[TEXT_MAX];
        size_t size = without_mark(scenes[i].text, text);
        for (size_t first = 0; first <= size; first++)
            for (size_t second = first; second <= size; second++)
                play(&scenes[i], first, second);
    }
}

static void test_pieces_of_one_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++)
        for (size_t piece = 1; piece <= 16; piece++) {
            char text[TEXT_MAX];
            struct sse_done done = {0};
            struct told told = {.size = 0};
            size_t size = without_mark(scenes[i].text, text);
            for (size_t at = 0; at < size; at += piece)
                feed(&done, span_first((struct span){text + at, size - at}, piece), &told);
            finish(&done, &told);
            check(&scenes[i], &done, &told);
        }
}

/* Nothing waits without need: whole lines go on at once, and of an open one only what may become the mark stays. */
static void test_what_is_held(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t held;
    } rows[] = {
        {"", 0},
        {"d", 1},
        {"data: [DONE]", 12},
        {"data:[DONE]", 11},
        {"data: {", 0},
        {"data: [DONE]x", 0},
        {"data: [DONE]\n", 0},
        {CHUNK("x") "\n\nda", 2},
        {CHUNK("x") "\nda", 0}, /* no comment may go there */
        {CHUNK("x") "\r\n\r", 0},
        {": OPENROUTER PROCESSING\n\ndata: ", 6},
        {"data: [DONE]\n\ndata: [D", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sse_done done = {0};
        struct told told = {.size = 0};
        feed(&done, span_of(rows[i].text), &told);
        assert_int_equal(told.held_most, rows[i].held);
        assert_int_equal(done.held_size, rows[i].held);
    }
}

/* All streams of five such pieces: whole and byte by byte they come out the same. */
static void test_no_byte_is_lost_in_odd_streams(void **state)
{
    (void)state;
    static const char *const words[] = {"data: [DONE]", "data:", "[DONE]", "\n", "\r", ":", " "};
    enum { WORDS = sizeof(words) / sizeof(*words), LENGTH = 5 };
    for (unsigned number = 0; number < WORDS * WORDS * WORDS * WORDS * WORDS; number++) {
        char text[TEXT_MAX] = "";
        for (unsigned k = 0, rest = number; k < LENGTH; k++, rest /= WORDS)
            strncat(text, words[rest % WORDS], 16);
        struct sse_done whole_done = {0}, done = {0};
        struct told whole = {.size = 0}, told = {.size = 0};
        feed(&whole_done, span_of(text), &whole);
        finish(&whole_done, &whole);
        for (size_t at = 0; text[at]; at++)
            feed(&done, (struct span){text + at, 1}, &told);
        finish(&done, &told);
        assert_string_equal(told.text, whole.text);
        assert_true(told.comments <= 1 && told.held_most <= SSE_DONE_HELD_MAX);
        assert_int_equal(told.size - told.comments * strlen(COMMENT), strlen(text));
        assert_int_equal(sse_done_is_between_events(&done),
                         sse_done_is_between_events(&whole_done));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_two_cuts),
        cmocka_unit_test(test_pieces_of_one_size),
        cmocka_unit_test(test_what_is_held),
        cmocka_unit_test(test_no_byte_is_lost_in_odd_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
