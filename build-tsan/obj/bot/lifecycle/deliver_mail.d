build-tsan/obj/bot/lifecycle/deliver_mail.o: bot/lifecycle/deliver_mail.c \
 bot/lifecycle/deliver.h bot/aws/call.h bot/base/error.h bot/config.h \
 bot/base/error.h bot/lifecycle/pace.h bot/lifecycle/wording.h \
 bot/base/json.h bot/slack/web.h bot/store/outbox.h bot/store/db.h \
 bot/aws/ses.h bot/aws/sns.h bot/base/retry.h
bot/lifecycle/deliver.h:
bot/aws/call.h:
bot/base/error.h:
bot/config.h:
bot/base/error.h:
bot/lifecycle/pace.h:
bot/lifecycle/wording.h:
bot/base/json.h:
bot/slack/web.h:
bot/store/outbox.h:
bot/store/db.h:
bot/aws/ses.h:
bot/aws/sns.h:
bot/base/retry.h:
