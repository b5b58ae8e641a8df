/* Slack, as far as a load test needs it, and the people who type: Socket Mode, the few Web API
   methods that the bot calls, and a closed loop that keeps so many commands in flight.

     load --teams=20 --people=10      prints its address, then serves until SIGTERM

   GET /control/run?kind=list&inflight=16&count=5000&seconds=10 types until count or seconds is
   reached, and answers when everything was acked. Kinds: list, create, click (needs value=ID.1).
   GET /control/calls answers how often each method was called. */
#include <cjson/cJSON.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LINKS_MOST = 10, WAITING_MOST = 1024, RUN_MOST = 1 << 20, BODY_MOST = 1 << 17 };

/* One connection of either kind; lws keeps it beside the wsi. */
struct visit {
    char uri[64];
    char *body; /* of the request */
    size_t length;
    char *answer; /* to be written; LWS_PRE bytes lie before it */
    size_t answer_length;
    bool post;
};

static struct link {
    struct lws *wsi;
    bool greeted;
    unsigned first, end; /* of waiting */
    uint32_t waiting[WAITING_MOST];
} links[LINKS_MOST];

/* What is being typed at the moment; numbers of commands go on over all runs. */
static struct run {
    struct lws *asker; /* who waits for the result */
    char kind[16], value[64];
    uint32_t first, next, count; /* numbers of commands */
    unsigned in_flight, wanted, expected, turn;
    double seconds, cpu;
    int64_t began, ended, first_acked;
    int calls;
} run;

static int64_t sent_at[RUN_MOST]; /* of a command, by its number */
static double taken[RUN_MOST];
static struct {
    char method[40];
    int count;
} calls[32];
static int call_count, teams = 20, people = 10;
static uint64_t messages;
static struct lws_context *context;
static int port;
static volatile sig_atomic_t stopped;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* ---- typing ---- */

static int compose(char *out, size_t room, uint32_t number)
{
    static const char head[] = "{\"envelope_id\":\"e%u\",\"type\":\"%s\","
                               "\"accepts_response_payload\":%s,\"payload\":";
    int team = (int)(number % (unsigned)teams) + 101;
    int person = (int)(number / (unsigned)teams % (unsigned)people) + 1;
    bool click = strcmp(run.kind, "click") == 0;
    int used = snprintf(out, room, head, number, click ? "interactive" : "slash_commands",
                        click ? "false" : "true");
    char *rest = out + used;
    room -= (size_t)used;
    if (click)
        return used + snprintf(rest, room,
                               "{\"type\":\"block_actions\",\"trigger_id\":\"%u.1.click\","
                               "\"user\":{\"id\":\"U0APPR\",\"username\":\"approver\","
                               "\"team_id\":\"T0ACME\"},\"team\":{\"id\":\"T0ACME\"},"
                               "\"channel\":{\"id\":\"C0PLAT\"},\"container\":{\"type\":"
                               "\"message\",\"message_ts\":\"1.1\",\"channel_id\":\"C0PLAT\"},"
                               "\"response_url\":\"http://127.0.0.1:%d/respond\",\"actions\":["
                               "{\"type\":\"button\",\"action_id\":\"approve\",\"block_id\":\"b\","
                               "\"value\":\"%s\"}]}}",
                               number, port, run.value);
    char text[96] = "list";
    if (strcmp(run.kind, "create") == 0)
        snprintf(text, sizeof text, "create small b%u --nodes 2 --ttl 4h --reason bench", number);
    return used + snprintf(rest, room,
                           "{\"token\":\"t\",\"team_id\":\"T0ACME\",\"team_domain\":\"acme\","
                           "\"channel_id\":\"C0T%d\",\"channel_name\":\"team%d\","
                           "\"user_id\":\"U0T%dM%02d\",\"user_name\":\"member\","
                           "\"command\":\"/env\",\"text\":\"%s\",\"api_app_id\":\"A0ENVBOT\","
                           "\"response_url\":\"http://127.0.0.1:%d/respond\","
                           "\"trigger_id\":\"%u.1.%x\"}}",
                           team, team, team, person, text, port, number, number * 2654435761u);
}

/* Hands the next command to one of the connections in turn. */
static void type_next(void)
{
    bool late = run.seconds > 0 && (double)(now_ns() - run.began) / 1e9 > run.seconds;
    if (!run.asker || late || run.next - run.first >= run.count)
        return;
    for (int i = 0; i < LINKS_MOST; i++) {
        struct link *link = &links[++run.turn % LINKS_MOST];
        if (!link->wsi || !link->greeted || link->end - link->first == WAITING_MOST)
            continue;
        sent_at[run.next % RUN_MOST] = now_ns();
        link->waiting[link->end++ % WAITING_MOST] = run.next++;
        run.in_flight++;
        lws_callback_on_writable(link->wsi);
        return;
    }
}

static void fill(void)
{
    unsigned before;
    do {
        before = run.in_flight;
        if (run.in_flight < run.wanted)
            type_next();
    } while (run.in_flight > before);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void answer(struct lws *wsi, struct visit *visit, const char *json)
{
    visit->answer_length = strlen(json);
    free(visit->answer);
    visit->answer = malloc(LWS_PRE + visit->answer_length + 1);
    if (!visit->answer)
        abort();
    memcpy(visit->answer + LWS_PRE, json, visit->answer_length + 1);
    lws_callback_on_writable(wsi);
}

static void finish(void)
{
    unsigned count = run.next - run.first;
    int all = 0;
    for (int i = 0; i < call_count; i++)
        all += calls[i].count;
    qsort(taken, count, sizeof *taken, by_size);
    double seconds = (double)(run.ended - run.began) / 1e9;
    char json[1024];
    snprintf(json, sizeof json,
             "{\"kind\":\"%s\",\"in_flight\":%u,\"acks\":%u,\"expected\":%u,\"seconds\":%.4f,"
             "\"acks_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"generator_cpu\":%.3f,"
             "\"began_ns\":%lld,\"first_acked_ns\":%lld,\"web_calls\":%d}",
             run.kind, run.wanted, count, run.expected, seconds, (double)count / seconds,
             taken[count / 2] * 1e3, taken[count * 99 / 100] * 1e3, cpu_seconds() - run.cpu,
             (long long)run.began, (long long)run.first_acked, all - run.calls);
    answer(run.asker, lws_wsi_user(run.asker), json);
    run.asker = NULL;
}

static void on_ack(const char *text, size_t length)
{
    static const char mark[] = "{\"envelope_id\":\"e";
    if (!run.asker || length < sizeof mark || memcmp(text, mark, sizeof mark - 1) != 0)
        return;
    uint32_t number = (uint32_t)strtoul(text + sizeof mark - 1, NULL, 10);
    if (number - run.first >= run.next - run.first)
        return;
    run.ended = now_ns();
    if (!run.first_acked)
        run.first_acked = run.ended;
    taken[number - run.first] = (double)(run.ended - sent_at[number % RUN_MOST]) / 1e9;
    const char *words = strcmp(run.kind, "create") == 0  ? "You asked for"
                        : strcmp(run.kind, "click") == 0 ? "envelope_id"
                                                         : "payload";
    run.expected += memmem(text, length, words, strlen(words)) != NULL;
    run.in_flight--;
    fill();
    if (run.in_flight == 0)
        finish();
}

/* ---- Socket Mode ---- */

static struct link *link_of(struct lws *wsi)
{
    for (int i = 0; i < LINKS_MOST; i++)
        if (links[i].wsi == wsi)
            return &links[i];
    return NULL;
}

static int send_waiting(struct link *link)
{
    static char frame[LWS_PRE + 4096];
    if (!link->greeted) {
        static const char hello[] = "{\"type\":\"hello\",\"num_connections\":1,"
                                    "\"debug_info\":{\"approximate_connection_time\":18060},"
                                    "\"connection_info\":{\"app_id\":\"A0ENVBOT\"}}";
        memcpy(frame + LWS_PRE, hello, sizeof hello);
        link->greeted = true;
        if (lws_write(link->wsi, (void *)(frame + LWS_PRE), sizeof hello - 1, LWS_WRITE_TEXT) < 0)
            return -1;
        fill();
    }
    while (link->first != link->end) {
        if (lws_send_pipe_choked(link->wsi)) {
            lws_callback_on_writable(link->wsi);
            return 0;
        }
        int length = compose(frame + LWS_PRE, sizeof frame - LWS_PRE,
                             link->waiting[link->first++ % WAITING_MOST]);
        if (lws_write(link->wsi, (void *)(frame + LWS_PRE), (size_t)length, LWS_WRITE_TEXT) < 0)
            return -1;
    }
    return 0;
}

/* ---- the Web API ---- */

static void count_call(const char *method)
{
    int i = 0;
    while (i < call_count && strcmp(calls[i].method, method) != 0)
        i++;
    if (i == 32)
        return;
    if (i == call_count)
        snprintf(calls[call_count++].method, sizeof calls[i].method, "%s", method);
    calls[i].count++;
}

static void answer_message(struct lws *wsi, struct visit *visit)
{
    cJSON *given = cJSON_ParseWithLength(visit->body ? visit->body : "", visit->length);
    const cJSON *channel = cJSON_GetObjectItem(given, "channel");
    const cJSON *ts = cJSON_GetObjectItem(given, "ts");
    char json[512];
    int used = snprintf(json, sizeof json, "{\"ok\":true,\"channel\":\"%.40s\",\"ts\":\"",
                        cJSON_IsString(channel) ? channel->valuestring : "C0T01");
    if (cJSON_IsString(ts))
        used += snprintf(json + used, sizeof json - (size_t)used, "%.40s", ts->valuestring);
    else
        used += snprintf(json + used, sizeof json - (size_t)used, "1700000000.%06llu",
                         (unsigned long long)++messages);
    snprintf(json + used, sizeof json - (size_t)used, "\",\"message\":{}}");
    cJSON_Delete(given);
    answer(wsi, visit, json);
}

static void answer_method(struct lws *wsi, struct visit *visit, const char *method)
{
    char json[1024];
    count_call(method);
    if (strcmp(method, "apps.connections.open") == 0) {
        snprintf(json, sizeof json, "{\"ok\":true,\"url\":\"ws://127.0.0.1:%d/link/?ticket=1\"}",
                 port);
    } else if (strcmp(method, "auth.test") == 0) {
        snprintf(json, sizeof json,
                 "{\"ok\":true,\"url\":\"http://127.0.0.1:%d/\",\"team\":\"Acme\",\"user\":"
                 "\"envbot\",\"team_id\":\"T0ACME\",\"user_id\":\"U0ENVBOT\",\"bot_id\":"
                 "\"B0ENVBOT\",\"is_enterprise_install\":false}",
                 port);
    } else if (strcmp(method, "users.info") == 0) {
        const char *id = visit->body ? memmem(visit->body, visit->length, "user=", 5) : NULL;
        int length = id ? (int)strspn(id + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
        snprintf(json, sizeof json,
                 "{\"ok\":true,\"user\":{\"id\":\"%.*s\",\"team_id\":\"T0ACME\",\"name\":"
                 "\"member\",\"deleted\":false,\"tz\":\"Europe/Berlin\",\"is_bot\":false,"
                 "\"is_restricted\":false,\"is_ultra_restricted\":false,\"profile\":"
                 "{\"display_name\":\"member\",\"real_name\":\"Member\",\"email\":"
                 "\"%.*s@example.com\"}}}",
                 length, id ? id + 5 : "", length, id ? id + 5 : "");
    } else if (strcmp(method, "usergroups.list") == 0) {
        snprintf(json, sizeof json,
                 "{\"ok\":true,\"usergroups\":[{\"id\":\"S0APPR\",\"handle\":"
                 "\"platform-approvers\",\"date_delete\":0,\"users\":[\"U0APPR\",\"U0APPR2\"]}]}");
    } else if (strcmp(method, "chat.getPermalink") == 0) {
        snprintf(json, sizeof json, "{\"ok\":true,\"permalink\":\"https://acme.example/p1\"}");
    } else if (strcmp(method, "conversations.replies") == 0 ||
               strcmp(method, "conversations.history") == 0) {
        snprintf(json, sizeof json, "{\"ok\":true,\"messages\":[],\"has_more\":false}");
    } else {
        answer_message(wsi, visit);
        return;
    }
    answer(wsi, visit, json);
}

/* ---- the control door ---- */

static double argument(struct lws *wsi, const char *name, double otherwise)
{
    char text[64];
    const char *value = lws_get_urlarg_by_name(wsi, name, text, sizeof text);
    return value ? strtod(value, NULL) : otherwise;
}

static void start_run(struct lws *wsi)
{
    uint32_t next = run.next;
    run = (struct run){.asker = wsi, .first = next, .next = next, .turn = run.turn};
    char text[64];
    const char *kind = lws_get_urlarg_by_name(wsi, "kind=", text, sizeof text);
    snprintf(run.kind, sizeof run.kind, "%.15s", kind ? kind : "list");
    const char *value = lws_get_urlarg_by_name(wsi, "value=", text, sizeof text);
    snprintf(run.value, sizeof run.value, "%.63s", value ? value : "");
    run.wanted = (unsigned)argument(wsi, "inflight=", 1);
    run.count = (uint32_t)argument(wsi, "count=", RUN_MOST);
    run.seconds = argument(wsi, "seconds=", 0);
    if (run.count > RUN_MOST)
        run.count = RUN_MOST;
    for (int i = 0; i < call_count; i++)
        run.calls += calls[i].count;
    run.cpu = cpu_seconds();
    run.began = now_ns();
    fill();
}

static void answer_calls(struct lws *wsi, struct visit *visit)
{
    char json[2048] = "{";
    for (int i = 0; i < call_count; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json), "%s\"%s\":%d", i ? "," : "",
                 calls[i].method, calls[i].count);
    strcat(json, "}");
    answer(wsi, visit, json);
}

static void on_request(struct lws *wsi, struct visit *visit)
{
    if (strncmp(visit->uri, "/api/", 5) == 0)
        answer_method(wsi, visit, visit->uri + 5);
    else if (strcmp(visit->uri, "/control/run") == 0)
        start_run(wsi);
    else if (strcmp(visit->uri, "/control/calls") == 0)
        answer_calls(wsi, visit);
    else
        answer(wsi, visit, "ok");
}

static int write_answer(struct lws *wsi, struct visit *visit)
{
    unsigned char head[LWS_PRE + 1024], *at = head + LWS_PRE, *end = head + sizeof head - 1;
    if (!visit->answer)
        return 0;
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "application/json", visit->answer_length,
                                    &at, end) ||
        lws_finalize_write_http_header(wsi, head + LWS_PRE, &at, end) ||
        lws_write(wsi, (void *)(visit->answer + LWS_PRE), visit->answer_length,
                  LWS_WRITE_HTTP_FINAL) < 0)
        return -1;
    free(visit->answer);
    free(visit->body);
    memset(visit, 0, sizeof *visit);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static void take_body(struct visit *visit, const void *part, size_t length)
{
    if (visit->length + length > BODY_MOST)
        return;
    visit->body = realloc(visit->body, visit->length + length + 1);
    if (!visit->body)
        abort();
    memcpy(visit->body + visit->length, part, length);
    visit->length += length;
    visit->body[visit->length] = '\0';
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    struct visit *visit = user;
    struct link *link;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        memset(visit, 0, sizeof *visit);
        snprintf(visit->uri, sizeof visit->uri, "%.*s", (int)length, (const char *)in);
        char size[16] = "0";
        lws_hdr_copy(wsi, size, sizeof size, WSI_TOKEN_HTTP_CONTENT_LENGTH);
        visit->post = lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0 && atoi(size) > 0;
        if (!visit->post)
            on_request(wsi, visit);
        return 0;
    case LWS_CALLBACK_HTTP_BODY:
        take_body(visit, in, length);
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (visit->post)
            on_request(wsi, visit);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return write_answer(wsi, visit);
    case LWS_CALLBACK_ESTABLISHED:
        link = link_of(NULL);
        if (!link)
            return -1;
        memset(link, 0, sizeof *link);
        link->wsi = wsi;
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        link = link_of(wsi);
        return link ? send_waiting(link) : -1;
    case LWS_CALLBACK_RECEIVE:
        if (lws_is_first_fragment(wsi))
            on_ack(in, length);
        return 0;
    case LWS_CALLBACK_CLOSED:
        link = link_of(wsi);
        if (link)
            memset(link, 0, sizeof *link);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, length);
    }
}

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
    lws_cancel_service(context);
}

int main(int count, char **words)
{
    for (int i = 1; i < count; i++)
        if (sscanf(words[i], "--teams=%d", &teams) != 1 &&
            sscanf(words[i], "--people=%d", &people) != 1)
            return 2;
    static const struct lws_protocols protocols[] = {
        {.name = "http",
         .callback = callback,
         .per_session_data_size = sizeof(struct visit),
         .rx_buffer_size = 65536},
        {0},
    };
    lws_set_log_level(LLL_ERR, NULL);
    const struct lws_context_creation_info info = {
        .port = 0,
        .iface = "127.0.0.1",
        .protocols = protocols,
        .pt_serv_buf_size = 65536,
        .options = LWS_SERVER_OPTION_DISABLE_IPV6,
        .fd_limit_per_thread = 128,
        .timeout_secs = 600,
        .keepalive_timeout = 600,
    };
    context = lws_create_context(&info);
    if (!context)
        return 1;
    port = lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default"));
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    printf("http://127.0.0.1:%d\n", port);
    fflush(stdout);
    while (!stopped && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
