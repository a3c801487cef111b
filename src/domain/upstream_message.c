#include "domain/upstream_message.h"

#include <assert.h>

enum { HASH_SIZE = 64, FOREIGN_KEY_SIZE = 16 };

/* Where the cleaned text grows; it stops for good at the first piece that does not fit. */
struct cleaned {
    char *text;
    size_t size, capacity;
    bool full;
};

static struct span sentence_take(struct span *rest);
static bool leads_to_account(struct span sentence);
static bool is_account_link(struct span word);
static void sentence_put(struct cleaned *c, struct span sentence);
static size_t private_size(struct span sentence, size_t at);
static size_t link_size(struct span sentence, size_t at);
static size_t key_size(struct span sentence, size_t at);
static size_t user_size(struct span sentence, size_t at);
static size_t hash_size(struct span sentence, size_t at);
static size_t run_of(struct span s, bool (*belongs)(char c));
static void put(struct cleaned *c, struct span piece);
static bool is_alnum(char c);
static bool is_key_character(char c);
static bool is_hex(char c);
static bool is_no_blank(char c);

void upstream_message_clean(struct span message, char *ret_text, size_t capacity)
{
    assert(capacity > 0);
    struct cleaned c = {ret_text, 0, capacity - 1, false};
    while (message.size > 0 && !c.full) {
        struct span sentence = sentence_take(&message);
        if (c.size == 0 || !leads_to_account(sentence))
            sentence_put(&c, sentence);
    }
    while (c.size > 0 && ret_text[c.size - 1] == ' ')
        c.size--;
    ret_text[c.size] = '\0';
}

/* Up to and with the blank behind a full stop. */
static struct span sentence_take(struct span *rest)
{
    size_t end = 1;
    while (end < rest->size && !(rest->at[end] == ' ' && strchr(".!?;", rest->at[end - 1])))
        end++;
    if (end < rest->size)
        end++;
    struct span sentence = span_first(*rest, end);
    *rest = span_from(*rest, end);
    return sentence;
}

static bool leads_to_account(struct span sentence)
{
    while (sentence.size > 0) {
        size_t word = run_of(sentence, is_no_blank);
        if (is_account_link(span_first(sentence, word)))
            return true;
        sentence = span_from(sentence, word + 1);
    }
    return false;
}

/* Pages for everybody may be shown; all others belong to the operator's account. */
static bool is_account_link(struct span word)
{
    const struct span host = SPAN("openrouter.ai/");
    for (; word.size > host.size; word = span_from(word, 1)) {
        struct span path = span_from(word, host.size);
        if (span_equal_nocase(span_first(word, host.size), host))
            return !span_starts(path, SPAN("docs")) && !span_starts(path, SPAN("models"));
    }
    return false;
}

static void sentence_put(struct cleaned *c, struct span sentence)
{
    for (size_t at = 0; at < sentence.size && !c->full;) {
        size_t private = private_size(sentence, at);
        bool control = (unsigned char)sentence.at[at] < 0x20 || sentence.at[at] == 0x7f;
        if (private > 0)
            put(c, SPAN("[removed]"));
        else
            put(c, control ? SPAN(" ") : (struct span){sentence.at + at, 1});
        at += private > 0 ? private : 1;
    }
}

static size_t private_size(struct span sentence, size_t at)
{
    size_t (*const kinds[])(struct span, size_t) = {link_size, key_size, user_size, hash_size};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        size_t size = kinds[i](sentence, at);
        if (size > 0)
            return size;
    }
    return 0;
}

static size_t link_size(struct span sentence, size_t at)
{
    if (at > 0 && is_no_blank(sentence.at[at - 1]))
        return 0;
    struct span word = span_from(sentence, at);
    word = span_first(word, run_of(word, is_no_blank));
    return is_account_link(word) ? word.size : 0;
}

static size_t key_size(struct span sentence, size_t at)
{
    struct span rest = span_from(sentence, at);
    if (!span_equal_nocase(span_first(rest, 3), SPAN("sk-")))
        return 0;
    size_t size = run_of(rest, is_key_character);
    while (rest.at[size - 1] == '.')
        size--;
    bool starts = at == 0 || !is_alnum(sentence.at[at - 1]);
    bool ours = span_equal_nocase(span_first(rest, 6), SPAN("sk-or-"));
    return ours || (starts && size >= FOREIGN_KEY_SIZE) ? size : 0;
}

static size_t user_size(struct span sentence, size_t at)
{
    const struct span prefix = SPAN("user_");
    bool starts = at == 0 || (!is_alnum(sentence.at[at - 1]) && sentence.at[at - 1] != '_');
    if (!starts || !span_starts(span_from(sentence, at), prefix))
        return 0;
    size_t size = run_of(span_from(sentence, at + prefix.size), is_alnum);
    return size > 0 ? prefix.size + size : 0;
}

static size_t hash_size(struct span sentence, size_t at)
{
    if (at > 0 && is_hex(sentence.at[at - 1]))
        return 0;
    size_t size = run_of(span_from(sentence, at), is_hex);
    return size >= HASH_SIZE ? size : 0;
}

static size_t run_of(struct span s, bool (*belongs)(char c))
{
    size_t size = 0;
    while (size < s.size && belongs(s.at[size]))
        size++;
    return size;
}

static void put(struct cleaned *c, struct span piece)
{
    if (c->full || piece.size > c->capacity - c->size) {
        /* The character that was cut goes as a whole. */
        if (!c->full && piece.size == 1 && ((unsigned char)piece.at[0] & 0xc0) == 0x80) {
            while (c->size > 0 && ((unsigned char)c->text[c->size - 1] & 0xc0) == 0x80)
                c->size--;
            if (c->size > 0 && (unsigned char)c->text[c->size - 1] >= 0xc0)
                c->size--;
        }
        c->full = true;
        return;
    }
    memcpy(c->text + c->size, piece.at, piece.size);
    c->size += piece.size;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_key_character(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("-_*.", c));
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_no_blank(char c)
{
    return c != ' ' && c != '\n' && c != '\r' && c != '\t';
}
