build-tsan/obj/approvals/people.o: approvals/people.c approvals/people.h \
 approvals/rbac.h bot/base/error.h bot/config.h bot/base/error.h \
 bot/slack/web.h bot/base/json.h bot/base/text.h
approvals/people.h:
approvals/rbac.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/slack/web.h:
bot/base/json.h:
bot/base/text.h:
