/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES_MAX 1024

static _Atomic int shown_level = EIS_LOG_WARN;
static _Atomic int as_json, to_journal;

static const struct {
    const char *word;
    int journald;
} levels[] = {{"error", 3}, {"warn", 4}, {"info", 6}, {"debug", 7}};

/* systemd names device and inode of the stream that it reads; an inherited name of another stream is none of ours. */
static bool stderr_is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    struct stat about;
    char own[64];

    if (named == NULL || fstat(STDERR_FILENO, &about) != 0) return false;
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
    return strcmp(named, own) == 0;
}

void eis_log_configure(eis_log_level level, bool json)
{
    atomic_store(&shown_level, (int)level);
    atomic_store(&as_json, json);
    atomic_store(&to_journal, json && stderr_is_journal());
}

bool eis_log_level_parse(eis_log_level *level, const char *word)
{
    for (unsigned i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(levels[i].word, word) == 0) {
            *level = (eis_log_level)i;
            return true;
        }
    return false;
}

/* Escapes for a JSON string; bytes that are not printable ASCII become '?', since names in logs come from peers. */
static void escape(char *out, size_t out_bytes, const char *text)
{
    size_t used = 0;

    for (; *text != '\0' && used + 3 < out_bytes; text++) {
        if (*text == '"' || *text == '\\') out[used++] = '\\';
        out[used++] = *text >= ' ' && *text < 127 ? *text : '?';
    }
    out[used] = '\0';
}

/* Names in logs come from peers: what a terminal would obey, or take for a new line, becomes '?'. */
static void hide_controls(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127) *text = '?';
}

void eis_log(eis_log_level level, const char *event, const char *format, ...)
{
    char text[TEXT_BYTES_MAX], safe[TEXT_BYTES_MAX];
    va_list args;

    if ((int)level > atomic_load(&shown_level)) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (atomic_load(&as_json)) {
        struct timespec now;
        char priority[8] = "";
        if (atomic_load(&to_journal)) snprintf(priority, sizeof priority, "<%d>", levels[level].journald);
        escape(safe, sizeof safe, text);
        clock_gettime(CLOCK_REALTIME, &now);
        fprintf(stderr, "%s{\"time\":%lld.%03ld,\"level\":\"%s\",\"event\":\"%s\",\"text\":\"%s\"}\n", priority,
                (long long)now.tv_sec, now.tv_nsec / 1000000, levels[level].word, event, safe);
    } else {
        hide_controls(text);
        fprintf(stderr, "eis: %s: %s\n", levels[level].word, text);
    }
}
