/* The kubeconfig's fields: kubernetes.io, "kubeconfig (v1)". */
#include "base/kube_access.h"

#include "base/tree.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

enum { FILE_MOST = 1 << 20 };

static void note_file(struct kube_access *access, const char *path)
{
    size_t count = talloc_array_length(access->files);
    access->files = talloc_realloc(access, access->files, const char *, (unsigned)count + 1);
    access->files[count - 1] = talloc_strdup(access, path);
    access->files[count] = NULL;
}

/* The text of a small file, without blanks at its end. */
static const char *read_file(struct kube_access *access, const char *path, struct error *err)
{
    note_file(access, path);
    FILE *file = fopen(path, "re");
    if (!file) {
        error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    char *text = talloc_size(access, FILE_MOST);
    size_t length = fread(text, 1, FILE_MOST - 1, file);
    fclose(file);
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return talloc_realloc_size(access, text, length + 1);
}

static const char *decode(struct kube_access *access, const char *text, const char *name,
                          struct error *err)
{
    EVP_ENCODE_CTX *state = EVP_ENCODE_CTX_new();
    unsigned char *out = talloc_zero_size(access, strlen(text) + 4);
    int length = 0, rest = 0;
    EVP_DecodeInit(state);
    bool ok = EVP_DecodeUpdate(state, out, &length, (const unsigned char *)text,
                               (int)strlen(text)) >= 0 &&
              EVP_DecodeFinal(state, out + length, &rest) >= 0;
    EVP_ENCODE_CTX_free(state);
    if (!ok) {
        error_set(err, ERROR_CONFIG, "%s is no base64", name);
        return NULL;
    }
    out[length + rest] = '\0';
    return (const char *)out;
}

/* A path in a kubeconfig is relative to the file it stands in. */
static const char *beside(struct kube_access *access, const char *kubeconfig, const char *path)
{
    const char *slash = strrchr(kubeconfig, '/');
    if (*path == '/' || !slash)
        return path;
    return talloc_asprintf(access, "%.*s/%s", (int)(slash - kubeconfig), kubeconfig, path);
}

/* What NAME-data says, else the contents of the file NAME; "" when there is neither. */
static bool take_part(struct kube_access *access, const char *kubeconfig, const cJSON *from,
                      const char *name, const char **out, struct error *err)
{
    const char *given = json_string(
        cJSON_GetObjectItemCaseSensitive(from, talloc_asprintf(access, "%s-data", name)), "");
    const char *path = json_string(cJSON_GetObjectItemCaseSensitive(from, name), "");
    *out = "";
    if (given && *given)
        *out = decode(access, given, talloc_asprintf(access, "%s-data", name), err);
    else if (path && *path)
        *out = read_file(access, beside(access, kubeconfig, path), err);
    return *out != NULL;
}

/* The member KEY of the item called NAME in one of the kubeconfig's lists. */
static const cJSON *named(const cJSON *root, const char *list, const char *name, const char *key,
                          struct error *err)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, cJSON_GetObjectItemCaseSensitive(root, list))
        if (strcmp(json_string_or_empty(each, "name"), name) == 0)
            return cJSON_GetObjectItemCaseSensitive(each, key);
    error_set(err, ERROR_CONFIG, "there is no “%s” among its %s", name, list);
    return NULL;
}

/* What would have to be honoured and is not. */
static bool supported(const cJSON *cluster, const cJSON *user, struct error *err)
{
    static const struct {
        bool of_user;
        const char *key, *words;
    } refused[] = {
        {true, "exec",
         "it asks a program for its token (exec), and envbot runs no programs for "
         "that; give it a service account's token in a tokenFile"},
        {true, "auth-provider",
         "auth-provider is not supported; use a token, tokenFile or "
         "client-certificate"},
        {true, "username",
         "a user name with a password is not supported; use a token, tokenFile "
         "or client-certificate"},
        {true, "as", "acting as somebody else (as) is not supported"},
        {false, "insecure-skip-tls-verify",
         "insecure-skip-tls-verify is not supported; name the "
         "certificate-authority"},
        {false, "tls-server-name", "tls-server-name is not supported"},
        {false, "proxy-url", "proxy-url is not supported; HTTPS_PROXY is honoured"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const cJSON *given =
            cJSON_GetObjectItemCaseSensitive(refused[i].of_user ? user : cluster, refused[i].key);
        if (given && !cJSON_IsNull(given) && !cJSON_IsFalse(given))
            return error_set(err, ERROR_CONFIG, "%s", refused[i].words);
    }
    return true;
}

static bool take_server(struct kube_access *access, const char *server, struct error *err)
{
    size_t length = strlen(server);
    while (length && server[length - 1] == '/')
        length--;
    access->server = talloc_strndup(access, server, length);
    if (strncmp(server, "https://", 8) != 0)
        return error_set(err, ERROR_CONFIG, "the server “%s” does not begin with https://", server);
    return true;
}

static bool take_kubeconfig(struct kube_access *access, const struct kube_options *options,
                            const cJSON *root, struct error *err)
{
    const char *file = options->kubeconfig;
    const char *name =
        *options->context ? options->context : json_string_or_empty(root, "current-context");
    if (!*name)
        return error_set(err, ERROR_CONFIG, "it has no current-context; name one (%s.context)",
                         options->setting);
    const cJSON *context = named(root, "contexts", name, "context", err);
    const cJSON *cluster =
        context ? named(root, "clusters", json_string_or_empty(context, "cluster"), "cluster", err)
                : NULL;
    const cJSON *user =
        cluster ? named(root, "users", json_string_or_empty(context, "user"), "user", err) : NULL;
    if (!user || !supported(cluster, user, err) ||
        !take_server(access, json_string_or_empty(cluster, "server"), err) ||
        !take_part(access, file, cluster, "certificate-authority", &access->tls.authority, err) ||
        !take_part(access, file, user, "client-certificate", &access->tls.certificate, err) ||
        !take_part(access, file, user, "client-key", &access->tls.key, err))
        return false;
    const char *token = json_string_or_empty(user, "token");
    const char *path = json_string_or_empty(user, "tokenFile");
    /* client-go: the file goes before the word */
    access->token =
        *path ? read_file(access, beside(access, file, path), err) : talloc_strdup(access, token);
    if (!access->token)
        return false;
    if (!*access->token && !*access->tls.certificate)
        return error_set(err, ERROR_CONFIG,
                         "its user has neither token, tokenFile nor client-certificate");
    return true;
}

static bool read_kubeconfig(struct kube_access *access, const struct kube_options *options,
                            struct error *err)
{
    struct tree *trees;
    int count;
    note_file(access, options->kubeconfig);
    if (strchr(options->kubeconfig, ':'))
        return error_set(err, ERROR_CONFIG,
                         "the kubeconfig “%s” names several files; name one (%s.kubeconfig)",
                         options->kubeconfig, options->setting);
    if (!tree_read_file(access, options->kubeconfig, &trees, &count, err)) {
        err->code = ERROR_CONFIG;
        return false;
    }
    if (count < 1 || !cJSON_IsObject(trees[0].root))
        return error_set(err, ERROR_CONFIG, "%s is no kubeconfig", options->kubeconfig);
    return take_kubeconfig(access, options, trees[0].root, err) ||
           error_prefix(err, "the kubeconfig %s: ", options->kubeconfig);
}

static bool read_account(struct kube_access *access, const struct kube_options *options,
                         struct error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !*host)
        return error_set(err, ERROR_CONFIG,
                         "there is neither %s.kubeconfig nor KUBERNETES_SERVICE_HOST, which a pod "
                         "finds in its environment: say which cluster it is",
                         options->setting);
    bool six = strchr(host, ':') != NULL;
    access->server = talloc_asprintf(access, "https://%s%s%s:%s", six ? "[" : "", host,
                                     six ? "]" : "", port && *port ? port : "443");
    access->token = read_file(access, talloc_asprintf(access, "%s/token", options->account), err);
    access->tls.authority =
        access->token
            ? read_file(access, talloc_asprintf(access, "%s/ca.crt", options->account), err)
            : NULL;
    return access->tls.authority != NULL;
}

struct kube_access *kube_access_read(const void *ctx, const struct kube_options *options,
                                     struct error *err)
{
    struct kube_access *access = talloc_zero(ctx, struct kube_access);
    access->files = talloc_zero_array(access, const char *, 1);
    access->token = "";
    bool ok = *options->kubeconfig ? read_kubeconfig(access, options, err)
                                   : read_account(access, options, err);
    if (ok)
        return access;
    talloc_free(access);
    return NULL;
}
