build-tsan/obj/bot/lifecycle/outbox.o: bot/lifecycle/outbox.c \
 bot/lifecycle/outbox.h bot/base/breaker.h bot/base/error.h \
 bot/base/metrics.h bot/config.h bot/base/error.h bot/lifecycle/wording.h \
 bot/base/json.h bot/base/bell.h bot/base/log.h bot/base/process.h \
 bot/lifecycle/deliver.h bot/aws/call.h bot/lifecycle/pace.h \
 bot/slack/web.h bot/store/outbox.h bot/store/db.h bot/lifecycle/say.h \
 bot/store/environments.h
bot/lifecycle/outbox.h:
bot/base/breaker.h:
bot/base/error.h:
bot/base/metrics.h:
bot/config.h:
bot/base/error.h:
bot/lifecycle/wording.h:
bot/base/json.h:
bot/base/bell.h:
bot/base/log.h:
bot/base/process.h:
bot/lifecycle/deliver.h:
bot/aws/call.h:
bot/lifecycle/pace.h:
bot/slack/web.h:
bot/store/outbox.h:
bot/store/db.h:
bot/lifecycle/say.h:
bot/store/environments.h:
