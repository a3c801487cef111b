/* What a body names besides its text, in every dialect and however it is written. */
#include "../base/unit.h"

#include "domain/json_scan.h"
#include "domain/media.h"

#define BODY(part) "{\"messages\":[{\"role\":\"user\",\"content\":[" part "]}]}"

static void has(const char *body, size_t images, size_t documents)
{
    struct media media = media_count(span_of(body));

    if (media.images != images || media.documents != documents)
        fail_msg("%s\nhas %zu images, %zu documents; expected %zu, %zu", body, media.images,
                 media.documents, images, documents);
}

static void test_nothing(void **state)
{
    (void)state;
    has("", 0, 0);
    has("{}", 0, 0);
    has("{\"model\":\"a/b\",\"messages\":[{\"role\":\"user\",\"content\":\"image_url\"}]}", 0, 0);
    has(BODY("{\"type\":\"text\",\"text\":\"\\\"image_url\\\":\\\"x\\\",\\\"file_url\\\":\"}"), 0,
        0);
    has("{\"url\":\"https://x\",\"a\":{\"url\":\"https://x\"},\"source\":\"https://x\"}", 0, 0);
    has("{\"tools\":[{\"parameters\":{\"properties\":{\"file_url\":{\"type\":\"string\"},"
        "\"source\":{\"properties\":{\"url\":{\"type\":\"string\"}}}}}}]}",
        0, 0);
    has("{\"file_url\":null,\"video_url\":7,\"file_data\":{}}", 0, 0);
    assert_int_equal(media_count(SPAN_NONE).images, 0);
}

static void test_images(void **state)
{
    (void)state;
    has(BODY("{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/a.png\"}}"), 1, 0);
    has(BODY("{\"image_url\":{\"url\":\"data:image/png;base64,AA\"},\"type\":\"image_url\"}"), 1,
        0);
    has(BODY("{\"type\":\"input_image\",\"image_url\":\"https://x/a.png\"}"), 1, 0);
    has(BODY("{\"image_url\":\"https://x/a.png\",\"type\":\"input_image\"}"), 1, 0);
    has(BODY("{\"type\":\"input_image\",\"file_id\":\"f\"}"), 1, 0);
    has(BODY("{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/a\"}}"), 1, 0);
    has(BODY("{\"source\":{\"url\":\"https://x/a\",\"type\":\"url\"},\"type\":\"image\"}"), 1, 0);
    has(BODY("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"AA\"}}"), 1, 0);
    has(BODY("{\"image_url\":\"a\"},{\"image_url\":\"b\"},{\"type\":\"image\"}"), 3, 0);
    has("{\"image_url\":\"a\",\"image_url\":\"b\",\"type\":\"input_image\"}", 2, 0);
    has("{\"image_url\" \n\t:\r\"a\"}", 1, 0);
}

static void test_documents(void **state)
{
    (void)state;
    has(BODY("{\"type\":\"file\",\"file\":{\"filename\":\"a\",\"file_data\":\"https://x/a\"}}"), 0,
        1);
    has(BODY("{\"type\":\"input_file\",\"file_url\":\"https://x/a.pdf\"}"), 0, 1);
    has(BODY("{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://x/a.mp4\"}}"), 0, 1);
    has(BODY("{\"type\":\"input_video\",\"video_url\":\"https://x/a.mp4\"}"), 0, 1);
    has(BODY("{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":\"https://x/a\"}}"), 0,
        1);
    has(BODY("{\"source\":{\"url\":\"https://x/a\",\"type\":\"url\"},\"type\":\"document\"}"), 0,
        1);
    has(BODY("{\"source\":{\"url\":\"https://x/a\"}}"), 0, 1);
    has("{\"source\":[{\"url\":\"a\"},{\"url\":\"b\"}],\"video_url\":[\"c\",{\"url\":\"d\"}]}", 0,
        4);
    has(BODY("{\"file_url\":\"a\"},{\"image_url\":\"b\"},{\"file\":{\"file_data\":\"c\"}}"), 1, 2);
}

/* Said twice, readers differ in which they take. */
static void test_twice(void **state)
{
    (void)state;
    has("{\"type\":\"image\",\"type\":\"document\",\"source\":{\"url\":\"a\"}}", 1, 1);
    has("{\"type\":\"document\",\"source\":{\"url\":\"a\"},\"type\":\"image\"}", 1, 1);
    has("{\"type\":\"image\",\"source\":{\"url\":\"a\"},\"source\":{\"url\":\"b\"}}", 1, 1);
    has("{\"file_url\":\"data:x\",\"file_url\":\"https://x\"}", 0, 1);
}

static void test_inline_data_is_no_document(void **state)
{
    (void)state;
    has(BODY("{\"file\":{\"file_data\":\"data:application/pdf;base64,AA\"}}"), 0, 0);
    has(BODY("{\"file_url\":\"data:x\"},{\"video_url\":{\"url\":\"data:video/mp4;base64,AA\"}}"), 0,
        0);
    has(BODY("{\"type\":\"document\",\"source\":{\"url\":\"data:x\"}}"), 0, 0);
    has(BODY("{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"data\":\"AA\"}}"), 0, 0);
    has("{\"file_url\":\"data:\"}", 0, 0);
    has("{\"file_url\":\"data\"}", 0, 1);
    has("{\"file_url\":\"datum:x\"}", 0, 1);
    has("{\"file_url\":\" data:x\"}", 0, 1);
}

static void test_escapes(void **state)
{
    (void)state;
    has("{\"image\\u005furl\":\"a\"}", 1, 0);
    has("{\"\\u0069\\u006d\\u0061\\u0067\\u0065\\u005f\\u0075\\u0072\\u006C\":\"a\"}", 1, 0);
    has("{\"file\\u005Furl\":\"a\",\"vid\\u0065o_url\":{\"\\u0075rl\":\"b\"}}", 0, 2);
    has("{\"t\\u0079pe\":\"im\\u0061ge\",\"s\\u006furce\":{\"u\\u0072l\":\"a\"}}", 1, 0);
    has("{\"file_url\":\"d\\u0061ta:x\",\"file_data\":\"\\u0064\\u0061\\u0074\\u0061\\u003ax\"}", 0,
        0);
    has("{\"file_url\":\"d\\u0062ta:x\",\"file_data\":\"data\\u005c\"}", 0, 2);
    has("{\"file_url\\u0000\":\"a\",\"image_url\\\\\":\"b\"}", 0, 0);
    has("{\"a\":\"\\\\\",\"image_url\":\"\\\\\\\"\",\"file_url\":\"a\\\"b\"}", 1, 1);
}

static void test_nested(void **state)
{
    (void)state;
    has(BODY("{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\",\"source\":{\"url\":"
             "\"a\"}},{\"type\":\"document\",\"source\":{\"url\":\"b\"}}]}"),
        1, 1);
    has(BODY("{\"type\":\"document\",\"source\":{\"type\":\"content\",\"content\":[{\"type\":"
             "\"image\",\"source\":{\"url\":\"a\"}}]}}"),
        1, 0);
    /* a url that follows a nested object still belongs to its own */
    has("{\"video_url\":{\"a\":{\"b\":[1]},\"url\":\"x\"}}", 0, 1);
}

static void test_depth(void **state)
{
    (void)state;
    char body[2 * JSON_DEPTH_MAX];

    for (size_t arrays = JSON_DEPTH_MAX - 1; arrays <= JSON_DEPTH_MAX; arrays++) {
        memset(body, '[', arrays);
        snprintf(body + arrays, sizeof(body) - arrays, "{\"file_url\":\"a\"}");
        has(body, 0, arrays < JSON_DEPTH_MAX ? 1 : 0);
    }
}

static void test_broken(void **state)
{
    (void)state;
    has("{\"image_url\":\"a\",\"file_url\":\"b\",\"file_data\":\"c", 1, 1);
    has("{\"type\":\"document\",\"source\":{\"url\":\"a\"", 0, 1);
    has("{\"type\":\"image\",\"source\":{\"url\":\"a\"", 1, 0);
    has("{\"image_url\":\"a\"}]{\"image_url\":\"b\"}", 1, 0);
    has("{\"image_url\":", 1, 0);
    has("{\"image_url\"", 0, 0);
    has("{\"image\\u00\":\"a\",\"\\\":", 0, 0);
    has("\"", 0, 0);
    has("}", 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_inline_data_is_no_document),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
