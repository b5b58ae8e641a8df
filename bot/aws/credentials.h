/* Where AWS keys come from, in the order of AWS's own SDKs: the environment, a web identity (IRSA),
   a profile with keys of its own, the container's address (EKS Pod Identity, ECS), the machine
   (IMDSv2). */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include "aws/sigv4.h"
#include "base/error.h"
#include "base/http_client.h"

/* Of one thread. http is used, not owned, and must live as long. sts_url "" is the region's own. */
struct aws_credentials;
struct aws_credentials *aws_credentials_new(const void *ctx, struct http_client *http,
                                            const char *region, const char *sts_url);

/* The keys of now, owned by credentials and valid until the next call. Keys that end are asked for
   again ten minutes before; while that fails the old ones serve until their end.
   ERROR_CONFIG: nobody has any, with what to do; ERROR_UNAVAILABLE: try again. */
const struct aws_keys *aws_credentials_get(struct aws_credentials *credentials, struct error *err);

/* AWS did not like them (expired): the next get asks anew. */
void aws_credentials_forget(struct aws_credentials *credentials);

/* The keys of one profile's section in the text of a credentials or config file: *id, *secret and
 *token (ctx; NULL where the section does not have them). For aws_credentials and its test. */
void aws_profile_read(const void *ctx, const char *text, const char *section, const char **id,
                      const char **secret, const char **token);
/* "2026-11-24T14:00:00Z" to seconds since 1970; 0 when it is none. */
time_t aws_time(const char *text);
/* What stands between <name> and </name> in an answer, first found, ctx; NULL when it has none.
   For the few flat answers that are XML; what is read has no entities. */
const char *aws_xml_text(const void *ctx, const char *xml, const char *name);

#endif
