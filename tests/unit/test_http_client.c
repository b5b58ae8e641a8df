/* What the HTTP client promises, against a server of a few lines on loopback. */
#include "base/http_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <talloc.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* Answers the requests of one connection after the other as a script says; counts requests. */
struct server {
    int fd, port;
    const char *const *script; /* an answer each; "" hangs up without one; NULL ends */
    atomic_int requests;
    pthread_t thread;
};

/* Reads one request with its body; false at the end of the connection. */
static bool read_request(int fd)
{
    char text[8192] = "";
    size_t length = 0;
    while (length < sizeof text - 1) {
        ssize_t got = read(fd, text + length, sizeof text - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        text[length] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *size = strstr(text, "Content-Length: ");
        size_t body = 0;
        if (size)
            sscanf(size + 16, "%zu", &body);
        if (end && length >= (size_t)(end + 4 - text) + body)
            return true;
    }
    return false;
}

static void *serve(void *context)
{
    struct server *server = context;
    const char *const *next = server->script;
    while (*next) {
        int fd = accept(server->fd, NULL, NULL);
        while (*next && read_request(fd)) {
            atomic_fetch_add(&server->requests, 1);
            const char *answer = *next++;
            if (!*answer)
                break;
            assert_int_equal(write(fd, answer, strlen(answer)), (ssize_t)strlen(answer));
        }
        close(fd);
    }
    return NULL;
}

static void start(struct server *server, const char *const *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    server->script = script;
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
    pthread_join(server->thread, NULL);
    struct pollfd more = {.fd = server->fd, .events = POLLIN};
    while (poll(&more, 1, 0) > 0) { /* who connected again must not have asked again */
        int fd = accept(server->fd, NULL, NULL);
        assert_false(read_request(fd));
        close(fd);
    }
    close(server->fd);
}

static bool post(void *ctx, struct http_client *client, int port, struct http_response *response,
                 struct error *err)
{
    struct http_request request = {.method = "POST", .body = "a=1", .body_length = 3};
    request.url = talloc_asprintf(ctx, "http://127.0.0.1:%d/", port);
    request.total_ms = 5000;
    return http_send(ctx, client, &request, response, err);
}

static void test_a_lost_answer_on_a_kept_connection_is_unknown_and_not_sent_twice(void **unused)
{
    (void)unused;
    static const char *const script[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "",
                                         NULL};
    struct server server = {0};
    start(&server, script);
    void *ctx = talloc_new(NULL);
    struct http_client *client = http_client_new(ctx);
    struct http_response response;
    struct error err = {0};
    assert_true(post(ctx, client, server.port, &response, &err));
    assert_string_equal(response.body, "ok");
    assert_false(post(ctx, client, server.port, &response, &err));
    assert_int_equal(err.code, ERROR_UNKNOWN);
    stop(&server);
    assert_int_equal(atomic_load(&server.requests), 2);
    talloc_free(ctx);
}

static void test_nobody_there_means_never_sent(void **unused)
{
    (void)unused;
    static const char *const script[] = {NULL};
    struct server server = {0};
    start(&server, script);
    stop(&server); /* its port is free and refuses */
    void *ctx = talloc_new(NULL);
    struct http_response response;
    struct error err = {0};
    assert_false(post(ctx, http_client_new(ctx), server.port, &response, &err));
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    talloc_free(ctx);
}

static void test_retry_after_and_headers_are_told(void **unused)
{
    (void)unused;
    static const char *const script[] = {
        "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-Amzn-Errortype: Busy\r\n"
        "Content-Length: 0\r\n\r\n",
        NULL};
    struct server server = {0};
    start(&server, script);
    void *ctx = talloc_new(NULL);
    struct http_client *client = http_client_new(ctx);
    struct http_response response;
    struct error err = {0};
    assert_true(post(ctx, client, server.port, &response, &err));
    assert_int_equal(response.status, 429);
    assert_int_equal(response.retry_after, 7);
    assert_string_equal(http_header(client, "x-amzn-errortype"), "Busy");
    assert_null(http_header(client, "x-none"));
    stop(&server);
    talloc_free(ctx);
}

static void test_an_answer_above_the_cap_is_refused(void **unused)
{
    (void)unused;
    static const char *const script[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789", NULL};
    struct server server = {0};
    start(&server, script);
    void *ctx = talloc_new(NULL);
    struct http_response response;
    struct error err = {0};
    struct http_request request = {.method = "GET", .most = 10};
    request.url = talloc_asprintf(ctx, "http://127.0.0.1:%d/", server.port);
    assert_false(http_send(ctx, http_client_new(ctx), &request, &response, &err));
    assert_int_equal(err.code, ERROR_UNKNOWN);
    assert_non_null(strstr(err.text, "too large"));
    stop(&server);
    talloc_free(ctx);
}

static void test_plain_http_is_for_loopback_alone(void **unused)
{
    (void)unused;
    struct error err;
    assert_true(http_url_allowed("https://slack.com/api/", false, &err));
    assert_true(http_url_allowed("http://127.0.0.1:8080/x", false, &err));
    assert_true(http_url_allowed("http://localhost:1/", false, &err));
    assert_true(http_url_allowed("http://[::1]:1/", false, &err));
    static const char *const refused[] = {"http://slack.com/api/",
                                          "http://127.0.0.1.example.com/",
                                          "http://127.0.0.1@example.com/",
                                          "http://169.254.169.254/",
                                          "ftp://127.0.0.1/",
                                          "file:///etc/passwd",
                                          "http://localhost.example",
                                          "not a url"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_false(http_url_allowed(refused[i], false, &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
    assert_true(http_url_allowed("http://169.254.169.254/latest", true, &err));
    assert_false(http_url_allowed("http://169.254.1.1/latest", true, &err));
}

static void test_what_is_no_letter_is_escaped(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    assert_string_equal(http_escape(ctx, "a-B_9.~ /+&=é"), "a-B_9.~%20%2F%2B%26%3D%C3%A9");
    assert_string_equal(http_escape(ctx, ""), "");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_answer_on_a_kept_connection_is_unknown_and_not_sent_twice),
        cmocka_unit_test(test_nobody_there_means_never_sent),
        cmocka_unit_test(test_retry_after_and_headers_are_told),
        cmocka_unit_test(test_an_answer_above_the_cap_is_refused),
        cmocka_unit_test(test_plain_http_is_for_loopback_alone),
        cmocka_unit_test(test_what_is_no_letter_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
